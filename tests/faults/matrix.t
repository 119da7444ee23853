#!/usr/bin/python3
"""Every phase of a login, and everything that can happen to it there: one table, run with the real module.

A cell has as many rows as there are ways to it, or says why it has none. Of each login: the PAM code, the one line in
the log, the time, that no process and no descriptor is left. `--table` prints it as Markdown instead, for the README.
"""
import itertools
import os
import re
import resource
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

FAULTS_FOLDER = Path(__file__).absolute().parent
sys.path[:0] = [str(FAULTS_FOLDER), str(FAULTS_FOLDER.parent / "lib"), str(FAULTS_FOLDER.parent / "module")]
sys.dont_write_bytecode = True

import obstacles as o  # noqa: E402
import suite  # noqa: E402
import wire  # noqa: E402
from ways import (BROKER, DEADLINE_S, FUNCTIONS, HOLDS, Login, after, bench, between, config, fake, file,  # noqa: E402
                  flood, held, hole, iam, killed, listener, machine, name, peer, program, send, sip, six, stuck, tiny,
                  vary)
from driver import read_events  # noqa: E402
from hosttest import HostTest  # noqa: E402
from machine import TIMEOUT_S, processes  # noqa: E402

PHASES = ("config", "spawn", "socket", "DNS", "TCP", "TLS", "request", "headers", "body", "parse", "decide", "reply",
          "publish")
FAULTS = ("fails", "hangs", "trickles", "is cut", "oversized", "garbage", "killed")
LATE_MS = 1000 + 4000  # a second by contract, the rest for a machine that is busy with other tests
PARALLEL = 12
REFUSED, BIG = wire.refusal(wire.DENIED), 64 * 1024


# The table

@dataclass
class Row:
    phase: str
    fault: str
    how: str
    code: str = ""  # PAM's; empty: cannot be, and `how` says why
    log: str = ""  # a pattern of the line in the log
    way: Callable | None = None
    seen: str = ""
    ms: int = 0
    problems: list[str] = field(default_factory=list)


def row(phase: str, fault: str, how: str, code: str, log: str, way: Callable, **more) -> Row:
    return Row(phase, fault, how, code, log, with_more(way, more))


def slow(phase: str, fault: str, how: str, log: str, way: Callable) -> Row:
    """Nothing comes of it, and it ends at the deadline: by the broker, which says that IAM is slow, or without it."""
    return Row(phase, fault, how, code_of(log), log, with_more(way, {"timeout": DEADLINE_S}))


def code_of(log: str) -> str:
    return "SERVICE_ERR" if log == STUCK else AWAY


def never(phase: str, fault: str, why: str) -> Row:
    return Row(phase, fault, why)


def with_more(way: Callable, more: dict):
    def whole(x):
        way(x)
        vary(x, **more)
    whole.needs = getattr(way, "needs", None)
    return whole


AWAY, DOWN, BROKEN = "AUTHINFO_UNAVAIL", "unavailable .*", "broker-error .*"
IN_TIME = DOWN + 'reason="no answer from https://.* in time"'
DIED = BROKEN + r'reason="the broker ended without a reply \(ended by signal 9\)"'
STUCK = BROKEN + 'reason="the broker did not answer in time"'
PROTOCOL = BROKEN + "the broker breaks the protocol: "
UNUSABLE = DOWN + "IAM's answer cannot be used: "
EXPORTED = ("authenticate", "setcred", "env", "left")


def curl(text: str) -> str:
    return DOWN + rf'reason="no answer from https://[^ ]*: {text} \(curl \d+\)"'


