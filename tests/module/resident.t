#!/usr/bin/python3
"""The module and a resident broker (resident.py): who is asked, what a login does when that broker misbehaves, and
that a session's credential is adopted by whom it should be and dropped once. The one-shot broker that stands behind it
exports something else, which shows who has answered.
"""
import base64
import os
import shutil
import subprocess
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402
import wire  # noqa: E402
from driver import Run, parallel  # noqa: E402
from resident import HANDLE, Resident, Turn, welcome  # noqa: E402

import suite  # noqa: E402
from suite import BUILD  # noqa: E402

VARIABLE = "PAM_IBMIAM_STASH"
KEY = "a-key-that-no-fake-broker-looks-at-" + "x" * 20
BOUND_MS = {"setcred-delete": 1000, "close_session": 1000}  # and 2 s for what adopts
LATE_MS = 4000  # for a machine that is busy with other tests
stage = driver.Stage()
me, uid = stage.me.pw_name, stage.me.pw_uid

ONE_SHOT = stage.write("conf/one-shot.fake", f"read\nsend {wire.reply(environment=('ONE=shot',)).hex()}\n")
EXPORTED = {"A": "1", "B": "two words"}
HELD = EXPORTED | {"IBMIAM_SESSION": HANDLE}
ASKED, DROPPED = ("authenticate", me), ("drop", HANDLE)
ADOPTED, ADOPTED_BY_ROOT = ("adopt", HANDLE, me, uid), ("adopt", HANDLE, "root", 0)
ALLOWED, ONE_SHOT_ALLOWED = ("info", "^allowed "), {"ONE": "shot"}
NO_SESSION = Turn(wire.refusal(wire.NO_SESSION, reason="there is no such session"))


def without(reason: str) -> tuple[str, str]:
    return ("warning", rf'^the session starts without IBMIAM_SESSION user=\S+ reason="?.*{reason}')


def not_dropped(reason: str) -> tuple[str, str]:
    return ("warning", rf'^the session\'s credential could not be dropped user=\S+ reason="?.*{reason}')


@dataclass
class Case:
    name: str
    steps: str
    received: list[tuple]
    environments: list[dict]  # at each `env`
    turns: tuple[Turn, ...] = ()
    log: tuple[tuple[str, str], ...] = (ALLOWED,)  # priority, pattern
    code: str = "PAM_SUCCESS"  # of the first call; all others succeed

    def run(self) -> tuple[Run, Resident]:
        path = stage.folder / f"r{stage.number()}"
        broker = Resident(path, *self.turns)
        try:
            service = stage.pam(stage.options(ONE_SHOT, f"socket={path}", broker=stage.fake))
            return stage.drive(service, *self.steps.split(), "left", answers=(KEY,) * 3), broker
        finally:
            broker.stop()


def whole_life(authenticate: str) -> list[Case]:
    """What holds whether authenticate runs in the host or, as with sshd, in a child of it."""
    return [
        *(Case(f"{authenticate}, {call}", f"{authenticate} {call} env", [ASKED, ADOPTED], [HELD])
          for call in ("setcred", "setcred-noflag", "setcred-reinitialize", "setcred-refresh", "open_session")),
        Case(f"{authenticate}, adopted once, dropped once",
             f"{authenticate} setcred open_session setcred env setcred-delete env close_session setcred-delete",
             [ASKED, ADOPTED, DROPPED], [HELD, {}]),
        Case(f"{authenticate}, in su's order", f"{authenticate} open_session setcred env close_session env setcred-delete",
             [ASKED, ADOPTED, DROPPED], [HELD, {}]),
        *(Case(f"{authenticate}, another user, {call}: at once", f"{authenticate} user=root {call} env {call}",
               [ASKED, DROPPED], [{}]) for call in ("setcred", "setcred-reinitialize", "open_session")),
        *(Case(f"{authenticate}, adopted, another user, {call}: at once",
               f"{authenticate} setcred user=root {call} env close_session", [ASKED, ADOPTED, DROPPED], [{}])
          for call in ("setcred-reinitialize", "open_session", "close_session")),
        Case(f"{authenticate}, another user, export = target", f"{authenticate} user=root setcred env close_session env",
             [ASKED, ADOPTED_BY_ROOT, DROPPED], [HELD, {}], (welcome(export_to=1),)),
        *(Case(f"{authenticate}, {call}: nothing is adopted, nothing dropped", f"{authenticate} {call} env", [ASKED], [{}])
          for call in ("setcred-delete", "close_session")),
        Case(f"{authenticate}, no handle", f"{authenticate} setcred env close_session", [ASKED], [EXPORTED],
             (welcome(session=None),)),
    ]


