#!/usr/bin/python3
"""The real sshd, su and sudo with a resident broker (a fake one, tests/module/resident.py): whose processes they are,
forked or not, the session's credential is adopted once, for the session's user, and dropped once when it ends.
"""
import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module")]
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402

if reason := sandbox.available():
    suite.skip_all(reason)

import machine as m  # noqa: E402
from machine import environment, until  # noqa: E402

machine = m.Machine(sandbox.enter())
machine.configure()

from resident import HANDLE, Resident, welcome  # noqa: E402

SOCKET = Path("/run/ibmiam/broker.sock")
KEY = machine.iam.keys["alice"]
UID = m.USERS["alice"]
ASKED, ADOPTED, DROPPED = ("authenticate", "alice"), ("adopt", HANDLE, "alice", UID), ("drop", HANDLE)
SOCKET.parent.mkdir(mode=0o755)


class Hosts(unittest.TestCase):
    def setUp(self):
        self.broker = Resident(SOCKET)
        self.addCleanup(SOCKET.unlink)
        self.addCleanup(self.broker.stop)

    def assert_received(self, *expected: tuple) -> None:
        """A host may still be busy with its end when its client has gone."""
        until(lambda: len(self.broker.received) >= len(expected), "what the broker hears")
        self.assertEqual(self.broker.received, list(expected))

    def assert_held(self, text: str, held: bool = True) -> None:
        found = environment(text)
        self.assertEqual((found.get("A"), found.get("IBMIAM_SESSION")), ("1", HANDLE) if held else (None, None))

    def test_sshd(self):
        machine.pam_example("sshd", "sshd")
        sshd = machine.sshd("PasswordAuthentication yes", "KbdInteractiveAuthentication yes")
        self.addCleanup(sshd.stop)
        for method in ("password", "keyboard-interactive"):
            with self.subTest(method):
                self.broker.received.clear()
                done = sshd.login("alice", KEY, method=method)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_held(done.stdout)
                self.assert_received(ASKED, ADOPTED, DROPPED)
                self.assertEqual(self.broker.requests[-1][7], b"127.0.0.1\0")

    def test_su(self):
        machine.pam_example("su", "su")
        done = machine.run("su", "alice", "-c", "env", user="bob", answer=KEY + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_held(done.stdout)
        self.assert_received(ASKED, ADOPTED, DROPPED)

    def test_sudo(self):
        """The command is root's: alice's credential goes nowhere, unless the configuration sends it along."""
        machine.pam_example("sudo", "sudo", "sudo-i")
        m.write(Path("/etc/sudoers"), "Defaults env_reset, use_pty, timestamp_timeout=0\nalice ALL=(ALL:ALL) ALL\n", 0o440)
        for name, turns, held, expected in (
                ("own", (), False, (ASKED, DROPPED)),
                ("target", (welcome(export_to=1),), True, (ASKED, ("adopt", HANDLE, "root", 0), DROPPED))):
            with self.subTest(name):
                self.broker.received.clear()
                self.broker.turns.extend(turns)
                done = machine.run("sudo", "-S", "env", user="alice", answer=KEY + "\n")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_held(done.stdout, held)
                self.assert_received(*expected)


suite.main()
