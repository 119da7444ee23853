#!/usr/bin/python3
"""Keys and tokens stay where they belong while logins go well and wrong in every way that the stand-in knows.

A watcher reads the command line and environment of all processes meanwhile; at the end the system log, the
stand-in's journal and every file that anybody wrote are searched. The first test shows that they can be found.
"""
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import HostTest, begin, rule  # noqa: E402
from leaks import Watcher, spellings  # noqa: E402
from machine import TIMEOUT_S, USERS, processes, until, write  # noqa: E402

machine = HostTest.machine = begin()
keys = machine.iam.keys
PHASES = ("authenticate", "acct_mgmt", "setcred", "open_session", "close_session")
SESSIONS = {USERS[name] for name in ("alice", "bob", "deploy")}
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern").read_text().strip()


def pam() -> None:
    stack = ("auth required pam_ibmiam.so debug {}", "account required pam_permit.so",
             "session required pam_ibmiam.so debug")
    machine.pam("quick", *(line.format("timeout=2") for line in stack))
    machine.pam("patient", *(line.format("timeout=30") for line in stack))
    for service in "sshd", "su", "sudo":
        machine.pam_example(service)
    write(Path("/etc/login.defs"), "FAIL_DELAY 0\n")
    write(Path("/etc/sudoers"), "Defaults passwd_tries=1, timestamp_timeout=0, logfile=/var/log/sudo.log\n"
          "alice ALL=(ALL:ALL) ALL\n", 0o440)


def pamtester(key: str, service: str = "quick") -> subprocess.CompletedProcess:
    return machine.run("pamtester", service, "alice", *PHASES, answer=key + "\n")


class CanBeFound(HostTest):
    """Whatever follows would be worth nothing if these were missed."""

    def assert_found(self) -> None:
        with self.assertRaisesRegex(AssertionError, "key alice|token of a session"):
            machine.assert_no_secrets()

    def test_nothing_yet(self):
        machine.assert_no_secrets()

    def test_in_a_log_line(self):
        for name in "alice", "custom":
            for how, text in spellings(keys[name]):
                with self.subTest(how, key=name):
                    self.assertTrue(machine.leaks.inside(b'a line with="' + text[4:-4] + b'" cut at both ends'))
        line = f"sshd: password {keys['alice'][:20]}..."
        machine.log.lines.append(line)
        self.assert_found()
        machine.log.lines.remove(line)

    def test_in_a_file(self):
        for path in map(Path, ("/var/log/a-trace", "/tmp/a-trace", "/home/alice/.cache", "/dev/shm/x", "/run/a-trace",
                               "/root/a-trace", "/etc/a-trace", "/usr/lib/a-trace")):
            with self.subTest(str(path)):
                path.write_text(f"apikey={keys['alice']}\n")
                try:
                    self.assert_found()
                finally:
                    path.unlink()

    def test_in_a_process(self):
        for name, command, env in [("command line", ["sh", "-c", "read x", keys["alice"]], {}),
                                   ("environment", ["sh", "-c", "read x"], {"X": keys["alice"]})]:
            with self.subTest(name), Watcher() as watcher:
                sleeper = subprocess.Popen(command, stdin=subprocess.PIPE, env={"PATH": "/bin"} | env,
                                           user=USERS["alice"])
                until(lambda: watcher.leaks(machine.leaks, SESSIONS), f"the watcher sees a key in a {name}")
                self.assertIn(name, watcher.leaks(machine.leaks, SESSIONS)[0])
                sleeper.communicate(b"\n", TIMEOUT_S)


