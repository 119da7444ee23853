#!/usr/bin/python3
"""What a resident broker keeps away: from IAM, from its users, and from itself."""
import itertools
import pwd
import re
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from machine import TIMEOUT_S, until  # noqa: E402
from service import (ALLOWED, GONE, LATER, NO_SESSION, USERS, Broker, ServiceTest, authenticate, begin,  # noqa: E402
                     token)
from suite import BUILD  # noqa: E402
from wire import BROKER_ERROR, DENIED, KEY_REJECTED, THROTTLED, UNAVAILABLE  # noqa: E402

TRIES, LINES = 30, 100  # at once; limit.h
OF_ONE, OF_USERS = 16, 128
OWN_LOGINS, OWN_HELD = 100, 64  # limit.h, session.h
machine = ServiceTest.machine = begin()
keys = machine.iam.keys
ALICE, BOB = USERS["alice"], USERS["bob"]


def wrong_key(number: int) -> str:
    return f"this key is not known to anybody {number:08}"


class Keys(ServiceTest):
    def ask(self, user: str, key: str, **more):
        return self.broker.ask(authenticate(user, keys.get(key, key), **more))

    def test_a_rejected_key_is_not_asked_twice(self):
        for key in "unknown", "disabled":
            with self.subTest(key):
                before = self.requests()
                self.assert_result(self.ask("alice", key), KEY_REJECTED)
                for user in "alice", "alice", "bob":
                    self.assert_result(self.ask(user, key), KEY_REJECTED, "within the last minute")
                self.assertEqual(self.requests(before), 1)

    def test_only_what_iam_rejected_is_remembered(self):
        for key in "mallory", "fault_html_502":
            with self.subTest(key):
                self.ask("alice", key)
                before = self.requests()
                self.ask("alice", key)
                self.assertGreaterEqual(self.requests(before), 1)

    def test_wrong_keys_throttle_their_user(self):
        self.assert_result(self.ask("alice", "alice"), ALLOWED)
        before = self.requests()
        results = [self.ask("alice", wrong_key(i)).result for i in range(TRIES + 10)]
        self.assertEqual(set(results[:TRIES]), {KEY_REJECTED})
        self.assertEqual(results[-1], THROTTLED)
        self.assertLess(self.requests(before), TRIES + 5)
        with self.subTest("the key that was good before"):
            self.assert_result(self.ask("alice", "alice"), ALLOWED)
        with self.subTest("another good one of hers"):
            self.assert_result(self.ask("alice", "custom"), THROTTLED, "too many wrong keys")
        with self.subTest("another user"):
            self.assert_result(self.ask("bob", "bob"), ALLOWED)
        with self.subTest("as PAM says it"):
            machine.pam("throttled", "auth required pam_ibmiam.so")
            done = machine.run("pamtester", "throttled", "alice", "authenticate", answer=wrong_key(99) + "\n")
            self.assertIn("Have exhausted maximum number of retries for service", done.stderr + done.stdout)
        with self.subTest("as ibmiam says it"):
            self.assert_exit(self.command("login", handle=None, answer=wrong_key(98) + "\n"), LATER, "too many")

    def test_good_keys_of_others_throttle_too(self):
        results = [self.ask("alice", "bob").result for _ in range(TRIES + 10)]
        self.assertEqual((set(results[:TRIES]), results[-1]), ({DENIED}, THROTTLED))

    def test_a_user_alone_does_not_use_up_the_hosts_requests(self):
        """Not even with a good key, in a loop."""
        def login(uid: int, name: str = "bob"):
            return self.broker.ask(authenticate(name, keys[name], uid=USERS[name], service="ibmiam"), uid)

        handles = [login(BOB).handle for _ in range(OWN_HELD)]
        self.assertNotIn(None, handles)
        before = self.requests()
        for _ in range(OWN_LOGINS - OWN_HELD - 2):
            self.assert_result(login(BOB), NO_SESSION, "as many credentials by ibmiam login as he may")
        self.assertEqual(self.requests(before), 0)
        with self.subTest("as ibmiam says it"):
            done = self.command("login", handle=None, user="bob", answer=keys["bob"] + "\n")
            self.assert_exit(done, GONE, "as many credentials .* ibmiam logout")
        with self.subTest("in place of one of them"):
            again = authenticate("bob", keys["bob"], service="ibmiam", handle=handles[0])
            self.assertEqual(self.assert_result(self.broker.ask(again, BOB), ALLOWED).handle, handles[0])
        before = self.requests()
        self.assert_result(login(BOB), THROTTLED, "too many logins by this user himself")
        self.assertEqual(self.requests(before), 0)
        self.assert_result(login(ALICE, "alice"), ALLOWED)
        self.assert_result(self.ask("bob", "bob"), ALLOWED)  # over SSH

    def test_refusals_do_not_crowd_the_log(self):
        """A log that is flooded loses other lines (journald.conf(5), RateLimitBurst)."""
        data = authenticate("alice", keys["bob"], service="ibmiam")
        for _ in range(LINES * 2):
            self.assert_result(self.broker.ask(data, BOB), DENIED, "only root may")
        self.assertIn(len(self.broker.lines("login refused")), range(LINES, LINES + LINES // 2))

    def test_retry_after_holds_for_the_host(self):
        before = self.requests()
        self.assert_result(self.ask("alice", "fault_r429_retry_60"), UNAVAILABLE, "IAM asks for fewer requests")
        self.assertEqual(self.requests(before), 1)
        for user, key in ("alice", "alice"), ("bob", "bob"):
            self.assert_result(self.ask(user, key), UNAVAILABLE, r"IAM has asked this host to wait for another \d+ s")
        self.assertEqual(self.requests(before), 1)

    def test_retry_after_holds_whatever_comes_late(self):
        """An answer to an earlier request, from an edge that asks to wait for no time, is no leave to come back."""
        before = self.requests()
        with self.broker.client() as early:
            early.send(authenticate("bob", keys["fault_r429_late"]))
            until(lambda: self.requests(before) == 1, "the first request")
            self.assert_result(self.ask("alice", "fault_r429_retry_60"), UNAVAILABLE, "IAM asks for fewer requests")
            self.assert_result(early.receive(), UNAVAILABLE, "IAM asks for fewer requests")
        self.assert_result(self.ask("alice", "alice"), UNAVAILABLE, r"asked this host to wait for another \d+ s")
        self.assertEqual(self.requests(before), 2)

    def test_a_short_retry_after_is_waited_for(self):
        before = self.requests()
        with self.broker.client() as first, self.broker.client() as second:
            first.send(authenticate("alice", keys["fault_r429_retry_1"]))
            until(lambda: self.requests(before) == 1, "the first request")
            second.send(authenticate("bob", keys["bob"]))
            for client in first, second:
                self.assert_result(client.receive(), ALLOWED)
        self.assertEqual(self.requests(before), 3)

    def test_retries_count_in_the_rate_limit(self):
        machine.configure(rate_limit="3")
        before = self.requests()
        for result in UNAVAILABLE, UNAVAILABLE, THROTTLED:  # asked twice, once, not at all
            self.assert_result(self.ask("alice", "fault_r503"), result)
        self.assertEqual(self.requests(before), 3)

    def test_rate_limit(self):
        machine.configure(rate_limit="3")
        before = self.requests()
        results = [self.ask("alice", "alice").result for _ in range(6)]
        self.assertEqual(results, [ALLOWED] * 3 + [THROTTLED] * 3)
        self.assertEqual(self.requests(before), 3)


def is_open(client) -> bool:
    try:
        return client.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True


class Connections(ServiceTest):
    def open(self, uid: int, count: int) -> list:
        clients = [self.broker.client(uid) for _ in range(count)]
        self.addCleanup(lambda: [client.socket.close() for client in clients])
        return [client for client in clients if client.is_welcome]

    def test_of_one_uid(self):
        self.assertEqual(len(self.open(ALICE, OF_ONE + 1)), OF_ONE)
        with self.broker.client(BOB) as other:
            self.assertTrue(other.is_welcome)

    def test_they_are_given_back(self):
        handle = self.broker.hold("alice", keys["alice"])
        for client in self.open(ALICE, OF_ONE):
            client.socket.close()
        self.assert_result(self.broker.ask(token(handle), ALICE), ALLOWED)

    def test_a_flood(self):
        """Users together leave room for logins."""
        clients = [client for uid in range(5000, 5020) for client in self.open(uid, OF_ONE + 4)]
        with self.broker.client(BOB) as other:  # whoever is silent makes room
            self.assertTrue(other.is_welcome)
        self.assertLessEqual(sum(map(is_open, clients)), OF_USERS)
        for _ in range(3):
            self.assert_result(self.broker.ask(authenticate("alice", keys["alice"])), ALLOWED)
        machine.pam("flooded", "auth required pam_ibmiam.so", "session required pam_ibmiam.so")
        mark = self.broker.mark()
        done = machine.run("pamtester", "flooded", "alice", "authenticate", "open_session", "close_session",
                           answer=keys["alice"] + "\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.broker.wait("adopted", mark)

    def test_want_of_descriptors(self):
        """It is waited out, not with a whole processor; a login runs one-shot; then it goes on."""
        pid, who = self.broker.process.pid, pwd.getpwnam("_ibmiam")

        def limit(soft: int) -> None:
            """As its own user: root may not everywhere."""
            subprocess.run(("prlimit", f"--pid={pid}", f"--nofile={soft}:"), user=who.pw_uid, group=who.pw_gid,
                           extra_groups=[], check=True)

        entered = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        before = int(re.search(r"\nMax open files\s+(\d+)", Path(f"/proc/{pid}/limits").read_text())[1])
        limit(next(fd for fd in itertools.count() if fd not in entered))

        def sleeps() -> int:
            return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])

        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as waiting:
            waiting.settimeout(TIMEOUT_S)
            waiting.connect(str(self.broker.path))
            self.broker.wait("cannot accept connections: Too many open files")
            slept, spent = sleeps(), self.broker.cpu_s()
            machine.pam("wanting", "auth required pam_ibmiam.so")
            done = machine.run("pamtester", "wanting", "alice", "authenticate", answer=keys["alice"] + "\n")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            until(lambda: sleeps() >= slept + 5, "a broker that sleeps")
            self.assertLess(self.broker.cpu_s() - spent, 0.5)
            limit(before)
            self.assertTrue(waiting.recv(100))
        self.assertEqual(len(self.broker.lines("cannot accept")), 1)


class Threads(unittest.TestCase):
    def test_without_one_it_is_no_outage(self):
        """The resolver's: who can forbid it to his su would reach what the stack does in an outage."""
        machine.configure(endpoint='"https://iam.example.com"')
        broker = Broker(machine, wrapper=("env", f"LD_PRELOAD={BUILD / 'tests/resident/threads.so'}"))
        self.addCleanup(broker.end)
        reply = broker.ask(authenticate("alice", keys["alice"]))
        self.assertEqual(reply.result, BROKER_ERROR, reply.reason)
        self.assertIn("thread failed to start", reply.reason)


def tearDownModule():
    machine.assert_clean()


suite.main()
