"""The demo's session in README.md: which part of it, between which lines, and what may differ from run to run.

For `make demo RECORD=1` (record), which writes it, and demo.t, which compares it with a new run.
"""
import re

from suite import ROOT

DEMO, README = ROOT / "tests/demo/demo", ROOT / "README.md"
BEGINNING = "alice logs in over SSH with her API key"
RESIDENT = "root starts the resident broker"
WORKED = "The demo worked; nothing of it is left."
RECORDED = re.compile(r"(?<=<!-- written by make demo RECORD=1 -->\n```\n).*?(?=```\n<!-- until here -->\n)", re.S)
# What differs from run to run: names, which must come again in the same places, and measures, which need not.
NAMES = {
    "token": r"eyJ[\w-]+\.\.\.[\w-]+ \(\d+ characters\)",
    "uuid": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    "identity": r"\bIBMid-[0-9A-F]+\b",
    "account": r"\b[0-9a-f]{32}\b",
    "session": r"\b[0-9a-f]{8}(?=\.\.\.|\s)",
}
MEASURES = {
    "pid": r"(?<=pid=)\d+",
    "seconds": r"(?<=left_s=)\d+|(?<=expires in )\d+ seconds?",
    "milliseconds": r"(?<=elapsed_ms=)\d+",
    "time": r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}|(?<=asked for after )[\d:]+|(?<=EXPIRATION=)\d+",
}


def excerpt(output: str) -> str:
    """The first login, and all that is shown of the resident broker."""
    sections = output.removesuffix(f"\n{WORKED}\n").split("\n=== ")
    first, resident = (next(n for n, text in enumerate(sections) if text.startswith(title))
                       for title in (BEGINNING, RESIDENT))
    return "\n".join(f"=== {text}" for text in (sections[first], *sections[resident:]))


def alike(text: str) -> str:
    """What two runs have in common: the second of two tokens is <token 2> wherever it stands."""
    for name, pattern in NAMES.items():
        seen: dict[str, int] = {}
        text = re.sub(pattern, lambda value: f"<{name} {seen.setdefault(value[0], len(seen) + 1)}>", text)
    for name, pattern in MEASURES.items():
        text = re.sub(pattern, f"<{name}>", text)
    return text
