"""Finds API keys, passwords and tokens where they do not belong, whole or in part, plain or encoded.

Every text is looked at byte by byte for pieces of the secrets that are known, so what a program cut, escaped,
form-encoded or turned into base64 is found too: any run of 17 bytes, in any of these spellings.
"""
import base64
import os
import re
import threading
import urllib.parse
from typing import NamedTuple

PIECE, STEP = 12, 6
JWT = re.compile(r"eyJ[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}")
# How each token of the stand-in begins, and its claims: also those that no test has seen.
BEGINNINGS = {"token header": '{"kid":"standin-', "token claims": '{"iam_id":"I'}


class Leaks:
    def __init__(self, secrets: dict[str, str]) -> None:
        self.pieces: dict[bytes, str] = {}
        for name, secret in secrets.items():
            self.add(name, secret)
        for name, text in BEGINNINGS.items():
            self.add(name, base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()[:-1])

    def add(self, name: str, secret: str) -> None:
        for how, spelling in spellings(secret):
            for start in {*range(0, len(spelling) - PIECE, STEP), max(0, len(spelling) - PIECE)}:
                piece = spelling[start:start + PIECE]
                if len(piece) == PIECE:
                    self.pieces.setdefault(piece, f"{name}, {how}")

    def learn(self, text: str) -> None:
        """The tokens in it are secrets from now on."""
        for token in set(JWT.findall(text)):
            self.add("token of a session", token)

    def inside(self, data: bytes) -> set[str]:
        """Which secrets it holds, in words that are safe to print."""
        found = self.pieces.keys() & {data[i:i + PIECE] for i in range(len(data) - PIECE + 1)}
        return {self.pieces[piece] for piece in found}


def spellings(secret: str):
    raw = secret.encode()
    forms = {"plain": raw, "form-encoded": urllib.parse.quote_plus(secret).encode(),
             "percent-encoded": urllib.parse.quote(secret, safe="").encode(),
             "every byte percent-encoded": b"".join(b"%c" % c if chr(c).isalnum() and c < 128 else b"%%%02X" % c
                                                    for c in raw),
             "escaped": secret.encode("unicode_escape"), "hex": raw.hex().encode()}
    for shift in range(3):  # where it stands inside a longer text that was encoded
        encoded = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")[shift and 4:-1]
        forms[f"base64 {shift}"] = encoded
        forms[f"base64url {shift}"] = encoded.translate(bytes.maketrans(b"+/", b"-_"))
    return forms.items()


class Process(NamedTuple):
    command: bytes  # words, each with its NUL
    environment: bytes
    owner: int


class Watcher:
    """Reads the command line and environment of every process, over and over, as fast as it can."""

    def __init__(self) -> None:
        self.seen: set[Process] = set()
        self.rounds, self.stopping = 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> "Watcher":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopping.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.stopping.is_set():
            self.look()

    def look(self) -> None:
        self.rounds += 1
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                self.seen.add(Process(read(f"/proc/{pid}/cmdline"), read(f"/proc/{pid}/environ"),
                                      os.stat(f"/proc/{pid}").st_uid))
            except OSError:  # it has ended
                continue

    def saw(self, word: bytes) -> list[Process]:
        return [process for process in self.seen if word in process.command]

    def leaks(self, leaks: Leaks, sessions: set[int]) -> list[str]:
        """What it saw that nobody should. Users in `sessions` may have tokens, but no keys, in their environment."""
        found = set()
        for process in self.seen:
            name = process.command.split(b"\0")[0][:60]
            found |= {f"command line of {name!r}: {what}" for what in leaks.inside(process.command)}
            found |= {f"environment of {name!r}, uid {process.owner}: {what}"
                      for what in leaks.inside(process.environment)
                      if not (process.owner in sessions and what.startswith("token"))}
        return sorted(found)


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
