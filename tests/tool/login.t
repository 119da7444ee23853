#!/usr/bin/python3
"""ibmiam login: where the key comes from and goes to, what is told, and that the terminal is left as it was."""
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import fake  # noqa: E402
import suite  # noqa: E402
import wire  # noqa: E402
from fake import TIMEOUT_S, Broker, allowed, handle, made_up  # noqa: E402

OK, UNEXPECTED, USAGE, NO_SESSION, NO_BROKER, ENDED, LATER = range(7)
PROMPT = b"IBM Cloud API key: "
REASON = "a reason of the broker's"
LONGEST = 1024


def agree(request: fake.Request) -> bytes:
    """As a broker does: under the handle that was asked for, else a new one."""
    return allowed(session=request.text(6) or handle(), name="A B")


class Stdin(unittest.TestCase):
    def test_forms(self):
        """What is on standard input, and the key that the broker gets of it; None: it is not even asked."""
        key = made_up()
        table = [("a line", f"{key}\n", key), ("no newline", key, key), ("two lines", f"{key}\nmore\n", key),
                 ("blanks are part of it", f" {key}  \n", f" {key}  "), ("any letters", "ü" * 40 + "\n", "ü" * 40),
                 ("quotes", "\"'$(x)`" * 5 + "\n", "\"'$(x)`" * 5),
                 ("the longest", "k" * LONGEST + "\n", "k" * LONGEST),
                 ("empty", "", None), ("an empty line", f"\n{key}\n", None), ("too long", "k" * (LONGEST + 1), None),
                 ("far too long", "k" * 1000000, None), ("a NUL", f"{key}\0\n", None),
                 ("a NUL first", f"\0{key}", None),
                 ("Windows", f"{key}\r\n", None), ("a tab", f"\t{key}\n", None), ("an escape", f"{key}\x1b[A\n", None)]
        for what, given, expected in table:
            with self.subTest(what), Broker(agree) as broker:
                done = broker.run("login", stdin=given.encode())
                self.assertEqual([request.text(3) for request in broker.requests], [expected] if expected else [])
                self.assertEqual(done.returncode, OK if expected else ENDED, done.stderr)
                if not expected:
                    self.assertEqual(done.stdout, b"")
                    self.assertRegex(done.stderr.decode(), r"\Aibmiam: (this is no API key: |no key was given: standard input is empty, ).*\n\Z")
                for secret in (key, "k" * 20):
                    self.assertNotIn(secret.encode(), done.stdout + done.stderr)

    def test_the_rest_is_left_for_others(self):
        with Broker(agree) as broker:
            done = subprocess.run(["sh", "-c", '"$@" >/dev/null 2>&1; cat', "sh", *broker.command("login")],
                                  input=f"{made_up()}\nthe next line\n".encode(), capture_output=True,
                                  env=fake.environment(None), timeout=TIMEOUT_S, cwd="/", **fake.AS_NOBODY)
            self.assertEqual(done.stdout, b"the next line\n")

    def test_not_readable(self):
        with Broker(agree) as broker:
            folder = os.open("/", os.O_RDONLY)
            for what, more in [("a folder", {"stdin": folder}), ("closed", {"preexec_fn": lambda: os.close(0)})]:
                with self.subTest(what):
                    done = broker.run("login", **more)
                    self.assertEqual((done.returncode, done.stdout), (UNEXPECTED, b""))
                    self.assertRegex(done.stderr.decode(), r"\Aibmiam: cannot read the key: .+\n\Z")
            os.close(folder)
            self.assertEqual(broker.requests, [])


