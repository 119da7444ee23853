#!/usr/bin/python3
"""The whole way with the real programs: sshd, su or sudo, the module, a resident broker and the ibmiam command, with
tokens that live for three seconds.
"""
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import claims  # noqa: E402
from machine import TIMEOUT_S, environment, processes, until, write  # noqa: E402
from service import GONE, OK, USERS, Broker, ServiceTest, begin  # noqa: E402

LIFETIME_S = 3
machine = ServiceTest.machine = begin("--lifetime", str(LIFETIME_S))
keys, ids = machine.iam.keys, machine.iam.iam_ids
METHODS = ("password", "keyboard-interactive")
# What a user's session does. Each line of its output is a name, "=" and a value.
STORY = """env
echo "FIRST=$(ibmiam token)"
while second=$(ibmiam token) || exit; [ "$second" = "$IBMIAM_TOKEN" ]; do sleep 0.1; done
echo "SECOND=$second"
echo "EXEC=$(ibmiam exec -- sh -c 'echo $IC_IAM_TOKEN')"
ibmiam status | sed -n 's/^\\([a-z_]*\\)  */STATUS_\\1=/p'
"""
# As above, when the broker has been started anew: no credential, until she logs in.
AGAIN = """ibmiam token 2>/dev/null; echo "BEFORE=$?"
printf '%s\\n' "$1" | ibmiam login >/dev/null || exit
echo "AFTER=$(ibmiam token)"
"""


