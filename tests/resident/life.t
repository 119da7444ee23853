#!/usr/bin/python3
"""How a resident broker begins and ends: by hand, by systemd, twice at once, after a crash, for an ordinary user."""
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from machine import CONFIG, TIMEOUT_S, until, write  # noqa: E402
from service import (ALLOWED, COMMAND, GONE, NO_BROKER, OK, PROGRAM, SOCKET, USERS, Broker, Client, Clock,  # noqa: E402
                     ServiceTest, adopt, as_user, authenticate, begin, drop, token)
from wire import DENIED, NO_SESSION  # noqa: E402

CLIENTS_OF_ONE_MAX = 16  # resident.c
PENDING_S, UNWATCHED_S = 120, 12 * 3600  # session.h
machine = ServiceTest.machine = begin()
keys = machine.iam.keys
ALICE = USERS["alice"]


class Life(ServiceTest):
    def setUp(self):
        machine.configure()
        machine.pam("life", "auth required pam_ibmiam.so", "session required pam_ibmiam.so")
        self.brokers = []
        self.addCleanup(lambda: [broker.end(signal.SIGKILL) for broker in self.brokers])

    def start(self, *options: str, **more) -> Broker:
        self.brokers.append(Broker(machine, *options, **more))
        self.broker = self.brokers[-1]
        return self.broker

    def assert_logs_in(self) -> None:
        """By whichever broker there is."""
        done = machine.run("pamtester", "life", "alice", "authenticate", "open_session", "close_session",
                           answer=keys["alice"] + "\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_stop(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(number.name):
                broker = self.start()
                handle = broker.hold("alice", keys["alice"])
                waiting = broker.client().send(authenticate("alice", keys["fault_hang"]))
                until(lambda: any(r["key"] == "fault_hang" for r in machine.iam.requests()), "somebody waits for IAM")
                self.assertEqual(broker.end(number), 0)
                self.assertIsNone(waiting.receive(), "closed: his login runs one-shot")
                waiting.socket.close()
                self.assertRegex(broker.log, rf'dropped session={handle[:8]} user=alice reason="the broker stops"')
                self.assertRegex(broker.log, r"<5>ibmiam-broker stops\n")
                self.assert_logs_in()
                self.assert_exit(self.command("token", handle=handle), NO_BROKER, "no broker")
                self.start()
                self.assert_exit(self.command("token", handle=handle), GONE, "no credential")
                self.broker.end()

    def test_what_holds_it(self):
        """By the kernel's own account; what that keeps it from is tests/unit/test_sandbox_resident.c's matter."""
        broker = self.start()
        status = dict(line.split(":\t", 1) for line in
                      Path(f"/proc/{broker.process.pid}/status").read_text().splitlines() if ":\t" in line)
        own = USERS["_ibmiam"]
        for name, value in {"Uid": f"{own}\t" * 3 + str(own), "Groups": "", "NoNewPrivs": "1", "Seccomp": "2",
                            "CapEff": "0" * 16, "CapPrm": "0" * 16}.items():
            with self.subTest(name):
                self.assertEqual(status[name].strip(), value)
        self.assertNotRegex(broker.log, "no Landlock|no seccomp")
        broker.end()

    def test_two_at_once(self):
        for turn in range(5):
            first, second = self.start(waits=False), self.start(waits=False)
            until(lambda: None in {first.process.poll(), second.process.poll()} and
                  {1} & {first.process.poll(), second.process.poll()}, "one of them gives up")
            winner, loser = (first, second) if first.process.poll() is None else (second, first)
            winner.wait("listens at")
            self.assertEqual(loser.log, f"<3>ibmiam-broker cannot start: another broker listens at {SOCKET}\n")
            self.assert_result(winner.ask(authenticate("alice", keys["alice"])), ALLOWED)
            winner.end(signal.SIGKILL)
            with self.subTest("a third takes over what the dead one has left", turn=turn):
                third = self.start()
                self.assert_result(third.ask(authenticate("alice", keys["alice"])), ALLOWED)
                third.end()

    def test_idle_exit(self):
        broker = self.start("--idle-exit", "1")
        handle = broker.hold("alice", keys["alice"])
        with self.assertRaises(subprocess.TimeoutExpired):
            broker.process.wait(2)
        self.assert_result(broker.ask(drop(handle)), ALLOWED)
        self.assertEqual(broker.process.wait(TIMEOUT_S), 0)
        self.assertRegex(broker.log, "<5>ibmiam-broker stops\n$")

    def test_cannot_start(self):
        long = "/run/" + "x" * 120
        bad = machine.scratch / "bad.conf"
        write(bad, "nonsense\n", 0o640)
        file = machine.scratch / "in-the-way"
        file.write_text("precious")
        for what, path, config, said in [
                ("no folder", Path("/run/nowhere/s"), CONFIG, "cannot lock /run/nowhere/s.lock: No such file"),
                ("a long path", Path(long), CONFIG, "too long for a socket's path"),
                ("a file there", file, CONFIG, f"cannot listen at {file}: Address already in use"),
                ("a bad configuration", SOCKET, bad, f"{bad}:1: "),
                ("none", SOCKET, Path("/nonexistent.conf"), "/nonexistent.conf.*No such file")]:
            with self.subTest(what):
                done = subprocess.run([PROGRAM, "--config", config, "--listen", path], capture_output=True, text=True,
                                      timeout=TIMEOUT_S)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, rf"^<3>ibmiam-broker cannot start: .*{said}.*\n$")
        self.assertEqual(file.read_text(), "precious")

    def test_usage(self):
        for arguments in (), ("--config", "x"), ("--config", CONFIG, "--listen", "x"), ("--config", CONFIG, "x"), \
                *(("--config", CONFIG, "--idle-exit", value) for value in ("soon", "", "-1", " +1", "1s", "2147483648")):
            with self.subTest(arguments):
                done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                      timeout=TIMEOUT_S)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("usage: ibmiam-broker", done.stderr)

    def activate(self, path: Path, *options: str, kind: str = "--seqpacket") -> subprocess.Popen:
        """systemd-socket-activate, which becomes the broker at the first connection; what they say goes to its log."""
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.unlink(missing_ok=True)
        self.file = machine.scratch / f"activated{kind}-{path.name}.log"
        with open(self.file, "wb") as log:
            command = ["systemd-socket-activate", kind, "-l", path, PROGRAM, "--config", CONFIG, *options]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, cwd="/")
        self.addCleanup(process.kill)
        until(path.exists, "it listens")
        return process

    def test_activation(self):
        process = self.activate(SOCKET, "--idle-exit", "1")
        SOCKET.chmod(0o666)  # as the socket unit says
        self.assert_logs_in()
        self.assertEqual(process.wait(TIMEOUT_S), 0)  # idle
        self.assertRegex(self.file.read_text(), r"(?s)ibmiam-broker [\d.]+ listens\n.*adopted.*dropped.*stops\n")
        self.assert_logs_in()  # nobody listens any more

    def hand_over_lingering(self, data: bytes) -> socket.socket:
        """Bob's connection, with a request and a socket whose last closer waits for a minute: its peer never reads
        what is on its way."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with as_user(USERS["bob"]):
            client.connect(str(SOCKET))
        with socket.create_server(("127.0.0.1", 0)) as server, \
                socket.create_connection(server.getsockname()) as near:
            far, _ = server.accept()
            self.addCleanup(far.close)
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    near.send(bytes(1 << 16))
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, TIMEOUT_S))
            socket.send_fds(client, [data], [near.fileno()])
        return client

    def test_descriptors_that_hold_who_closes_them(self):
        """Sent to a socket of systemd's, before the broker is there to refuse them: it closes them, and goes on."""
        process = self.activate(SOCKET)
        SOCKET.chmod(0o666)
        process.send_signal(signal.SIGSTOP)
        clients = [self.hand_over_lingering(authenticate("bob", keys["bob"], service="ibmiam"))
                   for _ in range(CLIENTS_OF_ONE_MAX + 1)]  # one of them is turned away, unread
        begun = time.monotonic()
        process.send_signal(signal.SIGCONT)
        with Client(SOCKET) as client:
            reply = client.send(authenticate("alice", keys["alice"])).receive()
        self.assertTrue(reply and reply.result == ALLOWED, self.file.read_text())
        self.assertLess(time.monotonic() - begun, TIMEOUT_S / 4)
        for client in clients:
            client.close()
        process.terminate()
        self.assertEqual(process.wait(TIMEOUT_S), 0)

    def test_who_asks_has_no_pid_here(self):
        """The broker is in a pid namespace of its own, and the leader of a session: none of who asks."""
        clock = Clock(machine)
        broker = self.start(wrapper=(*clock.wrapper, "unshare", "--pid", "--fork", "setsid"))
        outside = broker.process.pid
        child = int(Path(f"/proc/{outside}/task/{outside}/children").read_text())
        self.addCleanup(broker.process.wait, TIMEOUT_S)
        self.addCleanup(os.kill, child, signal.SIGTERM)
        login = machine.run(COMMAND, "login", user="alice", answer=keys["alice"] + "\n")
        self.assertEqual(login.returncode, 0, login.stderr + broker.log)
        self.assertRegex(broker.wait("adopted"), r"user=alice .*\(not watched\)")
        clock.set(UNWATCHED_S - 60, broker)
        self.assertEqual(broker.lines("dropped"), [])
        clock.set(UNWATCHED_S + 60, broker)
        self.assertRegex(broker.wait("dropped"), 'user=alice reason="its time is up"')

    def test_nobody_adopts_it(self):
        clock = Clock(machine)
        broker = self.start(wrapper=clock.wrapper)
        late, too_late = (broker.ask(authenticate("alice", keys["alice"])).handle for _ in range(2))
        clock.set(PENDING_S - 10, broker)
        self.assert_result(broker.ask(adopt(late, "alice")), ALLOWED)
        clock.set(PENDING_S + 10, broker)
        self.assertRegex(broker.wait("dropped"), f'session={too_late[:8]} .*reason="nobody has adopted it"')
        self.assert_result(broker.ask(adopt(too_late, "alice")), NO_SESSION)
        self.assert_result(broker.ask(token(late)), ALLOWED)

    def test_activation_with_another_kind_of_socket(self):
        path = machine.scratch / "stream.sock"
        process = self.activate(path, kind="--fdname=x")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            self.assertEqual(process.wait(TIMEOUT_S), 1)
        self.assertRegex(self.file.read_text(), "<3>ibmiam-broker cannot start: .*ListenSequentialPacket=")

    def test_an_ordinary_users_own(self):
        """It serves him as root's serves root, and nobody else gives it a key."""
        home = Path("/home/alice")
        config, path = home / "ibmiam.conf", home / "broker.sock"
        write(config, CONFIG.read_text(), 0o600)
        home.chmod(0o755)
        os.chown(config, ALICE, ALICE)
        broker = self.start(path=path, config=config, user="alice")
        self.assert_result(broker.ask(authenticate("bob", keys["bob"]), ALICE), ALLOWED)
        self.assert_result(broker.ask(authenticate("bob", keys["bob"], uid=USERS["deploy"]), USERS["deploy"]), DENIED)
        login = machine.run(COMMAND, "login", "--socket", str(path), user="alice", answer=keys["alice"] + "\n")
        self.assertEqual(login.returncode, 0, login.stderr + broker.log)
        handle = re.search("[0-9a-f]{32}", login.stdout)[0]
        self.assert_exit(machine.run(COMMAND, "token", "--socket", str(path), user="alice",
                                     env={"IBMIAM_SESSION": handle}), OK)
        self.assert_exit(machine.run(COMMAND, "login", "--socket", str(path), user="bob", answer=keys["bob"] + "\n"),
                         NO_BROKER, "is not root")
        self.assertEqual(broker.end(), 0)


def tearDownModule():
    machine.assert_clean()


suite.main()