class Answers(unittest.TestCase):
    def test_the_request(self):
        for what, session, expected in [("none", None, None), ("a session", "ab" * 16, "ab" * 16), ("empty", "", None),
                                        ("malformed", "AB" * 16, None), ("injected", "ab" * 15 + "$(", None)]:
            with self.subTest(what), Broker(agree) as broker:
                done = broker.run("login", "--timeout", "20", session=session, stdin=b"k" * 40)
                self.assertEqual(done.returncode, OK)
                request, = broker.requests
                self.assertEqual(request.kind, fake.AUTHENTICATE)
                self.assertEqual([request.text(tag) for tag in (1, 2, 3, 6)],
                                 [fake.ME.pw_name, "ibmiam", "k" * 40, expected])
                self.assertEqual(request.number(4), fake.ME.pw_uid)
                self.assertTrue(10000 < request.number(5) < 20000)

    def test_a_new_session(self):
        """One line for eval, and then the shell has a session."""
        with Broker(lambda request: agree(request) if request.kind == fake.AUTHENTICATE else
                    allowed(token="t." + request.text(1), expiration=2000000000)) as broker:
            script = 'eval "$("$0" --socket "$1" login)" && "$0" --socket "$1" token'
            done = subprocess.run(["sh", "-c", script, broker.tool, broker.path], input=b"k" * 40, capture_output=True,
                                  env=fake.environment(None), timeout=TIMEOUT_S, cwd="/", **fake.AS_NOBODY)
            self.assertRegex(done.stdout.decode(), r"\At\.[0-9a-f]{32}\n\Z")
            self.assertEqual(done.stderr.decode(), f"ibmiam: logged in as A B ({fake.IAM_ID})\n")
            self.assertRegex(broker.run("login", stdin=b"k" * 40).stdout.decode(),
                             r"\Aexport IBMIAM_SESSION=[0-9a-f]{32}\n\Z")

    def test_the_same_session(self):
        mine = handle()
        with Broker(agree) as broker:
            done = broker.run("login", session=mine, stdin=b"k" * 40)
            self.assertEqual((done.returncode, done.stdout), (OK, b""))
            self.assertRegex(done.stderr.decode(), r"\Aibmiam: logged in as A B .*IBMIAM_SESSION is valid again.*\n\Z")
            self.assertNotIn(mine, done.stderr.decode())
        with Broker(allowed(session=handle())) as broker:
            self.assertIn(b"export", broker.run("login", session=mine, stdin=b"k" * 40).stdout)

    def test_refusals(self):
        """What helps the user, and tells an attacker nothing; root reads the reason."""
        refused = "the key was not accepted; "
        table = [(wire.KEY_REJECTED, ENDED, refused), (wire.DENIED, ENDED, refused),
                 (wire.USER_UNKNOWN, ENDED, refused),
                 (wire.THROTTLED, LATER, "too many attempts, the key was not checked; wait"),
                 (wire.UNAVAILABLE, LATER, "IBM Cloud IAM cannot be reached .*, the key was not checked; try again"),
                 (wire.CONFIG_ERROR, UNEXPECTED, "the broker of this host is not in order; "),
                 (wire.BROKER_ERROR, UNEXPECTED, "the broker of this host is not in order; "),
                 (fake.NO_SESSION, NO_SESSION, "this host holds as many credentials .* for you as it may; end those")]
        said = {}
        for result, status, text in table:
            with self.subTest(result=result), Broker(wire.refusal(result, reason=REASON)) as broker:
                done = broker.run("login", stdin=b"k" * 40)
                said[result] = done.stderr
                self.assertEqual((done.returncode, done.stdout), (status, b""))
                if fake.ME.pw_uid:
                    self.assertRegex(done.stderr.decode(), rf"\Aibmiam: {text}.*\n\Z")
                if os.geteuid() == 0:
                    told = broker.run("login", stdin=b"k" * 40, as_root=True).stderr.decode()
                    self.assertIn(f" ({REASON}); ", told)
        self.assertEqual(said[wire.KEY_REJECTED], said[wire.DENIED])
        self.assertEqual(said[wire.KEY_REJECTED], said[wire.USER_UNKNOWN])

    def test_a_session_that_is_none(self):
        """It would be run by a shell."""
        for session in (None, "0" * 31, "0" * 31 + ";", "A" * 32, "$(touch x)" + "0" * 22):
            with self.subTest(session), Broker(allowed(session=session)) as broker:
                done = broker.run("login", stdin=b"k" * 40)
                self.assertEqual((done.returncode, done.stdout), (UNEXPECTED, b""))
                self.assertRegex(done.stderr.decode(), "breaks the protocol: (allowed, but without a session|a handle that is none)")

    def test_a_session_that_nobody_learns_of_is_dropped(self):
        mine = handle()
        with Broker(allowed(session=mine)) as broker, open("/dev/full", "wb") as full:
            done = broker.run("login", stdin=b"k" * 40, stdout=full)
            self.assertEqual(done.returncode, UNEXPECTED)
            self.assertIn(b"cannot write", done.stderr)
            self.assertEqual([(r.kind, r.text(1)) for r in broker.requests[1:]], [(fake.DROP, mine)])

    def test_a_greeting_that_is_late(self):
        """What it took is no longer the broker's."""
        def late() -> bytes:
            time.sleep(0.5)
            return fake.AGREE
        with Broker(allowed(session=handle()), hello=late) as broker:
            self.assertEqual(broker.run("login", "--timeout", "20", stdin=b"k" * 40).returncode, OK)
            self.assertLessEqual(broker.requests[0].number(5), 18500)

    def test_a_broker_that_hangs(self):
        for what, hello, status in [("before its hello", None, LATER), ("after it", fake.AGREE, UNEXPECTED)]:
            with self.subTest(what), Broker(None, hello=hello) as broker:
                start = time.monotonic()
                self.assertEqual(broker.run("login", "--timeout", "1", stdin=b"k" * 40).returncode, status)
                self.assertLess(time.monotonic() - start, 10)
                self.assertEqual(len(broker.requests), 0 if hello is None else 1)