def configurations() -> list[Row]:
    def error(how, fault, text, way, **more):
        return row("config", fault, how, "SERVICE_ERR", f"config-error .*{text}", way, **more)
    return [
        error("is missing", "fails", "No such file", file(os.unlink)),
        error("is a folder", "fails", "not a regular file", file(lambda p: (p.unlink(), p.mkdir()))),
        error("is another user's", "fails", "not owned by root", file(lambda p: os.chown(p, 2001, 2001))),
        error("may be written by everybody", "fails", "by everybody", file(lambda p: p.chmod(0o666))),
        error("holds an unknown key", "fails", "nonsense", config(more="nonsense = 1\n")),
        error("is empty", "fails", "no accounts|endpoint", config("")),
        slow("config", "hangs", "open() does not return", STUCK, held("config")),
        error("is a FIFO that nobody writes to", "hangs", "not a regular file",
              file(lambda p: (p.unlink(), os.mkfifo(p)))),
        never("config", "trickles", "only a regular file is read, and that has its size at once"),
        error("ends inside a section", "is cut", r"row-\d+.conf:\d+", config(more="user bob {\n")),
        error("ends inside a string", "is cut", r"row-\d+.conf:\d+", config(more='proxy = "http:')),
        error("is over 16 MiB", "oversized", "larger than 16 MiB", file(lambda p: os.truncate(p, (16 << 20) + 1))),
        error("holds random bytes", "garbage", r"row-\d+.conf", file(lambda p: p.write_bytes(os.urandom(5000)))),
    ]


