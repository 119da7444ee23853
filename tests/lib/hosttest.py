"""What the tests of real hosts (tests/hosts) share: a machine, and what an attempt to log in left behind.

A file makes its machine with `machine = HostTest.machine = begin()`, and ends with `machine.assert_clean()`.
"""
import base64
import json
import shlex
import time
import unittest
from dataclasses import dataclass
from typing import Callable

import sandbox
import suite
from leaks import JWT
from machine import Machine, environment

NOTICE, INFO, WARNING, ERR = (f"<{10 * 8 + level}>" for level in (5, 6, 4, 3))  # facility authpriv
RESULTS = {"allowed": INFO, "key-rejected": NOTICE, "denied": NOTICE, "user-unknown": NOTICE, "throttled": WARNING,
           "unavailable": WARNING, "config-error": ERR, "broker-error": ERR}
VARIABLES = {"IC_IAM_TOKEN", "IBMIAM_TOKEN", "IBMIAM_TOKEN_EXPIRATION", "IBMIAM_IAM_ID", "IBMIAM_ACCOUNT_ID"}
UNREACHABLE = "IBM Cloud IAM cannot be reached at the moment; the key was not checked."
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@dataclass
class Seen:
    """One attempt, from all sides."""
    status: int
    out: str
    err: str
    prompts: list[str]
    lines: list[str]  # of the system log
    requests: list[dict]  # that reached IAM
    decisions: list[tuple[str, dict[str, str]]]  # the module's: the result, and the line's fields

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.out)


def begin(*iam_options: str) -> Machine:
    if sandbox.available():
        suite.skip_all(sandbox.available())
    return Machine(sandbox.enter(), *iam_options)


def rule(machine: Machine, user: str, key: str, more: str = "") -> str:
    """A block that lets this user in with that key."""
    return f'user {user} {{ iam_ids = {{ "{machine.iam.iam_ids[key]}" }} {more} }}\n'


def decision(line: str) -> tuple[str, dict[str, str]]:
    result, *fields = shlex.split(line)
    return result, dict(field.split("=", 1) for field in fields)


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class HostTest(unittest.TestCase):
    machine: Machine
    maxDiff = None

    def attempt(self, action: Callable, *arguments, **more) -> Seen:
        """Runs what makes one or more logins (Sshd.login, Machine.run)."""
        machine = self.machine
        machine.log.settle()
        line, request = machine.log.mark(), len(machine.iam.requests())
        done = action(*arguments, **more)
        machine.log.settle()
        decisions = [decision(text) for text in machine.log.decisions(line) if text.split(" ")[0] in RESULTS]
        return Seen(done.returncode, done.stdout, done.stderr, getattr(done, "prompts", []),
                    machine.log.lines[line:], machine.iam.requests(request), decisions)

    def assert_decided(self, seen: Seen, result: str, *, requests: int, **fields: str) -> None:
        """One decision; `fields` are regular expressions for those of its line."""
        self.assertEqual([result], [d[0] for d in seen.decisions], "\n".join([seen.err, *seen.lines]))
        line = seen.decisions[0][1]
        self.assertTrue(any(text.startswith(RESULTS[result]) for text in seen.lines if f"): {result} user=" in text))
        for name, pattern in fields.items():
            self.assertRegex(line.get(name, ""), rf"^(?:{pattern})$", f"{name} in {line}")
        self.assertRegex(line["elapsed_ms"], r"^\d{1,5}$")
        self.assertEqual(len(seen.requests), requests, seen.requests)
        if requests and result != "broker-error":
            self.assertEqual(line["correlation"], seen.requests[-1]["headers"]["x-correlation-id"])

    def assert_exports(self, variables: dict[str, str], key: str) -> None:
        """The five variables of a session of this key's owner, with the right values, and nothing else of ours."""
        known = self.machine.iam.ready["keys"][key]
        token = variables.get("IBMIAM_TOKEN", "")
        self.assertEqual({name for name in variables if self.is_ours(name, variables[name])}, VARIABLES)
        self.assertRegex(token, rf"^{JWT.pattern}$")
        self.assertEqual(variables["IC_IAM_TOKEN"], f"Bearer {token}")
        self.assertEqual(claims(token)["iam_id"], known["iam_id"])
        self.assertEqual(claims(token)["account"]["bss"], known["account"])
        self.assertEqual(variables["IBMIAM_IAM_ID"], known["iam_id"])
        self.assertEqual(variables["IBMIAM_ACCOUNT_ID"], known["account"])
        self.assertEqual(variables["IBMIAM_TOKEN_EXPIRATION"], str(claims(token)["exp"]))
        self.assertGreater(int(variables["IBMIAM_TOKEN_EXPIRATION"]), time.time())

    def assert_exports_nothing(self, variables: dict[str, str]) -> None:
        self.assertIn("PATH", variables)  # it is the environment of something
        self.assertEqual({name for name in variables if self.is_ours(name, variables[name])}, set())

    def is_ours(self, name: str, value: str) -> bool:
        """By its name, or by what is in it: a token, a key, an identity, in clear or encoded."""
        iam = self.machine.iam
        ids = {*iam.accounts.values(), *filter(None, iam.iam_ids.values())}
        return (name in VARIABLES or any(word in name for word in ("IAM", "STASH", "TOKEN"))
                or any(known in value for known in ids) or bool(self.machine.leaks.inside(value.encode())))
