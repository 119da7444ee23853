#!/usr/bin/python3
"""The module against brokers that misbehave (fakebroker.c): whatever they do, the host gets the right PAM code and one
clear log line before the deadline plus a second, and no process and no descriptor is left.
"""
import os
import re
import select
import subprocess
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402
import wire  # noqa: E402
from driver import TIMEOUT_S, parallel  # noqa: E402
from wire import field, message, refusal, reply, reply_fields, u32  # noqa: E402

import suite  # noqa: E402

KEY = "a-key-that-no-fake-broker-looks-at-" + "x" * 20
TIMEOUT_MS = 1000
LATE_MS = 1000 + 4000  # a second by contract, the rest for a machine that is busy with other tests
FAILED = ("PAM_SERVICE_ERR", "err")
stage = driver.Stage()


@dataclass
class Case:
    name: str
    script: tuple[str, ...]
    reason: str  # matches the log line
    code: str = FAILED[0]
    priority: str = FAILED[1]
    note: str = ""  # matches the log line after that one
    least_ms: int = 0  # that it takes
    most_ms: int | None = None  # where the time is the point


def send(*messages: bytes) -> tuple[str, ...]:
    return ("read", *(f"send {m.hex()}" for m in messages))


def allowed(name: str, *script: str, **more) -> Case:
    return Case(name, script, "^allowed .*so the fake broker says", "PAM_SUCCESS", "info", **more)


def protocol(name: str, wrong: bytes, reason: str) -> Case:
    return Case(name, send(wrong), f"^broker-error .*the broker breaks the protocol: .*{reason}")


def without(name: str) -> bytes:
    return message({n: f for n, f in reply_fields().items() if n != name})


def instead(name: str, value: bytes) -> bytes:
    return message(reply_fields() | {name: value})


def twice(name: str) -> bytes:
    fields = reply_fields()
    return message({"first": fields[name]} | fields)


