#!/usr/bin/python3
"""What the three binaries are made of and what the sources may use. Needs no root.

The layout: module/ (PAM, nothing else), broker/ (curl, cJSON, confuse), tool/ and common/ (libc only), which is the
only one that the others include.
"""
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from machine import make  # noqa: E402
from suite import BUILD, ROOT  # noqa: E402

MODULE, BROKER, TOOL = BUILD / "pam_ibmiam.so", BUILD / "ibmiam-broker", BUILD / "ibmiam"
SOURCES = ROOT / "pam_ibmiam"
FOLDERS = ("common", "module", "broker", "tool")
ENTRY_POINTS = {f"pam_sm_{name}" for name in ("authenticate", "setcred", "acct_mgmt", "open_session", "close_session",
                                              "chauthtok")}
NEEDED = {MODULE: {"libpam.so.0", "libc.so.6"},
          BROKER: {"libcrypto.so.3", "libcurl.so.4", "libcjson.so.1", "libconfuse.so.2", "libseccomp.so.2", "libc.so.6"},
          TOOL: {"libc.so.6"}}
SIZE_MAX = 64 * 1024

# Headers by who may include them; what is not named here is everybody's.
HEADERS = {r"security/": {"module"}, r"curl/|cjson/|confuse\.h|seccomp|openssl/": {"broker"},
           r"netdb\.h|netinet/|arpa/|resolv\.h": {"broker"}, r"threads\.h": set(), r"pthread\.h": {"common", "broker"}}

# Functions that change the whole host, trust its environment, start threads or programs, or talk to the network:
# not for what runs inside a host.
NOT_IN_A_HOST = """
    getenv secure_getenv setenv unsetenv putenv clearenv environ
    exit quick_exit abort atexit on_exit err errx error assert __assert_fail
    system popen posix_spawn posix_spawnp fork daemon wait wait3 wait4
    pthread_create thrd_create pthread_key_create dlopen
    signal sigaltstack siglongjmp longjmp raise alarm setitimer sleep usleep
    bind listen accept accept4 getaddrinfo gethostbyname res_query
    setlocale uselocale setuid seteuid setreuid setresuid setgid setegid setregid setresgid setgroups initgroups
    openlog closelog setlogmask syslog vsyslog
    fopen freopen fprintf vfprintf printf vprintf puts perror
""".split()
# The keeper is a copy of the host, in a process of its own, and may change that.
KEEPERS_ONLY = """
    setrlimit setpriority sched_setscheduler chdir umask dup2 setsid setpgid kill prctl
    sigaction sigprocmask signalfd execve vfork _exit
""".split()
# Functions that are hard to use well, in any program.
BANNED = """
    strcpy stpcpy strcat strncpy strncat sprintf vsprintf gets getwd strtok
    scanf sscanf fscanf vsscanf atoi atol atoll atof alloca strdupa
    mktemp tmpnam tempnam tmpfile rand srand random srandom drand48
    asctime ctime gmtime localtime getpass realpath system popen readdir_r
""".split()
# And what the broker promises not to do besides: run programs, trust an environment, write files.
NOT_IN_THE_BROKER = """
    secure_getenv execve execv execvp execvpe execl execlp execle fexecve fork vfork
    posix_spawn posix_spawnp creat mkstemp open_memstream rename link symlink mkdir truncate ftruncate
""".split()
# The command asks the broker and nobody else, runs one program in its own place, and reads one variable.
NOT_IN_THE_TOOL = """
    getenv fork vfork posix_spawn posix_spawnp popen execv execve execvpe execl execlp execle fexecve
    bind listen accept accept4 getaddrinfo gethostbyname res_query dlopen pthread_create
    creat mkstemp open_memstream rename link symlink mkdir truncate ftruncate fopen syslog openlog
""".split()


def output(*command) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"],
                                                                                    "LC_ALL": "C"}).stdout


def symbols(binary: Path, *options: str) -> set[str]:
    return {line.split()[-1].partition("@")[0] for line in output("nm", "-D", *options, binary).splitlines()}


def code(path: Path) -> str:
    """A source without its comments and strings."""
    return re.sub(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", " ", path.read_text(), flags=re.S)


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((SOURCES / folder).glob("*.[ch]"))]


def calls(path: Path, names: list[str]) -> set[str]:
    return set(re.findall(rf"(?<![\w.>])({'|'.join(names)})\s*\(", code(path)))


