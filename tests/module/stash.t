#!/usr/bin/python3
"""From authenticate to the session: what is exported, to whom, when, and that the private variable in between is gone
in every case. Mostly against a fake broker; with the real one where the configuration decides.
"""
import base64
import json
import sys
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402
import wire  # noqa: E402
from driver import IGNORED, Run, parallel  # noqa: E402

import suite  # noqa: E402

VARIABLE = "PAM_IBMIAM_STASH"
KEY = "a-key-that-no-fake-broker-looks-at-" + "x" * 20
stage = driver.Stage()
me = stage.me.pw_name


def service(reply: bytes) -> str:
    """A service whose fake broker gives this reply."""
    script = stage.write(f"conf/{stage.number()}.fake", f"read\nsend {reply.hex()}\n")
    return stage.pam(stage.options(script, broker=stage.fake))


OWN, TARGET = service(wire.reply()), service(wire.reply(export_to=1))
NOTHING, REFUSED = service(wire.reply(environment=())), service(wire.refusal(wire.DENIED))
EXPORTED, NONE = {"A": "1", "B": "two words"}, {}


@dataclass
class Case:
    name: str
    steps: str
    environments: list[dict]  # at each `env`
    service: str = OWN
    codes: dict[int, str] | None = None  # by number of the call where it is not PAM_SUCCESS

    def run(self) -> Run:
        return stage.drive(self.service, *self.steps.split(), "env", answers=(KEY,) * 3)


def forged(message: bytes | str) -> str:
    text = message if isinstance(message, str) else base64.urlsafe_b64encode(message).decode().rstrip("=")
    return f"putenv={VARIABLE}={text}"


def whole_life(authenticate: str) -> list[Case]:
    """What holds whether authenticate runs in the host or, as with sshd, in a child of it."""
    return [
        *(Case(f"{authenticate}, {call}", f"{authenticate} {call}", [EXPORTED])
          for call in ("setcred", "setcred-noflag", "setcred-reinitialize", "setcred-refresh", "open_session")),
        Case(f"{authenticate}, in su's order", f"{authenticate} open_session env setcred env acct_mgmt", [EXPORTED] * 3,
             codes={-1: IGNORED} if "fork" in authenticate else None),
        Case(f"{authenticate}, twice each", f"{authenticate} setcred open_session setcred env open_session",
             [EXPORTED] * 2),
        *(Case(f"{authenticate}, setcred, {call}", f"{authenticate} setcred env {call}", [EXPORTED, NONE])
          for call in ("setcred-delete", "close_session")),
        *(Case(f"{authenticate}, {call}, open_session", f"{authenticate} {call} env open_session", [NONE, NONE])
          for call in ("setcred-delete", "close_session")),
        *(Case(f"{authenticate}, another user, {call}", f"{authenticate} user=root {call} env user={me} open_session",
               [NONE, NONE]) for call in ("setcred", "setcred-reinitialize", "open_session")),
        *(Case(f"{authenticate}, another user, {call}: export = target", f"{authenticate} user=root {call}", [EXPORTED],
               TARGET) for call in ("setcred", "setcred-reinitialize", "open_session")),
        *(Case(f"{authenticate}, published, another user, {call}",
               f"{authenticate} setcred env user=root {call}", [EXPORTED, NONE])
          for call in ("setcred", "setcred-reinitialize", "open_session", "setcred-delete", "close_session")),
        Case(f"{authenticate}, published, another user: export = target",
             f"{authenticate} setcred user=root open_session env close_session", [EXPORTED, NONE], TARGET),
        Case(f"{authenticate}, with nothing to export", f"{authenticate} env setcred env open_session", [NONE] * 3,
             NOTHING),
        Case(f"{authenticate}, the host's variables stay",
             f"putenv=MINE=1 {authenticate} setcred env user=root setcred", [EXPORTED | {"MINE": "1"}, {"MINE": "1"}]),
        Case(f"{authenticate}, refused", f"{authenticate} env open_session", [NONE, NONE], REFUSED,
             {0: "PAM_PERM_DENIED", 1: IGNORED if "fork" in authenticate else "PAM_SUCCESS"}),
    ]


