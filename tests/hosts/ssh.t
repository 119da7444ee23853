#!/usr/bin/python3
"""Real OpenSSH, in password and in keyboard-interactive mode, with the files of conf/pam.d.

Password mode authenticates and opens the session in one process; keyboard-interactive authenticates in a
forked child, from which only the PAM environment comes back. Everything must be the same in both.
"""
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, NamedTuple

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import UNREACHABLE, UUID, VARIABLES, HostTest, Seen, begin, rule  # noqa: E402
from machine import environment, processes, until  # noqa: E402

machine = HostTest.machine = begin()
keys, ids, home = machine.iam.keys, machine.iam.iam_ids, machine.iam.accounts["home"]
METHODS = ("password", "keyboard-interactive")
BOTH = ("PasswordAuthentication yes", "KbdInteractiveAuthentication yes")
THREE_PROMPTS = ("-o", "NumberOfPasswordPrompts=3")
TELL = ("-o", "LogLevel=INFO")
DENIED = "USER@127.0.0.1: Permission denied (publickey,password,keyboard-interactive)."
MISSING = "nobodyhere"  # no such user


class Case(NamedTuple):
    """A login: who tries, with whose key (or which text), and what comes of it."""
    name: str
    user: str
    key: str
    result: str
    reason: str
    requests: int = 1
    code: str = ""  # IAM's
    config: dict[str, str] = {}
    more: str = ""  # configuration blocks


YES = "the key's identity may log in as this user"
NO_RULE = "the configuration has no rule for this user"
NO_ROOT = r"uid 0 may not log in \(allow_root is off\)"
TOO_SHORT = "the answer is under 32 characters, so it is no API key"
NOT_TEXT = "the answer holds control characters or is not UTF-8, so it is no API key"
NO_MEMBER = "the key's user is not a member of a permitted account"
ROOT_ON = {"allow_root": "true"}

ALLOWED = [
    Case("a user's key", "alice", "alice", "allowed", YES),
    Case("a user-made key of odd characters", "alice", "custom", "allowed", YES),
    Case("a service ID's key", "deploy", "deploy", "allowed", YES),
    Case("root, with allow_root", "root", "host", "allowed", YES, config=ROOT_ON, more=rule(machine, "root", "host")),
    Case("a uid over a lowered minimum_uid", "lowly", "host", "allowed", YES, config={"minimum_uid": "301"},
         more=rule(machine, "lowly", "host")),
    Case("a service that the user's rule lists", "carol", "host", "allowed", YES,
         more=rule(machine, "carol", "host", 'services = { "sudo", "sshd" }')),
]

REFUSED = [
    Case("a key that IAM does not know", "alice", "unknown", "key-rejected", "IAM does not know this API key",
         code="BXNIM0415E"),
    Case("a disabled key", "alice", "disabled", "key-rejected", "the API key is disabled", code="BXNIM0462E"),
    Case("the key of a suspended user", "alice", "suspended", "key-rejected", ".*suspended.*", code="BXNIM0436E"),
    Case("a foreign account's key", "alice", "mallory", "denied", NO_MEMBER, code="BXNIM0141E"),
    Case("a foreign account's key, tenant header ignored", "alice", "tenant_ignored", "denied",
         ".*an account that is not listed in accounts"),
    Case("another user's key", "alice", "bob", "denied", "the key's iam_id is not among this user's iam_ids"),
    Case("the same email address of another realm", "alice", "appid", "denied", ".*not among this user's iam_ids"),
    Case("a user without a rule", "carol", "alice", "user-unknown", NO_RULE, 0),
    Case("a user that does not exist", MISSING, "alice", "user-unknown", "there is no such local account", 0),
    Case("a user that does not exist, with a rule", MISSING, "alice", "user-unknown", ".*no such local account", 0,
         more=rule(machine, MISSING, "alice")),
    Case("root", "root", "host", "user-unknown", NO_ROOT, 0, more=rule(machine, "root", "host")),
    Case("root, with allow_root but no rule", "root", "host", "user-unknown", NO_RULE, 0, config=ROOT_ON),
    Case("a uid under minimum_uid", "lowly", "host", "user-unknown", "uid 301 is under minimum_uid 1000", 0,
         more=rule(machine, "lowly", "host")),
    Case("a service that the user's rule does not list", "carol", "host", "denied", ".*does not list this service", 0,
         more=rule(machine, "carol", "host", 'services = { "sudo", "su" }')),
    Case("no accounts", "alice", "alice", "config-error", ".*lists no accounts.*", 0, config={"accounts": ""}),
    Case("a short password", "alice", "=Tr0ub4dor&3", "key-rejected", TOO_SHORT, 0),
    Case("31 characters", "alice", "=" + "k" * 31, "key-rejected", TOO_SHORT, 0),
    Case("a control character", "alice", "=" + "k" * 40 + "\x1b", "key-rejected", NOT_TEXT, 0),
    Case("600 characters", "alice", "=" + "k" * 600, "key-rejected", ".*over 510 bytes.*", 0),
]


