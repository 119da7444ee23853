#!/usr/bin/python3
"""What a login leaves in memory: in the host between its PAM calls, and in the broker at its very end.

The host is memory.c, which keeps no key of its own; it waits between its calls and is searched then, all of it. The
broker is stopped by ptrace where it has ended but still has its memory. What is found there of libraries is asserted
to be what is known of them, and printed.
"""
import ctypes
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import HostTest, begin  # noqa: E402
from leaks import JWT, spellings  # noqa: E402
from machine import TIMEOUT_S, make, processes, until, write  # noqa: E402

HOST = suite.BUILD / "tests/hosts/memory"
SUCCESS, SERVICE_ERR, PERM_DENIED, AUTH_ERR, UNAVAILABLE = 0, 3, 6, 7, 9
PIECE, SAME = 12, 64  # bytes: what is looked for, and how far apart finds belong together
REPEATED = ("rejected", "second pass", "first pass refused")  # BXNIM0415E, whose errorDetails hold the key
FAKES = {"dies": "exit 3", "babbles": "printf 'no such message' >&0", "hangs": "read x <&0; exec sleep 1000"}

make(HOST)
machine = HostTest.machine = begin()
keys, iam_ids = machine.iam.keys, machine.iam.iam_ids
for name, script in FAKES.items():
    write(Path("/usr/libexec", name), f"#!/bin/sh\n{script}\n", 0o755)


@dataclass
class Path_:
    """One way for a login to go."""
    key: str
    code: int
    options: str = "timeout=20"
    config: dict = field(default_factory=dict)
    first: str = ""  # a key in PAM_AUTHTOK
    broker: bool = True  # the real one, and it ends by itself


PATHS = {
    "allowed": Path_("alice", SUCCESS),
    "allowed with a custom key": Path_("custom", SUCCESS, config={"text": "+"}),
    "rejected": Path_("unknown", AUTH_ERR),
    "disabled": Path_("disabled", AUTH_ERR),
    "IAM fails": Path_("fault_r500", UNAVAILABLE),
    "denied": Path_("mallory", PERM_DENIED),
    "of no use": Path_("fault_hang", UNAVAILABLE, options="timeout=1"),
    "unreachable": Path_("alice", UNAVAILABLE, config={"endpoint": "no_listen"}),
    "TLS of a stranger": Path_("alice", UNAVAILABLE, config={"endpoint": "foreign_ca"}),
    "reset": Path_("alice", UNAVAILABLE, config={"endpoint": "reset_accept"}),
    "first pass": Path_("alice", SUCCESS, options="use_first_pass", first="alice"),
    "second pass": Path_("alice", SUCCESS, options="try_first_pass", first="unknown"),
    "first pass refused": Path_("alice", AUTH_ERR, options="use_first_pass", first="unknown"),
    "a broker that dies": Path_("alice", SERVICE_ERR, options="broker=/usr/libexec/dies", broker=False),
    "a broker that babbles": Path_("alice", SERVICE_ERR, options="broker=/usr/libexec/babbles", broker=False),
    "a broker that hangs": Path_("alice", SERVICE_ERR, options="timeout=1 broker=/usr/libexec/hangs", broker=False),
}


class Needles:
    """Pieces of secrets in all spellings; where they stand in a memory, and how many copies that makes."""

    def __init__(self, **known: str) -> None:
        self.pieces: dict[bytes, tuple[str, int]] = {}  # what, and how far into it
        for kind, text in known.items():
            self.add(kind, text)

    def add(self, kind: str, text: str) -> None:
        step = 4 if len(text) < 200 else 2 * PIECE  # of a key, malloc may have overwritten all but 12 bytes
        for how, spelling in spellings(text):
            for start in {*range(0, len(spelling) - PIECE, step), max(0, len(spelling) - PIECE)}:
                self.pieces.setdefault(spelling[start:start + PIECE], (f"{kind}, {how}", start))

    def find(self, data: bytes) -> list[tuple[int, str]]:
        """Where each copy, or what is left of one, begins."""
        hits = sorted((at, what) for piece, what in self.pieces.items() for at in occurrences(data, piece))
        copies: list[list] = []
        last = -SAME - 1
        for at, (what, start) in hits:
            if at - last > SAME or start == 0:
                copies.append([])
            copies[-1].append((at, what))
            last = at
        return [(copy[0][0], Counter(what for _, what in copy).most_common(1)[0][0]) for copy in copies]


