#!/usr/bin/python3
"""The broker's sandbox in a real login: who it runs as, what holds it, and what is said when a part is missing.

What it cannot do from inside is tests/unit/test_sandbox.c's matter.
"""
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402

if sandbox.available():
    suite.skip_all(sandbox.available())

import machine as m  # noqa: E402

machine = m.Machine(sandbox.enter())
machine.pam("sandboxed", "auth required pam_ibmiam.so timeout=60")


def login(key: str) -> subprocess.Popen:
    process = subprocess.Popen(["pamtester", "sandboxed", "alice", "authenticate"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    process.stdin.write(machine.iam.keys[key] + "\n")
    process.stdin.close()
    process.stdin = None
    return process


def broker() -> dict[str, str]:
    """/proc/PID/status of the broker that waits for IAM."""
    for pid, line in m.processes().items():
        if line.startswith("ibmiam-broker "):
            status = Path(f"/proc/{pid}/status").read_text()
            return dict(part.split(":\t", 1) for part in status.splitlines() if ":\t" in part)
    return {}


class Sandbox(unittest.TestCase):
    def test_while_it_waits_for_iam(self):
        process = login("fault_hang")
        m.until(lambda: broker().get("Seccomp", "0").strip() == "2", "the broker is in its sandbox")
        status = broker()
        process.kill()
        process.communicate()
        for name, value in {"Uid": f"{m.USERS['_ibmiam']}\t" * 3 + str(m.USERS["_ibmiam"]), "Groups": "",
                            "NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapPrm": "0" * 16}.items():
            with self.subTest(name):
                self.assertEqual(status[name].strip(), value)
        m.until(lambda: not broker(), "the broker ends with its host")

    def test_without_a_request(self):
        """It does not wait for ever: who stops his su as it starts a broker could take up all that may be."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with here, there:
            process = subprocess.Popen(["/usr/libexec/ibmiam-broker", "--config", m.CONFIG], stdin=there)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.assertEqual(process.wait(m.TIMEOUT_S), 3)

    def test_without_its_user(self):
        passwd = Path("/etc/passwd")
        before, mark = passwd.read_text(), machine.log.mark()
        passwd.write_text("".join(l for l in before.splitlines(True) if not l.startswith("_ibmiam:")))
        try:
            process = login("alice")
            self.assertEqual((process.wait(m.TIMEOUT_S), "success" in process.stdout.read()), (0, True))
            process.stdout.close()
        finally:
            passwd.write_text(before)
        machine.log.wait(r'note text="there is no user _ibmiam, so the broker runs as nobody"', mark)

    def test_with_it_nothing_is_noted(self):
        mark = machine.log.mark()
        login("alice").communicate()
        machine.log.wait("allowed", mark)
        machine.log.settle()
        self.assertEqual([line for line in machine.log.decisions(mark) if line.startswith("note")], [])


suite.main()
