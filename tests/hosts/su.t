#!/usr/bin/python3
"""Real su: somebody becomes alice with alice's key, in one process, which stays root and waits for her session."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import UNREACHABLE, VARIABLES, HostTest, Seen, begin, rule  # noqa: E402
from leaks import Watcher  # noqa: E402
from machine import TIMEOUT_S, USERS, environment, write  # noqa: E402

machine = HostTest.machine = begin()
keys = machine.iam.keys
WAYS = {  # to run env as alice: arguments before and after her name, and the PAM service
    "su": ((), ("-c", "env"), "su"),
    "su -": (("-",), ("-c", "env"), "su-l"),
    "su -p": (("-p",), ("-c", "env"), "su"),
    "su -s": (("-s", "/bin/sh"), ("-c", "exec env"), "su"),
    "su -- sh": ((), ("--", "-c", "env"), "su"),
}


class Su(HostTest):
    def setUp(self):
        machine.configure()
        machine.pam_example("su")
        write(Path("/etc/login.defs"), "FAIL_DELAY 0\n")

    def su(self, caller: str | None, target: str, *answers: str, way: str = "su", env: dict | None = None) -> Seen:
        before, after, _ = WAYS[way]
        answer = "".join(keys.get(name, name) + "\n" for name in answers)
        return self.attempt(machine.run, "su", *before, target, *after, user=caller, answer=answer, env=env)

    def test_by_root(self):
        """No key, no request, no token; and what every session has."""
        for way in WAYS:
            with self.subTest(way):
                seen = self.su(None, "alice", way=way)
                self.assertEqual((seen.status, seen.decisions, seen.requests), (0, [], []), seen.err)
                self.assert_exports_nothing(seen.environment)

    def test_allowed(self):
        for caller, target, key in [("bob", "alice", "alice"), ("bob", "alice", "custom"), ("alice", "alice", "alice"),
                                    ("carol", "deploy", "deploy")]:
            for way, (_, _, service) in WAYS.items():
                with self.subTest(way, caller=caller, target=target, key=key):
                    seen = self.su(caller, target, key, way=way)
                    self.assertEqual(seen.status, 0, seen.err)
                    self.assert_decided(seen, "allowed", requests=1, user=target, ruser=caller, service=service)
                    self.assert_exports(seen.environment, target)
                    plain = self.su(None, target, way=way).environment
                    self.assertEqual(seen.environment.keys() - plain.keys(), VARIABLES)

    def test_refused(self):
        for caller, target, key, result, reason, requests in [
                ("bob", "alice", "bob", "denied", ".*not among this user's iam_ids", 1),
                ("bob", "alice", "unknown", "key-rejected", "IAM does not know this API key", 1),
                ("bob", "alice", "disabled", "key-rejected", "the API key is disabled", 1),
                ("bob", "alice", "mallory", "denied", ".*not a member of a permitted account", 1),
                ("bob", "alice", "tenant_ignored", "denied", ".*not listed in accounts", 1),
                ("bob", "alice", "a short password", "key-rejected", ".*under 32 characters.*", 0),
                ("alice", "carol", "alice", "user-unknown", "the configuration has no rule for this user", 0),
                ("alice", "root", "alice", "user-unknown", r"uid 0 may not log in.*", 0),
                ("alice", "_ibmiam", "alice", "user-unknown", "uid 990 is under minimum_uid 1000", 0)]:
            for way in "su", "su -":
                with self.subTest(way, caller=caller, target=target, key=key):
                    seen = self.su(caller, target, key, way=way)
                    self.assert_decided(seen, result, requests=requests, user=target, ruser=caller, reason=reason)
                    # The last word is libpam's text for the PAM code, which su prints; ours would be before it.
                    self.assertRegex(seen.err, r"^IBM Cloud API key: \n?su: [\w ]+\n$")
                    self.assertEqual((seen.status, seen.out), (1, ""))

    def test_root(self):
        machine.configure(rule(machine, "root", "host"), allow_root="true")
        for key, result in {"host": "allowed", "alice": "denied"}.items():
            with self.subTest(key=key):
                seen = self.su("bob", "root", key)
                self.assert_decided(seen, result, requests=1, user="root", ruser="bob")
                if result == "allowed":
                    self.assert_exports(seen.environment, "host")

    def test_what_is_exported(self):
        for more, way, expected in [("service su { export = false }", "su", set()),
                                    ("service su { export = false }", "su -", set()),
                                    ("service su { export = target }", "su", VARIABLES),
                                    ("service su-l { export = false }", "su", VARIABLES),
                                    ("service su-l { export = false }", "su -", set()),
                                    ("service su { export = false }\nservice su-l { }", "su -", VARIABLES)]:
            machine.configure(more)
            with self.subTest(more, way=way):
                seen = self.su("bob", "alice", "alice", way=way)
                self.assertEqual(seen.status, 0, seen.err)
                self.assertEqual({n for n, v in seen.environment.items() if self.is_ours(n, v)}, expected)

    def test_a_rule_for_one_service(self):
        """Its login form is meant too."""
        machine.configure(rule(machine, "carol", "host", 'services = { "su" }'))
        for way, result, requests in [("su", "allowed", 1), ("su -", "allowed", 1)]:
            with self.subTest(way):
                self.assert_decided(self.su("bob", "carol", "host", way=way), result, requests=requests)

    def test_a_forged_stash(self):
        """The caller's environment is not the PAM environment."""
        seen = self.su("bob", "alice", "unknown", env={"PAM_IBMIAM_STASH": "AQMBAAZhbGljZQA"})
        self.assert_decided(seen, "key-rejected", requests=1)
        seen = self.su("bob", "alice", "alice", way="su -", env={"PAM_IBMIAM_STASH": "AQMBAAZhbGljZQA"})
        self.assert_exports(seen.environment, "alice")

    def test_only_her_session_has_it(self):
        """While it lasts, her processes have the token in their environment; su, which waits, and bob have not."""
        bob = subprocess.Popen(["sh", "-c", "su alice -c 'env; echo ready; read end; exit 7'"], text=True,
                               user=USERS["bob"], group=USERS["bob"], extra_groups=[], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"})
        bob.stdin.write(keys["alice"] + "\n")
        bob.stdin.flush()
        text = "".join(iter(bob.stdout.readline, "ready\n"))
        machine.leaks.learn(text)
        self.assert_exports(environment(text), "alice")
        watcher = Watcher()
        watcher.look()
        self.assertTrue(watcher.saw(b"su\0alice"))
        self.assertEqual(watcher.leaks(machine.leaks, {USERS["alice"]}), [])
        self.assertNotEqual(watcher.leaks(machine.leaks, set()), [], "she has none either")
        self.assertEqual((bob.communicate("end\n", TIMEOUT_S)[0], bob.returncode), ("", 7))

    def test_iam_down(self):
        machine.configure(endpoint=f'"{machine.iam.urls["no_listen"]}"')
        seen = self.su("bob", "alice", "alice")
        self.assert_decided(seen, "unavailable", requests=0, user="alice", ruser="bob")
        self.assertEqual((seen.status, seen.out), (1, ""))
        self.assertIn(UNREACHABLE, seen.err)

    def test_fallback(self):
        machine.pam_example("su-fallback", "su")
        right, wrong = machine.passwords["alice"], machine.passwords["bob"]
        down = {"endpoint": f'"{machine.iam.urls["no_listen"]}"'}
        for name, config, answers, status, result in [
                ("IAM down, right password", down, ("alice", right), 0, "unavailable"),
                ("IAM down, wrong password", down, ("alice", wrong), 1, "unavailable"),
                ("a wrong key, right password", {}, ("unknown", right), 1, "key-rejected"),
                ("another's key, right password", {}, ("bob", right), 1, "denied"),
                ("right password only", {}, (right, right), 1, "key-rejected"),
                # IAM calls this a missing parameter; that whoever types can have at will is no outage
                ("a blank key, right password", {}, (" " * 32, right), 1, "key-rejected"),
                ("a blank key of another kind", {}, ("\u3000" * 32, right), 1, "key-rejected")]:
            machine.configure(**config)
            with self.subTest(name):
                seen = self.su("bob", "alice", *answers)
                self.assertEqual([d[0] for d in seen.decisions], [result])
                self.assertEqual(seen.status, status, seen.err)
                self.assertEqual("Password: " in seen.err, result == "unavailable", seen.err)
                if status == 0:
                    self.assert_exports_nothing(seen.environment)
        machine.configure()
        with self.subTest("IAM up"):
            self.assert_exports(self.su("bob", "alice", "alice").environment, "alice")


def tearDownModule():
    machine.assert_clean()


suite.main()
