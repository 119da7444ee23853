#!/usr/bin/python3
"""The completions for bash and zsh, in the real shells, against what the command says of itself (help --list)."""
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from suite import BUILD, ROOT  # noqa: E402

TIMEOUT_S = 60
COMPLETIONS = ROOT / "conf/completions"
BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
$(complete -p ibmiam | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""


def told() -> dict[str, set[str]]:
    """The options of each subcommand; those of the command itself under "ibmiam"."""
    listed = subprocess.run([BUILD / "ibmiam", "help", "--list"], capture_output=True, text=True, check=True).stdout
    return {name: {option.rstrip("=") for option in options} for name, *options in map(str.split, listed.splitlines())}


def bash(*words: str) -> set[str]:
    done = subprocess.run(["bash", "--norc", "-c", BASH, "bash", COMPLETIONS / "ibmiam.bash", *words],
                          capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.stderr:
        raise AssertionError(done.stderr)
    return set(done.stdout.split())


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, folder: str, *command: str, **environment: str) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="dumb", PS1="READY>", HOME=folder, **environment)
            os.execvp(command[0], command)
        self.wait(b"READY>")

    def wait(self, end: bytes) -> bytes:
        """What came before that; what is typed before the prompt is the terminal's, not the editor's."""
        seen, until = b"", time.monotonic() + TIMEOUT_S
        while end not in seen:
            if not select.select([self.terminal], [], [], max(0.0, until - time.monotonic()))[0]:
                raise AssertionError(f"the shell says no more after {seen!r}")
            seen += os.read(self.terminal, 65536)
        return seen.split(end)[0]

    def write(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self) -> None:
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


BASH_START = r"""
unset HISTFILE; stty -echo; source "$COMPLETIONS/ibmiam.bash"
show() { printf 'LINE<%s>END' "$READLINE_LINE"; READLINE_LINE= READLINE_POINT=0; }
bind -x '"\C-t": show'; PS1='COMPLETES>'
"""


class Bash(Terminal):
    """One that says, by ^T, what has become of a line."""

    def __init__(self, folder: str) -> None:
        Path(folder, "start").write_text(BASH_START)
        super().__init__(folder, "bash", "--norc", "--noprofile", "-i", COMPLETIONS=str(COMPLETIONS), INPUTRC="/dev/null")
        self.write(". ./start\n")
        self.wait(b"COMPLETES>")

    def completed(self, line: str) -> str:
        self.write(line + "\t\x14")
        return self.wait(b">END").split(b"LINE<")[1].decode()


ZSH = """
integer prompts; precmd() { PROMPT="READY$((++prompts))>" }
unsetopt prompt_sp; LISTMAX=10000; stty -echo; zstyle ':completion:*' verbose no
fpath=("$COMPLETIONS" $fpath); autoload -Uz compinit; compinit -u -D
compadd() {
    local -a matches
    if [[ " ${(j: :)@[1,(i)--]}" != *' '-[OAD]* ]]; then
        builtin compadd -O matches "$@"
        print -rl -- $matches >>matches
    fi
    builtin compadd "$@"
}
"""


class Zsh(Terminal):
    """One that is asked for its choices with ^D and writes down what it offers."""

    def __init__(self, folder: str) -> None:
        self.matches = Path(folder, "matches")
        Path(folder, "start").write_text(ZSH)
        super().__init__(folder, "zsh", "-f", "-i", COMPLETIONS=str(COMPLETIONS))
        self.prompts = 0
        self.type(". ./start\n")

    def type(self, text: str) -> None:
        self.prompts += 1
        self.write(text)
        self.wait(f"READY{self.prompts}>".encode())

    def choices(self, line: str) -> set[str]:
        self.matches.write_text("")
        self.type(line + "\x04\x15\n")  # list, forget the line, and a new prompt
        return set(self.matches.read_text().split())


# What bash makes of a line, in a folder with the folder "a folder" and the file "my file".
COMPLETED = {
    "ibmiam config --config my": r"ibmiam config --config my\ file ",
    "ibmiam config --config a": r"ibmiam config --config a\ folder/",
    'ibmiam config --config "my': 'ibmiam config --config "my file" ',
    "ibmiam --socket /dev/nul": "ibmiam --socket /dev/null ",
    "ibmiam config --config=my": r"ibmiam config --config=my\ file ",
    "ibmiam config --broker=a": r"ibmiam config --broker=a\ folder/",
    "ibmiam check --pam ./my": r"ibmiam check --pam ./my\ file ",
    "ibmiam check --pam common-acc": "ibmiam check --pam common-account ",
    "ibmiam check --service=common-acc": "ibmiam check --service=common-account ",
    "ibmiam check --user=roo": "ibmiam check --user=root ",
    "ibmiam --socket=/x logi": "ibmiam --socket=/x login ",
    "ibmiam exec --socket=/x mapfil": "ibmiam exec --socket=/x mapfile ",
    "ibmiam exec -- cat my": r"ibmiam exec -- cat my\ file ",
}


class Completions(unittest.TestCase):
    maxDiff = None

    def check(self, choices) -> None:
        """choices(words, to complete) is what the shell offers."""
        table = told()
        commands = set(table) - {"ibmiam"}
        self.assertLess({"token", "login"}, commands)
        with self.subTest("the commands"):
            self.assertEqual(choices([], ""), commands)
        with self.subTest("the options before a command"):
            self.assertEqual(choices([], "--"), table["ibmiam"])
        with self.subTest("a command after an option"):
            self.assertEqual(choices(["--socket", "/x"], "lo"), {"login", "logout"})
        with self.subTest("help COMMAND"):
            self.assertEqual(choices(["help"], ""), commands)
        for command in sorted(commands):
            with self.subTest(f"the options of {command}"):
                self.assertEqual(choices([command], "--"), table[command])

    def test_bash(self):
        def choices(words, to_complete):
            found = bash("ibmiam", *words, to_complete)
            return found if to_complete else {word for word in found if not word.startswith("-")}
        self.check(choices)
        with self.subTest("exec: a command"):
            for before in ([], ["--"], ["--timeout", "5"], ["--timeout", "5", "--"]):
                self.assertIn("printf", bash("ibmiam", "exec", *before, "print"))
        with self.subTest("exec: its arguments are not ours"):
            self.assertEqual(bash("ibmiam", "exec", "--", "true", "--ti"), set())
        with self.subTest("a socket"):
            self.assertIn("/dev/null", bash("ibmiam", "--socket", "/dev/nul"))
        with self.subTest("behind an option without a value"):
            self.assertEqual(bash("ibmiam", "check", "--json", "="), set())

    def test_bash_completes_values(self):
        with tempfile.TemporaryDirectory(prefix="ibmiam-bash-") as folder:
            Path(folder, "a folder").mkdir()
            Path(folder, "my file").touch()
            shell = Bash(folder)
            try:
                for line, completed in COMPLETED.items():
                    with self.subTest(line):
                        self.assertEqual(shell.completed(line), completed)
            finally:
                shell.end()

    def test_zsh(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not installed")
        with tempfile.TemporaryDirectory(prefix="ibmiam-zsh-") as folder:
            shell = Zsh(folder)
            try:
                self.check(lambda words, to_complete: shell.choices(" ".join(["ibmiam", *words, to_complete])))
                with self.subTest("exec: a command"):
                    self.assertIn("printf", shell.choices("ibmiam exec print"))
                    self.assertIn("printf", shell.choices("ibmiam exec -- print"))
            finally:
                shell.end()


suite.main()
