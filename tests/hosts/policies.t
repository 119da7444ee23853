#!/usr/bin/python3
"""Real sudo and sshd, where IBM Cloud's console decides: who may assume a trusted profile or is in an access group gets
sudo, and loses it there; who has an address of the company's gets in without a line of his own.
"""
import os
import pwd
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import HostTest, Seen, begin, claims, rule  # noqa: E402
from machine import CONFIG, write  # noqa: E402

machine = HostTest.machine = begin()
keys, ids, ready = machine.iam.keys, machine.iam.iam_ids, machine.iam.ready
METHODS = ("password", "keyboard-interactive")
BOTH = ("PasswordAuthentication yes", "KbdInteractiveAuthentication yes")
HOST_KEY = Path("/etc/security/ibmiam.key")
SUDO = {"a command": ("env",), "as another": ("-u", "carol", "env"), "-i": ("-i", "env"), "-s": ("-s", "env"),
        "-l": ("-l",), "-v": ("-v",)}
NO_PROFILE = "IAM does not let the key's identity assume the trusted profile .* of this service"
NO_GROUP = "the key's identity is in none of this service's access_groups"
NOT_HIS = "the key's identity is no IBMid with the e-mail address of this user in an email_domain"


def profile(name: str) -> str:
    return f'trusted_profile = "{ready["profiles"][name]["id"]}"'


def groups(*names: str) -> str:
    return "access_groups = { " + ", ".join(f'"{ready["groups"][name]["id"]}"' for name in names) + " }"


def sudoers(timeout: int = 0) -> None:
    write(Path("/etc/sudoers"), f"Defaults env_reset, use_pty, passwd_tries=1, timestamp_timeout={timeout}\n"
          "alice ALL=(ALL:ALL) ALL\nbob ALL=(ALL:ALL) ALL\n", 0o440)


class Policies(HostTest):
    """The host's own key in its place."""

    def setUp(self):
        write(HOST_KEY, keys["host"] + "\n", 0o640)
        os.chown(HOST_KEY, 0, pwd.getpwnam("_ibmiam").pw_gid)
        # Where a key may lie: assert_clean() looks for keys everywhere else.
        self.addCleanup(HOST_KEY.unlink)

    def configure(self, text: str, **changes: str) -> None:
        machine.configure(text, directory_key_file=f'"{HOST_KEY}"', **changes)