def occurrences(data: bytes, piece: bytes):
    at = data.find(piece)
    while at >= 0:
        yield at
        at = data.find(piece, at + 1)


def token_needles(key: str) -> Needles:
    """Of a token that nobody has shown us: how its two first parts begin."""
    needles = Needles(token='{"kid":"standin-', claims=f'{{"iam_id":"{iam_ids[key]}"' if iam_ids[key] else "{" * PIECE)
    needles.pieces = {piece: what for piece, what in needles.pieces.items() if "base64url" in what[0]}
    return needles


class Memory:
    """All that a process could have written to, at this moment."""

    def __init__(self, pid: int) -> None:
        self.regions: list[tuple[int, str, bytes]] = []
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                span, mode, _, _, _, *name = line.split(maxsplit=5)
                start, end = (int(word, 16) for word in span.split("-"))
                label = name[0].strip() if name else "anonymous"
                if "w" not in mode:  # nobody could have put a secret there
                    continue
                try:
                    mem.seek(start)
                    self.regions.append((start, label, mem.read(end - start)))
                except OSError:  # a file that is shorter than its mapping
                    pass

    def find(self, needles: Needles) -> list[str]:
        """One line a copy: what it is, and where."""
        found = []
        for start, label, data in self.regions:
            blocks = list(heap_blocks(data)) if label == "[heap]" else []
            for at, what in needles.find(data):
                block = next((f", {state} block of {size} bytes at +{at - offset}" for offset, size, state in blocks
                              if offset <= at < offset + size), "")
                found.append(f"{what} in {os.path.basename(label)}{block}")
        return found


def heap_blocks(data: bytes):
    """glibc's chunks: offset, size, and whether the next one says that it is in use (tcache keeps that)."""
    offset = 0
    while offset + 16 <= len(data):
        size = int.from_bytes(data[offset + 8:offset + 16], "little") & ~7
        if size < 32 or offset + size + 16 > len(data):
            yield offset, len(data) - offset, "top"
            return
        following = int.from_bytes(data[offset + size + 8:offset + size + 16], "little")
        yield offset, size, "used" if following & 1 else "free"
        offset += size


