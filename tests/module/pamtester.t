#!/usr/bin/python3
"""The module as installed, from outside: pamtester, the system's /etc/pam.d and /etc/security, root and its broker.
One row of each kind; the many are in cases.t, iam.t and broker.t, which need no root.
"""
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import suite  # noqa: E402
import wire  # noqa: E402
from hosttest import HostTest, Seen, begin  # noqa: E402
from machine import TIMEOUT_S, USERS, processes, until, write  # noqa: E402

machine = HostTest.machine = begin()
keys = machine.iam.keys
SERVICE, SHOWN = "ibmiam-test", Path("/tmp/shown")
OPEN, ESTABLISH = "open_session", "setcred(PAM_ESTABLISH_CRED)"
LATE_MS = 1000 + 4000  # a second by contract, the rest for a machine that is busy with other tests
ELSEWHERE = f'"{machine.iam.urls["no_listen"]}"'
machine.pam(SERVICE, "auth required pam_ibmiam.so", "account required pam_ibmiam.so", "password required pam_ibmiam.so",
            "session required pam_ibmiam.so", f"session optional pam_exec.so quiet log={SHOWN} /usr/bin/env")
machine.pam("other", *(f"{kind} required pam_deny.so" for kind in ("auth", "account", "password", "session")))
machine.pam("hasty", "auth required pam_ibmiam.so timeout=4")
# As for local accounts that use a password while IAM is away (sshd-fallback).
machine.pam("fallback", "auth [success=done authinfo_unavail=ignore default=die] pam_ibmiam.so",
            "auth required pam_permit.so")

# With a fallback: what somebody has to gain who makes an outage of a login.
machine.pam("su", "auth [success=done authinfo_unavail=ignore default=die] pam_ibmiam.so timeout=3",
            "auth required pam_permit.so", "account required pam_permit.so")
# Stops, as soon as it is there and before it is root's, whatever su starts, and lets it go on after the timeout.
STOPPER = """
import os, sys, time
su, me = int(sys.argv[1]), os.getpid()
print("ready", flush=True)
deadline = time.monotonic() + 9
while time.monotonic() < deadline:
    for pid in range(su + 1, su + 5):
        try:
            if pid != me:
                os.kill(pid, 19)
                time.sleep(3.5)
                os.kill(pid, 18)
        except OSError:
            continue
"""

# user, key, changes of the configuration; result, what pamtester says of the PAM code, requests to IAM
DENIED, UNKNOWN = "Permission denied", "User not known to the underlying authentication module"
UNAVAILABLE, BROKEN = "Authentication service cannot retrieve authentication info", "Error in service module"
ROWS = {
    "no key": ("alice", "hunter2", {}, "key-rejected", "Authentication failure", 0),
    "unknown": ("alice", keys["unknown"], {}, "key-rejected", "Authentication failure", 1),
    "disabled": ("alice", keys["disabled"], {}, "key-rejected", "Authentication failure", 1),
    "another's": ("alice", keys["bob"], {}, "denied", DENIED, 1),
    "of another account": ("alice", keys["mallory"], {}, "denied", DENIED, 1),
    "no rule": ("carol", keys["alice"], {}, "user-unknown", UNKNOWN, 0),
    "no account": ("nobody-here", keys["alice"], {}, "user-unknown", UNKNOWN, 0),
    "a system user": ("lowly", keys["alice"], {}, "user-unknown", UNKNOWN, 0),
    "root": ("root", keys["alice"], {}, "user-unknown", UNKNOWN, 0),
    "IAM is down": ("alice", keys["alice"], {"endpoint": ELSEWHERE}, "unavailable", UNAVAILABLE, 0),
    "IAM is busy": ("alice", keys["fault_r429"], {}, "unavailable", UNAVAILABLE, 1),
    "IAM fails": ("alice", keys["fault_r500"], {}, "unavailable", UNAVAILABLE, 2),
    "a mistake in the configuration": ("alice", keys["alice"], {"nonsense": "1"}, "config-error", BROKEN, 0),
    "no accounts": ("alice", keys["alice"], {"accounts": ""}, "config-error", BROKEN, 0),
}


def pamtester(user: str, key: str, *calls: str, service: str = SERVICE, options: tuple[str, ...] = ()):
    return machine.run("pamtester", *options, service, user, *calls, answer=key + "\n")


