#!/usr/bin/python3
"""The manual pages and the README's tables say what the code says: options, keys, subcommands, exit codes, results.

Each table is read from the source that decides (or, for the ibmiam command, asked of the program) and compared with
the documents by name, so that neither can drift.
"""
import re
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

SOURCES, MAN = ROOT / "pam_ibmiam", ROOT / "conf/man"
PAGES = sorted(MAN.iterdir())
README = (ROOT / "README.md").read_text()
BLOCKS = ("user", "service", "email_domain")


def source(path: str) -> str:
    return (SOURCES / path).read_text()


def found(pattern: str, text: str) -> list[str]:
    """What the pattern's group matches, in order; a table that is not there is a mistake of this test."""
    names = re.findall(pattern, text, re.M)
    if not names:
        raise AssertionError(f"nothing matches {pattern!r}")
    return names


# The documents.

def page(name: str, *, section: str = "", part: str = "") -> str:
    """The mdoc source of a page, of a .Sh in it, or of a .Ss in it."""
    text = (MAN / name).read_text()
    for macro, title in ("Sh", section), ("Ss", part):
        if title:
            text = re.split(rf"^\.{macro} {re.escape(title)}.*\n", text, flags=re.M)[1]
            text = re.split(r"^\.(?:Sh|Ss) " if macro == "Ss" else r"^\.Sh ", text, maxsplit=1, flags=re.M)[0]
    return text


def items(text: str, macro: str) -> list[str]:
    """The names in .It lines, also where one line has several: `.It Ic ca_file , ca_path`."""
    return [name for line in found(rf"^\.It {macro} (.*)$", text)
            for name in re.findall(r"(?:^|, )-?([\w.-]+)", line)]


