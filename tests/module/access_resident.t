#!/usr/bin/python3
"""A resident broker and what IAM decides: the host's own token serves many logins, a session's renewal asks everything
anew, and what is withdrawn in IAM ends the session's credential with a message of its own.
"""
import base64
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402

import suite  # noqa: E402
from machine import until  # noqa: E402

OK, ENDED, LATER = 0, 5, 6  # exit codes of ibmiam
LIFETIME_S = 5  # a token is renewed in the last fifth
stage = driver.Stage()
long, short = driver.Standin(stage), driver.Standin(stage, "--lifetime", str(LIFETIME_S))
tool = stage.give(Path(shutil.copy(suite.BUILD / "ibmiam", stage.folder)), 0o755)


class Broker:
    """A real one, as the hosts' user; it reads its configuration anew when that is written."""

    def __init__(self, iam: driver.Standin, rules: str) -> None:
        self.iam, number = iam, stage.number()
        self.host_key = stage.write(f"conf/{number}.key", iam.keys["host"] + "\n")
        self.socket, self.log = stage.folder / f"b{number}", stage.folder / f"b{number}.log"
        self.config = iam.config(rules=rules, directory_key_file=f'"{self.host_key}"')
        self.mark = len(iam.iam.requests())
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([stage.broker, "--config", self.config, "--listen", self.socket],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={}, cwd="/",
                                            **stage.identity)
        until(lambda: " listens at " in self.log.read_text(), "the broker listens")

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(driver.TIMEOUT_S)

    def login(self) -> driver.Run:
        """Through the module; the session ends with its host."""
        service = stage.pam(stage.options(self.config, f"socket={self.socket}"))
        return stage.drive(service, "authenticate", "setcred", "env", answers=(self.iam.keys["alice"],))

    def settle(self) -> None:
        """A configuration that is read right after it was written is read once more, and the host's token is asked
        for once more: not after the second login, whose beginning is late enough."""
        for _ in range(2):
            self.login()
        self.asked()

    def ibmiam(self, *arguments: str, session: str = "", answer: str = "") -> subprocess.CompletedProcess:
        return subprocess.run([tool, arguments[0], "--socket", self.socket, *arguments[1:]], input=answer, text=True,
                              capture_output=True, env={"IBMIAM_SESSION": session} if session else {}, cwd="/",
                              timeout=driver.TIMEOUT_S, **stage.identity)

    def session(self) -> str:
        """One that lives as long as this test."""
        done = self.ibmiam("login", answer=self.iam.keys["alice"] + "\n")
        if done.returncode != OK:
            raise AssertionError(done.stderr)
        return re.search(r"IBMIAM_SESSION=([0-9a-f]{32})", done.stdout)[1]

    def asked(self) -> list[str]:
        """What IAM has been asked since the last time."""
        requests = self.iam.iam.requests(self.mark)
        self.mark += len(requests)
        return [r["key"] or ("profile" if r["method"] == "POST" else "group") for r in requests]


def profile(iam: driver.Standin, name: str) -> str:
    return f'user $me {{ iam_ids = {{ "$alice" }} trusted_profile = "{iam.ready["profiles"][name]["id"]}" }}'


def group(iam: driver.Standin, name: str) -> str:
    return f'user $me {{ iam_ids = {{ "$alice" }} access_groups = {{ "{iam.ready["groups"][name]["id"]}" }} }}'


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class Configuration(unittest.TestCase):
    def test_every_edit_counts(self):
        """At once, and not the first one only."""
        with Broker(long, profile(long, "operators")) as broker:
            text, ids = broker.config.read_text(), long.iam.iam_ids
            for number in range(6):
                known = ids["bob" if number % 2 else "alice"]
                broker.config.write_text(text.replace(ids["alice"], known))
                self.assertEqual(broker.login().codes[0], "PAM_PERM_DENIED" if number % 2 else "PAM_SUCCESS", number)
            self.assertNotIn("refused", broker.log.read_text())

    def test_a_refused_edit(self):
        """The old one stays, and the log says why, once; then the right one counts."""
        with Broker(long, profile(long, "operators")) as broker:
            text = broker.config.read_text()
            broker.config.write_text(text + "no_such_key = 1\n")
            for _ in range(3):
                self.assertEqual(broker.login().codes[0], "PAM_SUCCESS")
            self.assertEqual(broker.log.read_text().count("is refused, and the old one stays: "), 1)
            broker.config.write_text(text.replace(long.iam.iam_ids["alice"], long.iam.iam_ids["bob"]))
            broker.process.send_signal(signal.SIGHUP)
            until(lambda: broker.log.read_text().endswith("has been read anew\n"), "the configuration is read")
            self.assertEqual(broker.login().codes[0], "PAM_PERM_DENIED")