class Host:
    def __init__(self, service: str, *arguments: str) -> None:
        self.process = subprocess.Popen([HOST, service, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.pid = self.process.pid

    def send(self, *lines: str) -> None:
        self.process.stdin.write("".join(line + "\n" for line in lines).encode())
        self.process.stdin.flush()

    def line(self) -> str:
        return self.process.stdout.readline().decode().rstrip("\n")

    def do(self, command: str, *answers: str) -> int:
        self.send(command, *answers)
        name, code = self.line().split()
        assert name == command, name
        return int(code)

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class MemoryTest(HostTest):
    def prepare(self, path: Path_) -> tuple[list[str], list[str]]:
        """Arguments of the host, and the answers that it gives."""
        config = dict(path.config)
        if "endpoint" in config:
            config["endpoint"] = f'"{machine.iam.urls[config["endpoint"]]}"'
        config.pop("text", None)
        machine.configure(**config)
        options = f"socket=none {path.options}"
        machine.pam("memory", *(f"{phase} required pam_ibmiam.so {options}" for phase in ("auth", "account", "session")))
        if path.first:
            return ["alice", "first"], [keys[path.first]] + ([keys[path.key]] if "try_" in path.options else [])
        return ["alice"], [keys[path.key]]

    def key_needles(self, path: Path_) -> Needles:
        needles = Needles(key=keys[path.key])
        if path.first:
            needles.add("first key", keys[path.first])
        return needles


class InTheHost(MemoryTest):
    def test_can_be_found(self):
        """In each spelling; else the rest would prove nothing."""
        for name in "alice", "custom":
            for how, text in spellings(keys[name]):
                with self.subTest(how, key=name):
                    kept = b"x" * 100 + text[3:-3] + b"y" * 100
                    self.assertEqual(len(Needles(key=keys[name]).find(kept * 3)), 3)
        self.prepare(PATHS["allowed"])
        with Host("memory", keys["alice"]) as host:  # on its command line, and so on its stack
            self.assertNotEqual(host.do("authenticate", "x" * 40), SUCCESS)
            self.assertIn("key, plain in [stack]", Memory(host.pid).find(Needles(key=keys["alice"])))

    def test_nothing_is_left(self):
        for name, path in PATHS.items():
            with self.subTest(name):
                arguments, answers = self.prepare(path)
                key, token = self.key_needles(path), token_needles(path.key)
                with Host("memory", *arguments) as host:
                    self.assertEqual(host.do("authenticate", *answers), path.code)
                    memory = Memory(host.pid)
                    self.assertEqual(memory.find(key), [])
                    if path.code == SUCCESS:
                        self.check_session(host, key)
                    else:
                        self.assertEqual(memory.find(token), [])
                        self.assertEqual(host.do("end"), SUCCESS)
                        memory = Memory(host.pid)
                        self.assertEqual(memory.find(key) + memory.find(token), [])

    def check_session(self, host: Host, key: Needles) -> None:
        """The token is in two variables, and nowhere else."""
        self.assertEqual(host.do("setcred"), SUCCESS)
        host.send("token")
        token = Needles(token=host.line())
        self.assertEqual(host.line(), f"token {SUCCESS}")
        for command in "open", None:
            self.assertTrue(command is None or host.do(command) == SUCCESS)
            memory = Memory(host.pid)
            copies = [re.sub(r", used block .*", "", line) for line in memory.find(token)]
            self.assertEqual(copies, ["token, plain in [heap]"] * 2)
            self.assertEqual(memory.find(key), [])
        self.assertEqual(host.do("close"), SUCCESS)
        self.assertEqual(Memory(host.pid).find(token), [])
        self.assertEqual(host.do("end"), SUCCESS)
        memory = Memory(host.pid)
        self.assertEqual(memory.find(token) + memory.find(key), [])


PTRACE_CONT, PTRACE_GETEVENTMSG, PTRACE_SEIZE = 7, 0x4201, 0x4206
EVENT_EXEC, EVENT_EXIT = 4, 6
OPTIONS = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x100000  # trace fork, vfork, clone, exec, exit; die with the tracer
WALL = 0x40000000


class Tracer:
    """Follows a host and all that it starts, and stops the broker where it has ended, its memory still there."""

    def __init__(self, pid: int) -> None:
        self.host, self.brokers, self.ends = pid, set(), []
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.ptrace(PTRACE_SEIZE, pid, OPTIONS)

    def ptrace(self, request: int, pid: int, data: int) -> None:
        word = ctypes.c_ulong
        if self.libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), word(0), word(data)) != 0 and \
                ctypes.get_errno() != 3:  # ESRCH: killed meanwhile
            raise OSError(ctypes.get_errno(), "ptrace")

    def run(self) -> list[Memory]:
        """Until the host ends.  What the brokers had in memory at their ends."""
        while True:
            pid, status = os.waitpid(-1, WALL)
            if not os.WIFSTOPPED(status):
                if pid == self.host:
                    return self.ends
                continue
            event = status >> 16
            if event == EVENT_EXEC and os.readlink(f"/proc/{pid}/exe").endswith("/ibmiam-broker"):
                self.brokers.add(pid)
            if event == EVENT_EXIT and pid in self.brokers:
                self.ends.append(Memory(pid))
            self.ptrace(PTRACE_CONT, pid, 0 if event else os.WSTOPSIG(status))