class Binaries(unittest.TestCase):
    maxDiff = None

    def test_the_module_exports_six_functions(self):
        self.assertEqual(symbols(MODULE, "--defined-only"), ENTRY_POINTS)

    def test_needed_libraries(self):
        for binary, expected in NEEDED.items():
            with self.subTest(binary.name):
                dynamic = output("readelf", "-dW", binary)
                self.assertEqual(set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)), expected)

    def test_the_module_is_small(self):
        with tempfile.TemporaryDirectory(prefix="ibmiam-structure-") as folder:
            stripped = shutil.copy(MODULE, folder)
            output("strip", stripped)
            self.assertLess(os.path.getsize(stripped), SIZE_MAX)

    def test_nothing_of_this_machine_is_inside(self):
        for binary in NEEDED:
            with self.subTest(binary.name), tempfile.TemporaryDirectory(prefix="ibmiam-structure-") as folder:
                stripped = Path(shutil.copy(binary, folder))
                output("strip", stripped)
                for name in names_of_this_machine():
                    self.assertNotIn(name.encode(), stripped.read_bytes())

    def test_imported_functions(self):
        for binary, names in {MODULE: NOT_IN_A_HOST + BANNED, BROKER: NOT_IN_THE_BROKER + BANNED,
                              TOOL: NOT_IN_THE_TOOL + BANNED}.items():
            if binary == TOOL:  # which starts a broker as the module does, by the keeper
                names = [name for name in names if name not in KEEPERS_ONLY]
            imported = symbols(binary, "--undefined-only")
            spelt = {f"__{name}_chk" for name in names} | {f"__isoc99_{name}" for name in names} | set(names)
            with self.subTest(binary.name):
                self.assertIn("free", imported)
                self.assertEqual(imported & spelt, set())

    def test_hardening(self):
        if "-fsanitize" in (BUILD / "flags").read_text():
            self.skipTest("a build with sanitizers")
        for binary in NEEDED:
            header, segments, dynamic, notes = (output("readelf", "-W", option, binary)
                                                for option in ("-h", "-l", "-d", "-n"))
            undefined = symbols(binary, "--undefined-only")
            checks = {
                "position independent": re.search(r"Type:\s+DYN", header),
                "PIE": binary == MODULE or re.search(r"FLAGS_1\).*\bPIE\b", dynamic),
                "RELRO": "GNU_RELRO" in segments,
                "bound at once": "BIND_NOW" in dynamic or re.search(r"FLAGS_1\).*\bNOW\b", dynamic),
                "no executable stack": re.search(r"GNU_STACK.* RW ", segments),
                "nothing writable and executable": not re.search(r"LOAD.* RWE ", segments),
                "no RPATH": not re.search(r"R(UN)?PATH", dynamic),
                "no text relocations": "TEXTREL" not in dynamic,
                "stack protector": "__stack_chk_fail" in undefined,
                "fortified": {name for name in undefined if name.endswith("_chk")},
                "shadow stack": platform.machine() != "x86_64" or re.search(r"x86 feature:.*\bSHSTK\b", notes),
            }
            for name, holds in checks.items():
                with self.subTest(name, binary=binary.name):
                    self.assertTrue(holds)

    def test_objects_are_built_for_control_flow_enforcement(self):
        if platform.machine() != "x86_64":
            self.skipTest("for x86-64")
        objects = sorted((BUILD / "pam_ibmiam").glob("*/*.o"))
        self.assertGreater(len(objects), 20)
        without = [o.name for o in objects if "x86 feature: IBT, SHSTK" not in output("readelf", "-nW", o)]
        self.assertEqual(without, [])

    def test_a_host_maps_the_module_and_nothing_else(self):
        """And nothing of it is left when PAM ends, though the module has asked its broker."""
        host = BUILD / "tests/hosts/maps"
        make(host)
        with tempfile.TemporaryDirectory(prefix="ibmiam-structure-") as folder:
            config = Path(folder, "ibmiam.conf")
            config.write_text('accounts = { "0123456789abcdef0123456789abcdef" }\nendpoint = "https://127.0.0.1:1"\n'
                              "minimum_uid = 0\n")
            config.chmod(0o600)
            user = pwd.getpwuid(os.geteuid()).pw_name
            arguments = f"config={config} broker={BROKER} socket=none"
            Path(folder, "maps").write_text("".join(f"{phase} required {MODULE} {arguments}\n"
                                                    for phase in ("auth", "account", "session")))
            lists = {"RESULT": set()}
            for line in output(host, folder, "maps", user, "k" * 40).splitlines():
                if line in ("BEFORE", "WITH", "AFTER"):
                    current = lists[line] = set()
                elif line.startswith("RESULT"):
                    lists["RESULT"].add(line)
                else:
                    current.add(os.path.realpath(line))
        self.assertEqual(lists["WITH"] - lists["BEFORE"], {str(MODULE.resolve())})
        self.assertEqual(lists["AFTER"], lists["BEFORE"])
        self.assertEqual(lists["RESULT"], {"RESULT 10"})  # PAM_USER_UNKNOWN: the broker has answered