class Directory(unittest.TestCase):
    def test_one_token_for_many_logins(self):
        with Broker(long, group(long, "operators")) as broker:
            self.assertEqual(broker.login().codes[0], "PAM_SUCCESS")
            self.assertEqual(broker.asked(), ["alice", "host", "group"])
            broker.settle()
            for _ in range(10):
                self.assertEqual(broker.login().codes[:2], ["PAM_SUCCESS"] * 2)
                self.assertEqual(broker.asked(), ["alice", "group"])

    def test_another_key(self):
        """A configuration that is read anew has its own."""
        with Broker(long, group(long, "operators")) as broker:
            broker.login()
            broker.host_key.write_text(long.keys["deploy"] + "\n")  # who may view this group, too
            self.assertEqual(broker.login().codes[0], "PAM_SUCCESS")
            self.assertEqual(broker.asked(), ["alice", "host", "group", "alice", "deploy", "group"])

    def test_what_cannot_be_had_is_not_kept(self):
        with Broker(long, group(long, "operators")) as broker:
            broker.host_key.write_text(long.keys["disabled"] + "\n")
            for _ in range(2):
                run = broker.login()
                self.assertEqual(run.codes[0], "PAM_SERVICE_ERR")
                self.assertRegex(run.logs[0].text, "check=groups .*directory_key_file: the API key is disabled")
            broker.host_key.write_text(long.keys["host"] + "\n")
            self.assertEqual(broker.login().codes[0], "PAM_SUCCESS")

    def test_it_is_renewed(self):
        with Broker(short, group(short, "operators")) as broker:
            broker.settle()
            begun, asked = time.monotonic(), []

            def renewed():
                self.assertEqual(broker.login().codes[0], "PAM_SUCCESS")
                asked[:] = broker.asked()
                return "host" in asked
            until(renewed, "the host's token is renewed")
            self.assertEqual(asked, ["alice", "host", "group"])
            self.assertGreater(time.monotonic() - begun, LIFETIME_S / 2)


class Renewal(unittest.TestCase):
    def token(self, broker: Broker, session: str) -> str:
        done = broker.ibmiam("token", session=session)
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        return done.stdout.strip()

    def end(self, broker: Broker, session: str) -> subprocess.CompletedProcess:
        """The first call of `ibmiam token` that gives none."""
        last = []

        def ended():
            last[:] = [broker.ibmiam("token", session=session)]
            return last[0].returncode != OK
        until(ended, "the credential ends")
        return last[0]

    def test_both_tokens(self):
        with Broker(short, profile(short, "operators")) as broker:
            session = broker.session()
            first = self.token(broker, session)
            self.assertEqual(broker.asked(), ["alice", "profile"])
            until(lambda: self.token(broker, session) != first, "the token is renewed")
            self.assertEqual(broker.asked(), ["alice", "profile"])
            second = claims(self.token(broker, session))
            self.assertEqual((second["iam_id"], second["authn"]["iam_id"]),
                             (short.ready["profiles"]["operators"]["iam_id"], short.iam.iam_ids["alice"]))
            self.assertGreater(second["exp"], claims(first)["exp"])

    def test_withdrawn(self):
        for what, rules, said, asked in [
                ("profile", profile(short, "fault_then_withdrawn"),
                 "IAM does not let the key's identity assume the trusted profile", ["alice", "profile"]),
                ("group", group(short, "fault_then_removed"),
                 "the key's identity is in none of this user's access_groups", ["alice", "host", "group"])]:
            with self.subTest(what), Broker(short, rules) as broker:
                session = broker.session()
                self.token(broker, session)
                self.assertEqual(broker.asked(), asked)
                done = self.end(broker, session)
                self.assertEqual((done.returncode, done.stdout), (ENDED, ""))
                self.assertRegex(done.stderr, rf"\Aibmiam: [^\n]*no longer allowed here[^\n]*{said}[^\n]*\n\Z")
                self.assertIn("result=denied", broker.log.read_text())
                self.assertIn(broker.asked(), ([*asked], ["alice", "group"]))
                again = broker.ibmiam("token", session=session)
                self.assertEqual((again.returncode, again.stderr, broker.asked()), (ENDED, done.stderr, []))

    def test_iam_cannot_say(self):
        """An outage ends nothing: the old token is served to its end, and IAM is left alone for a minute."""
        with Broker(short, profile(short, "fault_then_503")) as broker:
            session = broker.session()
            expiration = claims(self.token(broker, session))["exp"]
            broker.asked()
            done = self.end(broker, session)
            self.assertGreaterEqual(time.time(), expiration)
            self.assertEqual((done.returncode, done.stdout), (LATER, ""))
            self.assertEqual(broker.asked(), ["alice", "profile", "profile"])  # once more after a 503
            self.assertEqual(broker.ibmiam("token", session=session).returncode, LATER)
            self.assertEqual(broker.asked(), [])

    def test_the_configuration_withdraws(self):
        """At once, whatever IAM says."""
        with Broker(long, profile(long, "operators")) as broker:
            session = broker.session()
            self.token(broker, session)
            ids = long.iam.iam_ids
            broker.config.write_text(broker.config.read_text().replace(ids["alice"], ids["bob"]))
            done = self.end(broker, session)
            self.assertEqual(done.returncode, ENDED)
            self.assertRegex(done.stderr, "the key's iam_id is not among this user's iam_ids")


suite.main()