def starts() -> list[Row]:
    def error(phase, how, fault, text, way, **more):
        return row(phase, fault, how, "SERVICE_ERR", BROKEN + text, way, **more)
    return [
        error("spawn", "there is no program", "fails", "cannot find the broker", config(options="broker=/nonexistent")),
        error("spawn", "is not executable", "fails", "not executable", program(BROKER.read_bytes, 0o644)),
        error("spawn", "may be written by everybody", "fails", "by everybody", program(BROKER.read_bytes, 0o757)),
        error("spawn", "no interpreter", "fails", "could not be executed", program(lambda: b"#!/nonexistent\n")),
        error("spawn", "ends at once", "fails", "without a reply", program(Path("/bin/true").read_bytes)),
        slow("spawn", "hangs", "execve() does not return", STUCK, held("spawn")),
        never("spawn", "trickles", "execve() is one call"),
        error("spawn", "half of the program", "is cut", "could not be executed|without a reply",
              program(lambda: BROKER.read_bytes()[:BROKER.stat().st_size // 2])),
        never("spawn", "oversized", "the program is root's, and its size nobody's business"),
        error("spawn", "no program at all", "garbage", "could not be executed", program(lambda: os.urandom(9999))),
        error("spawn", "an empty file", "garbage", "could not be executed", program(lambda: b"")),
        error("socket", "the host has no descriptor left for it", "fails", "Too many open files",
              config(at_prompt=lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, 4)))),
        slow("socket", "hangs", "nobody reads the request", STUCK, fake("hang")),
        never("socket", "trickles", "a message arrives whole or not at all (SOCK_SEQPACKET)"),
        error("socket", "the broker closes it and ends", "is cut", "without a reply", fake("close", "exit 0")),
        slow("socket", "is cut", "the broker closes it and stays: the keeper has it too", STUCK,
             fake("close", "hang")),
        row("socket", "oversized", "an answer of 4096 bytes", "AUTH_ERR", "key-rejected .*far too long",
            config(key="x" * 4096)),
        never("socket", "garbage", "only the module writes there; how the broker takes other bytes is in tests/unit"),
    ]


def network() -> list[Row]:
    resolve = curl("Could(n't| not) resolve host.*")
    return [
        row("DNS", "fails", "NXDOMAIN", AWAY, resolve, name("nx")),
        row("DNS", "fails", "SERVFAIL", AWAY, resolve, name("servfail")),
        row("DNS", "fails", "a name without an address", AWAY, resolve, name("nothing")),
        slow("DNS", "hangs", "the server does not answer", IN_TIME, name("silent")),
        slow("DNS", "hangs", "no answer by TCP", IN_TIME, name("tcphang")),
        slow("DNS", "hangs", "an answer for IPv4 only", IN_TIME, name("deaf6")),
        slow("DNS", "trickles", "answers to other questions, endlessly", IN_TIME, name("forged")),
        slow("DNS", "trickles", "1 byte each 200 ms, by TCP", IN_TIME, name("tcpdrip")),
        row("DNS", "is cut", "the answer's last bytes are missing", AWAY, DOWN, name("cut"), timeout=DEADLINE_S),
        row("DNS", "is cut", "in the middle, by TCP", AWAY, DOWN, name("tcpcut"), timeout=DEADLINE_S),
        row("DNS", "oversized", "4000 addresses, 64 KiB by TCP", "SUCCESS", "allowed .*", name("tcphuge")),
        slow("DNS", "garbage", "random bytes", IN_TIME, name("garbage")),
        row("DNS", "garbage", "random bytes after the right id", AWAY, DOWN, name("garbled"), timeout=DEADLINE_S),
        row("TCP", "fails", "nobody listens", AWAY, curl("Failed to connect.*"), listener("no_listen")),
        row("TCP", "fails", "no route", AWAY, curl(".*"), lambda x: x.to("192.0.2.1", 443)),
        row("TCP", "fails", "no route by IPv6, IPv4 works", "SUCCESS", "allowed .*", six("away6.matrix.test", False)),
        slow("TCP", "hangs", "packets vanish", IN_TIME, lambda x: vary(x.to("localhost", hole(x).port))),
        row("TCP", "hangs", "packets vanish by IPv6, IPv4 works", "SUCCESS", "allowed .*",
            six("hole6.matrix.test", True)),
        never("TCP", "trickles", "what trickles in a connection is TLS"),
        row("TCP", "is cut", "reset as soon as it is there", AWAY, curl(".*"), peer(o.reset)),
        row("TCP", "is cut", "closed as soon as it is there", AWAY, curl(".*"), peer(lambda sock: None)),
        never("TCP", "oversized", "segments are the kernel's"),
        never("TCP", "garbage", "segments are the kernel's"),
        row("TLS", "fails", "the certificate has expired", AWAY, curl(".*certificate.*"), listener("expired")),
        row("TLS", "fails", "of an unknown authority", AWAY, curl(".*certificate.*"), listener("foreign_ca")),
        row("TLS", "fails", "for another name", AWAY, curl(".*no alternative certificate subject name.*"),
            listener("wrong_host")),
        row("TLS", "fails", "signed by itself", AWAY, curl(".*certificate.*"), listener("self_signed")),
        row("TLS", "fails", "TLS 1.1 only", AWAY, curl(".*"), listener("old_tls")),
        slow("TLS", "hangs", "no answer to the first message", IN_TIME, listener("hang_accept")),
        slow("TLS", "trickles", "1 byte each 50 ms", IN_TIME, between(slow=True)),
        row("TLS", "is cut", "after 100 bytes", AWAY, curl(".*"), between(limit=100)),
        row("TLS", "is cut", "reset at the first byte", AWAY, curl(".*"), listener("reset_accept")),
        row("TLS", "oversized", "a record longer than records may be", AWAY, curl(".*"),
            peer(flood(b"\x16\x03\x03\xff\xff" + bytes(65535)))),
        row("TLS", "oversized", "a message of 16 MiB", AWAY, curl(".*"),
            peer(flood(b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + bytes(16380)))),
        row("TLS", "garbage", "no TLS at all", AWAY, curl(".*"), listener("garbage_tls")),
    ]


def http() -> list[Row]:
    failed = curl(".*")
    return [
        row("request", "fails", "closed before any of it is read", AWAY, failed,
            peer(after("request", lambda tls: tls.close()))),
        slow("request", "hangs", "nobody reads it", IN_TIME, peer(tiny(lambda tls: threading.Event().wait(o.WAIT_S)))),
        slow("request", "trickles", "is read 1 byte each 50 ms", IN_TIME, peer(tiny(sip))),
        row("request", "is cut", "reset before the answer", AWAY, failed, iam("fault_reset_before_answer")),
        row("request", "oversized", "a key of 4000 characters", "AUTH_ERR", "key-rejected .*", config(key="k" * 4000)),
        row("request", "garbage", "a key that is not UTF-8", "AUTH_ERR", "key-rejected .*", config(key="\udcff" * 40)),
        row("request", "garbage", "what sshd sends for a user it refuses", "AUTH_ERR", "key-rejected .*",
            config(key="\b\n\r\x7fINCORRECT" * 4)),
        row("headers", "fails", "503", AWAY, DOWN + "http=503 .*", iam("fault_r503")),
        row("headers", "fails", "429", AWAY, DOWN + "http=429 .*", iam("fault_r429")),
        row("headers", "fails", "307 to elsewhere", AWAY, DOWN + "http=307 .*", iam("fault_redirect_307")),
        slow("headers", "hangs", "no answer", IN_TIME, iam("fault_hang")),
        slow("headers", "hangs", "half of them", IN_TIME, peer(after("headers", o.until_gone))),
        slow("headers", "trickles", "1 byte each 200 ms", IN_TIME, iam("fault_trickle_headers")),
        row("headers", "is cut", "closed before the first", AWAY, failed, iam("fault_close_before_answer")),
        row("headers", "is cut", "closed in the middle", AWAY, DOWN, peer(after("headers", lambda tls: tls.close()))),
        row("headers", "oversized", "one of 1 MiB", AWAY, DOWN, iam("fault_huge_header")),
        row("headers", "oversized", "endless", AWAY, DOWN, peer(after("headers", flood(b"\r\nX-Pad: " + b"x" * 1000)))),
        row("headers", "garbage", "a status line of another kind", AWAY, DOWN, iam("fault_garbage_status_line")),
        row("headers", "garbage", "none (HTTP/0.9)", AWAY, failed, iam("fault_http09")),
        row("body", "fails", "none, with 200", AWAY, DOWN, iam("fault_empty_200")),
        row("body", "fails", "none, with 204", AWAY, DOWN, iam("fault_s204")),
        slow("body", "hangs", "half of it", IN_TIME, peer(after("body", o.until_gone))),
        slow("body", "trickles", "1 byte each 200 ms", IN_TIME, iam("fault_trickle_body")),
        row("body", "is cut", "100 bytes are missing", AWAY, failed, iam("fault_truncated_body")),
        row("body", "is cut", "reset in the middle", AWAY, failed, iam("fault_reset_mid_body")),
        row("body", "oversized", "10 MiB", AWAY, DOWN + "over 64 KiB", iam("fault_huge_body")),
        row("body", "garbage", "a bad chunk", AWAY, failed, iam("fault_chunked_bad")),
    ]


def judgement() -> list[Row]:
    return [
        row("parse", "fails", "no token in it", AWAY, UNUSABLE, iam("fault_no_token")),
        row("parse", "fails", "HTML", AWAY, DOWN, iam("fault_html_200")),
        slow("parse", "hangs", "the broker is stopped (SIGSTOP)", STUCK, held("parse")),
        never("parse", "trickles", "begins when the whole answer is there"),
        row("parse", "is cut", "the JSON's end is missing", AWAY, UNUSABLE, iam("fault_wrong_length_short")),
        row("parse", "is cut", "a token of two parts", AWAY, UNUSABLE, iam("fault_token_two_parts")),
        row("parse", "oversized", "a token over 16 KiB", AWAY, DOWN, iam("fault_token_huge")),
        row("parse", "oversized", "10000 nested arrays", AWAY, UNUSABLE, iam("fault_deep_nesting")),
        row("parse", "garbage", "text instead of JSON", AWAY, UNUSABLE, iam("fault_not_json")),
        row("parse", "garbage", "a token that is not base64url", AWAY, UNUSABLE, iam("fault_token_bad_base64")),
        row("parse", "garbage", "every member of another type", AWAY, UNUSABLE, iam("fault_wrong_types")),
        row("decide", "fails", "IAM does not know the key", "AUTH_ERR", "key-rejected .*code=BXNIM0415E .*",
            iam("unknown")),
        row("decide", "fails", "another's key", "PERM_DENIED", "denied .*not among this user's iam_ids", iam("bob")),
        row("decide", "fails", "a key of another account", "PERM_DENIED", "denied .*", iam("mallory")),
        row("decide", "fails", "a token that has expired", AWAY, DOWN, iam("fault_token_expired")),
        slow("decide", "hangs", "the broker is stopped (SIGSTOP)", STUCK, held("decide")),
        never("decide", "trickles", "compares what is in memory"),
        never("decide", "is cut", "compares what is in memory; a cut answer does not come so far"),
        row("decide", "oversized", "an error code of 500 characters", AWAY, DOWN, iam("fault_error_code_evil")),
        row("decide", "oversized", "an environment over 64 KiB", "SERVICE_ERR", "config-error .*over 64 KiB",
            config(more="environment = { " + ", ".join(f'"V{n}=%{{token}}"' for n in range(100)) + " }\n")),
        row("decide", "garbage", "an error without a code", AWAY, DOWN, iam("fault_error_no_code")),
        row("decide", "garbage", "an error of wild bytes", "AUTH_ERR", "key-rejected .*",
            iam("fault_error_message_evil")),
        row("reply", "fails", "exit 4 instead", "SERVICE_ERR", BROKEN + r"without a reply \(exit status 4\)",
            fake("read", "exit 4")),
        slow("reply", "hangs", "there is none", STUCK, fake("read", "hang")),
        slow("reply", "hangs", "there is none, nor does it heed SIGTERM", STUCK, fake("read", "ignore 15", "hang")),
        slow("reply", "hangs", "nor does its child, which has the socket", STUCK, fake("read", "fork", "hang")),
        slow("reply", "hangs", "the broker is stopped (SIGSTOP)", STUCK, held("reply")),
        row("reply", "hangs", "after it", "SUCCESS", "allowed .*", fake(*send(wire.reply()), "hang")),
        row("reply", "trickles", "in two messages", "SERVICE_ERR", PROTOCOL, fake(*send(REFUSED[:9], REFUSED[9:]))),
        row("reply", "is cut", "half of it", "SERVICE_ERR", PROTOCOL, fake(*send(wire.reply()[:-5]))),
        row("reply", "is cut", "an empty one", "SERVICE_ERR", BROKEN + "without a reply", fake(*send(b""))),
        row("reply", "oversized", "64 KiB and 1 byte", "SERVICE_ERR", BROKEN + ".*too long",
            fake(*send(wire.reply_of_length(60000) + b"x" * (BIG + 1 - 60000)))),
        row("reply", "oversized", "100 KiB", "SERVICE_ERR", BROKEN + "Message too long", fake(*send(bytes(100 << 10)))),
        row("reply", "garbage", "random bytes", "SERVICE_ERR", PROTOCOL, fake(*send(b"\xff" + os.urandom(999)))),
        row("reply", "garbage", "yes, but nobody's", "SERVICE_ERR", PROTOCOL, fake(*send(wire.reply(iam_id=None)))),
        row("reply", "garbage", "with a descriptor", "SERVICE_ERR", BROKEN, fake("read", f"pass {wire.reply().hex()}")),
        row("reply", "killed", "the broker, after it", "SUCCESS", "allowed .*", fake(*send(wire.reply()), "raise 9")),
        row("publish", "fails", "a variable without a value", "SUCCESS", "could not be exported",
            fake(*send(wire.reply(environment=("A=1", "NO_VALUE")))), steps=EXPORTED, lines=2),
        never("publish", "hangs", "touches memory only"),
        never("publish", "trickles", "touches memory only"),
        never("publish", "is cut", "comes from a reply that was whole"),
        row("publish", "oversized", "64 KiB of environment", "SUCCESS", "allowed .*",
            fake(*send(wire.reply_of_length(BIG))), steps=EXPORTED),
        row("publish", "garbage", "a variable without a name", "SUCCESS", "could not be exported",
            fake(*send(wire.reply(environment=("=1", "A=1")))), steps=EXPORTED, lines=2),
        never("publish", "killed", "broker and keeper have ended by then; of the host nothing is left to look at"),
    ]


def kills() -> list[Row]:
    return [Row(phase, "killed", f"the {victim}", code, log, killed(phase, victim)) for phase in HOLDS
            for victim, code, log in (
                ("broker", "SERVICE_ERR", BROKEN + r'reason="the broker ended without a reply \(ended by signal 9\)"'),
                ("keeper", "SERVICE_ERR", DIED))]  # its broker dies with it


def orphans() -> list[Row]:
    """However the broker is held up, it dies with its keeper."""
    return [Row(phase, "killed", "the keeper, and the broker is held up", "SERVICE_ERR", DIED, stuck(phase))
            for phase in ("config", "spawn", "DNS", "TCP", "TLS", "request", "headers", "body",
                          "parse", "decide", "reply")]


# How a row is run

def run(entry: Row, number: int) -> None:
    x = Login(f"row-{number:03}")
    try:
        entry.way(x)
        x.prepare()
        x.start()
        if x.gate:
            at_gate(x)
        output = x.output()
        look(entry, x, read_events(output))
    except Exception as wrong:
        entry.problems.append(f"{type(wrong).__name__}: {wrong}")
    finally:
        if x.host:
            x.watchdog.cancel()
            x.host.kill()
            x.host.wait()
            x.host.stdout.close()
            x.host.stderr.close()


def at_gate(x: Login) -> None:
    x.gate.wait(x.broker)
    stopped = isinstance(x.gate, o.Breakpoint)
    if x.victim == "none":  # held until the deadline
        if stopped:
            x.gate.release(signal.SIGSTOP)
        x.host.wait(TIMEOUT_S)
    else:
        victim = getattr(x, x.victim)()
        watched = os.pidfd_open(victim)
        os.kill(victim, signal.SIGKILL)
        if stopped:
            x.gate.killed()  # whose keeper it was, too
        o.until_ended(watched)
    if not stopped and not x.stays:
        x.gate.release()


def look(entry: Row, x: Login, seen) -> None:
    """What the host says of it, against the row."""
    def check(fine: bool, problem: str) -> None:
        if not fine:
            entry.problems.append(problem)
    entry.seen, entry.ms = seen.codes[0].removeprefix("PAM_"), seen.elapsed_ms[0]
    lines = [log.text for log in seen.logs]
    check(entry.seen == entry.code, f"PAM code: {entry.seen} instead of {entry.code}")
    check(seen.codes[1:] in ([], ["PAM_SUCCESS"]), f"later calls: {seen.codes[1:]}")
    check(len(lines) == x.lines, f"{len(lines)} lines in the log instead of {x.lines}")
    check(sum(bool(re.search(entry.log, line)) for line in lines) == 1, f"not one line fits {entry.log}: {lines}")
    late = LATE_MS + (1000 * x.timeout if x.timeout == DEADLINE_S or x.orphan else 0)
    check(entry.ms < late, f"{entry.ms} ms, at most {late}")
    check(seen.left["descriptors"] == 0, f"{seen.left['descriptors']} descriptors are left")
    check(seen.left["processes"] <= x.orphan, f"{seen.left['processes']} processes are left")
    stays = left_of(x)
    check(not stays, f"processes stay: {stays}")
    if x.stays and x.gate and not isinstance(x.gate, o.Breakpoint):
        x.gate.release()


def left_of(x: Login, expected: bool = False) -> dict[int, str]:
    """Of those whose keeper was killed, after the grace that it would give. Zombies have no command line."""
    deadline = time.monotonic() + ((1 if expected else LATE_MS / 1000) if x.orphan else 0)
    while True:
        found = {pid: line for pid, line in processes().items() if x.name in line and pid != x.host.pid}
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


# What comes of it

TABLE = [*configurations(), *starts(), *network(), *http(), *judgement(), *kills(), *orphans()]
TABLE.sort(key=lambda entry: (PHASES.index(entry.phase), FAULTS.index(entry.fault)))


def run_all() -> float:
    """The seconds it took."""
    for entry in TABLE:
        needs = getattr(entry.way, "needs", None)
        if needs and needs not in FUNCTIONS:
            entry.way, entry.how = None, f"{entry.how}: not here, where no breakpoint can be set at {needs}()"
    begun = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(run, *zip(*((e, n) for n, e in enumerate(TABLE) if e.way))))
    bench.names.stopping.set()
    return time.monotonic() - begun


