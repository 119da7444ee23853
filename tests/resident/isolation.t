#!/usr/bin/python3
"""Who gets what from a resident broker: only a session's user and root, only while it lasts, and never the key."""
import os
import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from service import ALLOWED, GONE, NO_SESSION, USERS, ServiceTest, adopt, authenticate, begin, drop, token  # noqa: E402
from wire import DENIED  # noqa: E402

machine = ServiceTest.machine = begin()
keys = machine.iam.keys
ALICE, BOB = USERS["alice"], USERS["bob"]
PASSWD = Path("/etc/passwd")


class Isolation(ServiceTest):
    def setUp(self):
        super().setUp()
        self.handle = self.broker.hold("alice", keys["alice"])

    def assert_unknown(self, handle: str, uid: int) -> None:
        """Whatever is asked about it, the answer is that there is nothing."""
        for what, data in {"token": token(handle), "drop": drop(handle), "adopt": adopt(handle, "bob")}.items():
            with self.subTest(what, uid=uid):
                self.assert_result(self.broker.ask(data, uid), NO_SESSION)

    def test_her_own(self):
        self.assert_result(self.broker.ask(token(self.handle), ALICE), ALLOWED)

    def test_another_uid_with_the_handle(self):
        self.assert_unknown(self.handle, BOB)
        self.assert_exit(self.command("token", handle=self.handle, user="bob"), GONE, "no credential")
        self.assert_result(self.broker.ask(token(self.handle), ALICE), ALLOWED)

    def test_no_handle(self):
        self.assert_exit(self.command("token", handle=None), GONE, "IBMIAM_SESSION is not set")
        self.assert_unknown("0" * 32, ALICE)

    def test_an_unknown_one_is_answered_alike(self):
        """Or else handles could be looked for."""
        for data in token, drop:
            self.assertEqual(self.broker.ask(data(self.handle), BOB).raw, self.broker.ask(data("0" * 32), BOB).raw)

    def test_a_stale_handle(self):
        self.assert_result(self.broker.ask(drop(self.handle)), ALLOWED)
        for uid in 0, ALICE:
            self.assert_unknown(self.handle, uid)
        self.assert_exit(self.command("token", handle=self.handle), GONE, "no credential")

    def test_a_pending_handle(self):
        """It is the login's, which is still under way and may yet fail."""
        pending = self.broker.ask(authenticate("alice", keys["alice"])).handle
        self.assert_unknown(pending, ALICE)
        self.assert_result(self.broker.ask(adopt(pending, "alice")), ALLOWED)

    def test_a_uid_that_has_a_new_name(self):
        before = PASSWD.read_text()
        PASSWD.write_text(before.replace("\nalice:", "\nmallory:"))
        try:
            self.assert_unknown(self.handle, ALICE)
        finally:
            PASSWD.write_text(before)
        self.assert_result(self.broker.ask(token(self.handle), ALICE), ALLOWED)

    def test_a_name_that_has_a_new_uid(self):
        before = PASSWD.read_text()
        PASSWD.write_text(before.replace(f"alice:x:{ALICE}:", "alice:x:2999:"))
        try:
            for uid in ALICE, 2999:
                self.assert_unknown(self.handle, uid)
        finally:
            PASSWD.write_text(before)

    def test_root_is_served_and_that_is_logged(self):
        mark = self.broker.mark()
        self.assert_result(self.broker.ask(token(self.handle)), ALLOWED)
        self.assertRegex(self.broker.wait("^<5>token ", mark),
                         rf"session={self.handle[:8]} user=alice by uid=0 pid=\d+")
        self.assert_result(self.broker.ask(drop(self.broker.hold("alice", keys["alice"]))), ALLOWED)
        self.assertRegex(self.broker.wait("dropped", mark), r'user=alice reason="as asked by uid=0 pid=\d+"')
        mark = self.broker.mark()
        self.assert_result(self.broker.ask(token(self.handle), ALICE), ALLOWED)
        self.assertEqual(self.broker.lines("token", mark), [], "her own use is nobody's business")
        self.assertNotIn(self.handle, self.broker.log, "a log shows no whole handle")

    def test_users_authenticate_only_themselves(self):
        before = self.requests()
        for what, user, uid, service in [
                ("another user", "alice", ALICE, "ibmiam"), ("her name, his uid", "alice", BOB, "ibmiam"),
                ("his name, her uid", "bob", ALICE, "ibmiam"), ("root's uid", "bob", 0, "ibmiam"),
                ("sshd", "bob", BOB, "sshd"), ("no such user", "nobodyhere", BOB, "ibmiam")]:
            with self.subTest(what):
                data = authenticate(user, keys.get(user, keys["bob"]), uid=uid, service=service)
                self.assert_result(self.broker.ask(data, BOB), DENIED, "only root may")
        for more in {"rhost": "10.0.0.1"}, {"explain": True}:
            with self.subTest(**more):
                data = authenticate("bob", keys["bob"], service="ibmiam", **more)
                self.assert_result(self.broker.ask(data, BOB), DENIED, "only root may")
        self.assertEqual(self.requests(), before, "IAM is not asked")
        own = self.assert_result(self.broker.ask(authenticate("bob", keys["bob"], service="ibmiam"), BOB), ALLOWED)
        self.assert_result(self.broker.ask(token(own.handle), BOB), ALLOWED)
        self.assert_unknown(own.handle, ALICE)

    def test_a_refusal_names_who_asked(self):
        """First of all: names are his to choose, with whatever looks like more of the line."""
        mark = self.broker.mark()
        forged = "alice service=sshd uid=0: asked for by uid=0 pid=1"
        data = authenticate(forged, keys["bob"], uid=0, service="by uid=0 pid=1\n<5>x")
        self.assert_result(self.broker.ask(data, BOB), DENIED, "only root may")
        line = self.broker.wait("^<5>login refused ", mark)
        self.assertEqual(re.findall(r"\buid=(\d+) pid=(\d+)", line)[0], (str(BOB), str(os.getpid())))
        self.assertEqual(self.broker.lines("^<5>x", mark), [])

    def test_users_adopt_nothing(self):
        pending = self.broker.ask(authenticate("bob", keys["bob"])).handle
        for user, uid in ("bob", BOB), ("alice", ALICE):
            self.assert_result(self.broker.ask(adopt(pending, user), uid), NO_SESSION)
        self.assert_unknown(pending, BOB)

    def test_adopted_once_and_for_its_user(self):
        self.assert_result(self.broker.ask(adopt(self.handle, "alice")), NO_SESSION)
        pending = self.broker.ask(authenticate("alice", keys["alice"])).handle
        self.assert_result(self.broker.ask(adopt(pending, "bob")), NO_SESSION)
        self.assert_result(self.broker.ask(adopt(pending, "root")), NO_SESSION)

    def test_somebody_elses_handle_for_a_login(self):
        """bob has alice's handle, as after su, and gets one of his own: hers stays hers."""
        def log_in(handle: str, uid: int) -> None:
            data = authenticate("bob", keys["bob"], service="ibmiam", handle=handle)
            his = self.assert_result(self.broker.ask(data, uid), ALLOWED).handle
            self.assertNotEqual(his, handle)
            self.assertEqual(self.broker.ask(token(his), BOB).iam_id, machine.iam.iam_ids["bob"])

        for who, uid in ("bob", BOB), ("root, for him", 0):
            with self.subTest("her session's", who=who):
                log_in(self.handle, uid)
                self.assertEqual(self.broker.ask(token(self.handle), ALICE).iam_id, machine.iam.iam_ids["alice"])
            with self.subTest("that of her login", who=who):
                pending = self.broker.ask(authenticate("alice", keys["alice"])).handle
                log_in(pending, uid)
                self.assert_result(self.broker.ask(adopt(pending, "alice")), ALLOWED)

    def test_no_reply_holds_a_key(self):
        """Every byte of every kind of answer."""
        asked = {
            "authenticate": (authenticate("alice", keys["alice"]), 0),
            "refused": (authenticate("bob", keys["alice"]), 0), "rejected": (authenticate("alice", keys["unknown"]), 0),
            "details": (authenticate("alice", keys["disabled"]), 0),
            "evil": (authenticate("alice", keys["fault_error_message_evil"]), 0),
            "login": (authenticate("alice", keys["alice"], service="ibmiam"), ALICE),
            "token": (token(self.handle), ALICE), "token for root": (token(self.handle), 0),
            "adopt": (adopt(self.broker.ask(authenticate("alice", keys["alice"])).handle, "alice"), 0),
            "drop": (drop(self.handle), ALICE)}
        for what, (data, uid) in asked.items():
            with self.subTest(what):
                reply = self.broker.ask(data, uid)
                self.assertEqual({name for name in machine.leaks.inside(reply.raw) if name.startswith("key")}, set())
        self.assertEqual(machine.leaks.inside(self.broker.file.read_bytes()), set())


def tearDownModule():
    machine.assert_clean()


suite.main()