class Sudo(Policies):
    def setUp(self):
        super().setUp()
        machine.pam_example("sudo", "sudo", "sudo-i")
        sudoers()

    def sudo(self, *arguments: str, user: str = "alice", answers: tuple[str, ...] = ()) -> Seen:
        answer = "".join(keys.get(name, name) + "\n" for name in answers or (user,))
        return self.attempt(machine.run, "sudo", "-S", *arguments, user=user, answer=answer)

    def assert_granted(self, seen: Seen, requests: int, **fields: str) -> None:
        self.assertEqual(seen.status, 0, seen.err)
        self.assert_decided(seen, "allowed", requests=requests, **fields)

    def assert_withheld(self, seen: Seen, check: str, requests: int, reason: str, result: str = "denied") -> None:
        self.assert_decided(seen, result, requests=requests, check=check, reason=reason)
        self.assertEqual((seen.status, seen.out), (1, ""))

    def test_a_profile_grants_it(self):
        self.configure(f"service sudo {{ {profile('operators')} export = false }}")
        iam_id = ready["profiles"]["operators"]["iam_id"]
        for name, arguments in SUDO.items():
            with self.subTest(name, user="alice"):
                seen = self.sudo(*arguments)
                self.assert_granted(seen, 2, profile=iam_id, iam_id=ids["alice"])
                if "env" in arguments:
                    self.assert_exports_nothing(seen.environment)
            with self.subTest(name, user="bob"):
                self.assert_withheld(self.sudo(*arguments, user="bob"), "profile", 2, NO_PROFILE)

    def test_a_group_grants_it(self):
        self.configure(f"service sudo {{ {groups('operators')} export = false }}")
        for name, arguments in SUDO.items():
            with self.subTest(name, user="alice"):
                self.assert_granted(self.sudo(*arguments), 3)
            with self.subTest(name, user="bob"):
                self.assert_withheld(self.sudo(*arguments, user="bob"), "groups", 3, NO_GROUP)

    def test_withdrawn(self):
        """In IAM, and nothing is touched on the host: the next command is refused."""
        for what, policy, check, requests, reason in [
                ("a profile", profile("fault_then_withdrawn"), "profile", 2, NO_PROFILE),
                ("a group", groups("fault_then_removed"), "groups", 3, NO_GROUP)]:
            self.configure(f"service sudo {{ {policy} }}")
            with self.subTest(what):
                self.assert_granted(self.sudo("true"), requests)
                for arguments in ("env",), ("-u", "carol", "env"), ("-i", "env"), ("-l",):
                    self.assert_withheld(self.sudo(*arguments), check, requests, reason)

    def test_a_cached_timestamp_knows_of_no_withdrawal(self):
        """For as long as sudo does not ask, nobody can say no: which is why the examples set it to 0."""
        self.configure(f"service sudo {{ {profile('auditors')} }}")
        sudoers(timeout=15)
        script = "sudo -S true && sudo -n true && sudo -n -u carol true; s=$?; sudo -K; exit $s"
        seen = self.attempt(machine.run, "sh", "-c", script, user="bob", answer=keys["bob"] + "\n")
        self.assert_granted(seen, 2)
        seen = self.attempt(machine.run, "sh", "-c", script, user="alice", answer=keys["alice"] + "\n")
        self.assert_withheld(seen, "profile", 2, NO_PROFILE)

    def test_sudo_i_may_have_a_policy_of_its_own(self):
        self.configure(f"service sudo {{ {profile('operators')} }}\nservice sudo-i {{ {profile('auditors')} }}")
        self.assert_granted(self.sudo("env"), 2)
        self.assert_withheld(self.sudo("-i", "env"), "profile", 2, NO_PROFILE)

    def test_all_services(self):
        """A block for "*" holds for sudo as long as that has none."""
        self.configure(f'service "*" {{ {profile("auditors")} }}')
        self.assert_withheld(self.sudo("env"), "profile", 2, NO_PROFILE)
        self.assert_withheld(self.sudo("-i", "env"), "profile", 2, NO_PROFILE)
        self.configure(f'service "*" {{ {profile("auditors")} }}\nservice sudo {{ }}')
        self.assert_granted(self.sudo("env"), 1)

    def test_users_and_networks(self):
        for text, user, check, reason in [
                ('users = { "alice" }', "bob", "service", "the service's rule does not list this user"),
                ('networks = { "192.0.2.0/24" }', "alice", "network", ".* is in none of the service's networks")]:
            self.configure(f"service sudo {{ {text} }}")
            for arguments in SUDO.values():
                with self.subTest(text, arguments=arguments):
                    self.assert_withheld(self.sudo(*arguments, user=user), check, 0, reason)
        self.configure('service sudo { users = { "alice" } networks = { "local" } }')
        self.assert_granted(self.sudo("env"), 1)

    def test_break_glass(self):
        """The local password counts where IAM cannot say, at whatever step; never where it says no."""
        machine.pam_example("sudo-fallback", "sudo")
        password = machine.passwords["alice"]
        for policy, result, status in [
                (profile("fault_r503"), "unavailable", 0), (groups("fault_r500"), "unavailable", 0),
                (profile("auditors"), "denied", 1), (groups("auditors"), "denied", 1),
                (profile("operators"), "allowed", 0)]:
            self.configure(f"service sudo {{ {policy} export = false }}")
            with self.subTest(policy, result=result):
                seen = self.sudo("env", answers=("alice", password))
                self.assertEqual([d[0] for d in seen.decisions], [result])
                self.assertEqual(seen.status, status, seen.err)
                self.assertEqual("[sudo] password for alice" in seen.err, result == "unavailable", seen.err)
        write(HOST_KEY, keys["disabled"] + "\n", 0o640)
        self.configure(f"service sudo {{ {groups('operators')} }}")
        with self.subTest("the host's own key is wrong: no outage"):
            seen = self.sudo("env", answers=("alice", password))
            self.assertEqual(([d[0] for d in seen.decisions], seen.status), (["config-error"], 1), seen.err)