class Story(ServiceTest):
    def end(self) -> None:
        """All sessions and logins have ended: none of them is left in the broker."""
        super().end()
        self.assertEqual(self.broker.lines("the broker stops\""), [])

    def assert_gone(self, handle: str, user: str = "alice") -> None:
        """sshd may still be busy with its end when the client has gone."""
        self.broker.wait(f"dropped session={handle[:8]}")
        self.assert_exit(self.command("token", handle=handle, user=user), GONE, "no credential")

    def test_ssh(self):
        machine.pam_example("sshd")
        sshd = machine.sshd("PasswordAuthentication yes", "KbdInteractiveAuthentication yes")
        for method in METHODS:
            with self.subTest(method):
                before = self.requests()
                done = sshd.login("alice", keys["alice"], STORY, method=method)
                self.assertEqual((done.returncode, done.stderr), (0, ""), self.broker.log)
                found = environment(done.stdout)
                self.assertEqual(found["FIRST"], found["IBMIAM_TOKEN"], "a fresh token is the login's own")
                self.assertEqual(found["EXEC"], f"Bearer {found['SECOND']}")
                self.assertGreater(claims(found["SECOND"])["exp"], claims(found["FIRST"])["exp"])
                self.assertEqual({claims(found[name])["iam_id"] for name in ("FIRST", "SECOND")}, {ids["alice"]})
                self.assertEqual(found["STATUS_iam_id"], ids["alice"])
                self.assertEqual(found["STATUS_account"], machine.iam.accounts["home"])
                self.assertRegex(found["STATUS_token"], r"expires in \d seconds?, at .*; renewed when asked for after")
                self.assertEqual(self.requests(before), 2, "one for the login, one for the renewal")
                self.assert_gone(found["IBMIAM_SESSION"])

    def test_login_in_the_session(self):
        machine.pam_example("sshd")
        sshd = machine.sshd("PasswordAuthentication yes")
        first = self.broker
        ready, go = machine.scratch / "ready", machine.scratch / "go"
        os.mkfifo(ready)
        os.mkfifo(go)
        for fifo in ready, go:
            os.chown(fifo, USERS["alice"], USERS["alice"])
        script = f"echo >{ready}; read key <{go}; set -- \"$key\"\n{AGAIN}env"
        done = []
        session = threading.Thread(target=lambda: done.append(sshd.login("alice", keys["alice"], script)))
        session.start()
        ready.read_text()
        self.assertEqual(first.end(), 0)
        first.wait("dropped session=.*the broker stops")
        self.broker = Broker(machine)
        go.write_text(keys["alice"] + "\n")
        session.join(TIMEOUT_S)
        found = environment(done[0].stdout)
        self.assertEqual(found["BEFORE"], str(GONE))
        self.assertRegex(done[0].stderr, "IBMIAM_SESSION is valid again, in every process of this session")
        self.assertEqual(claims(found["AFTER"])["iam_id"], ids["alice"])
        self.assert_gone(found["IBMIAM_SESSION"])

    def test_login_in_an_inner_terminal(self):
        """It lives as long as the session, as the one before did, and not as long as the terminal."""
        machine.pam_example("sshd")
        sshd = machine.sshd("PasswordAuthentication yes")
        script = (f"printf '%s\\n' {keys['alice']} | setsid -w ibmiam login && "
                  'setsid -w true && echo "AFTER=$(ibmiam token)"; env')
        done = sshd.login("alice", keys["alice"], script)
        found = environment(done.stdout)
        handle = found["IBMIAM_SESSION"]
        self.assertEqual(claims(found["AFTER"])["iam_id"], ids["alice"], done.stderr + self.broker.log)
        self.assert_gone(handle)
        hosts = [line.rpartition("pid=")[2] for line in self.broker.lines(f"adopted session={handle[:8]}")]
        self.assertEqual((len(hosts), len(set(hosts))), (2, 1), self.broker.log)

    def test_killed_session(self):
        """Nobody is left to close it, and what still runs of it must not have its power."""
        machine.pam_example("sshd")
        sshd = machine.sshd("PasswordAuthentication yes")
        for what in "sshd", "client":
            with self.subTest(what):
                mark = self.broker.mark()
                session = threading.Thread(target=sshd.login, args=("alice", keys["alice"], "env >f; exec sleep 1000"))
                session.start()
                host = int(self.broker.wait("adopted session=", mark).rpartition("pid=")[2])
                variables = Path("/home/alice/f")
                until(lambda: any(line == "sleep 1000" for line in processes().values()), "the session runs")
                handle = environment(variables.read_text())["IBMIAM_SESSION"]
                self.assert_exit(self.command("token", handle=handle), OK)
                clients = [pid for pid, line in processes().items() if line.startswith("ssh -n")]
                os.kill(host if what == "sshd" else clients[0], signal.SIGKILL)
                self.assert_gone(handle)
                self.assertEqual(len(self.broker.lines("its host process has ended", mark)), int(what == "sshd"))
                for pid in [pid for pid, line in processes().items() if line == "sleep 1000"]:
                    os.kill(pid, signal.SIGKILL)
                session.join(TIMEOUT_S)
                variables.unlink()

    def test_su(self):
        machine.pam_example("su")
        done = machine.run("su", "alice", "-c", STORY, user="bob", answer=keys["alice"] + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = environment(done.stdout)
        self.assertEqual(found["EXEC"], f"Bearer {found['SECOND']}")
        self.assertNotEqual(found["SECOND"], found["FIRST"])
        self.assert_gone(found["IBMIAM_SESSION"])

    def sudo(self, *arguments: str) -> subprocess.CompletedProcess:
        machine.pam_example("sudo", "sudo", "sudo-i")
        write(Path("/etc/sudoers"), "Defaults env_reset, use_pty, timestamp_timeout=0\n"
              "alice ALL=(ALL:ALL) ALL\n", 0o440)
        done = machine.run("sudo", "-S", *arguments, user="alice", answer=keys["alice"] + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_sudo(self):
        """alice's credential goes nowhere; a session of hers that runs sudo is not touched."""
        own = self.broker.hold("alice", keys["alice"])
        for arguments in ("env",), ("-u", "bob", "env"), ("-i", "env"):
            with self.subTest(arguments):
                self.assert_exports_nothing(environment(self.sudo(*arguments).stdout))
        self.assertEqual(len(self.broker.lines("adopted")), 1)
        self.assert_exit(self.command("token", handle=own), OK)
        self.assert_exit(self.command("logout", handle=own), OK)

    def test_sudo_to_the_target(self):
        """By the admin's choice it is the session of whoever the command runs as, and ends with the command."""
        machine.configure("service sudo { export = target }")
        for name, arguments in {"root": (), "bob": ("-u", "bob")}.items():
            with self.subTest(name):
                found = environment(self.sudo(*arguments, "sh", "-c", STORY).stdout)
                self.assertEqual(found["EXEC"], f"Bearer {found['SECOND']}")
                self.assertEqual(found["STATUS_iam_id"], ids["alice"])
                self.assertRegex(self.broker.wait(f"adopted session={found['IBMIAM_SESSION'][:8]}"),
                                 rf"user={name} uid={USERS.get(name, 0)} ")
                self.assert_gone(found["IBMIAM_SESSION"], user=None if name == "root" else name)


def tearDownModule():
    machine.assert_clean()


suite.main()