def cell(phase: str, fault: str) -> list[Row]:
    return [entry for entry in TABLE if (entry.phase, entry.fault) == (phase, fault)]


def victim(entry: Row) -> str:
    """Who was killed, for the table, where that is one or the other."""
    found = re.match(r"the (broker|keeper)(, and|, after|$)", entry.how) if entry.fault == "killed" else None
    return found[1] + {", and": ", stuck: ", ", after": ", late: ", "": ": "}[found[2]] if found else ""


def markdown() -> str:
    """One line a phase; a cell holds the codes that came, and how often where there are several rows."""
    notes: list[str] = []

    def text(phase, fault):
        entries = cell(phase, fault)
        if not any(entry.way for entry in entries):
            notes.extend(entry.how for entry in entries if entry.how not in notes)
            return f"– <sup>{notes.index(entries[0].how) + 1}</sup>"
        codes = [victim(entry) + ("✗ " if entry.problems else "") + (entry.seen or "?")
                 for entry in entries if entry.way]
        return "<br>".join(f"{code}{f' ×{codes.count(code)}' if codes.count(code) > 1 else ''}"
                           for code in dict.fromkeys(codes))
    lines = ["| phase | " + " | ".join(FAULTS) + " |", "|---" * (len(FAULTS) + 1) + "|"]
    lines += [f"| {phase} | " + " | ".join(text(phase, fault) for fault in FAULTS) + " |" for phase in PHASES]
    return "\n".join(lines + [""] + [f"{n}. {note}" for n, note in enumerate(notes, 1)])


