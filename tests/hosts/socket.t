#!/usr/bin/python3
"""Which broker a login asks where nobody has said so: the resident one at its own path, unless the line in /etc/pam.d
names another configuration than that broker's.
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
sandbox.enter()

import driver  # noqa: E402
import wire  # noqa: E402
from resident import HANDLE, Resident  # noqa: E402

SOCKET, CONFIG = Path("/run/ibmiam/broker.sock"), Path("/etc/security/ibmiam.conf")
KEY = "a-key-that-no-fake-broker-looks-at-" + "x" * 20
stage = driver.Stage()
script = f"read\nsend {wire.reply(environment=('ONE=shot',)).hex()}\n"
other = stage.write("conf/other.fake", script)
CONFIG.write_text(script)  # which the fake one-shot broker reads
CONFIG.chmod(0o644)
SOCKET.parent.mkdir(mode=0o755)

RESIDENT = {"A": "1", "B": "two words", "IBMIAM_SESSION": HANDLE}
ONE_SHOT = {"ONE": "shot"}
CASES = {
    "": RESIDENT,
    f"config={CONFIG}": RESIDENT,
    f"socket={SOCKET}": RESIDENT,
    f"config={other} socket={SOCKET}": RESIDENT,
    f"socket={SOCKET} config={other}": RESIDENT,
    f"config={other}": ONE_SHOT,
    f"config={other} socket=none": ONE_SHOT,
    "socket=none": ONE_SHOT,
    "socket=/run/ibmiam/another.sock": ONE_SHOT,
}


class Default(unittest.TestCase):
    def login(self, options: str) -> dict[str, str]:
        run = stage.drive(stage.pam(f"broker={stage.fake} {options}"), "authenticate", "setcred", "env", answers=(KEY,))
        self.assertEqual(set(run.codes), {"PAM_SUCCESS"}, run.logs)
        return run.environments[0]

    def test_options(self):
        broker = Resident(SOCKET)
        self.addCleanup(SOCKET.unlink)
        self.addCleanup(broker.stop)
        for options, expected in CASES.items():
            with self.subTest(options or "none"):
                self.assertEqual(self.login(options), expected)

    def test_nobody_there(self):
        self.assertEqual(self.login(""), ONE_SHOT)


suite.main()
