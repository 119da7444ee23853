"""How a Python test of this tree runs: unittest, spoken as TAP by Debian's python3-tap, for prove.

A test file ends with `suite.main()`. Subtests count as tests of their own: use them for tables.
"""
import os
import signal
import sys
import unittest
from pathlib import Path

from tap.runner import TAPTestRunner

ROOT = Path(__file__).absolute().parent.parent.parent
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).absolute()


def forget_signals() -> None:
    """As on a terminal: under nohup, or behind a shell's &, some are ignored, and that is inherited."""
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python's own
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


forget_signals()


def skip_all(reason: str) -> None:
    """Ends the program: none of its tests can run here, and prove says why."""
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def main() -> None:
    runner = TAPTestRunner()
    runner.set_stream(True)
    runner.set_format("{method_name}")
    unittest.main(testRunner=runner)
