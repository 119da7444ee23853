#!/usr/bin/python3
"""The policies of conf/sudoers.d and conf/pam.d with the real sudo: what each asks, of whom, and how long it remembers."""
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import HostTest, Seen, begin  # noqa: E402
from machine import append, write  # noqa: E402
from suite import ROOT  # noqa: E402

machine = HostTest.machine = begin()
keys = machine.iam.keys
POLICIES = sorted((ROOT / "conf/sudoers.d").iterdir())
SYSTEMCTL = Path("/usr/bin/systemctl")
NOT_ASKED = "a password is required"  # sudo -n, where it would have to ask
append("/etc/group", "ibmiam-admins:x:3001:alice")


def policies(*names: str, more: str = "") -> None:
    """A sudoers with the example files of these names."""
    folder = Path("/etc/sudoers.d")
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for path in POLICIES:
        if path.name in names:
            write(folder / path.name, path.read_text(), 0o440)
    write(Path("/etc/sudoers"), "Defaults env_reset, use_pty, passwd_tries=1\nroot ALL=(ALL:ALL) ALL\n" + more +
          "@includedir /etc/sudoers.d\n", 0o440)


class Policies(HostTest):
    def setUp(self):
        machine.configure()
        machine.pam_example("sudo", "sudo")
        machine.pam_example("sudo-i", "sudo-i")

    def script(self, text: str, *, user: str = "alice", answers: tuple[str, ...] = ("alice",)) -> Seen:
        """A shell of that user, in which sudo remembers what it remembers: without a terminal, by the parent."""
        answer = "".join(keys.get(name, name) + "\n" for name in answers)
        return self.attempt(machine.run, "sh", "-c", f"{text}; s=$?; sudo -K; exit $s", user=user, answer=answer)

    def results(self, seen: Seen) -> list[str]:
        return [result for result, _ in seen.decisions]

    def test_visudo(self):
        self.assertGreater(len(POLICIES), 1)
        for path in POLICIES:
            with self.subTest(path.name):
                done = subprocess.run(["visudo", "-c", "-f", path], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{path}: parsed OK\n", ""))
                self.assertRegex(path.name, r"^[a-z-]+$")  # sudo skips names with a dot or a ~
        with self.subTest("together"):
            policies(*(path.name for path in POLICIES))
            done = machine.run("visudo", "-c")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)

    def test_root_each_time(self):
        policies("ibmiam-root-each-time")
        for name, first, then, asked_again in [
                ("root after root", "true", "id -un", True),
                ("root's shell after root", "true", "-i id -un", True),
                ("root after bob", "-u bob true", "id -un", True),
                ("root's shell after bob", "-u bob true", "-i id -un", True),
                ("root after sudo -v", "-v", "id -un", True),
                ("root by uid after bob", "-u bob true", "-u '#0' id -un", True),
                ("the list after root", "true", "-l", True),
                ("bob after bob", "-u bob true", "-u bob id -un", False),
                ("bob's shell after bob", "-u bob true", "-i -u bob id -un", False),
                ("a group after bob", "-u bob true", "-u bob -g deploy id -un", False)]:
            with self.subTest(name):
                seen = self.script(f"sudo -S {first} && sudo -n {then}")
                self.assertEqual(self.results(seen), ["allowed"])
                self.assertEqual(seen.status, 1 if asked_again else 0, seen.err)
                self.assertEqual(NOT_ASKED in seen.err, asked_again, seen.err)
                if not asked_again:
                    self.assertEqual(seen.out, "bob\n")
                    self.assertEqual(len(seen.requests), 1)

    def test_root_with_two_keys(self):
        """What is asked again is asked of IAM again: a key that was withdrawn in between ends it."""
        policies("ibmiam-root-each-time")
        for second, status in ("alice", 0), ("unknown", 1):
            with self.subTest(second):
                seen = self.script("sudo -S true && sudo -S -i id -un", answers=("alice", second))
                self.assertEqual((seen.status, len(seen.requests)), (status, 2), seen.err)
                self.assertEqual(seen.out, "root\n" if status == 0 else "")

    def test_root_each_time_is_for_admins(self):
        policies("ibmiam-root-each-time")
        for arguments in "id", "-u deploy id", "-i id":
            with self.subTest(arguments):
                seen = self.script(f"sudo -S {arguments}", user="bob", answers=("bob",))
                self.assertEqual((seen.status, seen.out), (1, ""), seen.err)

    def test_service_id(self):
        """deploy is asked nothing, for these commands, as root, and for nothing else."""
        policies("ibmiam-service-id")
        SYSTEMCTL.unlink(missing_ok=True)
        write(SYSTEMCTL, '#!/bin/sh\necho "$(id -un): $*"\nenv\n', 0o755)
        for action in "restart app.service", "is-active app.service":
            with self.subTest(action):
                seen = self.script(f"sudo -n {SYSTEMCTL} {action}", user="deploy", answers=())
                self.assertEqual((seen.status, seen.decisions, seen.requests), (0, [], []), seen.err)
                self.assertIn(f"root: {action}\n", seen.out)
                self.assert_exports_nothing(seen.environment)
        for arguments in ("sh", "-i", "-s", "-u bob id", f"{SYSTEMCTL}", f"{SYSTEMCTL} restart other.service",
                          f"{SYSTEMCTL} restart app.service other.service", f"{SYSTEMCTL} stop app.service",
                          f"-u bob {SYSTEMCTL} restart app.service", f"-g bob {SYSTEMCTL} restart app.service",
                          "-e /etc/hosts", f"-E {SYSTEMCTL} restart other.service"):
            with self.subTest(arguments):
                seen = self.script(f"sudo -n {arguments}", user="deploy", answers=())
                self.assertEqual((seen.status, seen.out, seen.requests), (1, "", []))
                seen = self.script(f"sudo -S {arguments}", user="deploy", answers=("deploy",))
                self.assertEqual((seen.status, seen.out), (1, ""), "not with a good key either")
        with self.subTest("the list, not asked"):
            seen = self.script("sudo -n -l", user="deploy", answers=())
            self.assertEqual((seen.status, seen.decisions), (0, []), seen.err)
            rules = re.findall(r"\((\S+)\) NOPASSWD: (.*(?:\n\s+/.*)*)", seen.out)
            self.assertEqual([(who, what.split(",")[0].split()[0]) for who, what in rules], [("root", str(SYSTEMCTL))])
        with self.subTest("nobody else"):
            seen = self.script(f"sudo -n {SYSTEMCTL} restart app.service", user="bob", answers=())
            self.assertEqual((seen.status, seen.out), (1, ""))

    def test_break_glass(self):
        """The local password opens while IAM cannot be reached, and only then; and what it opened is remembered alike."""
        policies(more="Defaults timestamp_timeout=5\nalice ALL=(ALL:ALL) ALL\n")
        machine.pam_example("sudo-fallback", "sudo")
        machine.pam_example("sudo-i-fallback", "sudo-i")
        down, password = f'"{machine.iam.urls["no_listen"]}"', machine.passwords["alice"]
        for arguments, out in {"id -un": "root\n", "-u bob id -un": "bob\n", "-i id -un": "root\n",
                               "-i -u bob id -un": "bob\n", "-v": "", "-l": None}.items():
            machine.configure(endpoint=down)
            with self.subTest("down: key, then password", arguments=arguments):
                seen = self.script(f"sudo -S {arguments}", answers=("alice", password))
                self.assertEqual((seen.status, self.results(seen)), (0, ["unavailable"]), seen.err)
                self.assertEqual(seen.out, seen.out if out is None else out)
            with self.subTest("down: password alone", arguments=arguments):
                seen = self.script(f"sudo -S {arguments}", answers=(password, password))
                self.assertEqual((seen.status, seen.out, self.results(seen)), (1, "", ["key-rejected"]))
            with self.subTest("down: another's password", arguments=arguments):
                seen = self.script(f"sudo -S {arguments}", answers=("alice", machine.passwords["bob"]))
                self.assertEqual((seen.status, seen.out, self.results(seen)), (1, "", ["unavailable"]))
            machine.configure()
            with self.subTest("up: a rejected key, then password", arguments=arguments):
                seen = self.script(f"sudo -S {arguments}", answers=("unknown", password))
                self.assertEqual((seen.status, seen.out, self.results(seen)), (1, "", ["key-rejected"]))
        machine.configure(endpoint=down)
        with self.subTest("remembered"):
            seen = self.script("sudo -S true && sudo -n id -un", answers=("alice", password))
            self.assertEqual((seen.status, seen.out, self.results(seen)), (0, "root\n", ["unavailable"]), seen.err)


def tearDownModule():
    machine.assert_clean()


suite.main()
