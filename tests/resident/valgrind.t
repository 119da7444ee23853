#!/usr/bin/python3
"""A resident broker under valgrind, with a bit of everything: no invalid access, nothing lost.

Part of make check-sanitize, which installs valgrind; skipped where it is missing.
"""
import os
import shutil
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402

if not shutil.which("valgrind"):
    suite.skip_all("valgrind is not installed; make check-sanitize installs it")

from machine import CONFIG  # noqa: E402
from service import USERS, Broker, ServiceTest, authenticate, begin, drop, edit, token  # noqa: E402

machine = ServiceTest.machine = begin("--lifetime", "1")  # each token is renewed as soon as it is asked for
keys = machine.iam.keys
ALICE, BOB = USERS["alice"], USERS["bob"]
NOT_ALL = ("hang", "trickle", "slow", "huge", "deep", "429", "then")  # what takes long, or is for later
ERRORS = 99  # valgrind's exit status when it has found any
VALGRIND = ("valgrind", "-q", "--vgdb=no", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect",
            f"--error-exitcode={ERRORS}")


class Valgrind(ServiceTest):
    def setUp(self):
        # More users than alice, who alone would be throttled for so many wrong tries.
        owner = machine.iam.iam_ids["alice"]
        machine.configure("".join(f'user u{n} {{ iam_ids = {{ "{owner}" }} }}\n' for n in range(8)), rate_limit="0")
        self.broker = Broker(machine, wrapper=VALGRIND)

    def ask(self, data: bytes, uid: int = 0):
        return self.broker.ask(data, uid)

    def test_everything(self):
        for key in sorted(key for key in keys if not any(word in key for word in NOT_ALL)):
            self.assertNotRegex(self.ask(authenticate(f"u{len(key) % 8}", keys[key], uid=2000, budget_ms=2000)).reason,
                                "too many")
        held = {key: self.broker.hold("alice", keys[key])
                for key in ("alice", "custom", "fault_then_503", "fault_then_disabled")}
        for _ in range(3):  # renewed, not renewed, ended
            for handle in held.values():
                self.ask(token(handle), ALICE)
                self.ask(token(handle), BOB)
        text = CONFIG.read_text()
        for change in text + "# changed\n", text + "nonsense\n", text.replace("user alice", "user carol"), text:
            edit(change)
            self.broker.process.send_signal(signal.SIGHUP)
            self.ask(token(held["alice"]), ALICE)
        self.ask(drop(held["custom"]), ALICE)
        own = self.ask(authenticate("bob", keys["bob"], service="ibmiam"), BOB).handle
        self.ask(authenticate("bob", keys["bob"], service="ibmiam", handle=own), BOB)
        for length in range(1, 200, 3):
            self.ask(os.urandom(length), BOB)
            self.ask(token(own)[:length], BOB)
        self.ask(authenticate("alice", keys["fault_hang"], budget_ms=100))
        with self.broker.client() as gone:
            gone.send(authenticate("alice", keys["fault_hang"]))
        with self.broker.client() as waiting, self.broker.client(BOB) as asking:
            waiting.send(authenticate("alice", keys["fault_hang"]))
            asking.send(token(own))
            status = self.broker.end()
        found = [line for line in self.broker.log.splitlines() if line.startswith("==")]
        self.assertEqual((status, found), (0, []), "\n".join(found))


suite.main()