def readme(title: str) -> str:
    """A section of the README, up to the next title."""
    return re.split(r"^#+ ", README.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def rows(title: str, heading: str) -> list[list[str]]:
    """The cells of the table with this first heading."""
    table = readme(title).split(f"| {heading} |", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in table.splitlines()[2:]]


def quoted(cell: str) -> list[str]:
    """`timeout=SECONDS` is timeout, `--json` is json."""
    return re.findall(r"`-*([\w-]+)[^`]*`", cell)


# The code.

def config_keys() -> dict[str, list[str]]:
    """The keys of the file ("top") and of each block, from config_parse.c's tables."""
    text = source("broker/config_parse.c")
    shared = re.search(r"#define IN_EVERY_BLOCK(.*?)CFG_END", text, re.S).group(1)
    tables = {"domain": "email_domain"}
    return {tables.get(name, name): found(r'(?:\b[A-Z_]+\(|\.name = )"(\w+)"', table.replace("IN_EVERY_BLOCK", shared))
            for name, table in re.findall(r"static cfg_opt_t (\w+)\[\] = \{(.*?)\};", text, re.S)}


def module_options() -> list[str]:
    return found(r'^\t\{ "(\w+)", set_\w+, offsetof', source("common/module_options.c"))


def broker_options() -> list[str]:
    return found(r'^\t\t\{ "([\w-]+)", (?:required|no)_argument', source("broker/main.c"))


def subcommands() -> dict[str, set[str]]:
    listed = subprocess.run([BUILD / "ibmiam", "help", "--list"], capture_output=True, text=True, check=True).stdout
    return {name: {option.strip("-=") for option in options} for name, *options in map(str.split, listed.splitlines())}


def exit_codes() -> list[str]:
    help_text = subprocess.run([BUILD / "ibmiam", "help"], capture_output=True, text=True, check=True).stdout
    return found(r"^  (\d+) ", help_text.split("exit codes:\n", 1)[1])


def literals() -> str:
    """The strings of the sources, each as it is at run time, a line each."""
    texts = []
    for path in sorted(SOURCES.glob("*/*.[ch]")):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        code = re.sub(r"^#(?:include|define (?:SESSION_SHOWN|SANDBOX_USER)).*$", "", code, flags=re.M)
        code = code.replace("SESSION_SHOWN", '"%.8s"').replace("SANDBOX_USER", '"_ibmiam"')
        code = code.replace("IBMIAM_VERSION", '"%s"')
        for joined in re.findall(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', code):
            parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', joined)
            texts.append("".join(parts).replace('\\"', '"'))
    return "\n".join(texts)


class Pages(unittest.TestCase):
    maxDiff = None

    def test_lint(self):
        """Whether the pages that are referred to are installed here does not matter."""
        for path in PAGES:
            with self.subTest(path.name):
                done = subprocess.run(["mandoc", "-Tlint", path], capture_output=True, text=True)
                self.assertEqual([line for line in done.stdout.splitlines() if "referenced manual not found" not in line], [])

    def test_own_references(self):
        ours = {path.name for path in PAGES}
        for path in PAGES:
            with self.subTest(path.name):
                names = {f"{name}.{section}" for name, section in re.findall(r"^\.Xr (\S+) (\d)", path.read_text(), re.M)}
                self.assertEqual({name for name in names if "ibmiam" in name} - ours, set())
                self.assertLessEqual(ours - {path.name}, names)

    def test_install(self):
        with tempfile.TemporaryDirectory(prefix="ibmiam-manual-") as folder:
            make("install", f"DESTDIR={folder}", "DOC=/usr/share/doc/elsewhere")
            man = Path(folder, "usr/share/man")
            self.assertEqual({str(path.relative_to(man)) for path in man.rglob("*.*")},
                             {f"man{path.suffix[1:]}/{path.name}" for path in PAGES})
            for path in man.rglob("*.*"):
                self.assertNotIn("doc/pam_ibmiam", path.read_text())
            self.assertIn("/usr/share/doc/elsewhere/pam.d", (man / "man8/pam_ibmiam.8").read_text())
            make("uninstall", f"DESTDIR={folder}", "DOC=/usr/share/doc/elsewhere")
            self.assertEqual(list(man.rglob("*.*")), [])


class Tables(unittest.TestCase):
    maxDiff = None

    def same(self, documented: list[str], code) -> None:
        """The same names, each once."""
        self.assertEqual(sorted(documented), sorted(code))

    def test_module_options(self):
        self.same(items(page("pam_ibmiam.8", section="OPTIONS"), "Cm"), module_options())
        self.same([name for row in rows("Options in /etc/pam.d", "option") for name in quoted(row[0])], module_options())

    def test_config_keys(self):
        keys = config_keys()
        self.same(keys, ("top", *BLOCKS))
        for block, names in keys.items():
            with self.subTest(block):
                part = "Keys at the top" if block == "top" else block
                self.same(items(page("ibmiam.conf.5", part=part), "Ic"), names)
                heading = "key" if block == "top" else f"in `{block}`"
                documented = [name for row in rows("Keys of ibmiam.conf", heading) for name in quoted(row[0])]
                self.same(documented, names)

    def test_example_config(self):
        """conf/ibmiam.conf shows each key at the top, of the blocks those that it names exist."""
        text = (ROOT / "conf/ibmiam.conf").read_text()
        for name in config_keys()["top"]:
            self.assertRegex(text, rf"(?m)^#{name}\b", name)

    def test_placeholders(self):
        names = found(r'\{ "(%\{\w+\})", \w+ \}', source("broker/environment.c"))
        for where, text in ("ibmiam.conf.5", page("ibmiam.conf.5", part="Keys at the top")), ("README.md", README):
            with self.subTest(where):
                self.assertEqual(set(re.findall(r"%\{\w+\}", text)), set(names))

    def test_default_environment(self):
        text = re.search(r"default_environment\[\] =.*?;", source("broker/config_parse.c"), re.S).group(0)
        entries = found(r'\\"([A-Z]\w+=[^"\\]*)\\"', text)
        for where, document in ("ibmiam.conf.5", page("ibmiam.conf.5")), ("README.md", README):
            with self.subTest(where):
                self.assertEqual([entry for entry in entries if f'"{entry}"' not in document], [])
        self.same(items(page("pam_ibmiam.8", section="ENVIRONMENT"), "Ev"), [entry.split("=")[0] for entry in entries])

    def test_broker_options(self):
        self.same(items(page("ibmiam-broker.8", section="OPTIONS"), "Fl"), broker_options())
        self.assertEqual(set(re.findall(r"Fl -([\w-]+)", page("ibmiam-broker.8", section="SYNOPSIS"))), set(broker_options()))

    def test_broker_exit_codes(self):
        codes = re.findall(r"\bEXIT_\w+ = (\d+)", source("broker/main.c"))
        self.assertEqual(set(re.findall(r"\b\d+\b", page("ibmiam-broker.8", section="EXIT STATUS"))), {"0", "1", *codes})

    def test_subcommands(self):
        table = subcommands()
        text = page("ibmiam.1", section="COMMANDS")
        self.same(items(text.replace(" Op ", "\n").replace(" Oo ", "\n"), "Ic"), set(table) - {"ibmiam"})
        documented = [found(r"`ibmiam (\w+)", row[0])[0] for row in rows("In the session: ibmiam", "command")]
        self.same(documented, set(table) - {"ibmiam"})

    def test_options_of_subcommands(self):
        """Each where it is described, or in OPTIONS for what all that ask have."""
        table = subcommands()
        everywhere = set(items(page("ibmiam.1", section="OPTIONS"), "Fl"))
        self.assertEqual(everywhere, table["ibmiam"] | {"timeout"})
        for line in found(r"^\.It Ic (\w+.*)$", page("ibmiam.1", section="COMMANDS")):
            name = line.split()[0]
            with self.subTest(name):
                self.assertEqual(set(re.findall(r"Fl -(\w+)", line)), table[name] - everywhere)

    def test_exit_codes(self):
        self.same(found(r"^\.It (\d+)$", page("ibmiam.1", section="EXIT STATUS")), exit_codes())
        self.same([code for row in rows("In the session: ibmiam", "exit code") for code in row[0].split(", ")], exit_codes())

    def test_results(self):
        """The words of the log, and the codes that they become."""
        names = found(r'^\t\[\w+\] = "([\w-]+)",$', source("common/result.c"))
        names.remove("no-session")  # only between the broker and the ibmiam command
        self.same(found(r"^\.Li ([\w-]+) :", page("pam_ibmiam.8", section="RESULTS")), names)
        self.same([name for row in rows("Results", "outcome") for name in quoted(row[2])], names)


class Examples(unittest.TestCase):
    """The configurations that the documents show are accepted as they stand."""
    KEYS = r"^(?:accounts|environment|directory_key_file|user|service|email_domain)\b"

    def begin(self, text: str) -> str:
        """The first line of a broker with this configuration."""
        with tempfile.TemporaryDirectory(prefix="ibmiam-manual-") as folder:
            config, key = Path(folder, "ibmiam.conf"), Path(folder, "key")
            key.write_text("made-up-for-this-test-" * 2 + "\n")
            config.write_text(re.sub(r'^(directory_key_file\s*=).*', rf'\1 "{key}"', text, flags=re.M))
            for path in config, key:
                path.chmod(0o640)
            broker = subprocess.Popen([BUILD / "ibmiam-broker", "--config", config, "--listen", Path(folder, "socket")],
                                      stderr=subprocess.PIPE, text=True)
            with broker.stderr:
                line = broker.stderr.readline()
                broker.terminate()
                broker.wait()
        return line

    def test_examples(self):
        blocks = re.findall(r"^ *```\n(.*?)^ *```$", README, re.M | re.S)
        blocks += re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", page("ibmiam.conf.5"), re.M | re.S)
        blocks = [re.sub(r"(?m)^ {3}(?=\S)|^%.*", "", block) for block in blocks]  # of a list; sudoers
        blocks = [block for block in blocks if re.search(self.KEYS, block, re.M) and not re.search("^(===|# ibmiam )", block, re.M)]
        self.assertGreater(len(blocks), 6)
        for block in blocks:
            with self.subTest(block.split("\n")[0]):
                self.assertIn(" listens at ", self.begin(block))
        with self.subTest("a mistake would be seen"):
            self.assertIn(" cannot start: ", self.begin("user alice { }\n"))


class Protocol(unittest.TestCase):
    """PROTOCOL.md's tables are those of wire.c."""
    maxDiff = None
    TEXT = (SOURCES / "PROTOCOL.md").read_text()

    def limit(self, text: str) -> str:
        """As PROTOCOL.md writes it: a number, "message", or nothing where every value will do."""
        counts = {"IBMIAM_RESULT_COUNT - 1": str(len(found(r"^\t(IBMIAM_\w+)[, ]", source("common/result.h"))) - 1),
                  "WIRE_EXPORT_COUNT - 1": "1", "WIRE_MESSAGE_MAX": "message", "UINT32_MAX": ""}
        if text in counts or text.isdigit():
            return counts.get(text, text)
        terms = re.search(rf"\b{text} = ([\d *+]+),", source("common/wire.h")).group(1).split("+")
        return str(sum(int(t.split("*")[0]) * int((t.split("*") + ["1"])[1]) for t in terms))

    def fields(self, message: str) -> list[tuple]:
        text = re.search(rf"wire_{message}_message = .*?\n\}}\}};", source("common/wire.c"), re.S).group(0)
        return [(tag, kind.lower(), required == "true", self.limit(most)) for tag, kind, required, most
                in found(r"\{ (\d+), KIND_(\w+), (true|false), ([\w -]+),", text)]

    def documented(self, title: str, of: str = "") -> list[tuple]:
        section = re.split(r"^## ", self.TEXT.split(f"\n## {title}", 1)[1], maxsplit=1, flags=re.M)[0]
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()
                 if re.match(r"\| \d+ \| .* (?:u32|string|list) \|", line)]
        return [(tag, kind, needed.split(", ")[-1] == "required", most.replace(",", ""))
                for tag, name, kind, most, needed in table if not of or name.startswith(of) or needed.startswith("all")]

    def test_tables(self):
        for message, title, of in [("request", "Type 1,", ""), ("reply", "Type 2,", ""), ("stash", "Type 3,", ""),
                                   ("hello", "Type 4,", ""), ("adopt", "Types 5,", "adopt:"), ("drop", "Types 5,", "drop:"),
                                   ("token", "Types 5,", "token:")]:
            with self.subTest(message):
                self.assertEqual(self.documented(title, of), self.fields(message))


# What the README, or the broker's page, says in numbers: the constant, in its file, and the sentence's end, with {n} for it.
NUMBERS = [
    ("broker/limit.h", "LIMIT_REJECTED_S", 1, "for {n} s without asking IAM"),
    ("broker/limit.h", "LIMIT_USER_TRIES", 1, "{n} wrong tries at once"),
    ("broker/limit.h", "LIMIT_USER_REFILL_S", 1, "one more each {n} s"),
    ("broker/limit.h", "LIMIT_OWN_LOGINS", 1, "has {n} logins at once"),
    ("broker/config_parse.c", "DEFAULT_RATE_LIMIT", 1, "`rate_limit` = {n} requests to IAM a minute"),
    ("broker/session.h", "SESSION_PENDING_MS", 60000, "within {n} minutes"),
    ("broker/session.h", "SESSION_OWN_MAX", 1, "at most {n} of a user by `ibmiam login`"),
    ("broker/session.h", "SESSION_MAX", 1, "{n} of the host"),
    ("broker/session.h", "SESSION_UNWATCHED_MS", 3600000, "after {n} hours"),
    ("broker/renewal.h", "RENEWAL_RETRY_MS", 60000, "not asked again for {n} minute"),
    ("broker/renewal.c", "MARGIN_S", 1, "up to {n} s before its end"),
    ("broker/resident.c", "CLIENTS_MAX", 1, "{n} connections at once"),
    ("broker/acceptor.c", "CLIENTS_OF_ONE_MAX", 1, "{n} of any one of them"),
    ("broker/acceptor.c", "REQUEST_WAIT_MS", 1000, "within {n} s is dropped"),
    ("broker/config_reload.c", "RETRY_MS", 1000, "refused, at most once in {n} s"),
    ("broker/resident.h", "RESIDENT_IDLE_EXIT_S", 1, "{n} with a socket from systemd"),
]


def constant(path: str, name: str) -> int:
    value = re.search(rf"\b{name} = ([\d *]+)", source(path)).group(1)
    product = 1
    for factor in value.split("*"):
        product *= int(factor)
    return product


class Words(unittest.TestCase):
    maxDiff = None

    def test_numbers(self):
        text = " ".join((README + page("ibmiam-broker.8")).split())
        for path, name, unit, sentence in NUMBERS:
            with self.subTest(name):
                value = constant(path, name)
                self.assertEqual(value % unit, 0)
                says = sentence.format(n=f"{value // unit:,}" if value // unit >= 10000 else value // unit)
                self.assertTrue(says in text, f"neither README.md nor ibmiam-broker.8 says {says!r}")

    def test_quoted_log_lines(self):
        """What Troubleshooting and the broker's log lines quote still stands in the sources; … is what varies."""
        code = literals()
        lines = [cell for row in rows("Troubleshooting", "what you see") for cell in re.findall(r"`([^`]+)`", row[1])]
        lines += [cell for row in rows("Its log", "line") for cell in re.findall(r"`([^`]+)`", row[0])]
        self.assertGreater(len(lines), 20)
        for line in lines:
            with self.subTest(line):
                for piece in map(str.strip, re.split(r"…|\.\.\.", line)):
                    verb, _, rest = piece.rpartition(" ")  # "renewed session=" is "%s session=" there
                    self.assertTrue(piece in code or (rest == "session=" and f'%s {rest}' in code and verb in code), piece)

    def test_log_fields(self):
        """What is on a decision's line, in the module's order."""
        names = found(r'\tput_(?:value|number)\(&l, "(\w+)"', source("module/report.c").split("report_decision")[1].split("note")[0])
        line = readme("Results").split("the result, then", 1)[1]
        self.assertEqual([name for name in re.findall(r"`(\w+)`", line) if name in names][:len(names)], names)
        line = page("pam_ibmiam.8", section="DIAGNOSTICS")
        self.assertEqual([name for words in found(r"^\.Li (.*)$", line) for name in re.findall(r"\w+", words)], names)


    def test_build_packages(self):
        """What the README has installed is what the build needs."""
        needed = re.search(r"^BUILD_PACKAGES := ((?:.*\\\n)*.*)$", (ROOT / "tests/tests.mk").read_text(), re.M).group(1)
        told = re.search(r"apt-get install -y (make gcc (?:.*\\\n)*.*)$", README, re.M).group(1)
        self.assertEqual(sorted(told.replace("\\", "").split()), sorted(["make", *needed.replace("\\", "").split()]))

    def test_mentioned_files(self):
        """The documents name no file that is not there."""
        for name in "README.md", "SECURITY.md", "CONTRIBUTING.md":
            text = (ROOT / name).read_text()
            for path in sorted(set(re.findall(r"`((?:tests|conf|pam_ibmiam)/[\w./-]+)`", text))):
                with self.subTest(f"{name}: {path}"):
                    self.assertTrue((ROOT / path).exists())


suite.main()