class Pamtester(HostTest):
    def setUp(self):
        machine.configure()
        SHOWN.unlink(missing_ok=True)

    def test_refused(self):
        for name, (user, key, changes, result, text, requests) in ROWS.items():
            with self.subTest(name):
                machine.configure(**changes)
                seen = self.attempt(pamtester, user, key, "authenticate", OPEN)
                self.assert_decided(seen, result, requests=requests, user=user, service=SERVICE)
                self.assertEqual(seen.status, 1)
                self.assertIn(f"pamtester: {text}\n", seen.err)
                self.assertFalse(SHOWN.exists())

    def test_allowed(self):
        for user, key in (("alice", "alice"), ("alice", "custom"), ("deploy", "deploy")):
            with self.subTest(user, key=key):
                SHOWN.unlink(missing_ok=True)
                seen = self.attempt(pamtester, user, keys[key], "authenticate", "acct_mgmt", ESTABLISH, OPEN)
                self.assert_decided(seen, "allowed", requests=1, user=user, service=SERVICE)
                self.assertEqual(seen.status, 0, seen.err)
                self.assert_exports(self.shown(), key)

    def test_nothing_for_another_session(self):
        seen = self.attempt(pamtester, "alice", keys["alice"], "authenticate", "close_session", OPEN)
        self.assertEqual(seen.status, 0, seen.err)
        self.assertEqual({name for name in self.shown() if "IAM" in name}, set())

    def shown(self) -> dict[str, str]:
        """The environment of the session; pam_exec has none but PAM's."""
        text = SHOWN.read_text()
        machine.leaks.learn(text)
        SHOWN.unlink()
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def test_items(self):
        seen = self.attempt(pamtester, "alice", keys["alice"], "authenticate",
                            options=("-I", "rhost=192.0.2.7", "-I", "ruser=eve"))
        self.assert_decided(seen, "allowed", requests=1, rhost=r"192\.0\.2\.7", ruser="eve")

    def test_password_is_not_ours(self):
        self.assertEqual(pamtester("alice", "", "chauthtok").returncode, 1)

    def test_fallback(self):
        """Only an outage leads to the next module."""
        for name, key, changes, status in (("IAM is down", "alice", {"endpoint": ELSEWHERE}, 0),
                                           ("unknown", "unknown", {}, 1), ("another's", "bob", {}, 1),
                                           ("a mistake", "alice", {"nonsense": "1"}, 1)):
            with self.subTest(name):
                machine.configure(**changes)
                seen = self.attempt(pamtester, "alice", keys[key], "authenticate", service="fallback")
                self.assertEqual(seen.status, status, seen.err)


