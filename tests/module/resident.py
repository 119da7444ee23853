"""A resident broker that misbehaves to order: a thread of the test that listens at a path, greets each connection,
takes one message and answers, as PROTOCOL.md has it or not.
"""
import os
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path

import wire

HANDLE = "fedcba98" * 4
DONE = wire.reply(environment=())  # to adopt and drop
PATIENCE_S = 60  # with a module that does not come


@dataclass
class Turn:
    """What becomes of one connection."""
    answer: bytes | None = None  # None: closed without one
    hello: bytes | None = wire.hello()  # None: closed without one
    hangs: bool = False  # instead of closing
    leaves: bool = False  # afterwards there is no broker any more

    @property
    def listens(self) -> bool:
        return self.hello is not None or self.hangs


def welcome(**parts) -> Turn:
    return Turn(wire.reply(**{"session": HANDLE} | parts))


class Resident:
    """Takes the turns in order, then does what it should. `received` is complete after stop()."""

    def __init__(self, path: Path, *turns: Turn) -> None:
        self.path, self.turns = path, list(turns)
        self.received: list[tuple] = []
        self.requests: list[dict[int, bytes]] = []  # the fields of each authenticate
        self.hanging: list[socket.socket] = []
        self.gone = False
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(str(path))
        path.chmod(0o666)
        self.listening.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while not self.gone:
            try:
                connection, _ = self.listening.accept()
            except OSError:  # stop()
                return
            connection.settimeout(PATIENCE_S)
            try:
                self.attend(connection, self.turns.pop(0) if self.turns else None)
            except OSError as error:
                self.received.append(("broken", str(error)))

    def attend(self, connection: socket.socket, turn: Turn | None) -> None:
        hello = turn.hello if turn else wire.hello()
        if hello is not None:
            connection.send(hello)
        message = connection.recv(wire.MESSAGE_MAX) if not turn or turn.listens else b""
        if message:
            self.received.append(self.read(message))
        answer = turn.answer if turn else welcome().answer if message[1:2] == bytes([wire.REQUEST]) else DONE
        if turn and turn.leaves:
            self.leave()  # before the module gets its answer
        if message and answer is not None:
            connection.send(answer)
        if turn and turn.hangs:
            self.hanging.append(connection)
        else:
            connection.close()

    def read(self, message: bytes) -> tuple:
        fields = wire.fields(message)
        words = {tag: value.rstrip(b"\0").decode("latin-1") for tag, value in fields.items()}
        if message[1] == wire.REQUEST:
            self.requests.append(fields)
            return ("authenticate", words[1])
        if message[1] == wire.ADOPT:
            assert fields.keys() == {1, 2, 3}
            return ("adopt", words[1], words[2], *struct.unpack(">I", fields[3]))
        assert message[1] == wire.DROP and fields.keys() == {1}
        return ("drop", words[1])

    def leave(self) -> None:
        self.gone = True
        os.unlink(self.path)
        self.listening.close()

    def stop(self) -> None:
        if not self.gone:
            self.gone = True
            self.listening.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        for connection in self.hanging:
            connection.close()
        self.listening.close()