class Terminal:
    """A terminal with a program on it, alone in a session of its own."""

    def __init__(self, command: list[str], controlling: bool = True, **more) -> None:
        self.master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""

        def take() -> None:
            os.setsid()
            if controlling:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen(command, **({"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
                                        | more), preexec_fn=take, env=fake.environment(None), cwd="/", **fake.AS_NOBODY)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def type(self, text: str | bytes) -> None:
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def wait_for(self, what: bytes, count: int = 1) -> None:
        end = time.monotonic() + TIMEOUT_S
        while self.seen.count(what) < count:
            if not select.select([self.master], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {what!r} in {self.seen!r}")
            self.seen += os.read(self.master, 65536)

    def end(self) -> int:
        """The exit code, when all that was printed is in `seen`."""
        status = self.process.wait(TIMEOUT_S)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return status

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.slave) == self.before


class OnATerminal(unittest.TestCase):
    maxDiff = None

    def assert_left_clean(self, terminal: Terminal, *secrets: str) -> None:
        self.assertTrue(terminal.is_as_before())
        for secret in secrets:
            self.assertNotIn(secret.encode(), terminal.seen)

    def test_the_key_is_not_shown(self):
        key = made_up()
        with Broker(agree) as broker, Terminal(broker.command("login")) as terminal:
            terminal.wait_for(PROMPT)
            self.assertFalse(terminal.echoes())
            terminal.type(f"x\x7f{key}\n")  # with a correction
            self.assertEqual(terminal.end(), OK)
            self.assertEqual([request.text(3) for request in broker.requests], [key])
            self.assert_left_clean(terminal, key)
            self.assertRegex(terminal.seen.decode(), r"\AIBM Cloud API key: \r\nexport IBMIAM_SESSION=[0-9a-f]{32}\r\n"
                             r"ibmiam: logged in as A B \(.*\)\r\n"
                             r'ibmiam: this shell does not know it yet: .*eval "\$\(ibmiam login\)"\r\n\Z')

    def test_the_prompt_is_not_in_the_output(self):
        """So that eval gets nothing but the line."""
        with Broker(agree) as broker, Terminal(broker.command("login"), stdout=subprocess.PIPE) as terminal:
            terminal.wait_for(PROMPT)
            terminal.type("k" * 40 + "\n")
            out = terminal.process.stdout.read()
            self.assertEqual(terminal.end(), OK)
            self.assertRegex(out, rb"\Aexport IBMIAM_SESSION=[0-9a-f]{32}\n\Z")
            terminal.process.stdout.close()

    def test_end_of_file(self):
        with Broker(agree) as broker:
            with self.subTest("at once"), Terminal(broker.command("login")) as terminal:
                terminal.wait_for(PROMPT)
                terminal.type(b"\4")
                self.assertEqual(terminal.end(), ENDED)
                self.assert_left_clean(terminal)
            with self.subTest("in the line"), Terminal(broker.command("login")) as terminal:
                terminal.wait_for(PROMPT)
                terminal.type("k" * 40 + "\4" + "j\n")
                self.assertEqual(terminal.end(), OK)
                self.assertEqual(broker.requests[-1].text(3), "k" * 40 + "j")

    def test_a_signal_ends_it_and_the_echo_is_back(self):
        signals = [s for s in signal.Signals if s.name not in
                   ("SIGKILL", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD", "SIGWINCH", "SIGURG",
                    "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")]
        for sent in signals:
            with self.subTest(sent.name), Broker(agree) as broker, Terminal(broker.command("login")) as terminal:
                terminal.wait_for(PROMPT)
                self.assertFalse(terminal.echoes())
                terminal.type("half of a key")
                terminal.process.send_signal(sent)
                self.assertEqual(terminal.end(), -sent)
                self.assert_left_clean(terminal, "half")
                self.assertEqual(broker.requests, [])

    def test_control_c(self):
        for typed, sent in [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)]:
            with self.subTest(sent), Broker(agree) as broker, Terminal(broker.command("login")) as terminal:
                terminal.wait_for(PROMPT)
                terminal.type(typed)
                self.assertEqual(terminal.end(), -sent)
                self.assert_left_clean(terminal)

    def test_control_z_and_back(self):
        """In a shell with jobs: the echo is on in between, and then the question comes again."""
        key = made_up()
        script = 'set -m; "$@"; stty -a | grep -o "[-]*echo "; echo STOPPED; fg >/dev/null; echo "END $?"'
        with Broker(agree) as broker, Terminal(["bash", "-c", script, "bash", *broker.command("login")]) as terminal:
            terminal.wait_for(PROMPT)
            terminal.type("half\x1a")
            terminal.wait_for(b"STOPPED")
            self.assertIn(b"\necho ", terminal.seen)
            terminal.wait_for(PROMPT, 2)
            self.assertFalse(terminal.echoes())
            terminal.type(key + "\n")
            terminal.wait_for(b"END 0")
            terminal.end()
            self.assertEqual([request.text(3) for request in broker.requests], [key])
            self.assert_left_clean(terminal, key, "half")

    def test_in_the_background_it_waits(self):
        """It must not take the terminal from the shell."""
        script = 'set -m; "$@" & until jobs -s | grep -q .; do jobs >/dev/null; done; ' \
                 'stty -a | grep -o "[-]*echo "; echo STOPPED; fg >/dev/null; echo "END $?"'
        with Broker(agree) as broker, Terminal(["bash", "-c", script, "bash", *broker.command("login")]) as terminal:
            terminal.wait_for(b"STOPPED")
            self.assertIn(b"\necho ", terminal.seen)
            self.assertNotIn(PROMPT, terminal.seen.split(b"STOPPED")[0])
            terminal.wait_for(PROMPT)
            terminal.type("k" * 40 + "\n")
            terminal.wait_for(b"END 0")
            terminal.end()
            self.assert_left_clean(terminal, "kkkk")

    def test_stopped_and_continued(self):
        """A shell may turn on the echo while it is stopped."""
        with Broker(agree) as broker, Terminal(broker.command("login")) as terminal:
            terminal.wait_for(PROMPT)
            terminal.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED)
            termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.before)
            terminal.process.send_signal(signal.SIGCONT)
            terminal.wait_for(PROMPT, 2)
            self.assertFalse(terminal.echoes())
            terminal.type("k" * 40 + "\n")
            self.assertEqual(terminal.end(), OK)
            self.assert_left_clean(terminal, "kkkk")

    def test_ignored_and_blocked_signals(self):
        """As under nohup, and from a parent that holds them back: it still asks, and ends."""
        for what, prepare in [("ignored", lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)),
                              ("blocked", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}))]:
            undo = signal.getsignal(signal.SIGHUP)
            prepare()  # inherited
            try:
                with self.subTest(what), Broker(agree) as broker, Terminal(broker.command("login")) as terminal:
                    terminal.wait_for(PROMPT)
                    terminal.process.send_signal(signal.SIGHUP)
                    if what == "ignored":
                        terminal.wait_for(PROMPT, 2)
                    terminal.type("k" * 40 + "\n")
                    self.assertEqual(terminal.end(), OK)
                    self.assert_left_clean(terminal, "kkkk")
            finally:
                signal.signal(signal.SIGHUP, undo)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def test_too_long(self):
        """Nothing of it is left for the shell, which would run and show it."""
        with Broker(agree) as broker, Terminal(broker.command("login")) as terminal:
            terminal.wait_for(PROMPT)
            terminal.type("k" * 3000 + "\n")
            self.assertEqual(terminal.end(), ENDED)
            self.assert_left_clean(terminal, "kkkk")
            self.assertEqual(select.select([terminal.slave], [], [], 0)[0], [])
            self.assertEqual(broker.requests, [])

    def test_no_terminal(self):
        """Standard input is a terminal, but not ours to ask on."""
        with Broker(agree) as broker, Terminal(broker.command("login"), controlling=False) as terminal:
            self.assertEqual(terminal.end(), UNEXPECTED)
            self.assertRegex(terminal.seen.decode(), r"ibmiam: there is no terminal .*/dev/tty.* on standard input\r\n")
            self.assertTrue(terminal.is_as_before())

    def test_no_key_is_asked_for_in_vain(self):
        with Broker(agree) as broker, Terminal([broker.tool, "--socket", "/nonexistent", "login"]) as terminal:
            self.assertEqual(terminal.end(), NO_BROKER)
            self.assertNotIn(PROMPT, terminal.seen)

    def test_no_core_dump_and_no_debugger(self):
        with Broker(agree) as broker, Terminal(broker.command("login")) as terminal:
            terminal.wait_for(PROMPT)
            process = Path("/proc", str(terminal.process.pid))
            self.assertRegex((process / "limits").read_text(), r"Max core file size +0 ")
            self.assertEqual((process / "environ").stat().st_uid, 0)  # of a process that is not dumpable
            self.assertTrue(re.search(rf"Uid:\t{fake.ME.pw_uid}\t", (process / "status").read_text()))


suite.main()
