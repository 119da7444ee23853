#!/usr/bin/python3
"""Real sudo: alice proves herself with her key, and the command runs as somebody else.

sudo sets PAM_USER to the target before setcred, puts the PAM environment into the command's, and may call
neither setcred nor open_session. A token in the command's environment would be alice's power in root's hands,
or in bob's: it must never get there, unless the configuration says so.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import HostTest, Seen, begin, rule  # noqa: E402
from machine import environment, write  # noqa: E402

machine = HostTest.machine = begin()
keys = machine.iam.keys
PROMPT = "IBM Cloud API key: "

# Each line of Defaults, and whether sudo then calls the module after authenticate at all.
DEFAULTS = {"": True, "!pam_setcred": True, "!pam_session": True, "!pam_setcred, !pam_session": False,
            "!use_pty": True, "!env_reset": True}
TO_OTHERS = {
    "as root": ("env",),
    "as bob": ("-u", "bob", "env"),
    "in root's login shell": ("-i", "env"),
    "in bob's login shell": ("-i", "-u", "bob", "env"),
    "in a shell": ("-s", "env"),
    "with her own environment": ("-E", "env"),
    "as another group": ("-u", "bob", "-g", "deploy", "env"),
    "in the background": ("-b", "env"),
}


def sudoers(defaults: str = "", tries: int = 1, timeout: int = 0) -> None:
    more = f", {defaults}" if defaults else ""
    write(Path("/etc/sudoers"), "Defaults env_reset, use_pty, logfile=/var/log/sudo.log\n"
          f"Defaults passwd_tries={tries}, timestamp_timeout={timeout}{more}\n"
          "root ALL=(ALL:ALL) ALL\nalice ALL=(ALL:ALL) SETENV: ALL\ncarol ALL=(ALL:ALL) ALL\n", 0o440)


class Sudo(HostTest):
    def setUp(self):
        machine.configure()
        machine.pam_example("sudo", "sudo", "sudo-i")
        sudoers()

    def sudo(self, *arguments: str, user: str = "alice", answers: tuple[str, ...] = ("alice",)) -> Seen:
        """Answers are names of keys, or texts."""
        answer = "".join(keys.get(name, name) + "\n" for name in answers)
        return self.attempt(machine.run, "sudo", "-S", *arguments, user=user, answer=answer)

    def assert_ran(self, seen: Seen, service: str = "sudo", user: str = "alice") -> None:
        self.assertEqual(seen.status, 0, seen.err)
        self.assert_decided(seen, "allowed", requests=1, user=user, service=service, ruser="alice")
        self.assertEqual(seen.environment["SUDO_USER"], "alice")

    def test_nothing_reaches_another_user(self):
        for defaults in *DEFAULTS, "log_input, log_output, !compress_io":  # assert_clean() looks at those logs
            sudoers(defaults)
            for name, arguments in TO_OTHERS.items():
                with self.subTest(name, defaults=defaults):
                    seen = self.sudo(*arguments)
                    self.assert_ran(seen, "sudo-i" if "-i" in arguments else "sudo")
                    self.assertEqual(seen.environment["USER"], "bob" if "bob" in arguments else "root")
                    self.assert_exports_nothing(seen.environment)

    def test_her_own_reaches_herself(self):
        """sudo asks for a key only where something changes, here the group."""
        for defaults, called in DEFAULTS.items():
            sudoers(defaults)
            for arguments in ("-g", "deploy", "env"), ("-E", "-g", "deploy", "env"), ("-g", "deploy", "-s", "env"):
                with self.subTest(arguments=arguments, defaults=defaults):
                    seen = self.sudo(*arguments)
                    self.assert_ran(seen)
                    if called:
                        self.assert_exports(seen.environment, "alice")
                    else:
                        self.assert_exports_nothing(seen.environment)
            with self.subTest("as herself, not asked", defaults=defaults):
                seen = self.sudo("-u", "alice", "env", answers=())
                self.assertEqual((seen.status, seen.decisions, seen.requests), (0, [], []))
                self.assert_exports_nothing(seen.environment)

    def test_export_target(self):
        """The admin's explicit choice."""
        machine.configure("service sudo { export = target }")
        for defaults, called in DEFAULTS.items():
            sudoers(defaults)
            for arguments in ("env",), ("-u", "bob", "env"), ("-g", "deploy", "env"):
                with self.subTest(arguments=arguments, defaults=defaults):
                    seen = self.sudo(*arguments)
                    self.assert_ran(seen)
                    if called:
                        self.assert_exports(seen.environment, "alice")
                    else:
                        self.assert_exports_nothing(seen.environment)
        sudoers()
        with self.subTest("sudo -i is meant too"):
            self.assert_exports(self.sudo("-i", "env").environment, "alice")
        machine.configure("service sudo { export = target }\nservice sudo-i { export = true }")
        with self.subTest("unless it has a block of its own"):
            self.assert_exports_nothing(self.sudo("-i", "env").environment)

    def test_export_false(self):
        machine.configure("service sudo { export = false }")
        for arguments in ("env",), ("-u", "bob", "env"), ("-g", "deploy", "env"):
            with self.subTest(arguments=arguments):
                seen = self.sudo(*arguments)
                self.assert_ran(seen)
                self.assert_exports_nothing(seen.environment)

    def test_list_and_validate(self):
        for arguments in ("-l",), ("-v",), ("-l", "env"):
            with self.subTest(arguments=arguments):
                seen = self.sudo(*arguments)
                self.assertEqual(seen.status, 0, seen.err)
                self.assert_decided(seen, "allowed", requests=1, service="sudo", user="alice")
                self.assertEqual(machine.leaks.inside((seen.out + seen.err).encode()), set())

    def test_cached_timestamp(self):
        """A session without authenticate: one key, two commands."""
        for defaults in DEFAULTS:
            sudoers(defaults, timeout=15)
            for first in "sudo -S -v", "sudo -S true":
                for arguments in "env", "-u bob env", "-u alice env", "-E env":
                    with self.subTest(first=first, arguments=arguments, defaults=defaults):
                        script = f"{first} && sudo -n {arguments}; s=$?; sudo -K; exit $s"
                        seen = self.attempt(machine.run, "sh", "-c", script, user="alice", answer=keys["alice"] + "\n")
                        self.assert_ran(seen)
                        self.assert_exports_nothing(seen.environment)

    def test_refused(self):
        # sudo's own text for PAM_USER_UNKNOWN
        said = {"user-unknown": "sudo: PAM authentication error: User not known to the underlying authentication "
                                "module\nsudo: a password is required\n"}
        for user, key, result, reason, requests in [
                ("alice", "unknown", "key-rejected", "IAM does not know this API key", 1),
                ("alice", "mallory", "denied", ".*not a member of a permitted account", 1),
                ("alice", "tenant_ignored", "denied", ".*not listed in accounts", 1),
                ("alice", "bob", "denied", ".*not among this user's iam_ids", 1),
                ("alice", "deploy", "denied", ".*not among this user's iam_ids", 1),
                ("alice", "a short password", "key-rejected", ".*under 32 characters.*", 0),
                ("carol", "alice", "user-unknown", "the configuration has no rule for this user", 0)]:
            for arguments in ("env",), ("-u", "bob", "env"), ("-i", "env"), ("-l",), ("-v",):
                with self.subTest(user=user, key=key, arguments=arguments):
                    seen = self.sudo(*arguments, user=user, answers=(key,))
                    self.assert_decided(seen, result, requests=requests, user=user, ruser=user, reason=reason)
                    self.assertEqual((seen.status, seen.out), (1, ""))
                    self.assertEqual(seen.err, PROMPT + said.get(result, "sudo: 1 incorrect password attempt\n"))

    def test_three_tries(self):
        sudoers(tries=3)
        seen = self.sudo("-g", "deploy", "env", answers=("unknown", "bob", "alice"))
        self.assertEqual([d[0] for d in seen.decisions], ["key-rejected", "denied", "allowed"])
        self.assertEqual((seen.status, len(seen.requests), seen.err.count(PROMPT)), (0, 3, 3))
        self.assert_exports(seen.environment, "alice")

    def test_a_rule_for_other_services_only(self):
        machine.configure(rule(machine, "carol", "host", 'services = { "sshd" }'))
        seen = self.sudo("env", user="carol", answers=("host",))
        self.assert_decided(seen, "denied", requests=0, reason="the user's rule does not list this service")
        self.assertEqual((seen.status, seen.out), (1, ""))

    def test_targetpw(self):
        """Here sudo asks for the target's key: it is his token, and his session."""
        sudoers("targetpw")
        for key, result in {"bob": "allowed", "alice": "denied"}.items():
            with self.subTest(key=key):
                seen = self.sudo("-u", "bob", "env", answers=(key,))
                self.assert_decided(seen, result, requests=1, user="bob", ruser="alice")
                if result == "allowed":
                    self.assert_exports(seen.environment, "bob")
                else:
                    self.assertEqual((seen.status, seen.out), (1, ""))
        with self.subTest("root's key, which there is none of"):
            seen = self.sudo("env")
            self.assert_decided(seen, "user-unknown", requests=0, user="root", ruser="alice")

    def test_iam_down(self):
        """sudo calls with PAM_SILENT, so the user is not told why."""
        machine.configure(endpoint=f'"{machine.iam.urls["no_listen"]}"')
        seen = self.sudo("env")
        self.assert_decided(seen, "unavailable", requests=0, user="alice")
        self.assertEqual((seen.status, seen.out, seen.err), (1, "", PROMPT + "sudo: 1 incorrect password attempt\n"))

    def test_fallback(self):
        machine.pam_example("sudo-fallback", "sudo")
        right, wrong = machine.passwords["alice"], machine.passwords["bob"]
        down = {"endpoint": f'"{machine.iam.urls["no_listen"]}"'}
        for name, config, answers, status, result in [
                ("IAM down, right password", down, ("alice", right), 0, "unavailable"),
                ("IAM down, wrong password", down, ("alice", wrong), 1, "unavailable"),
                ("IAM up", {}, ("alice",), 0, "allowed"),
                ("a wrong key, right password", {}, ("unknown", right), 1, "key-rejected"),
                ("another's key, right password", {}, ("bob", right), 1, "denied"),
                ("right password only", {}, (right, right), 1, "key-rejected")]:
            machine.configure(**config)
            with self.subTest(name):
                seen = self.sudo("env", answers=answers)
                self.assertEqual([d[0] for d in seen.decisions], [result])
                self.assertEqual(seen.status, status, seen.err)
                # sudo puts its own prompt in the place of "Password: "
                self.assertEqual("[sudo] password for alice" in seen.err, result == "unavailable", seen.err)
                if status == 0:
                    self.assert_exports_nothing(seen.environment)

    def test_no_stash_before_setcred(self):
        """sudo without setcred and session gives its command what authenticate has left in the PAM environment.
        Sudo 1.9.13 happens not to; pam_exec shows what there would be."""
        dump = machine.scratch / "pam-environment"
        text = Path("/etc/pam.d/sudo").read_text()
        self.assertEqual(text.count("pam_ibmiam.so\n"), 2)
        write(Path("/etc/pam.d/sudo"), text.replace(
            "pam_ibmiam.so\n", f"pam_ibmiam.so\nauth required pam_exec.so log={dump} /usr/bin/env\n", 1))
        for defaults in DEFAULTS:
            sudoers(defaults)
            with self.subTest(defaults):
                dump.unlink(missing_ok=True)
                seen = self.sudo("env")
                self.assert_ran(seen)
                between = environment(dump.read_text())
                self.assertEqual(between["PAM_USER"], "alice")
                self.assertEqual({n for n, v in between.items() if self.is_ours(n, v)}, set())

    def test_sudoedit(self):
        """The editor runs as alice, but in root's name."""
        editor = Path("/usr/local/bin/show-environment")
        write(editor, "#!/bin/sh\nenv\n", 0o755)
        seen = self.attempt(machine.run, "sudo", "-S", "-e", "/etc/hosts", user="alice", answer=keys["alice"] + "\n",
                            env={"SUDO_EDITOR": str(editor)})
        self.assert_decided(seen, "allowed", requests=1, user="alice", ruser="alice")
        self.assertEqual((seen.status, seen.environment.get("SUDO_EDITOR")), (0, str(editor)), seen.err)
        self.assert_exports_nothing(seen.environment)

    def test_root_is_not_asked(self):
        seen = self.attempt(machine.run, "sudo", "-u", "alice", "env")
        self.assertEqual((seen.status, seen.decisions, seen.requests), (0, [], []))
        self.assert_exports_nothing(seen.environment)


def tearDownModule():
    machine.assert_clean()


suite.main()