class Ssh(Policies):
    """sshd in both of its ways to ask."""

    @classmethod
    def setUpClass(cls):
        machine.pam_example("sshd")
        cls.sshd = machine.sshd(*BOTH)

    def by_domain(self, more: str = "", rules: str = "", **changes: str) -> None:
        """Nobody has a rule but by his domain, and these."""
        self.configure("", **changes)
        kept = [line for line in CONFIG.read_text().splitlines() if not line.startswith("user ")]
        write(CONFIG, "\n".join([*kept, rules, f'email_domain "example.com" {{ {more} }}', ""]), 0o640)

    def test_whose_address_it_is(self):
        self.by_domain()
        for method in METHODS:
            for user, key in ("alice", "alice"), ("bob", "bob"), ("alice", "custom"), ("alice", "shouting"):
                with self.subTest(user=user, key=key, method=method):
                    seen = self.attempt(self.sshd.login, user, keys[key], method=method)
                    self.assertEqual(seen.status, 0, seen.err)
                    self.assert_decided(seen, "allowed", requests=1, iam_id=ids[key])
                    self.assert_exports(seen.environment, key)
        for key in ("bob", "capital", "plus", "dotted", "subdomain", "lookalike", "no_email", "root", "service_email",
                    "appid", "host"):
            with self.subTest(user="alice", key=key):
                seen = self.attempt(self.sshd.login, "alice", keys[key])
                self.assert_decided(seen, "denied", requests=1, check="identity", reason=NOT_HIS)
                self.assertEqual((seen.status, seen.out), (255, ""))

    def test_no_system_account(self):
        self.by_domain(allow_root="true")
        for user, key, check, reason in [
                ("root", "root", "rule", "the configuration has no rule for this user"),
                ("nobody", "nobody", "rule", "the configuration has no rule for this user"),
                ("lowly", "alice", "uid", "uid 301 is under minimum_uid 1000")]:
            for method in METHODS:
                with self.subTest(user=user, method=method):
                    seen = self.attempt(self.sshd.login, user, keys[key], method=method)
                    self.assert_decided(seen, "user-unknown", requests=0, check=check, reason=reason)
                    self.assertEqual((seen.status, seen.out), (255, ""))

    def test_a_user_block_wins(self):
        self.by_domain(rules=rule(machine, "alice", "bob"))
        seen = self.attempt(self.sshd.login, "alice", keys["alice"])
        self.assert_decided(seen, "denied", requests=1, reason=".*not among this user's iam_ids")
        seen = self.attempt(self.sshd.login, "alice", keys["bob"])
        self.assert_decided(seen, "allowed", requests=1, iam_id=ids["bob"])

    def test_the_domains_own_conditions(self):
        for more, user, result, check, requests in [
                (groups("operators"), "alice", "allowed", "", 3), (groups("operators"), "bob", "denied", "groups", 3),
                (profile("auditors"), "alice", "denied", "profile", 2), (profile("auditors"), "bob", "allowed", "", 2),
                ('services = { "sudo" }', "alice", "denied", "identity", 1)]:
            self.by_domain(more)
            with self.subTest(more, user=user):
                seen = self.attempt(self.sshd.login, user, keys[user])
                self.assert_decided(seen, result, requests=requests, check=check)
                self.assertEqual(seen.status, 0 if result == "allowed" else 255, seen.err)

    def test_networks(self):
        """sshd says where somebody comes from."""
        for networks, result in ('"127.0.0.0/8"', "allowed"), ('"local"', "denied"), ('"10.0.0.0/8", "::1"', "denied"):
            self.configure(f"service sshd {{ networks = {{ {networks} }} }}")
            for method in METHODS:
                with self.subTest(networks, method=method):
                    seen = self.attempt(self.sshd.login, "alice", keys["alice"], method=method)
                    self.assert_decided(seen, result, requests=int(result == "allowed"),
                                        check="" if result == "allowed" else "network", rhost=r"127\.0\.0\.1")

    def test_least_privilege(self):
        """The session has the profile's token, and knows whose it is."""
        self.configure(rule(machine, "carol", "alice", profile("operators")))
        known = ready["profiles"]["operators"]
        for method in METHODS:
            with self.subTest(method):
                seen = self.attempt(self.sshd.login, "carol", keys["alice"], method=method)
                self.assertEqual(seen.status, 0, seen.err)
                self.assert_decided(seen, "allowed", requests=2, profile=known["iam_id"], iam_id=ids["alice"])
                token = claims(seen.environment["IBMIAM_TOKEN"])
                self.assertEqual((token["iam_id"], token["authn"]["iam_id"]), (known["iam_id"], ids["alice"]))
                self.assertEqual(seen.environment["IC_IAM_TOKEN"], "Bearer " + seen.environment["IBMIAM_TOKEN"])
                self.assertEqual(seen.environment["IBMIAM_IAM_ID"], ids["alice"])


def tearDownModule():
    machine.assert_clean()


suite.main()
