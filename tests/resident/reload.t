#!/usr/bin/python3
"""A resident broker and a configuration that changes under it: whoever edits the file need not say so."""
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import rule  # noqa: E402
from machine import CONFIG, TIMEOUT_S, quoted, until, write  # noqa: E402
from service import (ALLOWED, ENVIRONMENT, OK, PROGRAM, SOCKET, USERS, Broker, ServiceTest, authenticate,  # noqa: E402
                     begin, drop, edit, token)
from wire import USER_UNKNOWN, fields  # noqa: E402

machine = ServiceTest.machine = begin()
keys = machine.iam.keys
REFUSED, READ = "the new configuration is refused, and the old one stays: ", "has been read anew"
FOLDER = Path(f"{CONFIG}.d")


class Activated(Broker):
    """With a socket that listens already, as systemd starts it."""

    def __init__(self, of) -> None:
        SOCKET.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(SOCKET))
        SOCKET.chmod(0o666)
        self.listener.listen()
        self.machine, self.path, self.file = of, SOCKET, of.scratch / "activated.log"
        with open(self.file, "wb") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null', "sh", PROGRAM, "--config", CONFIG],
                stdin=self.listener, stderr=log, cwd="/", env=ENVIRONMENT)
        self.wait("listens")


def note(reply) -> str:
    return fields(reply.raw).get(11, b"").decode().rstrip("\0")


