/* Times in words.  See words.h. */
#include "words.h"

#include <time.h>

enum { WORDS_MAX = 64 };

void words_span(struct output *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		int64_t n = seconds / units[i].seconds;

		if (n > 0 || units[i].seconds == 1) {
			output_format(out, "%lld %s%s", (long long)n, units[i].name,
				      n == 1 ? "" : "s");
			return;
		}
	}
}

void words_moment(struct output *out, int64_t seconds, bool with_date)
{
	time_t t = (time_t)seconds;
	char words[WORDS_MAX] = "?";
	struct tm tm;

	if (localtime_r(&t, &tm))
		(void)strftime(words, sizeof words, with_date ? "%Y-%m-%d %H:%M:%S %z" : "%H:%M:%S",
			       &tm);
	output_text(out, words);
}