class Layout(unittest.TestCase):
    maxDiff = None

    def offenders(self, find, *folders: str) -> dict[str, set]:
        """The files in which something is found, and what."""
        found = {str(path.relative_to(SOURCES)): set(find(path)) for path in sources(*folders)}
        self.assertGreater(len(found), 5)
        return {path: what for path, what in found.items() if what}

    def test_own_headers(self):
        """A folder includes its own headers and those of common/, which has no other names among them."""
        common = {path.name for path in sources("common")}
        for folder in FOLDERS:
            own = {path.name for path in sources(folder)}
            with self.subTest(folder):
                included = lambda path: re.findall(r'^\s*#\s*include\s*"(.*)"', path.read_text(), re.M)  # noqa: E731
                self.assertEqual(self.offenders(lambda path: set(included(path)) - own - common, folder), {})
                self.assertTrue(folder == "common" or not own & common)

    def test_system_headers(self):
        for folder in FOLDERS:
            not_here = "|".join(pattern for pattern, folders in HEADERS.items() if folder not in folders)
            with self.subTest(folder):
                pattern = rf"^\s*#\s*include\s*<((?:{not_here}).*)>"
                self.assertEqual(self.offenders(lambda path: re.findall(pattern, path.read_text(), re.M), folder), {})

    def test_called_functions(self):
        with self.subTest("the keeper's own"):
            found = self.offenders(lambda path: calls(path, KEEPERS_ONLY), "common", "module")
            self.assertEqual(found.pop("common/spawn.c"), {"kill"})  # SIGCONT, to the keeper
            self.assertEqual(found.keys(), {"common/keeper.c"})
        with self.subTest("sockets"):
            found = self.offenders(lambda path: calls(path, ["socket", "connect"]), "common", "module")
            self.assertEqual(found, {"common/client.c": {"socket", "connect"}})
            client = (SOURCES / "common/client.c").read_text()
            self.assertEqual(re.findall(r"\bsocket\((\w+)", client), ["AF_UNIX"])
        with self.subTest("the broker's environment"):  # nothing but what systemd says of its socket
            self.assertEqual(self.offenders(lambda path: calls(path, ["getenv"]), "broker"),
                             {"broker/listener.c": {"getenv"}})
            found = re.findall(r'getenv\("(\w+)"\)', (SOURCES / "broker/listener.c").read_text())
            self.assertEqual(found, ["LISTEN_PID", "LISTEN_FDS"])
        for what, folders, names in [("a host's own", ("common", "module"), NOT_IN_A_HOST),
                                     ("the broker's promises", ("broker",), NOT_IN_THE_BROKER),
                                     ("the command's promises", ("tool",), NOT_IN_THE_TOOL + ["socket", "connect"]),
                                     ("banned", FOLDERS, BANNED)]:
            with self.subTest(what):
                self.assertEqual(self.offenders(lambda path: calls(path, names), *folders), {})

    def test_formats_are_literal(self):
        """What a user or the network said is never a format string."""
        self.assertEqual(self.offenders(odd_formats, *FOLDERS), {})

    def test_nothing_of_this_machine_is_in_the_tree(self):
        found = {str(path.relative_to(ROOT)): name for path in tree() for name in names_of_this_machine()
                 if name.encode() in path.read_bytes()}
        self.assertEqual(found, {})


def odd_formats(path: Path):
    position = {"pam_syslog": 2, "pam_error": 1, "pam_info": 1, "pam_prompt": 3, "snprintf": 2, "dprintf": 1,
                "fprintf": 1, "asprintf": 1, "syslog": 1, "printf": 0,
                "message_say": 0, "message_fail": 1, "output_format": 1}
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    for name, rest in re.findall(rf"(?<!\w)({'|'.join(position)})\s*\((.*?;)", text, re.S):
        argument = split_arguments(rest)[position[name]]
        if argument == "const char *format":  # its declaration
            continue
        if not re.match(r'(\s|"")*""|[^,]*\? *""+ *: *""+$', argument):
            yield f"{name}: {argument}"


def split_arguments(text: str) -> list[str]:
    """Of a call, from behind its opening parenthesis on."""
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def names_of_this_machine() -> set[str]:
    """Paths that mean nothing elsewhere."""
    home = pwd.getpwuid(os.geteuid()).pw_dir
    known = {f"{path}/" for path in (ROOT, BUILD) if len(path.parts) > 2}  # a shorter one could mean anything
    known |= {"/wo" "rk/main", "/wo" "rk/shared", "/tmp/bash" "_jobs"}
    return known | ({home + "/"} if home.startswith("/home/") else set())


def tree() -> list[Path]:
    """The files of the tree: what git knows or would add, or everything outside the build folders."""
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "ls-files", "-zco", "--exclude-standard"]
    listed = subprocess.run(git, capture_output=True) if shutil.which("git") else None
    if listed and listed.returncode == 0:
        paths = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(("build", ".git"))]
    return [path for path in paths if path.is_file() and "__pycache__" not in path.parts]


class Documents(unittest.TestCase):
    def test_the_readme_has_the_checks_in_their_order(self):
        """A row each, its name in the first column; below a row of --- IAM has been asked, as below the line here."""
        source = (SOURCES / "broker/decision.c").read_text()
        table = source.split("} checks[] = {")[1].split("};")[0]
        checks = [name or "---" for name in re.findall(r'(?m)^\t(?:\{ "(\w+)", \w+, \w+ \},|/\* ---- \*/)$', table)]
        section = (ROOT / "README.md").read_text().split("## Whom it trusts\n")[1].split("\n## ")[0]
        rows = re.findall(r"(?m)^\| (?:`(\w+)`|(---)) \|", section)
        self.assertEqual([name or line for name, line in rows], checks)


suite.main()