class Deadline(HostTest):
    def hasty(self, key: str) -> Seen:
        seen = self.attempt(pamtester, "alice", keys[key], "authenticate", service="hasty")
        self.assertIn(UNAVAILABLE, seen.err)
        self.assertLess(int(seen.decisions[0][1]["elapsed_ms"]), 4000 + LATE_MS)
        self.assertEqual([line for line in processes().values() if "ibmiam-broker" in line], [])
        return seen

    def test_iam_hangs(self):
        machine.configure()
        self.hasty("fault_hang")

    def test_name_server_hangs(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 53))
            write(Path("/etc/resolv.conf"), "nameserver 127.0.0.1\noptions timeout:30 attempts:3\n")
            write(Path("/etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")
            machine.configure(endpoint='"https://iam.silent.example"')
            self.hasty("alice")
            self.assertTrue(select.select([silent], [], [], 0)[0], "the name server was not asked")


def fifo(path: str, mode: int = 0o600) -> int:
    os.mkfifo(path, mode)
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


class Privileges(HostTest):
    def test_broker_has_none(self):
        """Once it has asked IAM."""
        machine.configure()
        before = len(machine.iam.requests())
        login = threading.Thread(target=pamtester, args=("alice", keys["fault_slow_2"], "authenticate"))
        login.start()
        until(lambda: len(machine.iam.requests()) > before, "IAM is asked")
        pid = next(pid for pid, line in processes().items() if line.startswith("ibmiam-broker --config"))
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        login.join()
        self.assertEqual(status["Uid"].split(), [str(USERS["_ibmiam"])] * 4)
        self.assertEqual(status["Gid"].split(), [str(USERS["_ibmiam"])] * 4)
        self.assertEqual(status["Groups"].strip(), "")
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual({int(status[name], 16) for name in ("CapPrm", "CapEff", "CapInh")}, {0})

    def setuid_host(self, *script: str) -> tuple[str, ...]:
        """A host that is setuid root, as su is, and a fake broker for it."""
        folder = Path("/usr/local/hell")
        for source in ("pamdrive", "fakebroker"):
            folder.mkdir(exist_ok=True)
            shutil.copy(suite.BUILD / "tests/module" / source, folder)
            (folder / source).chmod(0o4755 if source == "pamdrive" else 0o755)
        write(folder / "script", "".join(line + "\n" for line in script))
        (folder / "pam.d").mkdir(exist_ok=True)
        write(folder / "pam.d/setuid",
              f"auth required pam_ibmiam.so timeout=5 config={folder}/script broker={folder}/fakebroker\n")
        return str(folder / "pamdrive"), str(folder / "pam.d"), "setuid", "alice"

    def test_setuid_host(self):
        record = Path("/usr/local/record")
        host = self.setuid_host("read", f"record {record}", f"send {wire.reply().hex()}")
        done = machine.run(*host, "authenticate", "left", user="bob", answer=keys["alice"] + "\0",
                           env={"LD_PRELOAD": "/nonexistent", "SSLKEYLOGFILE": "/home/bob/keys"})
        self.assertIn('["call","authenticate","PAM_SUCCESS"', done.stdout)
        found = [line.split(":\t", 1) for line in record.read_text().splitlines()]
        self.assertEqual(dict(found)["Uid"].split(), ["0"] * 4)
        self.assertEqual(dict(found)["Gid"].split(), [str(USERS["bob"])] * 4)  # pamdrive is not setgid
        self.assertEqual([value for name, value in found if name == "environ"], [])

    def test_limits_of_the_caller_make_no_outage(self):
        """Else whoever starts su could choose the fallback, by `ulimit`."""
        machine.configure()
        for limit in ("-n 5", "-n 6", "-n 8", "-u 0", "-v 20000", "-v 30000", "-s 64", "-d 2000"):
            with self.subTest(limit):
                seen = self.attempt(machine.run, "bash", "-c", f"ulimit {limit} && exec su alice -c id", user="bob",
                                    answer=keys["alice"] + "\n")
                self.assertNotIn("unavailable", [result for result, _ in seen.decisions], seen.lines)

    def test_signals_of_the_caller_make_no_outage(self):
        machine.configure()
        bob = {"user": USERS["bob"], "group": USERS["bob"], "extra_groups": []}
        for attempt in range(2):
            with self.subTest(attempt):
                mark = machine.log.mark()
                su = subprocess.Popen(["su", "alice", "-c", "id"], text=True, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **bob)
                stopper = subprocess.Popen(["/usr/bin/python3", "-c", STOPPER, str(su.pid)],
                                           stdout=subprocess.PIPE, **bob)
                stopper.stdout.readline()
                out, _ = su.communicate(keys["unknown"] + "\n", timeout=TIMEOUT_S)
                stopper.kill()
                stopper.communicate()
                machine.log.settle()
                self.assertNotIn("unavailable", [line.split(" ")[0] for line in machine.log.decisions(mark)])
                self.assertEqual((su.returncode, out), (1, ""))

    def test_caller_of_setuid_host_cannot_reach_the_broker(self):
        told = fifo("/usr/local/told")
        host = self.setuid_host("read", "tell /usr/local/told", "hang")
        login = threading.Thread(target=machine.run, args=(*host, "authenticate"),
                                 kwargs={"user": "bob", "answer": keys["alice"] + "\0"})
        login.start()
        self.assertTrue(select.select([told], [], [], TIMEOUT_S)[0], "the broker does not start")
        broker = int(os.read(told, 100))
        keeper = int(Path(f"/proc/{broker}/stat").read_text().rpartition(")")[2].split()[1])
        for name, pid in (("broker", broker), ("keeper", keeper)):
            with self.subTest(name):
                self.assertNotEqual(machine.run("kill", "-9", str(pid), user="bob").returncode, 0)
                self.assertNotEqual(machine.run("cat", f"/proc/{pid}/environ", user="bob").returncode, 0)
                self.assertIn(pid, processes())
        login.join()
        os.close(told)


def tearDownModule():
    machine.assert_clean()


suite.main()