def forged(**parts) -> str:
    text = base64.urlsafe_b64encode(wire.stash(me, ("A=1",), **parts)).decode().rstrip("=")
    return f"putenv={VARIABLE}={text}"


SESSIONS = [
    *whole_life("authenticate"), *whole_life("fork-authenticate"),
    Case("as sudo does", "ruser=eve authenticate user=root setcred-reinitialize open_session env close_session",
         [ASKED, DROPPED], [{}]),
    Case("as sudo does, export = target", "ruser=eve authenticate user=root setcred-reinitialize env close_session",
         [ASKED, ADOPTED_BY_ROOT, DROPPED], [HELD], (welcome(export_to=1),)),
    Case("a second login drops what the first has adopted", "authenticate setcred authenticate env close_session",
         [ASKED, ADOPTED, DROPPED, ASKED], [{VARIABLE: "set"}], log=(ALLOWED, ALLOWED)),
    Case("a host that ends without a word", "authenticate setcred", [ASKED, ADOPTED], []),
    Case("nothing to export", "authenticate setcred env close_session", [ASKED], [{}],
         (welcome(session=None, environment=()),)),
    Case("nothing but the handle", "authenticate setcred env close_session env", [ASKED, ADOPTED, DROPPED],
         [{"IBMIAM_SESSION": HANDLE}, {}], (welcome(environment=()),)),
    Case("what cannot be exported", "authenticate setcred env close_session", [ASKED, DROPPED], [{}],
         (welcome(environment=("A=1", "NAME")),), (ALLOWED, ("err", "could not be exported"))),
    Case("the variable is the module's", "authenticate setcred env close_session env", [ASKED, ADOPTED, DROPPED],
         [HELD, {}], (welcome(environment=("IBMIAM_SESSION=x", "A=1", "B=two words")),)),
    Case("and nobody else's", "authenticate setcred env", [ASKED], [{"A": "1"}],
         (welcome(session=None, environment=("IBMIAM_SESSION=x", "A=1")),)),
    Case("no such account", "authenticate user=no-such-user setcred env close_session", [ASKED, DROPPED], [EXPORTED],
         (welcome(export_to=1),), (ALLOWED, without("the local account cannot be looked up"))),
    Case("a handle from elsewhere", f"{forged(session=HANDLE)} setcred env", [ADOPTED], [{"A": "1"}], (NO_SESSION,),
         (without("no such session"),)),
    *(Case(f"from elsewhere: {name}", f"{forged(session=handle)} setcred env", [], [{}],
           log=(("err", "could not be exported"),))
      for name, handle in (("short", HANDLE[1:]), ("upper case", HANDLE.upper()), ("a line", f"\n{HANDLE[1:]}"))),
]

IN_SESSION = "authenticate setcred env close_session env"


def adopting(name: str, turn: Turn, reason: str, dropped: bool = False, **more) -> Case:
    """What goes wrong costs the session its handle and nothing else. If the broker may have adopted it, or may yet,
    it hears of the end as well."""
    return Case(f"adopt: {name}", IN_SESSION, [ASKED, *([ADOPTED] if turn.listens else []),
                                               *([DROPPED] if dropped else [])],
                [EXPORTED, {}], (welcome(), turn), (ALLOWED, without(reason)), **more)


def dropping(name: str, turn: Turn, *log, **more) -> Case:
    return Case(f"drop: {name}", f"{IN_SESSION} setcred-delete close_session",
                [ASKED, ADOPTED, *([DROPPED] if turn.listens else [])], [HELD, {}],
                (welcome(), Turn(wire.reply(environment=())), turn), (ALLOWED, *log), **more)