RULES = [
    *whole_life("authenticate"), *whole_life("fork-authenticate"),
    # Somebody who is logged in already becomes another: no variable, so no way through a child
    Case("ruser: no variable", "ruser=eve authenticate env setcred", [NONE, EXPORTED]),
    Case("ruser, in a child", "ruser=eve fork-authenticate env setcred", [NONE, NONE]),
    Case("ruser, as sudo does", "ruser=eve authenticate user=root setcred-reinitialize open_session", [NONE]),
    Case("ruser, export = target", "ruser=eve authenticate env user=root setcred-reinitialize", [NONE, EXPORTED],
         TARGET),
    Case("ruser set late, in a child", "fork-authenticate ruser=eve setcred", [NONE]),
    Case("ruser set late", "authenticate ruser=eve setcred", [EXPORTED]),
    Case("an empty ruser is none", "ruser= fork-authenticate setcred", [EXPORTED]),
]

GOOD_STASH = wire.stash(me, ("A=1", "B=two words"))
FORGERIES = {
    "nothing": "", "no base64url": "!!!!", "padded": "AQM=", "cut off": GOOD_STASH[:-5],
    "another user's": wire.stash("root", ("A=1",)),
    "a reply": wire.reply(),
    "another version": b"\2" + GOOD_STASH[1:],
    "trailing bytes": GOOD_STASH + b"\0",
    "an export that does not exist": wire.stash(me, ("A=1",), 7),
    "an entry without a value": wire.stash(me, ("A=1", "NAME")),
    "an entry without a name": wire.stash(me, ("A=1", "=1")),
    "the variable itself": wire.stash(me, (f"{VARIABLE}=AQM",)),
    "100 KiB": "A" * 100 * 1024,
}


class Stash(unittest.TestCase):
    def check(self, cases: list[Case]) -> None:
        for case, run in zip(cases, parallel(Case.run, cases)):
            with self.subTest(case.name):
                if isinstance(run, Exception):
                    raise run
                self.check_run(case, run)

    def check_run(self, case: Case, run: Run) -> None:
        expected = ["PAM_SUCCESS"] * len(run.calls)
        for number, code in (case.codes or {}).items():
            expected[number] = code
        self.assertEqual(run.codes, expected)
        self.assertEqual(run.environments[-1].pop(VARIABLE, "none"), "none", "at the end there is no stash")
        for environment in run.environments:
            environment.pop(VARIABLE, None)  # until somebody collects it; test_variable looks at that
        self.assertEqual(run.environments, case.environments)

    def test_rules(self):
        self.check(RULES)

    def test_variable(self):
        """Where it is, and that whatever comes next removes it."""
        for authenticate in ("authenticate", "fork-authenticate"):
            for call in ("setcred", "setcred-noflag", "setcred-reinitialize", "setcred-refresh", "setcred-delete",
                         "open_session", "close_session"):
                for user in (me, "root"):
                    with self.subTest(f"{authenticate}, {user}, {call}"):
                        run = stage.drive(OWN, authenticate, "env", f"user={user}", call, "env", answers=(KEY,))
                        self.assertEqual([VARIABLE in e for e in run.environments], [True, False])

    def test_second_authenticate_withdraws(self):
        """What an earlier login on this handle exported is gone, even where it was for anybody."""
        iam = driver.Standin(stage)
        service = stage.pam(stage.options(iam.config()))
        run = stage.drive(service, "authenticate", "setcred", "env", "authenticate", "env",
                          answers=(iam.keys["alice"], iam.keys["unknown"]))
        self.assertEqual(run.codes, ["PAM_SUCCESS", "PAM_SUCCESS", "PAM_AUTH_ERR"])
        self.assertIn("IBMIAM_TOKEN", run.environments[0])
        self.assertEqual(run.environments[1], {})

    def test_second_authenticate(self):
        """A new attempt forgets what the last one left, whatever becomes of it."""
        iam = driver.Standin(stage)
        service = stage.pam(stage.options(iam.config()))
        for name, answers, code in (("refused", ("alice", "bob"), "PAM_PERM_DENIED"),
                                    ("rejected", ("alice", "unknown"), "PAM_AUTH_ERR"),
                                    ("without an answer", ("alice",), "PAM_CONV_ERR")):
            for authenticate in ("authenticate", "fork-authenticate"):
                with self.subTest(f"{name}, {authenticate}"):
                    run = stage.drive(service, authenticate, "env", "authenticate", "env", "acct_mgmt", "open_session",
                                      "env", answers=tuple(iam.keys[a] for a in answers))
                    self.assertEqual(run.codes[0], "PAM_SUCCESS")
                    self.assertEqual(run.codes[-3:], [code, IGNORED, "PAM_SUCCESS"])
                    self.assertEqual([list(e) for e in run.environments], [[VARIABLE], [], []])

    def test_forged(self):
        for name, message in FORGERIES.items():
            for step in ("setcred", "open_session", "setcred-delete", "close_session"):
                with self.subTest(f"{name}, {step}"):
                    run = stage.drive(OWN, forged(message), step, "env")
                    self.assertEqual((set(run.codes), run.environments), ({"PAM_SUCCESS"}, [{}]))
        for name, steps, environment in (
                ("somebody who is logged in", ("ruser=eve", forged(GOOD_STASH), "setcred"), {}),
                ("likewise, for any user", ("ruser=eve", forged(wire.stash(me, ("A=1",), 1)), "open_session"), {}),
                ("our own goes before it", ("authenticate", forged(wire.stash(me, ("C=3",))), "setcred"), EXPORTED),
                ("authenticate removes it", (forged(wire.stash(me, ("C=3",))), "authenticate", "setcred"), EXPORTED)):
            with self.subTest(name):
                run = stage.drive(OWN, *steps, "env", answers=(KEY,))
                self.assertEqual((set(run.codes), run.environments), ({"PAM_SUCCESS"}, [environment]))

    def test_failure_is_logged(self):
        """The login stands without its token, and somebody is told."""
        run = stage.drive(OWN, forged(wire.stash(me, ("A=1", "NAME"))), "setcred", "env")
        self.assertEqual([log[:2] for log in run.logs], [("authpriv", "err")], run.logs)
        self.assertRegex(run.logs[0].text, "could not be exported")


