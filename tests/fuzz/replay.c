/*
 * The fuzz target's main() where there is no fuzzer: runs it over every file of its
 * corpus, so that `make check` keeps what fuzzing has found.  Speaks TAP.
 *   build/tests/fuzz/TARGET            the files in tests/fuzz/corpus/TARGET
 *   build/tests/fuzz/TARGET FILE...    these files, such as a find of the fuzzer
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static const char *current = ""; /* the file whose input is running, for the last words */

/* Only calls that a signal handler may make. */
static void last_words(int number)
{
	static const char text[] = "not ok 1 - ended by a signal in ";

	(void)!write(STDOUT_FILENO, text, sizeof text - 1);
	(void)!write(STDOUT_FILENO, current, strlen(current));
	(void)!write(STDOUT_FILENO, "\n", 1);
	(void)raise(number); /* SA_RESETHAND: this time for good */
}

static void run_file(const char *path)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size, len;
	FILE *fp = fopen(path, "re");
	struct stat st;
	uint8_t *map;

	if (!fp || fstat(fileno(fp), &st) != 0)
		err(EXIT_FAILURE, "%s", path);
	len = (size_t)st.st_size;
	size = (len + page - 1) / page * page;
	/* Behind the input lies a page that ends the program when it is touched. */
	map = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + size, page, PROT_NONE) != 0 ||
	    fread(map + size - len, 1, len, fp) != len)
		err(EXIT_FAILURE, "%s", path);
	(void)fclose(fp);
	current = path;
	(void)LLVMFuzzerTestOneInput(map + size - len, len);
	(void)munmap(map, size + page);
}

static int is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int run_folder(const char *folder)
{
	struct dirent **entry = NULL;
	int count = scandir(folder, &entry, is_visible, alphasort);

	if (count < 0)
		err(EXIT_FAILURE, "%s", folder);
	for (int i = 0; i < count; i++) {
		char *path = NULL;

		if (asprintf(&path, "%s/%s", folder, entry[i]->d_name) < 0)
			err(EXIT_FAILURE, "%s", folder);
		run_file(path);
		free(path);
		free(entry[i]);
	}
	free(entry);
	return count;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = last_words, .sa_flags = (int)SA_RESETHAND };
	char *folder = NULL;
	int count = argc - 1;

	(void)sigaction(SIGABRT, &action, NULL);
	(void)sigaction(SIGSEGV, &action, NULL);
	(void)puts("1..1");
	(void)fflush(stdout);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1) {
		if (asprintf(&folder, "tests/fuzz/corpus/%s", program_invocation_short_name) < 0)
			err(EXIT_FAILURE, "%s", argv[0]);
		count = run_folder(folder);
		free(folder);
	}
	/* An empty corpus would pass for ever. */
	(void)printf("%sok 1 - %s: %d inputs\n", count > 0 ? "" : "not ",
		     program_invocation_short_name, count);
	return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
