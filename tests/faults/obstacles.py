"""What gets in the way of a login in matrix.t, one class a place: the name server, the peer, a file, the broker.

An obstacle that is a gate holds the broker in a phase: wait() returns when it is there, and release() lets it go on.
Nothing here sleeps to be in step; what announces itself nowhere is looked at until it is so.
"""
import ctypes
import os
import platform
import re
import select
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path

from machine import until

WAIT_S = 60  # for what should come at once, on a slow and shared machine
DRIP_S = 0.05


class Gate:
    def __init__(self) -> None:
        self.reached, self.going = threading.Event(), threading.Event()

    def hold(self) -> None:
        self.reached.set()
        self.going.wait(WAIT_S)

    def wait(self, broker) -> None:
        if not self.reached.wait(WAIT_S):
            raise AssertionError("the broker did not come to the gate")

    def release(self) -> None:
        self.going.set()


# The name server

class Names:
    """DNS on 127.0.0.1:53, UDP and TCP. What is done to a name is in its first label, before a dash: ANSWERS."""

    def __init__(self) -> None:
        self.gates: dict[str, Gate] = {}
        self.stopping = threading.Event()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 53))
        self.tcp = socket.create_server(("127.0.0.1", 53), backlog=50)
        start(self.serve)
        start(serve, self.tcp, self.serve_tcp)

    def serve(self) -> None:
        while True:
            query, peer = self.udp.recvfrom(4096)
            start(self.answer, query, lambda data, peer=peer: self.udp.sendto(data, peer), False)

    def serve_tcp(self, sock: socket.socket) -> None:
        while (head := sock.recv(2, socket.MSG_WAITALL)) and len(head) == 2:
            query = sock.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
            if self.answer(query, sock.sendall, True) == "close":
                return

    def answer(self, query: bytes, send, tcp: bool):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]  # 1: A, 28: AAAA
        return ANSWERS[labels[0].partition("-")[0]](self, Query(query, query[12:at + 5], kind, labels[0], tcp), send)


class Query:
    def __init__(self, whole: bytes, question: bytes, kind: int, label: str, tcp: bool) -> None:
        self.id, self.question, self.kind, self.label, self.tcp = whole[:2], question, kind, label, tcp

    def reply(self, *addresses: str, rcode: int = 0, truncated: bool = False) -> bytes:
        own = [a for a in addresses if (":" in a) == (self.kind == 28)]
        raw = [socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a) for a in own]
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", self.kind, 1, 60, len(r)) + r for r in raw)
        head = struct.pack(">HHHHH", 0x8180 | rcode | (0x200 if truncated else 0), 1, len(own), 0, 0)
        whole = self.id + head + self.question + records
        return struct.pack(">H", len(whole)) + whole if self.tcp else whole


def silent(names, q, send):
    pass


def good(names, q, send):
    send(q.reply("127.0.0.1"))


def held(names, q, send):
    names.gates[q.label].hold()
    send(q.reply("127.0.0.1"))


def forged(names, q, send):
    """Answers to another question, one after the other: they must not keep the resolver busy for ever."""
    while not names.stopping.wait(DRIP_S):
        send(bytes(b ^ 0xff for b in q.id) + q.reply("127.0.0.1")[2:])


def by_tcp(answer):
    """Over UDP only that it is too long, so that the resolver comes by TCP."""
    return lambda names, q, send: answer(names, q, send) if q.tcp else send(q.reply(truncated=True))


def tcp_drip(names, q, send):
    for byte in q.reply("127.0.0.1") + bytes(1000):
        send(bytes([byte]))
        if names.stopping.wait(DRIP_S * 4):
            return


def tcp_cut(names, q, send):
    send(q.reply("127.0.0.1")[:20])
    return "close"


