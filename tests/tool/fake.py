"""A resident broker that says what a test wants it to say, and the command that asks it.

Nothing here needs root. A test that is root runs the command as nobody, or as root where that is what it is about.
"""
import os
import pwd
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Callable, NamedTuple

sys.path[1:1] = [str(Path(__file__).absolute().parent.parent / name) for name in ("lib", "module")]
sys.dont_write_bytecode = True

from suite import BUILD  # noqa: E402
from wire import ACCOUNT, field, message, reply_fields, text, u32  # noqa: E402

TIMEOUT_S = 60  # for what takes milliseconds, on a slow and shared machine
AUTHENTICATE, HELLO, DROP, TOKEN = 1, 4, 6, 7
NO_SESSION = 8
IAM_ID = "IBMid-5500001ABC"
AS_NOBODY = {"user": pwd.getpwnam("nobody").pw_uid, "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} \
    if os.geteuid() == 0 else {}
ME = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())  # who runs the command
AGREE = message({"version": field(1, text("0.0.0"))}, kind=HELLO)


def handle() -> str:
    return secrets.token_hex(16)


def made_up(length: int = 44) -> str:
    """A token or key that nobody else has."""
    return secrets.token_urlsafe(length)[:length]


def allowed(token: str | None = None, expiration: int = 0, renewal: int = 0, session: str | None = None,
            name: str | None = None, profile: str | None = None, note: str | None = None, **parts) -> bytes:
    """A broker's yes."""
    more = {"note": note and field(11, text(note)), "session": session and field(12, text(session)),
            "name": name and field(13, text(name)), "token": token and field(14, text(token)),
            "expiration": expiration and field(15, u32(expiration)),
            "renewal": renewal and field(16, u32(renewal)), "profile": profile and field(17, text(profile))}
    return message({name: value for name, value in more.items() if value}
                   | reply_fields(**({"iam_id": IAM_ID, "account": ACCOUNT} | parts)))


class Request(NamedTuple):
    kind: int
    fields: dict[int, bytes]

    def text(self, tag: int) -> str | None:
        return self.fields[tag][:-1].decode() if tag in self.fields else None

    def number(self, tag: int) -> int:
        return struct.unpack(">I", self.fields[tag])[0]


def decode(data: bytes) -> Request:
    fields, rest = {}, data[2:]
    while rest:
        tag, length = struct.unpack(">BH", rest[:3])
        fields[tag], rest = rest[3:3 + length], rest[3 + length:]
    return Request(data[1], fields)


TOOL = (BUILD / "ibmiam").read_bytes()  # by whoever runs the tests: others may not get at it


class Broker:
    """Answers each connection: first `hello`, then what `answer` says to the request. None is silence until the
    end; b"" is an end without an answer."""

    def __init__(self, answer: bytes | None | Callable[[Request], bytes | None] = None,
                 hello: bytes | None | Callable[[], bytes] = AGREE):
        self.answer, self.hello = answer, hello
        self.requests: list[Request] = []
        self.folder = tempfile.TemporaryDirectory(prefix="ibmiam-tool-")
        os.chmod(self.folder.name, 0o755)
        self.path = str(Path(self.folder.name, "broker.sock"))
        self.tool = Path(self.folder.name, "ibmiam")  # where nobody may go
        self.tool.write_bytes(TOOL)
        self.tool.chmod(0o755)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(8)
        self.held: list[socket.socket] = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.serve_one(connection)

    def serve_one(self, connection: socket.socket) -> None:
        try:
            if self.hello is None:
                self.held.append(connection.dup())
                return
            hello = self.hello() if callable(self.hello) else self.hello
            if not hello:
                return
            connection.send(hello)
            data = connection.recv(65536)
            if not data:
                return
            self.requests.append(decode(data))
            answer = self.answer(self.requests[-1]) if callable(self.answer) else self.answer
            if answer is None:
                self.held.append(connection.dup())
            elif answer:
                connection.send(answer)
        except OSError:
            return  # the command has gone

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.held:
            connection.close()
        self.folder.cleanup()

    def command(self, *arguments: str) -> list[str]:
        return [self.tool, "--socket", self.path, *arguments]

    def run(self, *arguments: str, session: str | None = None, env: dict[str, str] | None = None,
            stdin: bytes | int = b"", as_root: bool = False, **more) -> subprocess.CompletedProcess:
        """Runs the command; what it printed is bytes."""
        given = {"input" if isinstance(stdin, bytes) else "stdin": stdin}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | given | more
        return subprocess.run(self.command(*arguments), env=environment(session) | (env or {}), timeout=TIMEOUT_S,
                              cwd="/", **({} if as_root else AS_NOBODY), **streams)


def environment(session: str | None) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "TZ": "UTC"} | ({"IBMIAM_SESSION": session} if session is not None else {})