class InTheBroker(MemoryTest):
    def test_at_its_end(self):
        for name, path in PATHS.items():
            if not path.broker:
                continue
            with self.subTest(name):
                arguments, answers = self.prepare(path)
                with Host("memory", *arguments) as host:
                    tracer = Tracer(host.pid)
                    host.send("authenticate", *answers, "setcred", "token", "end")
                    host.process.stdin.close()
                    ends = tracer.run()
                    output = host.process.stdout.read().decode().split()
                    host.process.returncode = 0
                self.assertEqual(output[:2], ["authenticate", str(path.code)])
                needles = self.key_needles(path)
                needles.pieces |= token_needles(path.key).pieces
                if JWT.search(" ".join(output)):
                    needles.add("token", JWT.search(" ".join(output)).group())
                self.assertEqual(len(ends), 2 if path.first and "try" in path.options else 1)
                for memory in ends:
                    self.check(name, memory.find(needles))

    def check(self, name: str, copies: list[str]) -> None:
        """OpenSSL frees the buffer of the last record that it has read, more than 16 KiB, as it is: the token is in it
        once, and the key once where IAM's answer repeats it. What is ours, curl's or cJSON's holds nothing."""
        for copy in copies:
            print(f"# {name}, at the broker's end: {copy}")
        known = [re.fullmatch(r"(token|(?:first )?key), plain in \[heap\], (?:free|top) block of (\d+) bytes at .*", copy)
                 for copy in copies]
        self.assertNotIn(None, known, copies)
        self.assertTrue(all(int(match[2]) > 16384 for match in known), copies)
        self.assertLessEqual(len(copies), 1, copies)
        if copies and name not in REPEATED:
            self.assertEqual(known[0][1], "token")

    def test_secret_pages(self):
        """While IAM does not answer: they are locked and out of cores, in the broker and in the host."""
        arguments, answers = self.prepare(Path_("fault_hang", UNAVAILABLE, options="timeout=30"))
        since = len(machine.iam.requests())
        with Host("memory", *arguments) as host:
            host.send("authenticate", *answers)
            until(lambda: len(machine.iam.requests()) > since, "the key is with IAM")
            broker, = (pid for pid, command in processes().items() if command.startswith("ibmiam-broker"))
            for who, pid, least in ("broker", broker, 4 + 64 + 16), ("host", host.pid, 68):
                pages = secret_pages(pid)
                with self.subTest(who):
                    self.assertGreaterEqual(sum(end - start for start, end, _ in pages) // 1024, least)
                    self.assertEqual([flags for *_, flags in pages if "lo" not in flags], [])
            memory, needles = Memory(broker), self.key_needles(Path_("fault_hang", 0))
            secret = [region for region in memory.regions if any(s < region[0] + len(region[2]) and region[0] < e
                                                                 for s, e, _ in secret_pages(broker))]
            self.assertTrue(any(needles.find(data) for *_, data in secret))
            memory.regions = [region for region in memory.regions if region not in secret]
            copies = memory.find(needles)
            for copy in copies:
                print(f"# while IAM does not answer, outside secret pages: {copy}")
            # curl's buffer for what it sends, which is 64 KiB, wiped by memory.c when it goes
            self.assertLessEqual(len(copies), 1)
            self.assertTrue(all(re.fullmatch(r"key, .* in \[heap\], used block of 65552 bytes at .*", copy)
                                for copy in copies), copies)
            found = Memory(host.pid).find(needles)
            for copy in found:
                print(f"# meanwhile in the host: {copy}")
            self.assertLessEqual(len(found), 1)  # the answer itself, which the module wipes when it has the verdict


def secret_pages(pid: int) -> list[tuple[int, int, set[str]]]:
    """The anonymous mappings that stay out of core dumps: secret.c's."""
    found, anonymous = [], False
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ 0 *$", line):
                start, end, anonymous = int(match[1], 16), int(match[2], 16), True
            elif re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                anonymous = False
            elif anonymous and line.startswith("VmFlags:") and "dd" in line.split():
                found.append((start, end, set(line.split()[1:])))
    return found


def tearDownModule():
    machine.assert_clean()


suite.main()