FAULTS = [
    Case("adopt: the broker is gone", IN_SESSION, [ASKED], [EXPORTED, {}],
         (Turn(welcome().answer, leaves=True),), (ALLOWED, without("no broker listens at"))),
    adopting("no such session", NO_SESSION, "there is no such session"),
    adopting("refused", Turn(wire.refusal(wire.BROKER_ERROR, reason="full")), "full"),
    adopting("control characters", Turn(wire.refusal(wire.BROKER_ERROR, reason="a\nb\x1b[2J")), r"a\?b\?\[2J$"),
    adopting("no answer", Turn(), "ended without a reply", True),
    adopting("a broken answer", Turn(wire.reply()[:-1]), "breaks the protocol", True),
    adopting("no greeting", Turn(hello=None), "has no room", True),
    adopting("another version", Turn(hello=wire.hello(version=2)), "another version", True),
    Case("adopt: another version, also when it ends", IN_SESSION, [ASKED, ADOPTED, DROPPED], [EXPORTED, {}],
         (welcome(), *[Turn(hello=wire.hello(version=2))] * 2), (ALLOWED, without("another version"))),
    adopting("hangs before it greets", Turn(hello=None, hangs=True), "does not greet", True),
    adopting("hangs", Turn(hangs=True), "did not answer in time", True),
    Case("drop: the broker is gone", "authenticate setcred env close_session env", [ASKED, ADOPTED], [HELD, {}],
         (welcome(), Turn(wire.reply(environment=()), leaves=True)), (ALLOWED, not_dropped("no broker listens at"))),
    dropping("no such session: it has ended already", NO_SESSION),
    dropping("refused", Turn(wire.refusal(wire.BROKER_ERROR, reason="no")), not_dropped("no")),
    dropping("no answer", Turn(), not_dropped("ended without a reply")),
    dropping("hangs before it greets", Turn(hello=None, hangs=True), not_dropped("does not greet")),
    dropping("hangs", Turn(hangs=True), not_dropped("did not answer in time")),
]

LOGIN = "authenticate setcred env"


def instead(name: str, turn: Turn, asked: bool) -> Case:
    """No verdict: a one-shot broker gives one, and nobody reads a word of it in the log."""
    return Case(f"one-shot: {name}", LOGIN, [ASKED] if asked else [], [ONE_SHOT_ALLOWED], (turn,))


def refused(name: str, result: int, code: str, priority: str, pattern: str) -> Case:
    return Case(f"a verdict: {name}", "authenticate", [ASKED], [], (Turn(wire.refusal(result)),),
                ((priority, pattern),), code)


VERDICTS = [
    instead("no greeting", Turn(hello=None), False),
    instead("hangs before it greets", Turn(hello=None, hangs=True), False),
    instead("another version", Turn(hello=wire.hello(version=2)), False),
    instead("another greeting", Turn(hello=wire.reply()), False),
    instead("half a greeting", Turn(hello=wire.hello()[:-1]), False),
    instead("a greeting that is too long", Turn(hello=wire.hello("x" * 2000)), False),
    instead("closes", Turn(), True),
    instead("half an answer", Turn(wire.reply()[:-1]), True),
    instead("allowed, but nobody", Turn(wire.reply(iam_id=None)), True),
    instead("refused, with an environment", Turn(wire.refusal(wire.DENIED, environment=("A=1",))), True),
    *(instead(f"a handle of {name}", welcome(session=handle), True)
      for name, handle in (("31 digits", HANDLE[1:]), ("upper case", HANDLE.upper()), ("a line", f"{HANDLE[1:]}\n"),
                           ("an assignment", f"{HANDLE[:30]}=1"))),
    refused("a rejected key", wire.KEY_REJECTED, "PAM_AUTH_ERR", "notice", "^key-rejected .*so the fake broker says"),
    refused("denied", wire.DENIED, "PAM_PERM_DENIED", "notice", "^denied "),
    refused("throttled", wire.THROTTLED, "PAM_MAXTRIES", "warning", "^throttled "),
    refused("an outage", wire.UNAVAILABLE, "PAM_AUTHINFO_UNAVAIL", "warning", "^unavailable "),
    refused("its own trouble", wire.CONFIG_ERROR, "PAM_SERVICE_ERR", "err", "^config-error "),
]


class Table(unittest.TestCase):
    def check(self, cases: list[Case]) -> None:
        for case, result in zip(cases, parallel(Case.run, cases)):
            with self.subTest(case.name):
                if isinstance(result, Exception):
                    raise result
                self.check_case(case, *result)

    def check_case(self, case: Case, run: Run, broker: Resident) -> None:
        self.assertEqual(run.codes, [case.code] + ["PAM_SUCCESS"] * (len(run.codes) - 1), run.logs)
        self.assertEqual(broker.received, case.received)
        found = [{name: "set" if name == VARIABLE else value for name, value in e.items()} for e in run.environments]
        self.assertEqual(found, case.environments)
        self.assertEqual([log.priority for log in run.logs], [priority for priority, _ in case.log], run.logs)
        for log, (_, pattern) in zip(run.logs, case.log):
            self.assertRegex(log.text, pattern)
            self.assertTrue(log.text.isascii() and log.text.isprintable(), log.text)
            self.assertNotIn(HANDLE, log.text)
        for (name, _), elapsed in zip(run.calls[1:], run.elapsed_ms[1:]):
            self.assertLess(elapsed, BOUND_MS.get(name, 2000) + LATE_MS, name)
        self.assertEqual(run.left, {"processes": 0, "descriptors": 0})

    def test_sessions(self):
        self.check(SESSIONS)

    def test_faults(self):
        self.check(FAULTS)

    def test_verdicts(self):
        self.check(VERDICTS)