def said(seen: Seen) -> str:
    """What the user was shown besides the prompt."""
    return "\n".join(line for line in seen.err.splitlines() if line and "Permanently added" not in line)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Ssh(HostTest):
    """One sshd with conf/pam.d/sshd, one with conf/pam.d/sshd-fallback."""

    @classmethod
    def setUpClass(cls):
        machine.pam_example("sshd")
        machine.pam_example("sshd-fallback")
        cls.sshd = machine.sshd(*BOTH)
        cls.fallback = machine.sshd(*BOTH, name="sshd-fallback")

    def setUp(self):
        machine.configure()

    def each(self, cases: list[Case], check: Callable[[Case, str, Seen], None]) -> None:
        for case in cases:
            machine.configure(case.more, **case.config)
            for method in METHODS:
                with self.subTest(case.name, method=method):
                    key = case.key[1:] if case.key[0] == "=" else keys[case.key]
                    seen = self.attempt(self.sshd.login, case.user, key, method=method, options=TELL)
                    self.assert_decided(seen, case.result, requests=case.requests, reason=case.reason, user=case.user,
                                        service="sshd", rhost=r"127\.0\.0\.1", ruser="", code=case.code,
                                        http=r"\d{3}" if case.requests else "",
                                        transaction=UUID if case.requests else "")
                    check(case, method, seen)

    def test_allowed(self):
        def check(case, _, seen):
            owner = "alice" if case.key == "custom" else case.key
            self.assertEqual((seen.status, said(seen)), (0, ""))
            self.assert_exports(seen.environment, owner)
            self.assertEqual(seen.environment.keys() - self.plain_environment(case.user).keys(), VARIABLES)
            self.assertEqual((seen.decisions[0][1]["iam_id"], seen.decisions[0][1]["account"]), (ids[owner], home))
        self.each(ALLOWED, check)

    def plain_environment(self, user: str) -> dict[str, str]:
        """The same session without a key: by public key."""
        options = self.sshd.authorize(user)
        return environment(self.sshd.login(user, "", method="publickey", options=options).stdout)

    def test_refused(self):
        told = {method: set() for method in METHODS}

        def check(case, method, seen):
            self.assertEqual((seen.status, seen.out, len(seen.prompts)), (255, "", 1))
            told[method].add(said(seen).replace(case.user, "USER"))
        self.each(REFUSED, check)
        for method, texts in told.items():
            with self.subTest("every refusal reads the same, whichever check failed", method=method):
                self.assertEqual(texts, {DENIED})


    def test_what_is_exported(self):
        """The user's rule and the service's both have a say."""
        own = 'environment = { "MINE=%{token}", "WHO=%{iam_id} 100%%" }'
        for user, service, expected in [
                ("export = false", "", set()),
                ("", "service sshd { export = false }", set()),
                ("export = true", "service sshd { export = false }", set()),
                ("", "service sshd { export = target }", VARIABLES),
                ("", "service sudo { export = false }", VARIABLES),
                (own, "", {"MINE", "WHO"}),
                ("", f"service sshd {{ {own} }}", {"MINE", "WHO"})]:
            machine.configure(rule(machine, "carol", "alice", user) + service)
            for method in METHODS:
                with self.subTest(user=user, service=service, method=method):
                    seen = self.attempt(self.sshd.login, "carol", keys["alice"], method=method)
                    self.assert_decided(seen, "allowed", requests=1, user="carol")
                    self.assertEqual(seen.status, 0)
                    self.assertEqual({n for n, v in seen.environment.items() if self.is_ours(n, v)}, expected)
                    if "WHO" in expected:
                        self.assertEqual(seen.environment["WHO"], ids["alice"] + " 100%")

    def test_terminal(self):
        for method in METHODS:
            with self.subTest(method=method):
                seen = self.attempt(self.sshd.login, "alice", keys["alice"], "tty && env", method=method,
                                    options=("-tt",))
                self.assertRegex(seen.out, r"^/dev/pts/\d+\n")
                self.assert_exports(seen.environment, "alice")

    def test_second_try_on_one_connection(self):
        """The first answer leaves nothing behind, neither for nor against the second."""
        for method in METHODS:
            for first, result in {"unknown": "key-rejected", "bob": "denied"}.items():
                with self.subTest(first=first, method=method):
                    seen = self.attempt(self.sshd.login, "alice", "", method=method,
                                        answers=(keys[first], keys["alice"]), options=THREE_PROMPTS)
                    self.assertEqual([d[0] for d in seen.decisions], [result, "allowed"])
                    self.assertEqual((seen.status, len(seen.requests)), (0, 2))
                    self.assert_exports(seen.environment, "alice")

    def test_iam_down(self):
        machine.configure(endpoint=f'"{machine.iam.urls["no_listen"]}"')
        for method in METHODS:
            with self.subTest("key only: refused, and told", method=method):
                seen = self.attempt(self.sshd.login, "alice", keys["alice"], method=method, options=TELL)
                self.assert_decided(seen, "unavailable", requests=0, reason="no answer from .*", user="alice")
                # In password mode the protocol has no room for a message.
                told = [UNREACHABLE] * (method == "keyboard-interactive")
                self.assertEqual(said(seen).splitlines(), told + [DENIED.replace("USER", "alice")])
                self.assertEqual(seen.status, 255)
                self.assertEqual(len(seen.prompts), 1)

    def test_iam_down_with_fallback(self):
        machine.configure(endpoint=f'"{machine.iam.urls["no_listen"]}"')
        right = machine.passwords["alice"]
        for password, status in {right: 0, machine.passwords["bob"]: 255}.items():
            with self.subTest("the local password counts", right=status == 0):
                seen = self.attempt(self.fallback.login, "alice", keys["alice"], method="keyboard-interactive",
                                    password=password, options=TELL)
                self.assert_decided(seen, "unavailable", requests=0, service="sshd-fallback")
                self.assertEqual(seen.status, status, seen.err)
                self.assertEqual([text.split(") ", 1)[-1] for text in seen.prompts],
                                 ["IBM Cloud API key: ", UNREACHABLE, "Password: "])
                if status == 0:
                    self.assert_exports_nothing(seen.environment)
        with self.subTest("in password mode there is but one answer, and it is no key"):
            seen = self.attempt(self.fallback.login, "alice", right, method="password")
            self.assert_decided(seen, "key-rejected", requests=0, reason=TOO_SHORT)
            self.assertEqual(seen.status, 255)

    def test_fallback_is_for_outages_only(self):
        """With the right local password at hand, and IAM up."""
        for user, key, result, requests in [("alice", "alice", "allowed", 1), ("alice", "unknown", "key-rejected", 1),
                                            ("alice", "mallory", "denied", 1), ("alice", "bob", "denied", 1),
                                            ("carol", "alice", "user-unknown", 0), ("root", "host", "user-unknown", 0)]:
            for method in METHODS:
                with self.subTest(user=user, key=key, method=method):
                    seen = self.attempt(self.fallback.login, user, keys[key], method=method,
                                        password=keys[key] if method == "password" else machine.passwords[user])
                    self.assert_decided(seen, result, requests=requests)
                    self.assertEqual((seen.status, len(seen.prompts)), (0 if result == "allowed" else 255, 1))
                    if result == "allowed":
                        self.assert_exports(seen.environment, "alice")
        with self.subTest("a local password instead of a key"):
            seen = self.attempt(self.fallback.login, "alice", machine.passwords["alice"], method="keyboard-interactive")
            self.assert_decided(seen, "key-rejected", requests=0, reason=TOO_SHORT)
            self.assertEqual((seen.status, len(seen.prompts)), (255, 1))

    def test_what_sshd_refuses_never_leaves_the_host(self):
        """sshd then answers the prompt itself, with a text that is no key; the user's own key is not even seen."""
        for option, user in {"PermitRootLogin no": "root", "PermitRootLogin prohibit-password": "root",
                             "DenyUsers alice": "alice"}.items():
            sshd = machine.sshd(option, *BOTH)
            machine.configure(rule(machine, "root", "host"), allow_root="true")
            for method in METHODS:
                with self.subTest(option, method=method):
                    seen = self.attempt(sshd.login, user, keys["host" if user == "root" else user], method=method)
                    self.assert_decided(seen, "key-rejected", requests=0, user=user, reason=NOT_TEXT)
                    self.assertEqual((seen.status, seen.out), (255, ""))

    def test_the_account_stack_has_a_say(self):
        nologin = Path("/etc/nologin")
        nologin.touch()
        try:
            for method in METHODS:
                with self.subTest(method=method):
                    seen = self.attempt(self.sshd.login, "alice", keys["alice"], method=method)
                    self.assert_decided(seen, "allowed", requests=1)
                    self.assertEqual((seen.status, seen.out), (255, ""))
        finally:
            nologin.unlink()

    def test_public_key(self):
        """Never asks, never exports: where the module stands in all stacks, and in account and session only."""
        machine.pam("sshd-pubkey", "auth required pam_permit.so", "account required pam_ibmiam.so",
                    "account required pam_permit.so", "session required pam_ibmiam.so")
        for sshd in self.sshd, self.fallback, machine.sshd(name="sshd-pubkey"):
            for user in "alice", "carol", "root":
                with self.subTest(service=sshd.name, user=user):
                    seen = self.attempt(sshd.login, user, "", method="publickey", options=sshd.authorize(user))
                    self.assertEqual((seen.status, seen.decisions, seen.requests), (0, [], []), seen.lines)
                    self.assert_exports_nothing(seen.environment)

    def test_public_key_and_api_key(self):
        for method in METHODS:
            sshd = machine.sshd(f"AuthenticationMethods publickey,{method}", *BOTH)
            for key, result, status in [("alice", "allowed", 0), ("unknown", "key-rejected", 255)]:
                with self.subTest(key=key, method=method):
                    seen = self.attempt(sshd.login, "alice", keys[key], method=f"publickey,{method}",
                                        options=sshd.authorize("alice"))
                    self.assert_decided(seen, result, requests=1)
                    self.assertEqual(seen.status, status)
                    if status == 0:
                        self.assert_exports(seen.environment, "alice")

    def test_the_module_alone_in_the_account_stack(self):
        """Then it lets in whom it has authenticated, and nobody else: a public key is not enough."""
        machine.pam("sshd-account", "auth required pam_ibmiam.so", "account required pam_ibmiam.so",
                    "session required pam_ibmiam.so")
        sshd = machine.sshd(*BOTH, name="sshd-account")
        for method in METHODS:
            with self.subTest(method=method):
                seen = self.attempt(sshd.login, "alice", keys["alice"], method=method)
                self.assert_decided(seen, "allowed", requests=1)
                self.assertEqual(seen.status, 0, seen.err)
                self.assert_exports(seen.environment, "alice")
        with self.subTest(method="publickey"):
            seen = self.attempt(sshd.login, "alice", "", method="publickey", options=sshd.authorize("alice"))
            self.assertEqual((seen.status, seen.out, seen.decisions), (255, "", []))

    def test_deadline(self):
        """IAM has the key and never answers."""
        machine.pam("sshd-hasty", "auth required pam_ibmiam.so timeout=1", "account required pam_permit.so")
        sshd = machine.sshd(*BOTH, name="sshd-hasty")
        for method in METHODS:
            with self.subTest(method=method):
                seen = self.attempt(sshd.login, "alice", keys["fault_hang"], method=method, options=TELL)
                self.assert_decided(seen, "unavailable", requests=1, reason="no answer .*",
                                    elapsed_ms=r"[89]\d\d|[1-4]\d{3}")
                self.assertEqual((seen.status, UNREACHABLE in seen.err), (255, method == "keyboard-interactive"))

    def test_sshd_dies_first(self):
        """While IAM has the key: neither keeper nor broker outlives the process that asked."""
        machine.pam("sshd-patient", "auth required pam_ibmiam.so timeout=60", "account required pam_permit.so")
        sshd = machine.sshd(*BOTH, name="sshd-patient")
        for method in METHODS:
            with self.subTest(method=method), ThreadPoolExecutor(1) as pool:
                before = len(machine.iam.requests())
                login = pool.submit(sshd.login, "alice", keys["fault_hang"], method=method)
                until(lambda: len(machine.iam.requests()) > before, "the key is with IAM")
                broker, = (pid for pid, command in processes().items() if command.startswith("ibmiam-broker"))
                keeper = parent(broker)
                killed = time.monotonic()
                os.kill(parent(keeper), signal.SIGKILL)
                until(lambda: not processes().keys() & {broker, keeper}, "broker and keeper end")
                self.assertLess(time.monotonic() - killed, 10)
                self.assertEqual(login.result().returncode, 255)

    def test_odd_names(self):
        """What somebody calls himself stays one field of one line. (ssh itself refuses quotes and controls.)

        As long as a key, it may be one that was typed at the wrong prompt.
        """
        for name in "x result=allowed user=alice", "back\\slash", "ü€", "%s%n", "n" * 31, "n" * 32, "n" * 200:
            for method in METHODS:
                with self.subTest(length=len(name), method=method):
                    seen = self.attempt(self.sshd.login, name, keys["alice"], method=method)
                    self.assert_decided(seen, "user-unknown", requests=0, service="sshd", rhost=r"127\.0\.0\.1")
                    shown = "".join(c if " " <= c <= "~" else "?" * len(c.encode()) for c in name)
                    if len(name) >= 32:
                        shown = "(not shown: it may be a key)"
                    self.assertEqual(seen.decisions[0][1]["user"], shown)

    def test_twenty_at_once(self):
        """Everybody gets a token of his own, and nobody another's."""
        who = [(user, method) for user in ("alice", "bob") for method in METHODS] * 5
        before = len(machine.iam.requests())
        with ThreadPoolExecutor(len(who)) as pool:
            done = list(pool.map(lambda w: self.sshd.login(w[0], keys[w[0]], method=w[1]), who))
        for (user, _), login in zip(who, done):
            self.assertEqual((login.returncode, environment(login.stdout).get("USER")), (0, user), login.stderr)
            self.assert_exports(environment(login.stdout), user)
        self.assertEqual(len({environment(login.stdout)["IBMIAM_TOKEN"] for login in done}), len(who))
        self.assertEqual([r["status"] for r in machine.iam.requests(before)], [200] * len(who))


def tearDownModule():
    machine.assert_clean()


suite.main()