GOOD = reply()
HALF = GOOD[:len(GOOD) // 2]
FAILED_AFTER = "^note text=.the broker .* failed after its reply"
NO_REPLY = "^broker-error .*ended without a reply"
OUT_OF_TIME = {"reason": "^broker-error .*the broker did not answer in time", "code": "PAM_SERVICE_ERR",
               "least_ms": TIMEOUT_MS, "most_ms": TIMEOUT_MS + LATE_MS}
AT_ONCE = {"most_ms": LATE_MS}  # the reply is there: what the broker does then may not hold up the host

VERDICTS = [
    allowed("allowed", *send(GOOD)),
    allowed("allowed, nothing to export", *send(reply(environment=()))),
    allowed("allowed, fields in another order", *send(message(dict(reversed(reply_fields().items()))))),
    allowed("a message of 64 KiB", *send(wire.reply_of_length(wire.MESSAGE_MAX))),
    *(Case(f"result {result}", send(refusal(result)), f"^{name} .*so the fake broker says", code, priority)
      for result, name, code, priority in (
          (wire.KEY_REJECTED, "key-rejected", "PAM_AUTH_ERR", "notice"),
          (wire.DENIED, "denied", "PAM_PERM_DENIED", "notice"),
          (wire.USER_UNKNOWN, "user-unknown", "PAM_USER_UNKNOWN", "notice"),
          (wire.THROTTLED, "throttled", "PAM_MAXTRIES", "warning"),
          (wire.UNAVAILABLE, "unavailable", "PAM_AUTHINFO_UNAVAIL", "warning"),
          (wire.CONFIG_ERROR, "config-error", "PAM_SERVICE_ERR", "err"),
          (wire.BROKER_ERROR, "broker-error", "PAM_SERVICE_ERR", "err"))),
    Case("two replies: the first is the verdict", send(refusal(wire.DENIED), GOOD), "^denied ",
         "PAM_PERM_DENIED", "notice"),
]

PROTOCOL = [
    *(protocol(f"cut off after {n} bytes", GOOD[:n], ".") for n in range(1, len(GOOD))),
    Case("an empty message", send(b""), NO_REPLY),
    protocol("64 KiB and 1 byte", wire.reply_of_length(wire.MESSAGE_MAX + 1), "the message is too short or too long"),
    Case("200,000 bytes", send(b"\1\2" + b"x" * 200_000), "^broker-error .*reply cannot be read"),
    *(protocol(f"version {v}", message(reply_fields(), version=v), "another version") for v in (0, 2, 255)),
    *(protocol(f"type {t}", message(reply_fields(), kind=t), "another type") for t in (0, 1, 3, 255)),
    *(protocol(f"field {tag}", message({"new": field(tag, u32(1))} | reply_fields()), "an unknown field")
      for tag in (0, 20, 255)),
    *(protocol(f"{name} is repeated", twice(name), "a field is repeated") for name in reply_fields()),
    *(protocol(f"{name} is missing", without(name), "a required field is missing")
      for name in ("result", "reason", "http_status", "export_to")),
    *(protocol(f"{n} bytes at the end", GOOD + b"\1" * n, "the message ends inside a field") for n in (1, 2)),
    protocol("a field longer than the message", instead("export_to", field(9, u32(0), 5)), "longer than the message"),
    protocol("a field of 65,535 bytes in words", instead("iam_id", field(3, b"IBMid-1\0", 65535)), "longer than"),
    protocol("a field shorter than it is", instead("iam_id", field(3, b"IBMid-1\0", 7)), "not terminated"),
    *(protocol(f"a number of {n} bytes", instead("result", field(1, bytes(n))), "a number is not four bytes")
      for n in (0, 3, 5, 8)),
    protocol("result 9", instead("result", field(1, u32(9))), "a number is larger"),
    protocol("result 2^32 - 1", instead("result", field(1, u32(2**32 - 1))), "a number is larger"),
    protocol("export_to 2", instead("export_to", field(9, u32(2))), "a number is larger"),
    protocol("http_status 1000", instead("http_status", field(8, u32(1000))), "a number is larger"),
    protocol("an empty string", instead("reason", field(2, b"\0")), "a string is empty"),
    protocol("a string without an end", instead("reason", field(2, b"because")), "a string is empty or not term"),
    protocol("a string with a NUL", instead("reason", field(2, b"be\0cause\0")), "a string holds a NUL"),
    protocol("a reason of 513 bytes", instead("reason", field(2, b"x" * 512 + b"\0")), "longer than its limit"),
    protocol("an iam_id of 257 bytes", instead("iam_id", field(3, b"x" * 256 + b"\0")), "longer than its limit"),
    protocol("a list with an empty string", instead("environment", field(10, b"A=1\0\0B=2\0")), "an empty string"),
    protocol("a list without an end", instead("environment", field(10, b"A=1\0B=2")), "not terminated"),
    protocol("allowed without iam_id", without("iam_id"), "allowed, but without an identity"),
    protocol("allowed without account", without("account"), "allowed, but without an identity"),
    *(protocol(f"result {r} with an environment", reply(result=r), "refused, but with an environment")
      for r in range(1, 8)),
    Case("a descriptor comes along", ("read", f"pass {GOOD.hex()}"), "^broker-error .*reply cannot be read"),
    Case("half a message, then silence", (*send(HALF), "hang"), "^broker-error .*breaks the protocol", **AT_ONCE),
]

ENDS = [
    *(Case(f"exits with {n}{how}", (*first, f"exit {n}"), NO_REPLY + (f" .exit status {n}." if n else ""))
      for n in (0, 1) for first, how in (((), ", the request unread"), (("read",), ""))),
    *(Case(f"dies of signal {n}", ("read", f"raise {n}"), f"{NO_REPLY} .ended by signal {n}.") for n in (6, 9, 11, 15)),
    Case("closes its socket and ends", ("read", "close", "exit 0"), NO_REPLY),
    allowed("replies and exits with 1", *send(GOOD), "exit 1", note=f"{FAILED_AFTER} .exit status 1."),
    allowed("replies and dies of signal 11", *send(GOOD), "raise 11", note=f"{FAILED_AFTER} .ended by signal 11."),
    allowed("replies and hangs", *send(GOOD), "hang", **AT_ONCE),
    allowed("replies, ignores SIGTERM and hangs", "ignore 15", *send(GOOD), "hang", **AT_ONCE),
    allowed("replies, and a child of it hangs with the socket", "read", "fork", f"send {GOOD.hex()}", **AT_ONCE),
    Case("ends, and a child of it hangs with the socket", ("read", "fork", "exit 1"), NO_REPLY, **AT_ONCE),
    Case("hangs, the request unread", ("hang",), **OUT_OF_TIME),
    Case("hangs", ("read", "hang"), **OUT_OF_TIME),
    Case("hangs and ignores SIGTERM", ("ignore 15", "read", "hang"), **OUT_OF_TIME),
    Case("hangs, and so does a child of it", ("read", "fork", "hang"), **OUT_OF_TIME),
    # Nobody but the keeper sees it go, and that is watching for the broker's end.
    Case("closes its socket and hangs", ("read", "close", "hang"), **OUT_OF_TIME),
]


def run_case(case: Case) -> driver.Run:
    script = stage.write(f"conf/{stage.number()}.fake", "".join(line + "\n" for line in case.script))
    service = stage.pam(stage.options(script, "timeout=1", broker=stage.fake))
    return stage.drive(service, "authenticate", "left", answers=(KEY,))


class Broker(unittest.TestCase):
    def check(self, cases: list[Case]) -> None:
        for case, run in zip(cases, parallel(run_case, cases)):
            with self.subTest(case.name):
                self.check_run(case, run)

    def check_run(self, case: Case, run: driver.Run) -> None:
        if isinstance(run, Exception):
            raise run
        self.assertEqual(run.codes, [case.code])
        lines = [(case.priority, case.reason), *([("notice", case.note)] if case.note else [])]
        self.assertEqual([log[:2] for log in run.logs], [("authpriv", priority) for priority, _ in lines], run.logs)
        for log, (_, text) in zip(run.logs, lines):
            self.assertRegex(log.text, text)
        self.assertEqual(run.left, {"processes": 0, "descriptors": 0})
        self.assertGreaterEqual(run.elapsed_ms[0], case.least_ms)
        if case.most_ms:
            self.assertLess(run.elapsed_ms[0], case.most_ms)

    def test_verdicts(self):
        self.check(VERDICTS)

    def test_protocol(self):
        self.check(PROTOCOL)

    def test_ends(self):
        self.check(ENDS)


class Environment(unittest.TestCase):
    """How far the reply's environment goes when it is as large as can be."""

    def test_largest(self):
        script = stage.write("conf/largest.fake", "\n".join(send(wire.reply_of_length(wire.MESSAGE_MAX))))
        service = stage.pam(stage.options(script, broker=stage.fake))
        for authenticate in ("authenticate", "fork-authenticate"):
            with self.subTest(authenticate):
                run = stage.drive(service, authenticate, "setcred", "env", "left", answers=(KEY,))
                self.assertEqual(set(run.codes), {"PAM_SUCCESS"})
                self.assertEqual(list(run.environments[0]), ["FILL"])
                self.assertGreater(len(run.environments[0]["FILL"]), 65000)


class Program(unittest.TestCase):
    """What broker= may name."""

    def refused(self, path: Path, reason: str) -> None:
        script = stage.write(f"conf/{stage.number()}.fake", "\n".join(send(GOOD)))
        run = stage.drive(stage.pam(stage.options(script, broker=path)), "authenticate", "left", answers=(KEY,))
        self.assertEqual((run.codes, [log.priority for log in run.logs]), (["PAM_SERVICE_ERR"], ["err"]))
        self.assertRegex(run.logs[0].text, rf"^broker-error .*{reason}")
        self.assertIn(str(path), run.logs[0].text)
        self.assertEqual(run.left, {"processes": 0, "descriptors": 0})

    def test_refused(self):
        for name, mode, reason in (("not-executable", 0o644, "is not executable"),
                                   ("by-group", 0o775, "may be written by its group"),
                                   ("by-everybody", 0o757, "may be written by everybody")):
            with self.subTest(name):
                self.refused(stage.write(name, stage.fake.read_bytes(), mode), reason)
        with self.subTest("missing"):
            self.refused(stage.folder / "missing", "cannot find .*: No such file or directory")
        with self.subTest("below a file"):
            self.refused(stage.fake / "broker", "cannot find .*: Not a directory")
        with self.subTest("a folder"):
            self.refused(stage.folder / "conf", "is not a regular file")
        with self.subTest("a FIFO"):
            os.mkfifo(stage.folder / "fifo", 0o755)
            self.refused(stage.folder / "fifo", "is not a regular file")
        with self.subTest("no format that the kernel knows"):
            self.refused(stage.write("text", "not a program\n", 0o755), "could not be executed")
        with self.subTest("an interpreter that does not exist"):
            self.refused(stage.write("script", "#!/nonexistent/interpreter\n", 0o755), "could not be executed")

    @unittest.skipIf(os.geteuid() != 0, "only root can give a file to somebody else")
    def test_foreign_owner(self):
        path = stage.write("foreign", stage.fake.read_bytes(), 0o755)
        os.chown(path, 1, 1)
        self.refused(path, "is not owned by root")

    def test_link(self):
        (stage.folder / "link").symlink_to(stage.fake)
        script = stage.write("conf/link.fake", "\n".join(send(GOOD)))
        service = stage.pam(stage.options(script, broker=stage.folder / "link"))
        run = stage.drive(service, "authenticate", answers=(KEY,))
        self.assertEqual(run.codes, ["PAM_SUCCESS"])


class Start(unittest.TestCase):
    """What the broker finds when it starts, in a host that has left everything lying about (hell.c)."""

    def test_recorded(self):
        record = stage.folder / "record"
        script = stage.write("conf/record.fake", "\n".join(("read", f"record {record}", f"send {GOOD.hex()}")))
        service = stage.pam(stage.options(script, broker=stage.fake))
        host = stage.host("hell", stage.folder / "pam.d", service, stage.me.pw_name, "untidy", answers=(KEY,),
                          env={"LD_DEBUG_OUTPUT": "/nonexistent", "SSLKEYLOGFILE": "/nonexistent", "X": "1"})
        self.assertEqual(host.codes[0], "PAM_SUCCESS")
        found = [line.split(":\t", 1) for line in record.read_text().splitlines()]
        one = dict(found)
        ids = [str(number) for number in (stage.me.pw_uid, stage.me.pw_gid)]
        for what, got, expected in (
                ("arguments", [one[f"argv{n}"] for n in range(3)], ["ibmiam-broker", "--config", str(script)]),
                ("environment", [value for name, value in found if name == "environ"], []),
                ("working directory", one["cwd"], "/"),
                ("descriptors", {n: re.sub(r":.*", "", v) for n, v in found if re.fullmatch(r"fd\d+", n)},
                 {"fd0": "socket", "fd1": "/dev/null", "fd2": "/dev/null"}),
                ("umask", one["Umask"], "0077"),
                ("user ids: real, effective, saved, of files", one["Uid"].split(), [ids[0]] * 4),
                ("group ids", one["Gid"].split(), [ids[1]] * 4),
                ("parent is not the host", one["parent"] != host.facts["pid"], True),
                ("session is not the host's", one["session"] != host.facts["session"], True),
                *((f"signals {name}", int(one[name], 16), 0)
                  for name in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"))):
            with self.subTest(what):
                self.assertEqual(got, expected)


class Host(unittest.TestCase):
    """The host dies while it waits."""

    def test_killed(self):
        for name, script in (("the broker hangs", ("hang",)), ("and ignores SIGTERM", ("ignore 15", "hang")),
                             ("and has closed its socket", ("close", "hang"))):
            with self.subTest(name):
                self.check_killed(script)

    def check_killed(self, script: tuple[str, ...]) -> None:
        fifo = stage.folder / f"fifo{stage.number()}"
        os.mkfifo(fifo)
        stage.give(fifo, 0o600)
        started = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        path = stage.write(f"conf/{stage.number()}.fake", "\n".join(("read", f"tell {fifo}", *script)))
        service = stage.pam(stage.options(path, "timeout=60", broker=stage.fake))
        host = subprocess.Popen([stage.folder / "pamdrive", stage.folder / "pam.d", service, stage.me.pw_name,
                                 "authenticate"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **stage.identity)
        host.stdin.write(KEY.encode() + b"\0")
        host.stdin.close()
        broker = None
        try:
            self.assertTrue(select.select([started], [], [], TIMEOUT_S)[0], "the broker does not start")
            broker = os.pidfd_open(int(os.read(started, 100)))
            host.kill()
            host.wait(TIMEOUT_S)
            # The fake ends itself too, but only after half a minute.
            self.assertTrue(select.select([broker], [], [], 20)[0], "the broker lives on without its host")
        finally:
            host.kill()
            host.wait()
            os.close(started)
            if broker is not None:
                os.close(broker)


suite.main()