class Configured(unittest.TestCase):
    """What the real broker lets out."""

    @classmethod
    def setUpClass(cls):
        cls.iam = driver.Standin(stage)

    def environment(self, *steps: str, **config) -> dict[str, str]:
        service = f"configured{stage.number()}"
        stage.pam(stage.options(self.iam.config(service=service, **config)), name=service)
        run = stage.drive(service, "authenticate", *(steps or ("setcred",)), "env", answers=(self.iam.keys["alice"],))
        self.assertEqual(set(run.codes), {"PAM_SUCCESS"}, run.logs)
        return run.environments[0]

    def test_default(self):
        found = self.environment()
        self.assertEqual(set(found), {"IC_IAM_TOKEN", "IBMIAM_TOKEN", "IBMIAM_TOKEN_EXPIRATION", "IBMIAM_IAM_ID",
                                      "IBMIAM_ACCOUNT_ID"})
        token = found["IBMIAM_TOKEN"]
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.assertEqual(found["IC_IAM_TOKEN"], f"Bearer {token}")
        self.assertEqual(found["IBMIAM_IAM_ID"], claims["iam_id"])
        self.assertEqual(found["IBMIAM_ACCOUNT_ID"], claims["account"]["bss"])
        self.assertEqual(found["IBMIAM_TOKEN_EXPIRATION"], str(claims["exp"]))
        self.assertLess(abs(claims["exp"] - time.time() - 3600), 300)

    def test_lists(self):
        """The nearest list counts; and whoever says no."""
        def rules(user: str = "", service: str = "", name: str = "$service") -> dict[str, str]:
            return {"environment": '{ "X=top" }',
                    "rules": f'user $me {{ iam_ids = {{ "$alice" }} {user} }}\nservice {name} {{ {service} }}'}
        for name, expected, config in (
                ("top", {"X": "top"}, rules()),
                ("service before top", {"X": "service"}, rules(service='environment = { "X=service" }')),
                ("user before service", {"X": "user"},
                 rules('environment = { "X=user" }', 'environment = { "X=service" }')),
                ("another service's", {"X": "top"}, rules(service='environment = { "X=service" }', name="sudo")),
                ("user: export = false", {}, rules("export = false", "export = true")),
                ("service: export = false", {}, rules("export = true", "export = false")),
                ("an empty list", {}, {"environment": "{}"}),
                ("placeholders", {"X": "100% of " + self.iam.iam.iam_ids["alice"], "Y": self.iam.iam.accounts["home"]},
                 {"environment": '{ "X=100%% of %{iam_id}", "Y=%{account}" }'})):
            with self.subTest(name):
                self.assertEqual(self.environment(**config), expected)

    def test_target(self):
        steps = ("ruser=eve", "user=root", "setcred-reinitialize")
        for name, expected, rules in (
                ("not said", set(), ""), ("true", set(), "service $service { export = true }"),
                ("target", {"IBMIAM_IAM_ID"}, "service $service { export = target }"),
                ("target, of another service", set(), "service su { export = target }")):
            with self.subTest(name):
                found = self.environment(*steps, environment='{ "IBMIAM_IAM_ID=%{iam_id}" }',
                                         rules='user $me { iam_ids = { "$alice" } }\n' + rules)
                self.assertEqual(set(found), expected)


suite.main()
