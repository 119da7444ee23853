#!/usr/bin/python3
"""The demo works, and README.md shows what it shows."""
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402
from machine import TIMEOUT_S  # noqa: E402
from transcript import DEMO, README, RECORDED, WORKED, alike, excerpt  # noqa: E402

if sandbox.available():
    suite.skip_all(sandbox.available())


class Demo(unittest.TestCase):
    maxDiff = None

    def test_readme(self):
        done = subprocess.run([DEMO], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              preexec_fn=sandbox.die_with_parent, timeout=2 * TIMEOUT_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertTrue(done.stdout.endswith(f"\n{WORKED}\n"), done.stdout)
        recorded = RECORDED.findall(README.read_text())
        self.assertEqual(len(recorded), 1, "places for it in README.md")
        self.assertEqual(alike(recorded[0]), alike(excerpt(done.stdout)),
                         "README.md (-) is not what the demo shows (+); make demo RECORD=1 writes it anew")


suite.main()
