#!/usr/bin/python3
"""A resident broker among hostile clients, stopped, and killed: nobody else notices."""
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import decision  # noqa: E402
from machine import CONFIG, TIMEOUT_S, until, write  # noqa: E402
from service import (ALLOWED, LATER, USERS, Broker, Killer, ServiceTest, authenticate, begin, drop,  # noqa: E402
                     edit, token)
from wire import CONFIG_ERROR, HELLO, MESSAGE_MAX, REPLY, UNAVAILABLE, field, message, text, u32  # noqa: E402

HELLO_REQUESTS = b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 7000  # TLS 1.2; to be skipped
LOGINS, GREETING_MS, IDLE_S = 40, 1000, 5
SO_PASSRIGHTS = 83
machine = ServiceTest.machine = begin()
keys = machine.iam.keys
ALICE, BOB = USERS["alice"], USERS["bob"]


def garbage(handle: str) -> dict[str, bytes]:
    good = token(handle)
    request = authenticate("bob", keys["bob"], service="ibmiam")
    return {
        "one byte": b"\1", "zeros": bytes(100), "noise": os.urandom(500), "the largest": os.urandom(MESSAGE_MAX),
        "too large": bytes(MESSAGE_MAX + 1), "text": b"GET / HTTP/1.1\r\n\r\n", "version 2": b"\2" + good[1:],
        "an unknown type": bytes([1, 99]) + good[2:], "a reply": message({"r": field(1, u32(0))}, kind=REPLY),
        "a hello": message({"v": field(1, text("x"))}, kind=HELLO), "nothing but a head": good[:2],
        **{f"a token request cut at {n}": good[:n] for n in (5, 37, 38, len(good) - 1)},
        **{f"a login cut at {n}": request[:n] for n in range(3, len(request), 7)},
        "trailing": good + b"\0", "a field twice": good + good[2:],
        "a handle of odd characters": message({"s": field(1, text("/" * 32)), "b": field(2, u32(1))}, kind=7),
    }


def has_passrights() -> bool:
    """Linux 6.16 or newer."""
    with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
        return bool(s.getsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS))
    return False


