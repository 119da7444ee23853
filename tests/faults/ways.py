"""How each fault of matrix.t is produced: a way changes one login, before it starts, from one that succeeds.

Importing this enters the sandbox. The obstacles themselves are in obstacles.py.
"""
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

TESTS = Path(__file__).absolute().parent.parent
sys.path[:0] = [str(TESTS / folder) for folder in ("lib", "module", "iam")]

import ca  # noqa: E402
import obstacles as o  # noqa: E402
import suite  # noqa: E402
import wire  # noqa: E402
from hosttest import HostTest, begin  # noqa: E402
from machine import TIMEOUT_S, write  # noqa: E402

DEADLINE_S = 2  # where the login lasts until then; elsewhere the usual ten seconds, which must not be used up

machine = HostTest.machine = begin()
keys, urls = machine.iam.keys, machine.iam.urls
FOLDER = machine.scratch / "matrix"
BROKER = Path("/usr/libexec/ibmiam-broker")
PAMDRIVE = suite.BUILD / "tests/module/pamdrive"
FUNCTIONS = o.functions(suite.BUILD / "ibmiam-broker")


class Bench:
    """What all rows share."""

    def __init__(self) -> None:
        for name in ("", "ca"):
            (FOLDER / name).mkdir()
        authority = ca.authority("the matrix's CA")
        ca.publish(authority.certificate, FOLDER / "ca")
        pair = ca.issue("matrix", ["localhost", "127.0.0.1", "::1", "*.matrix.test"], by=authority)
        self.trusted = o.Trusted(ca.context(pair), int(urls["good"].rpartition(":")[2]))
        self.names = o.Names()
        write(Path("/etc/resolv.conf"), "nameserver 127.0.0.1\n")  # five seconds, twice: longer than the deadline
        write(Path("/etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")
        o.append_hosts("::1 hole6.matrix.test", "127.0.0.1 hole6.matrix.test", "2001:db8::1 away6.matrix.test",
                       "127.0.0.1 away6.matrix.test")
        shutil.copy(suite.BUILD / "tests/module/fakebroker", FOLDER / "fakebroker")


@dataclass
class Login:
    """One attempt, until it is started."""
    name: str
    key: str = keys["alice"]
    timeout: int = 10
    endpoint: str = urls["good"]
    ca_path: str = machine.iam.ready["ca_path"]
    more: str = ""  # of the configuration
    config: str | None = None  # all of it
    options: str = ""
    steps: tuple[str, ...] = ("authenticate", "left")
    at_prompt: Callable[[int], None] | None = None  # what happens to the host while it waits for the answer
    gate: Any = None
    victim: str = ""  # broker or keeper: killed at the gate, and then the gate is opened
    lines: int = 1
    orphan: bool = False  # its keeper is killed
    stays: bool = False  # the gate is not opened before the host has ended
    host: subprocess.Popen | None = None
    watchdog: threading.Timer | None = None

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.conf"

    def prepare(self) -> None:
        """Without an obstacle this logs in."""
        default = (f'endpoint = "{self.endpoint}"\nca_path = "{self.ca_path}"\n'
                   f'issuer = {{ "{urls["good"]}/identity" }}\naccounts = {{ "{machine.iam.accounts["home"]}" }}\n'
                   f'user alice {{ iam_ids = {{ "{machine.iam.iam_ids["alice"]}" }} }}\n')
        write(self.path, default + self.more if self.config is None else self.config, 0o600)

    def to(self, host: str, port: int) -> "Login":
        """IAM is there."""
        self.endpoint, self.ca_path = f"https://{host}:{port}", str(FOLDER / "ca/ca")
        return self

    def start(self) -> None:
        machine.pam(self.name, f"auth required pam_ibmiam.so config={self.path} timeout={self.timeout} {self.options}")
        self.host = subprocess.Popen([PAMDRIVE, "/etc/pam.d", self.name, "alice", *self.steps],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.watchdog = threading.Timer(TIMEOUT_S, self.host.kill)
        self.watchdog.start()
        if self.at_prompt:
            self.host.stdout.readline()  # what is read says that it asks
            self.at_prompt(self.host.pid)
        self.host.stdin.write(self.key.encode("utf-8", "surrogateescape") + b"\0")
        if not self.orphan:
            self.host.stdin.close()
            self.host.stdin = None

    def output(self) -> bytes:
        """What the host says. Where its keeper was killed, it then asks again, and so is there to be looked at."""
        if not self.orphan:
            output, wrong = self.host.communicate(timeout=TIMEOUT_S)
            if self.host.returncode != 0:
                raise AssertionError(f"the host ended with {self.host.returncode}: {wrong.decode()}")
            return output
        lines = [self.host.stdout.readline()]
        while lines[-1] and not lines[-1].startswith(b'["left","descriptors"'):
            lines.append(self.host.stdout.readline())
        return b"".join(lines)

    def keeper(self) -> int:
        return child_of(self.host.pid)

    def broker(self) -> int:
        return child_of(self.keeper())


def child_of(parent: int) -> int:
    def stat(pid):
        try:
            return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return 0
    found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if stat(pid) == parent]
    if len(found) != 1:
        raise AssertionError(f"{parent} should have one child, and has {found}")
    return found[0]


# Ways to a fault: each changes the login

def iam(key: str, **more):
    """The stand-in misbehaves."""
    return lambda x: vary(x, key=keys[key], **more)


def listener(name: str):
    return lambda x: vary(x, endpoint=urls[name])


def config(text: str | None = None, **more):
    return lambda x: vary(x, config=text, **more)


def file(change: Callable[[Path], None]):
    """Something happens to the configuration's file."""
    def way(x):
        x.prepare()
        change(x.path)
        x.prepare = lambda: None
    return way


def fake(*script: str, **more):
    """A broker that does what the script says (tests/module/fakebroker.c)."""
    return lambda x: vary(x, options=f"broker={FOLDER}/fakebroker", config="\n".join(script) + "\n", **more)


def send(*messages: bytes) -> tuple[str, ...]:
    return "read", *(f"send {message.hex()}" for message in messages)


def program(content: Callable[[], bytes], mode: int = 0o755):
    def way(x):
        path = FOLDER / f"program{x.name[3:]}"
        path.write_bytes(content())
        path.chmod(mode)
        x.options = f"broker={path}"
    return way


def name(label: str):
    """IAM, which is there, has a name of which the name server says this."""
    def way(x):
        x.to(f"{label}-{x.name}.matrix.test", o.Peer(through()).port)
    return way


def peer(script, **more):
    return lambda x: vary(x.to("localhost", o.Peer(script).port), **more)


def between(**how):
    """Somebody sits between the broker and IAM, without the key to the TLS."""
    return lambda x: vary(x, endpoint=f"https://localhost:{o.Peer(forward(**how)).port}")


def vary(x: Login, **more) -> None:
    for attribute, value in more.items():
        setattr(x, attribute, value)


def six(host: str, hole: bool):
    """IAM is there by IPv4, and by IPv6 there is nothing or nobody answers."""
    def way(x):
        x.to(host, o.Peer(through()).port)
        if hole:
            x.hole = o.Hole(address="::1", port=int(x.endpoint.rpartition(":")[2]))
        x.timeout = DEADLINE_S
    return way


def hole(x: Login) -> o.Hole:
    x.hole = o.Hole()
    return x.hole


# What a peer does

def through(where: str = "", gate: o.Gate | None = None):
    """IAM, for those who trust the matrix; stops at the gate."""
    def stop(here):
        if here == where:
            gate.hold()

    def script(sock):
        if where == "TLS":
            sock.recv(1, o.socket.MSG_PEEK)
            stop("TLS")
        tls = bench.trusted.accept(sock)
        start = tls.recv(10)
        stop("request")
        first, second, body = o.halves(bench.trusted.ask(o.read_message(tls, start)))
        tls.sendall(first)
        stop("headers")
        tls.sendall(second + body[:50])
        stop("body")
        tls.sendall(body[50:])
        o.until_gone(tls)
    return script


def after(what: str, then):
    """TLS, and then: request: before any of it is read; headers, body: half of it is sent."""
    def script(sock):
        tls = bench.trusted.accept(sock)
        if what != "request":
            first, second, body = o.halves(bench.trusted.ask(o.read_message(tls)))
            tls.sendall(first if what == "headers" else first + second + body[:50])
        then(tls)
    return script


def tiny(then):
    """The window is as small as can be, so that the request does not all arrive."""
    def script(sock):
        sock.setsockopt(o.socket.SOL_SOCKET, o.socket.SO_RCVBUF, 1)
        after("request", then)(sock)
    return script


def sip(tls) -> None:
    stopped = threading.Event()
    while tls.recv(1):
        stopped.wait(o.DRIP_S)


def flood(data: bytes):
    def script(sock):
        while True:
            sock.sendall(data)
    return script


def forward(limit: int = 1 << 30, slow: bool = False):
    """To IAM, and at most so many bytes back; or back drop by drop."""
    def script(sock):
        with o.socket.create_connection(("127.0.0.1", bench.trusted.iam_port)) as other:
            o.start(lambda: [other.sendall(data) for data in iter(lambda: sock.recv(4096), b"")])
            left = limit
            while left and (data := other.recv(min(left, 4096))):
                if slow:
                    o.drip(sock, data)
                else:
                    sock.sendall(data)
                left -= len(data)
            sock.shutdown(o.socket.SHUT_RDWR)
    return script


# How to hold the broker in a phase

def at_file(what: str):
    def way(x):
        if what == "program":
            path = FOLDER / f"program{x.name[3:]}"
            shutil.copy(BROKER, path)
            x.options = f"broker={path}"
        else:
            x.prepare()
            path = x.path
            x.prepare = lambda: None
        x.gate = o.Guard(path)
    return way


def at_fake(x):
    """The broker has not yet read the request."""
    told, go = FOLDER / f"{x.name}.told", FOLDER / f"{x.name}.go"
    for fifo in told, go:
        os.mkfifo(fifo)
    fake(f"tell {told}", f"listen {go}", *send(wire.reply()))(x)
    x.gate = o.Fifos(told, go)


def at_name(x):
    label = f"held-{x.name}"
    x.gate = bench.names.gates[label] = o.Gate()
    x.to(f"{label}.matrix.test", o.Peer(through()).port)


def at_hole(x):
    x.gate = o.Hole(through())
    x.to("localhost", x.gate.port)


def at_peer(where: str):
    def way(x):
        x.gate = o.Gate()
        x.to("localhost", o.Peer(through(where, x.gate)).port)
    return way


def at_function(function: str):
    def way(x):
        x.prepare()
        x.prepare = lambda: None
        x.gate = o.Breakpoint(x.path, FUNCTIONS[function])
    way.needs = function
    return way


HOLDS = {
    "config": at_file("config"), "spawn": at_file("program"), "socket": at_fake, "DNS": at_name, "TCP": at_hole,
    "TLS": at_peer("TLS"), "request": at_peer("request"), "headers": at_peer("headers"), "body": at_peer("body"),
    "parse": at_function("answer_is_a_token"), "decide": at_function("issuer_is_trusted"),
    "reply": at_function("wire_encode"),
}


def killed(phase: str, victim: str):
    def way(x):
        HOLDS[phase](x)
        x.victim = victim
        if victim == "keeper":
            vary(x, orphan=True, steps=("authenticate", "left", "authenticate"))
    way.needs = getattr(HOLDS[phase], "needs", None)
    return way


def stuck(phase: str):
    """Without its keeper, and the obstacle stays."""
    def way(x):
        killed(phase, "keeper")(x)
        x.timeout, x.stays = DEADLINE_S, True
    way.needs = getattr(HOLDS[phase], "needs", None)
    return way


def held(phase: str):
    """Until the deadline."""
    def way(x):
        HOLDS[phase](x)
        x.timeout, x.victim = DEADLINE_S, "none"
    way.needs = getattr(HOLDS[phase], "needs", None)
    return way


bench = Bench()