ANSWERS = {
    "good": good, "silent": silent, "held": held, "forged": forged,
    "nx": lambda names, q, send: send(q.reply(rcode=3)),
    "servfail": lambda names, q, send: send(q.reply(rcode=2)),
    "nothing": lambda names, q, send: send(q.reply()),
    "cut": lambda names, q, send: send(q.reply("127.0.0.1")[:-3]),
    "garbage": lambda names, q, send: send(os.urandom(200)),
    "garbled": lambda names, q, send: send(q.reply("127.0.0.1")[:4] + b"\xff" * 300),
    "deaf6": lambda names, q, send: q.kind == 1 and send(q.reply("127.0.0.1")),
    "both": lambda names, q, send: send(q.reply("127.0.0.1", "::1")),
    "tcphang": by_tcp(silent), "tcpdrip": by_tcp(tcp_drip), "tcpcut": by_tcp(tcp_cut),
    "tcphuge": by_tcp(lambda names, q, send: send(q.reply(*["127.0.0.1"] * 4000))),
}


# Peers: each has a port of its own, and each connection gets a thread that runs the script

class Peer:
    def __init__(self, script, *, address: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.create_server((address, port), family=family, backlog=50)
        self.port = self.sock.getsockname()[1]
        start(serve, self.sock, script)


class Hole:
    """An address that swallows every packet: a listener whose queue is full, and stays full until it is released."""

    def __init__(self, script=None, *, address: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.script = script
        self.sock = socket.socket(family)
        self.sock.bind((address, port))
        self.sock.listen(0)
        self.port = self.sock.getsockname()[1]
        self.filler = socket.create_connection((address, self.port))  # one fits, even with a backlog of 0

    def waiting(self) -> int:
        """Connections that have been begun in vain."""
        tables = "".join(Path("/proc/net", name).read_text() for name in ("tcp", "tcp6"))
        lines = [line.split() for line in tables.splitlines()]
        return sum(line[2].endswith(f":{self.port:04X}") and line[3] == "02" for line in lines)

    def wait(self, broker) -> None:
        until(self.waiting, "the broker connects")

    def release(self) -> None:
        self.filler.close()
        start(serve, self.sock, self.script)


class Trusted:
    """The TLS of peers that are trusted, and the IAM behind them."""

    def __init__(self, context: ssl.SSLContext, iam_port: int) -> None:
        self.context, self.iam_port = context, iam_port

    def accept(self, sock: socket.socket) -> ssl.SSLSocket:
        sock.settimeout(WAIT_S)
        return self.context.wrap_socket(sock, server_side=True)

    def ask(self, request: bytes) -> bytes:
        """IAM's whole answer."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.iam_port)) as plain, context.wrap_socket(plain) as sock:
            sock.sendall(request)
            return read_message(sock)


def read_message(sock: socket.socket, data: bytes = b"") -> bytes:
    """One HTTP message, its body included; what has come where the other side ends it. `data` is its beginning."""
    while b"\r\n\r\n" not in data or len(data) < data.index(b"\r\n\r\n") + 4 + length_of(data):
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


def length_of(message: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", message.partition(b"\r\n\r\n")[0])
    return int(found[1]) if found else 0


def halves(message: bytes) -> tuple[bytes, bytes, bytes]:
    """Half of the headers, the other half, the body."""
    head, blank, body = message.partition(b"\r\n\r\n")
    return head[:len(head) // 2], head[len(head) // 2:] + blank, body


def until_gone(sock: socket.socket) -> None:
    sock.settimeout(WAIT_S)
    while sock.recv(65536):
        pass


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def drip(sock: socket.socket, data: bytes) -> None:
    stopped = threading.Event()
    for byte in data:
        sock.sendall(bytes([byte]))
        stopped.wait(DRIP_S)


def serve(listening: socket.socket, script) -> None:
    def one(sock):
        with sock:
            script(sock)
    while True:
        start(one, listening.accept()[0])


def start(function, *arguments) -> None:
    def guarded():
        try:
            function(*arguments)
        except OSError:
            pass  # the broker has gone: that is what this is about
    threading.Thread(target=guarded, daemon=True).start()


# A file, and the broker itself

class Guard:
    """A file whose open(2) or execve(2) hangs, as on a dead file server, until it is released (fanotify(7))."""

    def __init__(self, path: Path) -> None:
        self.events = libc.fanotify_init(0x4 | 0x1, os.O_RDONLY | os.O_CLOEXEC)  # FAN_CLASS_CONTENT, FAN_CLOEXEC
        if self.events < 0 or libc.fanotify_mark(self.events, 1, 0x10000, -100, os.fsencode(path)):  # FAN_OPEN_PERM
            raise OSError(ctypes.get_errno(), "fanotify")

    def wait(self, broker) -> None:
        until_readable(self.events, "the broker does not open the file")

    def release(self) -> None:
        os.close(self.events)


libc = ctypes.CDLL(None, use_errno=True)
libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
SEIZE, INTERRUPT, CONT, DETACH, GETREGS, SETREGS, WALL = 0x4206, 0x4207, 7, 17, 12, 13, 0x40000000
PC, REGISTERS = 16, 27  # of x86-64's struct user_regs_struct


def ptrace(request: int, pid: int, data=None) -> None:
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


def functions(program: Path) -> dict[str, int]:
    """Where they are in it; empty where breakpoints cannot be set."""
    if platform.machine() != "x86_64":
        return {}
    listing = subprocess.run(["nm", program], capture_output=True, text=True).stdout
    return {name: int(at, 16) for at, kind, name in (line.split() for line in listing.splitlines()
                                                     if len(line.split()) == 3) if kind in "tT"}


class Breakpoint:
    """The broker, stopped as it enters one of its functions. All of it from one thread, which is the tracer."""

    def __init__(self, config: Path, address: int) -> None:
        self.guard, self.address, self.pid = Guard(config), address, 0

    def wait(self, broker) -> None:
        self.guard.wait(broker)
        self.pid = broker()
        ptrace(SEIZE, self.pid)
        ptrace(INTERRUPT, self.pid)
        self.guard.release()
        os.waitpid(self.pid, WALL)
        maps = Path(f"/proc/{self.pid}/maps").read_text().splitlines()
        self.address += min(int(line.split("-")[0], 16) for line in maps if line.endswith("ibmiam-broker"))
        self.old = self.poke(b"\xcc")
        ptrace(CONT, self.pid)
        status = os.waitpid(self.pid, WALL)[1]
        if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) != 5:  # SIGTRAP
            raise AssertionError(f"the broker has not come to the breakpoint: {status:#x}")

    def poke(self, data: bytes) -> bytes:
        with open(f"/proc/{self.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(self.address)
            old = memory.read(len(data))
            memory.seek(self.address)
            memory.write(data)
        return old

    def release(self, signal: int = 0) -> None:
        self.poke(self.old)
        registers = (ctypes.c_ulonglong * REGISTERS)()
        ptrace(GETREGS, self.pid, registers)
        registers[PC] -= 1
        ptrace(SETREGS, self.pid, registers)
        ptrace(DETACH, self.pid, signal)

    def killed(self) -> None:
        """Lets its parent see that it is dead."""
        os.waitpid(self.pid, WALL)


class Fifos:
    """A fake broker that tells when it is there, and listens for leave to go on (tests/module/fakebroker.c)."""

    def __init__(self, told: Path, go: Path) -> None:
        self.told, self.go = os.open(told, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), go

    def wait(self, broker) -> None:
        until_readable(self.told, "the fake broker does not tell that it is there")

    def release(self) -> None:
        os.close(self.told)
        try:
            os.close(os.open(self.go, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError:
            pass  # nobody listens: it has been killed


def until_ended(process: int) -> None:
    """Of a pidfd, which is closed."""
    until_readable(process, "a killed process does not end")
    os.close(process)


def until_readable(descriptor: int, problem: str) -> None:
    if not select.select([descriptor], [], [], WAIT_S)[0]:
        raise AssertionError(problem)


def append_hosts(*lines: str) -> None:
    with open("/etc/hosts", "a", encoding="utf-8") as hosts:
        hosts.writelines(line + "\n" for line in lines)
