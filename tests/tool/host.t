#!/usr/bin/python3
"""ibmiam check --pam with the name of a service: what it finds in this host's sshd_config, and whether there is a second
way in. In a private machine."""
import json
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402

if sandbox.available():
    suite.skip_all(sandbox.available())

import machine as m  # noqa: E402

machine = m.Machine(sandbox.enter())
SSHD = Path("/etc/ssh/sshd_config")
MORE = Path("/etc/ssh/sshd_config.d/ibmiam-test.conf")
FALLBACK = "auth  [success=done authinfo_unavail=ignore default=die]  pam_ibmiam.so"


MAKE = 'd=$(mktemp -d) && ssh-keygen -q -t ed25519 -N "" -C made@up -f $d/k && cat $d/k.pub; rm -r $d'
KEY = subprocess.run(["sh", "-c", MAKE], capture_output=True, text=True, check=True).stdout


def found(service: str = "sshd", *options: str, user: str | None = None) -> list[tuple[str, str, str]]:
    done = machine.run("/usr/bin/ibmiam", "check", "--pam", service, "--json", *options, user=user)
    findings = [(f["where"], f["what"], f["write"]) for f in json.loads(done.stdout)]
    assert done.returncode == (1 if findings else 0), done
    return findings


class Host(unittest.TestCase):
    def setUp(self):
        machine.pam_example("sshd")
        MORE.parent.mkdir(exist_ok=True)
        for folder in map(Path, ("/root/.ssh", "/home/bob/.ssh")):
            shutil.rmtree(folder, ignore_errors=True)
        self.authorize("root")

    def authorize(self, user: str, text: str = KEY):
        folder = Path(f"~{user}/.ssh").expanduser()
        folder.mkdir(exist_ok=True)
        m.write(folder / "authorized_keys", text)

    def sshd(self, text: str, more: str = "") -> list[tuple[str, str, str]]:
        m.write(SSHD, text)
        m.write(MORE, more)
        return found()

    def assert_sshd_agrees(self):
        """As far as sshd -T says: root may come with a key alone, for whatever he likes."""
        key = machine.scratch / "host"
        Path("/run/sshd").mkdir(exist_ok=True)
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        who = "user=root,host=h,addr=192.0.2.9,laddr=192.0.2.8,lport=22"
        done = subprocess.run(["/usr/sbin/sshd", "-T", "-h", key, "-C", who], capture_output=True, text=True, check=True)
        real = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        self.assertEqual((real["pubkeyauthentication"], real["forcecommand"]), ("yes", "none"))
        self.assertIn(real["permitrootlogin"], ("yes", "without-password", "prohibit-password"))
        self.assertIn(real["authenticationmethods"], ("any", "publickey", "password publickey"))

    def test_sshd(self):
        good = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n"
        include = f"Include {MORE.parent}/*.conf\n"
        for what, text, more, expected in (
                ("as it should be", good, "", []),
                ("keywords in any case, with =", 'usepam = "YES"\nKBDINTERACTIVEAUTHENTICATION=yes\n', "", []),
                ("no UsePAM: the default", "PasswordAuthentication no\n", "", [(f"{SSHD}", "UsePAM is off", "UsePAM yes")]),
                ("UsePAM no", "\n# UsePAM yes\nUsePAM no\n", "", [(f"{SSHD}:3", "UsePAM is off", "UsePAM yes")]),
                ("the first counts", "UsePAM yes\nUsePAM no\n", "", []),
                ("an included file is first", include + good, "UsePAM no\n", [(f"{MORE}:1", "UsePAM is off", "UsePAM yes")]),
                ("a Match block is for some only", "UsePAM yes\nMatch User x\n  KbdInteractiveAuthentication no\n", "", []),
                ("unless it is for all", "UsePAM yes\nMatch all\n  KbdInteractiveAuthentication no\n", "",
                 [(f"{SSHD}:3", "KbdInteractiveAuthentication is off", "KbdInteractiveAuthentication yes")]),
                ("keyboard-interactive off", "UsePAM yes\nKbdInteractiveAuthentication no\n", "",
                 [(f"{SSHD}:2", "KbdInteractiveAuthentication is off", "KbdInteractiveAuthentication yes")]),
                ("by its old name", "UsePAM yes\nChallengeResponseAuthentication no\n", "",
                 [(f"{SSHD}:2", "KbdInteractiveAuthentication is off", "KbdInteractiveAuthentication yes")]),
                ("both off", "UsePAM yes\nKbdInteractiveAuthentication no\nPasswordAuthentication no\n", "",
                 [(f"{SSHD}:2", "nothing is left", "KbdInteractiveAuthentication yes")])):
            with self.subTest(what):
                got = self.sshd(text, more)
                self.assertEqual([(where, write) for where, _, write in got], [(where, write) for where, _, write in expected])
                for (_, said, _), (_, wanted, _) in zip(got, expected):
                    self.assertIn(wanted, said)

    def test_with_another_module_that_asks(self):
        """As after pam-auth-update: the prompt is pam_unix's, a password mode is enough."""
        machine.pam("sshd", "auth [success=2 default=ignore] pam_unix.so", "auth [success=1 default=ignore] pam_ibmiam.so "
                    "use_first_pass", "auth requisite pam_deny.so", "auth required pam_permit.so", "@include common-account",
                    "@include common-session", "session optional pam_ibmiam.so")
        self.assertEqual(self.sshd("UsePAM yes\nKbdInteractiveAuthentication no\n"), [])

    def test_second_way_in(self):
        self.sshd("UsePAM yes\n")
        nothing = [("/etc/pam.d/sshd:7", FALLBACK)]
        with self.subTest("root has a public key"):
            self.assertEqual(found(), [])
        with self.subTest("an empty file is none"):
            self.authorize("root", "")
            got = found()
            self.assertEqual([(where, write) for where, _, write in got], nothing)
            self.assertIn("no second way in is certain", got[0][1])
        with self.subTest("whoever is not root cannot know"):
            self.assertEqual(found(user="alice"), [])
            done = machine.run("/usr/bin/ibmiam", "check", "--pam", "sshd", user="alice")
            self.assertEqual(done.stdout, "no mistakes found; whether there is a second way in, only root can see\n")
        with self.subTest("somebody's key, who is no admin"):
            self.authorize("bob")
            self.assertEqual(len(found()), 1)
        with self.subTest("an admin's"):
            groups = Path("/etc/group")
            before = groups.read_text()
            kept = [line for line in before.splitlines() if not line.startswith("sudo:")]
            groups.write_text("\n".join([*kept, "sudo:x:27:carol,bob", ""]))
            self.assertEqual(found(), [])
            groups.write_text(before)
        with self.subTest("a fallback"):
            machine.pam_example("sshd-fallback", "sshd")
            self.assertEqual(found(), [])

    def test_a_public_key_that_sshd_does_not_take(self):
        """What sshd_config takes from root is no second way in; what a Match block gives or takes perhaps, neither."""
        keys = Path("/root/keys")
        m.write(keys, KEY)
        self.addCleanup(keys.unlink)
        include = f"Include {MORE.parent}/*.conf\n"
        for text, more, ways in (
                ("PermitRootLogin no", "", 0), ("PermitRootLogin forced-commands-only", "", 0),
                ("PermitRootLogin yes", "", 1), ("PermitRootLogin without-password\nPermitRootLogin no", "", 1),
                ("PubkeyAuthentication no", "", 0), ("pubkeyauthentication=Yes", "", 1),
                ("AuthorizedKeysFile none", "", 0), ("AuthorizedKeysFile /etc/nowhere/%u none", "", 0),
                ("AuthorizedKeysFile /etc/nowhere/%u %h/keys", "", 1), ("AuthorizedKeysFile /%u/keys", "", 1),
                ("AuthorizedKeysFile .ssh/other keys", "", 1), ("AuthorizedKeysFile %x/keys", "", 0),
                ("AuthenticationMethods publickey,keyboard-interactive", "", 0),
                ("AuthenticationMethods password publickey", "", 1), ("AuthenticationMethods any", "", 1),
                (include + "PubkeyAuthentication yes", "PubkeyAuthentication no", 0),
                ("Match User root\nPermitRootLogin no", "", 0), ("Match User r*,x\nPermitRootLogin no", "", 0),
                ("Match User bob\nPermitRootLogin no\nMatch all\nX11Forwarding no", "", 1),
                ("Match User bob\nX11Forwarding no\nMatch Address 192.0.2.0/24\nPubkeyAuthentication no", "", 0),
                ("Match Group nobody-is-in\nAuthenticationMethods publickey,password", "", 1),
                ("Match Group nobody-is-in,root\nAuthenticationMethods publickey,password", "", 0),
                ("Match Group !bob,r*\nPubkeyAuthentication no", "", 0),
                ("Match Address 192.0.2.1 User bob\nPubkeyAuthentication no", "", 1),
                ("PermitRootLogin no\nMatch Address 192.0.2.1\nPermitRootLogin yes", "", 0),
                (include + "PubkeyAuthentication yes", "Match User root\nPubkeyAuthentication no", 0),
                (include + "PubkeyAuthentication no", "Match User bob\n", 0),
                ("Match User bob\n" + include, "PubkeyAuthentication no", 1),
                ("Match Group root\n" + include, "PubkeyAuthentication no", 0),
                ("DSAAuthentication no", "", 0), ("ForceCommand /bin/false", "", 0), ("ForceCommand none", "", 1),
                ("Match Group root\nForceCommand /bin/false", "", 0), ("ChrootDirectory /srv", "", 0),
                ("PubkeyAcceptedAlgorithms rsa-sha2-512", "", 0),
                ("AllowUsers bob", "", 0), ("AllowUsers bob r*", "", 1), ("AllowUsers root@192.0.2.1", "", 0),
                ("ForceCommand none\nAllowUsers bob", "", 0), ("AllowGroups bob", "", 0), ("AllowGroups bob root", "", 1),
                ("DenyUsers bob", "", 1), ("DenyUsers bob root", "", 0), ("DenyUsers root@192.0.2.1", "", 0),
                ("DenyGroups root", "", 0), ("AllowUsers [r]oot", "", 0), ("AllowUsers ro\\ot", "", 0),
                ("AllowUsers 'root'", "", 0), ("Match User root\nDenyUsers root", "", 0),
                # as sshd splits it
                ("AcceptEnv LANG \\\nPubkeyAuthentication no", "", 0),
                ("AuthorizedKeysFile .ssh/authorized_keys#old", "", 0),
                ("AuthorizedKeysFile .ssh/authorized_keys # old", "", 1),
                (f"Include '{MORE.parent}/*.conf'", "PubkeyAuthentication no", 0),
                ("# x\n" * 17000 + "PubkeyAuthentication no", "", 0)):
            with self.subTest(text[-60:], more=more):
                got = self.sshd(f"UsePAM yes\n{text}\n", f"{more}\n")
                self.assertEqual([where for where, _, _ in got], [] if ways else ["/etc/pam.d/sshd:7"])
                if ways:
                    self.assert_sshd_agrees()
        with self.subTest("an admin may, where root may not"):
            self.authorize("bob")
            groups = Path("/etc/group")
            before = groups.read_text()
            self.addCleanup(groups.write_text, before)
            groups.write_text(before + "wheel:x:28:nobody-here,carol,bob\n")
            self.assertEqual(self.sshd("UsePAM yes\nPermitRootLogin no\n"), [])

    def test_a_key_that_binds_or_is_none(self):
        self.sshd("UsePAM yes\n")
        file = Path("/root/.ssh/authorized_keys")
        for what, text, mode, ways in (
                ("it is good", "# mine\n\n" + KEY, 0o600, 1), ("a comment", "# " + KEY, 0o600, 0),
                ("garbage", "ssh-ed25519 AAAA made@up\n", 0o600, 0), ("of one place", 'from="192.0.2.1" ' + KEY, 0o600, 0),
                ("a command", f'command="echo Please log in as debian" {KEY}', 0o600, 0),
                ("others may write it", KEY, 0o666, 0), ("its group may", KEY, 0o660, 0)):
            with self.subTest(what):
                m.write(file, text, mode)
                self.assertEqual(len(found()), 1 - ways)
        m.write(file, KEY, 0o600)
        for mode, ways in (0o777, 0), (0o700, 1):
            with self.subTest("its folder", mode=oct(mode)):
                file.parent.chmod(mode)
                self.assertEqual(len(found()), 1 - ways)
        with self.subTest("sshd does not start without its file"):
            SSHD.unlink()
            self.assertEqual(len(found()), 1)

    def test_an_admin_who_cannot_log_in_or_help(self):
        self.sshd("UsePAM yes\nPermitRootLogin no\n")
        groups, passwd, bobs = Path("/etc/group"), Path("/etc/passwd"), Path("/home/bob/.ssh/authorized_keys")
        for file in groups, passwd:
            self.addCleanup(file.write_text, file.read_text())
        groups.write_text(groups.read_text() + "wheel:x:28:bob\n")
        self.authorize("bob")
        self.assertEqual(found(), [])
        with self.subTest("sudo wants IAM, too"):
            machine.pam_example("sudo")
            self.assertEqual(len(found("sudo")), 1)
        with self.subTest("a file of root's that bob cannot read"):
            bobs.chmod(0o600)
            self.assertEqual(len(found()), 1)
            bobs.chmod(0o644)
        with self.subTest("no shell"):
            before = passwd.read_text()
            passwd.write_text(re.sub(r"^(bob:.*:)[^:\n]*$", r"\1/usr/sbin/nologin", before, flags=re.M))
            self.assertNotEqual(passwd.read_text(), before)
            self.assertEqual(len(found()), 1)

    def test_a_file_that_is_not_in_place_yet(self):
        """With --service it is looked at as if it were: before it can lock anybody out."""
        m.write(SSHD, "UsePAM no\n")
        shutil.rmtree("/root/.ssh")
        path = machine.scratch / "new"
        shutil.copy("/etc/pam.d/sshd", path)
        self.assertEqual(found(str(path)), [])
        self.assertEqual([where for where, _, _ in found(str(path), "--service", "sshd")], [f"{SSHD}:1", f"{path}:7"])

    def test_other_services(self):
        m.write(SSHD, "UsePAM no\n")
        for service in ("su", "sudo"):
            with self.subTest(service):
                machine.pam_example(service)
                self.assertEqual(found(service), [])

    def test_nothing_is_changed(self):
        m.write(SSHD, "UsePAM no\n")
        files = [SSHD, Path("/etc/pam.d/sshd"), m.CONFIG]
        before = [(path.stat().st_mtime_ns, path.read_bytes()) for path in files]
        found()
        self.assertEqual([(path.stat().st_mtime_ns, path.read_bytes()) for path in files], before)


suite.main()