class Matrix(HostTest):
    @classmethod
    def setUpClass(cls):
        cls.seconds = run_all()

    def test_rows(self):
        for entry in TABLE:
            print(f"# {entry.phase:8} {entry.fault:9} {entry.seen or '-':17}"
                  f"{f'{entry.ms:6} ms' if entry.way else '':10} {entry.how}", flush=True)
            if entry.way:
                with self.subTest(f"{entry.phase} {entry.fault}: {entry.how}"):
                    self.assertEqual(entry.problems, [])
        print(f"# {sum(bool(entry.way) for entry in TABLE)} logins in {self.seconds:.1f} s", flush=True)

    def test_no_cell_is_forgotten(self):
        for phase, fault in itertools.product(PHASES, FAULTS):
            with self.subTest(f"{phase} {fault}"):
                entries = cell(phase, fault)
                self.assertTrue(entries)
                self.assertTrue(all(entry.how for entry in entries))

    def test_the_table_is_markdown(self):
        widths = {line.count("|") for line in markdown().splitlines() if line.startswith("|")}
        self.assertEqual(widths, {len(FAULTS) + 2})


def tearDownModule():
    machine.assert_clean()


if "--table" in sys.argv:
    run_all()
    print(markdown())
    for entry in TABLE:
        for problem in entry.problems:
            print(f"{entry.phase} {entry.fault}: {entry.how}: {problem}", file=sys.stderr)
    machine.assert_clean()
    sys.exit(any(entry.problems for entry in TABLE))
suite.main()