class Robust(ServiceTest):
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.broker.process.pid}/fd"))

    def test_garbage(self):
        """Closed without an answer, whoever sends it, while somebody waits for his login."""
        handle = self.broker.hold("alice", keys["alice"])
        self.broker.ask(drop("0" * 32))
        before = self.descriptors()
        idle = [self.broker.client(BOB), self.broker.client()]
        begun = time.monotonic()
        waiting = self.broker.client().send(authenticate("alice", keys["fault_slow_2"]))
        for uid in BOB, 0:
            for what, data in garbage(handle).items():
                with self.subTest(what, uid=uid):
                    self.assertIsNone(self.broker.ask(data, uid))
            with self.subTest("descriptors", uid=uid), self.broker.client(uid) as client:
                refused = self.assertRaises(PermissionError) if has_passrights() else contextlib.nullcontext()
                with refused:
                    socket.send_fds(client.socket, [token(handle)], [0, 1, 2])
                if not has_passrights():
                    self.assertIsNone(client.receive())
            with self.subTest("half closed", uid=uid), self.broker.client(uid) as client:
                client.socket.shutdown(socket.SHUT_WR)
                self.assertIsNone(client.receive())
            with self.subTest("a second message", uid=uid), self.broker.client(uid) as client:
                client.send(authenticate("bob", keys["fault_hang"], service="ibmiam")).send(b"x")
                self.assertIsNone(client.receive())
            with self.subTest("gone at once", uid=uid):
                self.broker.client(uid).socket.close()
        self.assert_result(waiting.receive(), ALLOWED)
        waiting.socket.close()
        self.assert_result(self.broker.ask(token(handle), ALICE), ALLOWED)
        for client in idle:
            self.assertIsNone(client.receive(), "whoever asks nothing is sent away")
            self.assertGreater(time.monotonic() - begun, IDLE_S - 1)
            client.socket.close()
        until(lambda: self.descriptors() <= before, "all descriptors are closed again")

    def make_environment(self, entries: int) -> None:
        """Of one KiB each, less one byte."""
        values = ", ".join(f'"V{number:02}={"x" * 1018}"' for number in range(entries))
        edit(CONFIG.read_text() + f"environment = {{ {values} }}\n")

    def test_a_token_that_does_not_fit(self):
        handle = self.broker.hold("bob", keys["bob"])
        self.make_environment(63)
        self.assert_result(self.broker.ask(authenticate("bob", keys["bob"])), ALLOWED)
        self.assert_result(self.broker.ask(token(handle)), CONFIG_ERROR, "do not fit")

    def test_a_reply_that_does_not_fit(self):
        """Nobody learns of the credential, so it is none of the 64 that a user may have."""
        self.make_environment(64)
        mark = self.broker.mark()
        self.assert_result(self.broker.ask(authenticate("bob", keys["bob"], service="ibmiam"), BOB), CONFIG_ERROR,
                           "does not fit")
        self.broker.wait("dropped .*user=bob", mark)

    def test_a_peer_that_keeps_openssl_busy(self):
        """Nobody is served in the meantime, so its connection is ended."""
        self.broker.end()
        machine.configure(endpoint=f'"{machine.iam.urls["hello_requests"]}"')
        self.broker = Broker(machine)  # it may connect to that port
        with self.broker.client() as client:
            client.send(authenticate("alice", keys["alice"]))
            with self.broker.client(BOB) as other:  # which waits for a greeting
                self.assertTrue(other.is_welcome)
            self.assert_result(client.receive(), UNAVAILABLE, "no answer from .* [(]curl")
        self.assertLess(self.broker.cpu_s(), 10)

    def test_a_peer_that_keeps_openssl_busy_at_the_end(self):
        """To close a connection libcurl reads on, and so whoever gives up must not hold up the others."""
        def flood(peer: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer.sendall(HELLO_REQUESTS)

        self.broker.end()
        with socket.create_server(("127.0.0.1", 0)) as iam:
            iam.settimeout(TIMEOUT_S)
            machine.configure(endpoint=f'"https://localhost:{iam.getsockname()[1]}"')
            self.broker = Broker(machine)
            client = self.broker.client()
            client.send(authenticate("alice", keys["alice"]))
            with iam.accept()[0] as peer:
                peer.recv(1)  # its ClientHello; now it waits
                self.broker.process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, self.broker.process.pid, os.WSTOPPED)
                client.socket.close()
                peer.send(HELLO_REQUESTS)
                flooding = threading.Thread(target=flood, args=(peer,))
                flooding.start()
                self.broker.process.send_signal(signal.SIGCONT)
                with self.broker.client(BOB) as other:
                    self.assertTrue(other.is_welcome)
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
                flooding.join()
        self.assertLess(self.broker.cpu_s(), 10)

    def test_many_honest_ones(self):
        """A second of CPU, too, if each reads the system's whole bundle: libcurl keeps it only without a ca_path."""
        both = machine.scratch / "bundle.pem"
        write(both, "".join(Path(file).read_text() for file in ("/etc/ssl/certs/ca-certificates.crt",
                                                                machine.iam.ready["ca_file"])))
        self.broker.end()
        machine.configure(ca_file=f'"{both}"', ca_path=f'"{machine.iam.ready["ca_path"]}"')
        self.broker = Broker(machine)
        clients = [self.broker.client() for _ in range(LOGINS * 2)]
        self.broker.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.broker.process.pid, os.WSTOPPED)
        for client in clients:
            client.send(authenticate("alice", keys["alice"]))
        self.broker.process.send_signal(signal.SIGCONT)
        for client in clients:
            self.assert_result(client.receive(), ALLOWED)
            client.socket.close()

    def test_stopped(self):
        """A login waits for its greeting, no longer, and then runs by itself; so does ibmiam."""
        handle = self.broker.hold("alice", keys["alice"])
        machine.pam("stopped", "auth required pam_ibmiam.so timeout=60", "session required pam_ibmiam.so")
        self.broker.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.broker.process.send_signal, signal.SIGCONT)
        mark = machine.log.mark()
        done = machine.run("pamtester", "stopped", "alice", "authenticate", "open_session", "close_session",
                           answer=keys["alice"] + "\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        machine.log.settle()
        elapsed_ms = int(decision(machine.log.decisions(mark)[0])[1]["elapsed_ms"])
        self.assertTrue(GREETING_MS <= elapsed_ms < GREETING_MS * 3, elapsed_ms)
        self.assert_exit(self.command("token", "--timeout", "1", handle=handle), LATER, "does not greet in time")
        self.broker.process.send_signal(signal.SIGCONT)
        self.assert_result(self.broker.ask(token(handle), ALICE), ALLOWED)

    def test_killed_during_logins(self):
        """Which broker answers, and whether it lives to do so, is never seen by the user."""
        self.broker.end()
        killer = Killer(machine, LOGINS, keys["alice"])
        killer.run()
        self.assertEqual(killer.failed, [])
        for what in killer.killed, killer.adopted:
            self.assertGreater(what, LOGINS // 20, f"{killer.killed} killed, {killer.adopted} adopted: hardly a test")
        self.broker = Broker(machine)  # and it starts again


def tearDownModule():
    machine.assert_clean()


suite.main()
