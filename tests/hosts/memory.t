#!/usr/bin/python3
"""What a login leaves in memory: in the host between its PAM calls, and in the broker at its very end.

The host is memory.c, which keeps no key of its own; it waits between its calls and is searched then, all of it. The
broker is stopped by ptrace where it has ended but still has its memory. A resident one is in tests/resident/http2.t.
"""
import ctypes
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import HostTest, begin  # noqa: E402
from leaks import JWT, spellings  # noqa: E402
from machine import TIMEOUT_S, make, processes, until, write  # noqa: E402
from memory import PIECE, Memory, Needles  # noqa: E402

HOST = suite.BUILD / "tests/hosts/memory"
SUCCESS, SERVICE_ERR, PERM_DENIED, AUTH_ERR, UNAVAILABLE = 0, 3, 6, 7, 9
# The buffers of a connection with HTTP/2, where the module has ended the broker before that has closed it
IN_USE = re.compile(r"(?:key|token), .* in \[heap\], used block of \d+ bytes at .*")
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
    "allowed over HTTP/2": Path_("alice", SUCCESS, config={"endpoint": "http2"}),
    "rejected": Path_("unknown", AUTH_ERR),
    "rejected over HTTP/2": Path_("unknown", AUTH_ERR, config={"endpoint": "http2"}),
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


def token_needles(key: str) -> Needles:
    """Of a token that nobody has shown us: how its two first parts begin."""
    needles = Needles(token='{"kid":"standin-', claims=f'{{"iam_id":"{iam_ids[key]}"' if iam_ids[key] else "{" * PIECE)
    needles.pieces = {piece: what for piece, what in needles.pieces.items() if "base64url" in what[0]}
    return needles


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
            config |= {"endpoint": f'"{machine.iam.urls[config["endpoint"]]}"',
                       "issuer": f'{{ "{machine.iam.urls["good"]}/identity" }}'}
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
                copies = [copy for memory in ends for copy in memory.find(needles)]
                for copy in copies:
                    print(f"# {name}, at the broker's end: {copy}")
                if path.config.get("endpoint") == "http2":
                    copies = [copy for copy in copies if not IN_USE.fullmatch(copy)]
                self.assertEqual(copies, [])

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
