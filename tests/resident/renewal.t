#!/usr/bin/python3
"""Tokens that stay fresh: asked for once for many, served while they are valid whatever becomes of IAM, and no longer
when the key is not good any more.
"""
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import claims, rule  # noqa: E402
from machine import CONFIG, until  # noqa: E402
from service import ALLOWED, ENDED, GONE, LATER, USERS, Broker, ServiceTest, begin, drop, edit, token  # noqa: E402
from wire import DENIED, KEY_REJECTED, UNAVAILABLE, USER_UNKNOWN  # noqa: E402

ASKERS = 16
# A broker counts in whole seconds: of seven, or six where one has just begun, the last is the fifth in which a token
# is renewed and still good.
machine = ServiceTest.machine = begin("--lifetime", "7")
keys, ids = machine.iam.keys, machine.iam.iam_ids
ALICE, CAROL = USERS["alice"], USERS["carol"]


class Renewal(ServiceTest):
    """Sessions that all began at the same time. The tests run in the order of their names."""

    @classmethod
    def setUpClass(cls):
        machine.configure(rule(machine, "carol", "fault_then_503"))
        cls.broker = Broker(machine)
        cls.handles = {name: cls.broker.hold("carol" if "fault" in name else "alice", keys.get(name, keys["alice"]))
                       for name in ("many", "gone", "down", "fault_then_503", "fault_then_disabled")}
        cls.first = {name: cls.broker.ask(token(handle)).token for name, handle in cls.handles.items()}

    @classmethod
    def tearDownClass(cls):
        cls.broker.end()

    def setUp(self):
        pass

    def token(self, name: str, uid: int = ALICE, budget_ms: int = 20000) -> str:
        return self.assert_result(self.broker.ask(token(self.handles[name], budget_ms), uid), ALLOWED).token

    def grown(self, left_s: int) -> None:
        """Waits until the youngest of the first tokens has no more left than this, by the clock of time(2), too, which
        is up to a tick behind."""
        youngest = max(claims(jwt)["exp"] for jwt in self.first.values())
        until(lambda: youngest - time.time() < left_s - 0.02, "the tokens grow old")

    def stopped(self):
        machine.iam.process.send_signal(signal.SIGSTOP)
        self.addCleanup(machine.iam.process.send_signal, signal.SIGCONT)

    def test_1_fresh_ones_come_from_memory(self):
        before = self.requests()
        self.assertEqual({self.token("many") for _ in range(20)}, {self.first["many"]})
        self.assertEqual(self.requests(before), 0)

    def test_2_valid_ones_are_served_while_iam_is_down(self):
        self.grown(1)
        before = self.requests()
        self.assertEqual(self.token("fault_then_503", CAROL), self.first["fault_then_503"])
        self.assertEqual(self.requests(before), 2, "one try and its retry")
        self.stopped()
        self.assertEqual(self.token("down", budget_ms=50), self.first["down"])

    def test_3_expired_ones_are_not(self):
        self.grown(0)
        before = self.requests()
        for _ in range(3):
            self.assert_result(self.broker.ask(token(self.handles["fault_then_503"]), CAROL), UNAVAILABLE,
                               "less than a minute ago")
        self.assert_exit(self.command("token", handle=self.handles["fault_then_503"], user="carol"), LATER,
                         "cannot be reached")
        self.assertEqual(self.requests(before), 0, "no hammering")
        self.stopped()
        self.assert_result(self.broker.ask(token(self.handles["gone"], 100), ALICE), UNAVAILABLE,
                           "the token has expired, and IAM does not answer in time")
        done = self.command("token", "--timeout", "1", handle=self.handles["gone"])
        self.assert_exit(done, LATER, "cannot be reached")

    def test_4_back_again(self):
        """What was begun for askers who have gone is there for the next."""
        for name in "down", "gone":
            self.assertNotEqual(self.token(name), self.first[name])

    def test_5_once_for_many(self):
        before = self.requests()
        askers = [self.broker.client(ALICE) for _ in range(ASKERS)] + [self.broker.client() for _ in range(4)]
        for asker in askers:
            asker.send(token(self.handles["many"]))
        tokens = {self.assert_result(asker.receive(), ALLOWED).token for asker in askers}
        self.assertEqual(len(tokens), 1)
        self.assertNotIn(self.first["many"], tokens)
        self.assertEqual(self.requests(before), 1)
        for asker in askers:
            asker.socket.close()

    def test_6_disabled_meanwhile(self):
        handle, before = self.handles["fault_then_disabled"], self.requests()
        self.assert_exit(self.command("token", handle=handle, user="carol"), ENDED, "disabled")
        self.assertEqual(self.requests(before), 1)
        for _ in range(3):
            self.assert_result(self.broker.ask(token(handle), CAROL), KEY_REJECTED, "disabled")
        for arguments in ("status",), ("env",), ("exec", "--", "true"):
            self.assert_exit(self.command(*arguments, handle=handle, user="carol"), ENDED, "ibmiam login")
        self.assertEqual(self.requests(before), 1, "IAM is not asked again")
        self.assertRegex(self.broker.wait("ended session"), rf"session={handle[:8]} user=carol result=key-rejected")
        self.assert_result(self.broker.ask(drop(handle), CAROL), ALLOWED)
        self.assert_exit(self.command("token", handle=handle, user="carol"), GONE)


class Rules(ServiceTest):
    def test_the_rule_is_gone(self):
        """An admin locks alice out: her session notices at once, while the token would still be good."""
        text = CONFIG.read_text()
        for what, change, result, said in [
                ("her rule", lambda t: t.replace("user alice", "user carol"), USER_UNKNOWN, "no longer has a rule"),
                ("her identity", lambda t: t.replace(ids["alice"], ids["bob"]), DENIED, "no longer allowed"),
                ("the account", lambda t: t.replace(machine.iam.accounts["home"], "0" * 32), DENIED,
                 "no longer allowed"),
                ("the export", lambda t: t + "service test { export = false }\n", DENIED, "no longer exports")]:
            with self.subTest(what):
                edit(text)
                handle = self.broker.hold("alice", keys["alice"])
                before = self.requests()
                edit(change(text))
                self.assert_exit(self.command("token", handle=handle), ENDED, said)
                self.assert_result(self.broker.ask(token(handle), ALICE), result)
                self.assertEqual(self.requests(before), 0)


def tearDownModule():
    machine.assert_clean()


suite.main()
