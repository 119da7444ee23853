"""The listeners: sockets, TLS and just enough HTTP/1.1, written out by hand because the faults need it.
HTTP/2 is http2.py's.

Each listener is a line of LISTENERS: its url, its certificate, and what a connection to it gets. One thread
a connection. Knows nothing of IAM; asks `site` for the answer to each request.
"""
import itertools
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
from dataclasses import dataclass

from answers import ABORT, FOREVER, REFUSE, RESET, STALL, Answer, Raw

HEAD_MAX, BODY_MAX = 64 << 10, 1 << 20
IDLE_SECONDS, LINGER_SECONDS = 300.0, 1.0
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


class Gone(OSError):
    """The client left."""


class Malformed(Exception):
    """Carries the status of the answer."""


@dataclass
class Request:
    listener: str
    connection: int
    method: str
    target: str
    headers: dict[str, str]  # lower-case names
    last: bool  # the connection ends after this one
    body: bytes = b""
    http: str = "1.1"
    stream: int | None = None  # its number, and how many were open then; HTTP/2 only
    open: int | None = None


class Wire:
    """One connection, in the clear or in TLS."""

    def __init__(self, sock: socket.socket, listener: str, number: int):
        self.sock, self.listener, self.number, self.pending = sock, listener, number, b""

    def handshake(self, tls: ssl.SSLContext) -> None:
        self.sock = tls.wrap_socket(self.sock, server_side=True)

    def more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Gone
        self.pending += data

    def request(self) -> Request:
        while b"\r\n\r\n" not in self.pending:
            if len(self.pending) > HEAD_MAX:
                raise Malformed(431)
            self.more()
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        line = re.fullmatch(rf"({TOKEN}) (\S+) HTTP/1\.([01])", first)
        pairs = [re.fullmatch(rf"({TOKEN}):[ \t]*(.*?)[ \t]*", line) for line in lines]
        if not line or not all(pairs):
            raise Malformed(400)
        headers: dict[str, str] = {}
        for name, value in (pair.groups() for pair in pairs):
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
        last = line[3] == "0" or "close" in headers.get("connection", "").lower() or "transfer-encoding" in headers
        request = Request(self.listener, self.number, line[1], line[2], headers, last, http=f"1.{line[3]}")
        self.read_body(request)
        return request

    def read_body(self, request: Request) -> None:
        length = request.headers.get("content-length", "0")
        if not re.fullmatch(r"[0-9]{1,9}", length):
            raise Malformed(400)
        if int(length) > BODY_MAX:
            raise Malformed(413)
        if "expect" in request.headers:
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self.pending) < int(length):
            self.more()
        request.body, self.pending = self.pending[:int(length)], self.pending[int(length):]

    def send(self, answer: Answer | Raw, request: Request) -> bool:
        """Whether the connection goes on."""
        if isinstance(answer, Answer):
            if request.last:
                answer = answer.but(Connection="close")
            self.sock.sendall(answer.head() if request.method == "HEAD" else answer.render())
            return not request.last
        for step in answer.steps:
            if step in (RESET, ABORT, REFUSE):
                self.reset()
                return False
            if isinstance(step, bytes):
                self.sock.sendall(step)
            elif isinstance(step, (int, float)) or step is STALL:
                self.pause(FOREVER if step is STALL else step)
        return False

    def pause(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        if poll.poll(seconds * 1000):
            raise Gone

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Let the client read to the end: closing with its bytes unread would reset the connection."""
        try:
            self.sock.settimeout(LINGER_SECONDS)
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock = self.sock.unwrap()
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(65536):
                pass
        except (OSError, ValueError):
            pass
        finally:
            self.sock.close()


# What a connection gets

def talk(server, wire):
    """HTTP, until one of the two has enough."""
    try:
        request = wire.request()
        while wire.send(server.site(request), request):
            request = wire.request()
    except Malformed as malformed:
        wire.sock.sendall(Answer(malformed.args[0]).but(Connection="close").render())


def talk_2(server, wire, most=100):
    """HTTP/2 with whoever wants it, `most` streams at once."""
    if wire.sock.selected_alpn_protocol() == "h2":
        import http2  # which needs python3-h2: not everybody who starts a stand-in has it
        http2.Connection(server, wire, most).run()
    else:
        talk(server, wire)


def talk_narrow(server, wire):
    talk_2(server, wire, most=2)


def hold(server, wire):
    """Not a word."""
    while wire.sock.recv(65536):
        pass


def reset(server, wire):
    """At the first byte: any earlier, and the client sometimes sees a refusal instead."""
    wire.more()
    wire.reset()


def garbage(server, wire):
    wire.more()
    wire.sock.sendall(b"\x7f\x00\x00\x00NOT TLS AT ALL\r\n" * 8)


def hello_requests(server, wire):
    """TLS 1.2's, without end: the client skips them in the middle of its handshake."""
    wire.more()
    while True:
        wire.sock.sendall(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 7000)


def tunnel(server, wire):
    """CONNECT, to the stand-in's own listeners and nowhere else."""
    request = wire.request()
    host, _, port = request.target.rpartition(":")
    allowed = request.method == "CONNECT" and host in ("localhost", "127.0.0.1") and port in server.ports
    server.journal.request(request, 200 if allowed else 403)
    if not allowed:
        wire.sock.sendall(Answer(403).but(Connection="close").render())
        return
    with socket.create_connection(("127.0.0.1", int(port))) as peer:
        wire.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.sendall(wire.pending)
        other = {peer: wire.sock, wire.sock: peer}
        while True:
            for readable in select.select(list(other), [], [], IDLE_SECONDS)[0]:
                data = readable.recv(65536)
                if not data:
                    return
                other[readable].sendall(data)


# name: url, certificate, what the first connection gets, what the others get
LISTENERS = {
    "good": ("https://localhost:{}", "good", talk, talk),
    "http2": ("https://localhost:{}", "http2", talk_2, talk_2),
    "http2_narrow": ("https://localhost:{}", "http2", talk_narrow, talk_narrow),
    "expired": ("https://localhost:{}", "expired", talk, talk),
    "not_yet_valid": ("https://localhost:{}", "not_yet_valid", talk, talk),
    "foreign_ca": ("https://localhost:{}", "foreign_ca", talk, talk),
    "wrong_host": ("https://localhost:{}", "wrong_host", talk, talk),
    "self_signed": ("https://localhost:{}", "self_signed", talk, talk),
    "old_tls": ("https://localhost:{}", "old_tls", talk, talk),
    "plain_http": ("http://localhost:{}", None, talk, talk),
    "hang_accept": ("https://localhost:{}", None, hold, hold),
    "reset_accept": ("https://localhost:{}", None, reset, reset),
    "reset_once": ("https://localhost:{}", "good", reset, talk),
    "garbage_tls": ("https://localhost:{}", None, garbage, garbage),
    "hello_requests": ("https://localhost:{}", None, hello_requests, hello_requests),
    "proxy": ("http://127.0.0.1:{}", None, tunnel, tunnel),
    "tls_proxy": ("https://localhost:{}", "good", tunnel, tunnel),
    "no_listen": ("https://localhost:{}", None, None, None),
}


class Server:
    def __init__(self, contexts: dict[str, ssl.SSLContext]):
        self.contexts, self.numbers = contexts, itertools.count(1)
        self.sockets = {name: bound() for name in LISTENERS}
        self.urls = {name: LISTENERS[name][0].format(s.getsockname()[1]) for name, s in self.sockets.items()}
        self.ports = {url.rpartition(":")[2] for url in self.urls.values()}

    def start(self, site, journal) -> None:
        self.site, self.journal = site, journal
        for name, (_, certificate, first, then) in LISTENERS.items():
            if first:
                self.sockets[name].listen(1024)
                start(self.accept, name, self.contexts.get(certificate), first, then)

    def accept(self, name, tls, first, then) -> None:
        for handler in itertools.chain([first], itertools.repeat(then)):
            sock = accepted(self.sockets[name])
            number = next(self.numbers)
            self.journal.connection(name, number)
            start(self.handle, Wire(sock, name, number), tls, handler)

    def handle(self, wire, tls, handler) -> None:
        try:
            wire.sock.settimeout(IDLE_SECONDS)
            wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls and handler is not reset:  # reset_once resets before the handshake
                wire.handshake(tls)
            handler(self, wire)
        except OSError:
            pass  # clients vanish; that is what half of the tests are about
        except Exception as wrong:  # without its message, which may hold what the client sent
            print("standin:", type(wrong).__name__, *traceback.format_tb(wrong.__traceback__), file=sys.stderr)
        finally:
            wire.close()


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def accepted(listening: socket.socket) -> socket.socket:
    while True:
        try:
            return listening.accept()[0]
        except OSError:  # most likely out of descriptors, until some connection ends
            time.sleep(0.05)


def start(function, *arguments) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()