class Logins(HostTest):
    @classmethod
    def setUpClass(cls):
        pam()
        cls.sshd = machine.sshd("LogLevel DEBUG", "KbdInteractiveAuthentication yes")

    def setUp(self):
        machine.configure()

    def assert_unseen(self, watcher: Watcher) -> None:
        self.assertEqual(watcher.leaks(machine.leaks, SESSIONS), [])
        self.assertLessEqual({p.environment for p in watcher.saw(b"ibmiam-broker\0--config")}, {b""})
        machine.assert_no_secrets()

    def test_every_key(self):
        """Right, wrong and every fault, BXNIM0415E's body that repeats the key and the deadline among them."""
        names = sorted(keys)
        with Watcher() as watcher, ThreadPoolExecutor(8) as pool:
            since = machine.log.mark()
            done = dict(zip(names, pool.map(lambda name: pamtester(keys[name]), names)))
        machine.log.settle()
        for name, one in done.items():
            with self.subTest(name):
                # pamtester prints what the module says to the user, too
                self.assertEqual(machine.leaks.inside((one.stdout + one.stderr).encode()), set())
        self.assert_unseen(watcher)
        self.assertTrue(watcher.saw(b"ibmiam-broker\0--config"))
        results = [line.split(" ")[0] for line in machine.log.decisions(since) if " elapsed_ms=" in line]
        self.assertEqual(len(results), len(names))
        self.assertEqual(set(results), {"allowed", "denied", "key-rejected", "unavailable"})

    def test_every_listener(self):
        """IAM down, and whatever is wrong before it has answered a request: the key is not even sent."""
        for name, url in machine.iam.urls.items():
            if name in ("good", "http2", "http2_narrow", "reset_once", "proxy", "tls_proxy"):
                continue
            machine.configure(endpoint=f'"{url}"')
            with self.subTest(name), Watcher() as watcher:
                seen = self.attempt(pamtester, keys["alice"])
                said = {"plain_http": "config-error", "hello_requests": "broker-error"}.get(name, "unavailable")
                self.assert_decided(seen, said, requests=0)
                self.assertEqual(machine.leaks.inside((seen.out + seen.err).encode()), set())
            with self.subTest(name):
                self.assert_unseen(watcher)

    def test_real_hosts(self):
        actions = [lambda key: self.sshd.login("alice", keys[key], method="password"),
                   lambda key: self.sshd.login("alice", keys[key], method="keyboard-interactive"),
                   lambda key: machine.run("su", "-", "alice", "-c", "env", user="bob", answer=keys[key] + "\n"),
                   lambda key: machine.run("sudo", "-S", "-g", "deploy", "env", user="alice", answer=keys[key] + "\n"),
                   lambda key: machine.run("sudo", "-S", "env", user="alice", answer=keys[key] + "\n")]
        with Watcher() as watcher:
            for key in "alice", "custom", "unknown", "mallory", "fault_error_message_evil", "fault_transaction_id_evil":
                for number, action in enumerate(actions):
                    with self.subTest(key=key, host=number):
                        seen = self.attempt(action, key)
                        self.assertEqual(seen.status == 0, key in ("alice", "custom"))
                        self.assertEqual(machine.leaks.inside(seen.err.encode()), set())
        self.assert_unseen(watcher)
        self.assertTrue(watcher.saw(b"ssh\0-n"))

    def test_a_clients_secret(self):
        client = machine.iam.ready["client"]
        secret, bad = client["client_secret"], client["client_secret"][::-1]
        machine.leaks.add("a wrong client secret", bad)
        for value, result in {secret: "allowed", bad: "config-error"}.items():
            machine.configure(client_id=f'"{client["client_id"]}"', client_secret=f'"{value}"')
            with self.subTest(result), Watcher() as watcher:
                seen = self.attempt(pamtester, keys["alice"])
                self.assertEqual(seen.decisions[0][0], result)
        machine.configure(f'client_id = "x"\nclient_secret = "{secret}"\nclient_secret = "{secret}"\n')
        with self.subTest("a configuration that is refused"):
            self.assert_decided(self.attempt(pamtester, keys["alice"]), "config-error", requests=0)
        machine.configure()  # the file is the test's own
        self.assert_unseen(watcher)

    def test_two_keys_at_once(self):
        """Pasted twice: what IAM does not know is a secret all the same."""
        seen = self.attempt(pamtester, keys["alice"] + keys["bob"])
        self.assert_decided(seen, "key-rejected", requests=1, reason="IAM does not know this API key")
        machine.assert_no_secrets()


class Cores(HostTest):
    def setUp(self):
        pam()
        machine.configure()

    def test_a_core_is_real(self):
        if CORE_PATTERN != "core":
            self.skipTest(f"core_pattern is {CORE_PATTERN}")
        folder = machine.scratch / "cores"
        folder.mkdir()
        subprocess.run(["sh", "-c", "kill -SEGV $$"], cwd=folder, preexec_fn=unlimited_cores)
        self.assertEqual([path.parent for path in machine.cores()], [folder])
        with self.assertRaisesRegex(AssertionError, "core dump"):
            machine.assert_no_secrets()
        for path in machine.cores():
            path.unlink()

    def test_a_crash_leaves_none(self):
        """The broker has the key, waits for IAM, and dies."""
        for number in signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT:
            with self.subTest(number.name):
                seen = self.attempt(self.login_and_kill, number)
                self.assert_decided(seen, "broker-error", requests=1, user="alice",
                                    reason=rf"the broker ended without a reply \(ended by signal {number.value}\)")
                self.assertEqual(seen.status, 1)
                self.assertIn("pamtester: Error in service module", seen.err)  # PAM_SERVICE_ERR
                self.assertEqual(machine.cores(), [])

    def login_and_kill(self, number: signal.Signals) -> subprocess.CompletedProcess:
        before = len(machine.iam.requests())
        with open("/etc/shadow", "rb") as inherited, subprocess.Popen(
                ["pamtester", "patient", "alice", "authenticate"], text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=unlimited_cores,
                pass_fds=[inherited.fileno()]) as host:
            try:
                host.stdin.write(keys["fault_hang"] + "\n")
                host.stdin.flush()
                until(lambda: len(machine.iam.requests()) > before, "the key is with IAM")
                broker, = (pid for pid, command in processes().items() if command.startswith("ibmiam-broker"))
                self.check_locked_down(Path(f"/proc/{broker}"))
                os.kill(broker, number)
                out, err = host.communicate(timeout=TIMEOUT_S)
            finally:
                host.kill()
        return subprocess.CompletedProcess(host.args, host.returncode, out, err)

    def check_locked_down(self, broker: Path) -> None:
        status = dict(line.split(":\t", 1) for line in (broker / "status").read_text().splitlines())
        user = "\t".join([str(USERS["_ibmiam"])] * 4)
        expected = {"Uid": user, "Gid": user, "Groups": " ", "NoNewPrivs": "1", "CapPrm": "0" * 16, "CapEff": "0" * 16}
        self.assertEqual({name: status[name] for name in expected}, expected)
        self.assertEqual((broker / "environ").stat().st_uid, 0)  # the kernel's way to say: not to be dumped
        self.assertRegex((broker / "limits").read_text(), r"Max core file size +0 +0 ")
        self.assertEqual(os.readlink(broker / "cwd"), "/")
        open_files = {int(entry.name): os.readlink(entry) for entry in (broker / "fd").iterdir()}
        self.assertRegex(open_files[0], r"^socket:")
        self.assertEqual({name for number, name in open_files.items() if number > 0 and
                          not name.startswith(("socket:", "pipe:", "anon_inode:"))}, {"/dev/null"})


def unlimited_cores() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def tearDownModule():
    machine.assert_clean()


suite.main()