class Asked(unittest.TestCase):
    def login(self, *steps: str, options: str = "") -> tuple[Run, Resident]:
        path = stage.folder / f"r{stage.number()}"
        broker = Resident(path)
        try:
            service = stage.pam(stage.options(ONE_SHOT, options.format(path=path), broker=stage.fake))
            return stage.drive(service, *steps, "setcred", "env", answers=(KEY,)), broker
        finally:
            broker.stop()

    def test_rhost(self):
        for name, steps, sent in (("unset", (), None), ("empty", ("rhost=",), None),
                                  ("an address", ("rhost=2001:db8::7",), b"2001:db8::7\0"),
                                  ("255 bytes", ("rhost=" + "h" * 255,), b"h" * 255 + b"\0"),
                                  ("256 bytes", ("rhost=" + "h" * 256,), b"(too long)\0")):
            with self.subTest(name):
                run, broker = self.login(*steps, "authenticate", options="socket={path}")
                self.assertEqual(run.environments, [HELD])
                self.assertEqual([request.get(7) for request in broker.requests], [sent])
                self.assertEqual(len(run.logs), 1, run.logs)

    def test_one_shot(self):
        """socket=none, and another configuration than the default without a word about a socket."""
        for options in ("socket=none", ""):
            with self.subTest(options or "config="):
                run, broker = self.login("authenticate", options=options)
                self.assertEqual((run.environments, broker.received), ([ONE_SHOT_ALLOWED], []))

    def test_nobody_listens(self):
        left_over = stage.folder / "left-over"  # as after a crash
        Resident(left_over).stop()
        for path in (stage.folder / "nowhere", left_over, stage.fake, stage.folder, f"/{'x' * 106}"):
            with self.subTest(str(path)):
                run, _ = self.login("authenticate", options=f"socket={path}")
                self.assertEqual((run.environments, len(run.logs)), ([ONE_SHOT_ALLOWED], 1))

    def test_other_options_in_the_session(self):
        """What the login got of a resident broker cannot be adopted by a line without one."""
        path = stage.folder / f"r{stage.number()}"
        broker = Resident(path)
        options = stage.options(ONE_SHOT, broker=stage.fake)
        for name, auth, session, expected in (("the same", f"socket={path}", f"socket={path}", HELD),
                                              ("none", f"socket={path}", "socket=none", EXPORTED),
                                              ("not said", f"socket={path}", "", EXPORTED)):
            with self.subTest(name):
                stack = (f"auth required {{module}} {options} {auth}\n{{before}}"
                         f"session required {{module}} {options} {session}\n")
                run = stage.drive(stage.pam("", stack=stack), "authenticate", "open_session", "env", answers=(KEY,))
                self.assertEqual(run.environments[0] | {VARIABLE: ""}, expected | {VARIABLE: ""})
                if expected is EXPORTED:
                    self.assertRegex(run.logs[1].text, "give both the same config= and socket=")
        broker.stop()

    def test_a_host_maps_nothing_more(self):
        """With a resident broker too, the module brings no library along and leaves none."""
        path = stage.folder / f"r{stage.number()}"
        broker = Resident(path)
        stack = "{before}" + "".join(f"{phase} required {{module}}\n" for phase in ("auth", "account", "session"))
        stage.pam(stage.options(ONE_SHOT, f"socket={path}", broker=stage.fake), name="maps", stack=stack)
        host = stage.give(Path(shutil.copy(BUILD / "tests/hosts/maps", stage.folder)), 0o755)
        shown = subprocess.run([host, stage.folder / "pam.d", "maps", me, KEY], check=True, capture_output=True,
                               text=True, env={}, **stage.identity).stdout
        broker.stop()
        lists: dict[str, set[str]] = {}
        for line in shown.splitlines():
            if line in ("BEFORE", "WITH", "AFTER"):
                current = lists.setdefault(line, set())
            elif not line.startswith("RESULT"):
                current.add(os.path.realpath(line))
        self.assertIn("RESULT 0", shown)
        self.assertEqual(broker.received, [ASKED, ADOPTED, DROPPED])
        self.assertEqual(lists["WITH"] - lists["BEFORE"], {str(stage.module.resolve())})
        self.assertEqual(lists["AFTER"], lists["BEFORE"])


suite.main()
