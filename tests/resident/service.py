"""The real resident broker in a sandbox, and its clients: any uid, any message, right or wrong, byte by byte."""
import contextlib
import itertools
import os
import random
import re
import signal
import socket
import struct
import subprocess
import threading
from concurrent.futures import ALL_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Iterator

from hosttest import HostTest, begin  # noqa: F401
from machine import CONFIG, TIMEOUT_S, USERS, Machine, die_with_parent, until
from suite import BUILD
from wire import (ADOPT, ALLOWED, DROP, MESSAGE_MAX, NO_SESSION, REQUEST, field, fields, message,
                  text, u32)

SOCKET = Path("/run/ibmiam/broker.sock")
PROGRAM, COMMAND = "/usr/libexec/ibmiam-broker", "/usr/bin/ibmiam"
TOKEN = 7  # the message
# Exit codes of the command
OK, UNEXPECTED, USAGE, GONE, NO_BROKER, ENDED, LATER = range(7)
ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # who is not traceable cannot look for leaks
euid = threading.Lock()  # it is the whole process's


class Reply:
    def __init__(self, raw: bytes) -> None:
        self.raw, found = raw, fields(raw)
        strings = {tag: value.rstrip(b"\0").decode("latin-1") for tag, value in found.items()}
        self.result = struct.unpack(">I", found[1])[0]
        self.reason = strings[2]
        self.iam_id, self.handle, self.token = (strings.get(tag) for tag in (3, 12, 14))
        self.environment = dict(entry.split("=", 1) for entry in found.get(10, b"").decode().split("\0") if entry)


class Client:
    """A connection that has been greeted."""

    def __init__(self, path: Path, uid: int = 0) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(TIMEOUT_S)
        with as_user(uid):
            self.socket.connect(str(path))
        try:
            self.hello = self.socket.recv(MESSAGE_MAX)
        except ConnectionResetError:
            self.hello = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes) -> "Client":
        self.socket.send(data)
        return self

    def receive(self) -> Reply | None:
        """None: closed without a reply."""
        try:
            data = self.socket.recv(MESSAGE_MAX)
        except ConnectionResetError:
            return None
        return Reply(data) if data else None

    @property
    def is_welcome(self) -> bool:
        return bool(self.hello)


class Broker:
    numbers = itertools.count()

    def __init__(self, machine: Machine, *options: str, path: Path = SOCKET, config: Path = CONFIG,
                 user: str | None = None, wrapper: tuple[str, ...] = (), waits: bool = True) -> None:
        self.machine, self.path = machine, path
        self.file = machine.scratch / f"broker-{next(self.numbers)}.log"
        path.parent.mkdir(mode=0o755, exist_ok=True)
        identity = {"user": USERS[user], "group": USERS[user], "extra_groups": []} if user else {}
        with open(self.file, "wb") as log:
            self.process = subprocess.Popen([*wrapper, PROGRAM, "--config", config, "--listen", path, *options],
                                            stdin=subprocess.DEVNULL, stderr=log, cwd="/", env=ENVIRONMENT,
                                            preexec_fn=None if user else die_with_parent, **identity)
        if waits:
            self.wait("listens at")

    @property
    def log(self) -> str:
        return self.file.read_text()

    def mark(self) -> int:
        return self.file.stat().st_size

    def lines(self, pattern: str, since: int = 0) -> list[str]:
        return [line for line in self.file.read_bytes()[since:].decode().splitlines() if re.search(pattern, line)]

    def wait(self, pattern: str, since: int = 0) -> str:
        """The first line of its log that matches, once it is there."""
        until(lambda: self.lines(pattern, since) or self.process.poll() is not None, f"{pattern!r} in its log")
        found = self.lines(pattern, since)
        if not found:
            raise AssertionError(f"the broker has ended without {pattern!r}:\n{self.log}")
        return found[0]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(TIMEOUT_S)

    def client(self, uid: int = 0) -> Client:
        return Client(self.path, uid)

    def ask(self, data: bytes, uid: int = 0) -> Reply | None:
        with self.client(uid) as client:
            return client.send(data).receive()

    def hold(self, user: str, key: str, service: str = "test") -> str:
        """The handle of a session that this process holds for a user."""
        reply = self.ask(authenticate(user, key, service=service))
        assert reply and reply.result == ALLOWED and reply.handle, reply and reply.reason
        adopted = self.ask(adopt(reply.handle, user))
        assert adopted and adopted.result == ALLOWED, adopted and adopted.reason
        return reply.handle

    def memory_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def cpu_s(self) -> float:
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Clock:
    """One that goes ahead as the test says, for a broker that is started behind its `wrapper`."""
    LIBRARY = BUILD / "tests/resident/clock.so"
    numbers = itertools.count()

    def __init__(self, machine: Machine) -> None:
        self.path = machine.scratch / f"clock-{next(self.numbers)}"
        self.path.write_bytes(struct.pack("q", 0))
        self.wrapper = ("env", f"LD_PRELOAD={self.LIBRARY}", f"CLOCK_AHEAD={self.path}")

    def set(self, ahead_s: int, broker: Broker) -> None:
        """When the broker has looked at it, and done what is due; also what it does after a reply."""
        with open(self.path, "r+b") as file:
            file.write(struct.pack("q", ahead_s))
        for _ in range(2):
            broker.client().socket.close()


