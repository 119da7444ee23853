#!/usr/bin/python3
"""The module under valgrind, inside a real pamtester: no invalid access, no leak of its own.

Part of make check-sanitize, which installs valgrind; skipped where it is missing.
"""
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402

if not shutil.which("valgrind"):
    suite.skip_all("valgrind is not installed; make check-sanitize installs it")
if sandbox.available():
    suite.skip_all(sandbox.available())

import machine as m  # noqa: E402

machine = m.Machine(sandbox.enter())
machine.pam("watched", *(f"{kind} required pam_ibmiam.so debug" for kind in ("auth", "account", "session")))
CALLS = ("authenticate", "setcred", "acct_mgmt", "open_session", "close_session")
ERRORS = 99  # valgrind's exit status when it has found any


class Valgrind(unittest.TestCase):
    def run_one(self, user: str, answer: str) -> tuple[subprocess.CompletedProcess, str]:
        log = machine.scratch / "valgrind.log"
        done = subprocess.run(["valgrind", "-q", "--leak-check=full", "--errors-for-leak-kinds=definite",
                               f"--error-exitcode={ERRORS}", f"--log-file={log}", "pamtester", "watched", user, *CALLS],
                              input=answer + "\n", capture_output=True, text=True, timeout=120)
        lines = log.read_text().splitlines(True)
        return done, "".join(line for line in lines if not line.startswith("--"))  # its own: pidfd_open is new to it

    def test_logins(self):
        for user, key, good in [("alice", "alice", True), ("alice", "unknown", False), ("alice", "mallory", False),
                                ("carol", "alice", False), ("alice", "fault_html_502", False)]:
            with self.subTest(user=user, key=key):
                done, log = self.run_one(user, machine.iam.keys[key])
                self.assertNotEqual(done.returncode, ERRORS, log)
                self.assertEqual((log, done.returncode == 0), ("", good), log)


suite.main()
