"""Finds what is left of keys and tokens in a process's memory, and says what kind of memory that is."""
import os
from collections import Counter

from leaks import spellings

PIECE, SAME = 12, 64  # bytes: what is looked for, and how far apart finds belong together


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
                    data = mem.read(end - start)
                    if label != "[heap]":  # a thread's stack is 8 MiB of nothing
                        start, data = end - len(data.lstrip(b"\0")), data.lstrip(b"\0")
                    self.regions.append((start, label, data))
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