class Killer:
    """Logins, two at a time, while the broker is killed at a random moment and started anew, over and over."""

    def __init__(self, machine: Machine, logins: int, key: str) -> None:
        self.machine, self.logins, self.key = machine, logins, key
        self.failed: list[str] = []
        self.killed, self.adopted = 0, 0
        self.seed = int(os.environ.get("IBMIAM_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
        machine.pam("killed", "auth required pam_ibmiam.so timeout=60", "session required pam_ibmiam.so")

    def login(self, number: int) -> None:
        done = self.machine.run("pamtester", "killed", "alice", "authenticate", "open_session", "close_session",
                                answer=self.key + "\n")
        if done.returncode != 0:
            self.failed.append(f"{number} (IBMIAM_TEST_SEED={self.seed}): {done.stdout}{done.stderr}")

    def run(self) -> None:
        chance = random.Random(self.seed)
        with ThreadPoolExecutor(2) as pool:
            logins = [pool.submit(self.login, number) for number in range(self.logins)]
            while not all(login.done() for login in logins):
                broker = Broker(self.machine)
                wait(logins, timeout=chance.uniform(0, 0.02), return_when=ALL_COMPLETED)
                self.killed += broker.end(signal.SIGKILL) == -signal.SIGKILL
                self.adopted += len(broker.lines("^<6>adopted"))
        for login in logins:
            login.result()


@contextlib.contextmanager
def as_user(uid: int) -> Iterator[None]:
    """For what the kernel asks of the effective uid, such as SO_PEERCRED."""
    with euid:
        os.seteuid(uid)
        try:
            yield
        finally:
            os.seteuid(0)


def edit(text: str, path: Path = CONFIG) -> None:
    """As editors do it: a new file takes the old one's name."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o640)
    os.chown(draft, 0, USERS["_ibmiam"])
    draft.rename(path)


def authenticate(user: str, key: str | None, *, uid: int | None = None, service: str = "test", budget_ms: int = 20000,
                 handle: str | None = None, rhost: str | None = None, explain: bool = False) -> bytes:
    parts = {"user": field(1, text(user)), "service": field(2, text(service)), "key": key and field(3, text(key)),
             "uid": field(4, u32(USERS.get(user, 0) if uid is None else uid)), "budget": field(5, u32(budget_ms)),
             "session": handle and field(6, text(handle)), "rhost": rhost and field(7, text(rhost)),
             "explain": explain and field(8, u32(1))}
    return message({name: value for name, value in parts.items() if value}, kind=REQUEST)


def adopt(handle: str, user: str, uid: int | None = None) -> bytes:
    return message({"session": field(1, text(handle)), "user": field(2, text(user)),
                    "uid": field(3, u32(USERS.get(user, 0) if uid is None else uid))}, kind=ADOPT)


def drop(handle: str) -> bytes:
    return message({"session": field(1, text(handle))}, kind=DROP)


def token(handle: str, budget_ms: int = 20000) -> bytes:
    return message({"session": field(1, text(handle)), "budget": field(2, u32(budget_ms))}, kind=TOKEN)


class ServiceTest(HostTest):
    """Each test has a broker of its own, and is asked whether it ended well."""
    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.machine.configure()
        self.broker = Broker(self.machine, *self.options)
        self.addCleanup(self.end)

    def end(self) -> None:
        if self.broker.process.poll() is None:
            self.assertEqual(self.broker.end(), 0, self.broker.log)

    def command(self, *arguments: str, handle: str | None, user: str | None = "alice",
                answer: str = "") -> subprocess.CompletedProcess:
        """ibmiam, by that user (None: root), in a session of that handle."""
        env = {"IBMIAM_SESSION": handle} if handle is not None else {}
        return self.machine.run(COMMAND, *arguments, user=user, env=env, answer=answer)

    def assert_result(self, reply: Reply | None, result: int, reason: str = ".") -> Reply:
        self.assertIsNotNone(reply, "closed without a reply\n" + self.broker.log)
        self.machine.leaks.learn(reply.raw.decode("latin-1"))
        self.assertEqual(reply.result, result, reply.reason)
        self.assertRegex(reply.reason, reason)
        return reply

    def assert_exit(self, done: subprocess.CompletedProcess, status: int, said: str = "^") -> None:
        self.assertEqual(done.returncode, status, done.stderr + self.broker.log)
        self.assertRegex(done.stderr, said)
        if status != OK:
            self.assertEqual(done.stdout, "")

    def requests(self, since: int = 0) -> int:
        return len(self.machine.iam.requests(since))