class Reload(ServiceTest):
    def setUp(self):
        super().setUp()
        self.good = CONFIG.read_text()
        self.carols = self.good + rule(machine, "carol", "host")
        while self.settle() > 0:  # a file that was just written is read once more
            pass

    def settle(self) -> int:
        mark = self.broker.mark()
        self.ask()
        return len(self.broker.lines(READ, mark))

    def ask(self, user: str = "carol", key: str = "host"):
        return self.broker.ask(authenticate(user, keys[key]))

    def hangup(self) -> None:
        self.broker.process.send_signal(signal.SIGHUP)

    def test_an_edit_takes_effect_at_the_next_request(self):
        for _ in range(3):  # one right after the other
            self.assert_result(self.ask(), USER_UNKNOWN)
            edit(self.carols)
            self.assert_result(self.ask(), ALLOWED)
            edit(self.good)
        with self.subTest("in place"):
            write(CONFIG, self.carols, 0o640)
            self.assert_result(self.ask(), ALLOWED)

    def test_a_file_in_the_folder(self):
        more = FOLDER / "carol.conf"
        write(more, rule(machine, "carol", "host"))
        self.assert_result(self.ask(), ALLOWED)
        more.unlink()
        self.assert_result(self.ask(), USER_UNKNOWN)

    def test_hangup(self):
        mark = self.broker.mark()
        self.hangup()
        self.broker.wait(READ, mark)
        self.assert_result(self.ask("alice", "alice"), ALLOWED)

    def test_sessions_and_the_connection_outlive_it(self):
        handle = self.broker.hold("alice", keys["alice"])
        connections = len(set(r["connection"] for r in machine.iam.requests()))
        edit(self.carols)
        self.assert_result(self.ask(), ALLOWED)
        self.assert_result(self.broker.ask(token(handle), USERS["alice"]), ALLOWED)
        self.assertEqual(len(set(r["connection"] for r in machine.iam.requests())), connections)

    def test_a_bad_one(self):
        """It is refused whole and once; the old one goes on; SIGHUP says it again; a good one takes effect."""
        mark = self.broker.mark()
        edit(self.carols + "minimum_uid = many\n")
        for _ in range(5):
            self.assert_result(self.ask(), USER_UNKNOWN)
            self.assert_result(self.ask("alice", "alice"), ALLOWED)
        found = self.broker.lines(REFUSED, mark)
        self.assertEqual(len(found), 1, self.broker.log)
        self.assertRegex(found[0], rf"^<3>.*{CONFIG}:\d+: .*minimum_uid")
        self.assertRegex(note(self.ask()), f"before its last change: {CONFIG}:.*minimum_uid")
        own = authenticate("alice", keys["alice"], service="ibmiam")
        own = self.assert_result(self.broker.ask(own, USERS["alice"]), ALLOWED)
        self.assertEqual(note(own), "", "the file is not hers to read")
        mark = self.broker.mark()
        self.hangup()
        self.broker.wait(REFUSED, mark)
        mark = self.broker.mark()
        edit(self.carols)
        self.hangup()
        self.broker.wait(READ, mark)
        self.assertEqual(note(self.assert_result(self.ask(), ALLOWED)), "")

    def test_one_that_comes_back(self):
        """What was refused is gone, and what is in force is there again: as nothing of it is to be read anew, nothing
        else would ever take the note away."""
        self.end()
        folder, away = machine.scratch / "moved", machine.scratch / "moved-away"
        folder.mkdir()
        edit(self.good, folder / CONFIG.name)
        self.broker = Broker(machine, config=folder / CONFIG.name)
        while self.settle() > 0:
            pass
        folder.rename(away)
        self.assertRegex(note(self.ask()), "before its last change: .*No such file")
        away.rename(folder)
        mark = self.broker.mark()
        until(lambda: not note(self.assert_result(self.ask(), USER_UNKNOWN)), "the note is gone")
        self.assertEqual(self.broker.lines(REFUSED, mark), [])
        self.broker.wait("^<5>.* is again the one in force", mark)

    def test_what_needs_a_restart(self):
        for what, change in {
                "ca_path": self.carols.replace(machine.iam.ready["ca_path"], "/etc/ssl/certs"),
                "ca_file": self.carols + f'ca_file = {quoted(machine.iam.ready["ca_file"])}\n',
                "port": self.carols.replace(machine.iam.urls["good"], machine.iam.urls["no_listen"])}.items():
            with self.subTest(what):
                mark = self.broker.mark()
                edit(change)
                self.hangup()
                self.assertRegex(self.broker.wait(REFUSED, mark), "restart the broker")
                self.assert_result(self.ask(), USER_UNKNOWN)
        with self.subTest("the same ones after all"):
            edit(self.carols)
            self.hangup()
            self.assert_result(self.ask(), ALLOWED)

    def test_one_of_systemds_makes_room(self):
        """Whoever sets this up edits ca_file after the first try: the next login, which runs one-shot, has it. Only
        a session, or a user's own request, keeps the old broker."""
        self.end()
        self.broker = Activated(machine)
        self.addCleanup(self.broker.listener.close)
        handle = self.broker.hold("alice", keys["alice"])
        edit(self.carols + f'ca_file = {quoted(machine.iam.ready["ca_file"])}\n')
        reply = self.assert_result(self.ask(), USER_UNKNOWN)
        self.assertRegex(note(reply), "before its last change: it has another ca_file.*restart the broker")
        self.assert_result(self.broker.ask(drop(handle)), ALLOWED)
        own = authenticate("bob", keys["bob"], service="ibmiam")
        reply = self.assert_result(self.broker.ask(own, USERS["bob"]), ALLOWED)
        self.assert_result(self.broker.ask(drop(reply.handle), USERS["bob"]), ALLOWED)
        self.assertIsNone(self.ask())
        self.assertEqual(self.broker.process.wait(TIMEOUT_S), OK, self.broker.log)
        self.broker.wait("^<5>no session needs this broker")

    def test_but_not_while_it_is_asked(self):
        """What is with IAM already has its answer first: a user's own login has no other broker to go to."""
        self.end()
        self.broker = Activated(machine)
        self.addCleanup(self.broker.listener.close)
        own = self.broker.client(USERS["alice"])
        self.addCleanup(own.socket.close)
        since = len(machine.iam.requests())
        own.send(authenticate("alice", keys["fault_slow_2"], service="ibmiam"))
        until(lambda: len(machine.iam.requests()) > since, "IAM has been asked")
        edit(self.carols + f'ca_file = {quoted(machine.iam.ready["ca_file"])}\n')
        self.assert_result(self.ask(), USER_UNKNOWN)
        self.hangup()
        reply = self.assert_result(own.receive(), ALLOWED)
        self.assert_result(self.broker.ask(drop(reply.handle), USERS["alice"]), ALLOWED)
        self.assertIsNone(self.ask())
        self.assertEqual(self.broker.process.wait(TIMEOUT_S), OK, self.broker.log)

    def test_a_folder_that_it_may_not_read(self):
        """It is root that reads it at the start, and somebody else later: said before it matters."""
        self.assertNotIn("cannot read", self.broker.log)
        self.end()
        CONFIG.chmod(0o600)
        self.addCleanup(FOLDER.chmod, FOLDER.stat().st_mode & 0o777)
        FOLDER.chmod(0o700)
        self.broker = Broker(machine)
        for path in CONFIG, FOLDER:
            self.assert_warned(path, "chgrp")

    def assert_warned(self, path: Path, cure: str) -> None:
        self.broker.wait(rf"^<4>uid {USERS['_ibmiam']} cannot read {path} again: .*restart.*{cure}")

    def test_a_file_that_it_may_not_read(self):
        """Whatever it is part of; and each edit is refused because of it, as had been said."""
        part, closed, outside = FOLDER / "10.conf", Path("/etc/security/closed.key"), machine.scratch / "outside.key"
        self.addCleanup(part.unlink)
        for name, key, unread, cure in (("a part", None, part, "chgrp"), ("a key", closed, closed, "chgrp"),
                                        ("a key outside the sandbox", outside, outside, "move it to /etc")):
            with self.subTest(name):
                self.end()
                write(part, f"directory_key_file = {quoted(str(key))}\n" if key else "", 0o644 if key else 0o600)
                if key:
                    write(key, keys["host"], 0o640)
                    os.chown(key, 0, USERS["_ibmiam"] if key == outside else 0)
                edit(self.good)
                self.broker = Broker(machine)
                self.assert_warned(unread, cure)
                mark = self.broker.mark()
                edit(self.carols)
                self.assert_result(self.ask(), USER_UNKNOWN)
                self.broker.wait(f"{REFUSED}.*Permission denied", mark)
        for path in closed, outside:
            path.unlink()


def tearDownModule():
    machine.assert_clean()


suite.main()
