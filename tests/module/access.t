#!/usr/bin/python3
"""Who may do what is decided in IAM: trusted profiles, access groups and e-mail domains from outside the module, with
what the log says and every request that IAM got for it, in its order.
"""
import base64
import json
import sys
import unittest
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402
from driver import Run  # noqa: E402

import suite  # noqa: E402

SLOW_S, LATE_MS = 4, 5000  # as in iam.t: the module's own second, and a machine that is busy with other tests
stage = driver.Stage()
iam = driver.Standin(stage)
profiles, groups, ids = iam.ready["profiles"], iam.ready["groups"], iam.iam.iam_ids
host_key = stage.write("conf/host.key", iam.keys["host"] + "\n")
wrong_key = stage.write("conf/wrong.key", iam.keys["disabled"] + "\n")
alice_key = stage.write("conf/alice.key", iam.keys["alice"] + "\n")
ALLOWED, DENIED, UNAVAILABLE = "PAM_SUCCESS", "PAM_PERM_DENIED", "PAM_AUTHINFO_UNAVAIL"
PREFIX = {ALLOWED: "allowed ", DENIED: "denied ", UNAVAILABLE: "unavailable ", "PAM_SERVICE_ERR": "config-error ",
          "PAM_AUTH_ERR": "key-rejected ", "PAM_USER_UNKNOWN": "user-unknown "}


def profile(name: str, form: str = "id") -> str:
    known = profiles[name]
    return f'trusted_profile = "{known[form] if form != "name" else known["name"] + "@" + known["account"]}"'


def in_groups(*names: str) -> str:
    return "access_groups = { " + ", ".join(f'"{groups[name]["id"]}"' for name in names) + " }"


def user(more: str = "") -> str:
    return f'user $me {{ iam_ids = {{ "$alice" }} {more} }}\n'


def top(text: str) -> str:
    return user() + text + "\n"


def service(text: str) -> str:
    return user() + f"service $service {{ {text} }}\n"


def domain(more: str = "", name: str = "example.com") -> str:
    return f'email_domain "{name}" {{ {more} }}\n'


@dataclass
class Case:
    name: str
    rules: str
    asked: str  # as brief() has it
    code: str = ALLOWED
    check: str = ""
    reason: str = "."
    profile: str = ""  # whose token the session has
    key: str = "alice"
    timeout_s: int = 10
    steps: tuple[str, ...] = ()
    config: dict = field(default_factory=dict)
    user: str | None = None

    def run(self) -> tuple[Run, list[dict]]:
        name = f"access{stage.number()}"
        keys = {"directory_key_file": f'"{host_key}"'} | self.config
        path = iam.config(rules=self.rules.replace("$service", name), **keys)
        options = stage.options(path, f"timeout={self.timeout_s}")
        before = len(iam.iam.requests())
        run = stage.drive(stage.pam(options, name=name), *self.steps, "authenticate", "setcred", "env",
                          user=self.user, answers=(iam.keys[self.key],))
        return run, iam.iam.requests(before)


def brief(request: dict) -> str:
    """key NAME, profile NAME by IAM-NAME, group NAME by IAM-NAME for IAM-NAME."""
    known = {iam_id: name for name, iam_id in reversed(ids.items()) if iam_id}
    if request["method"] == "HEAD":
        _, _, _, group, _, member = request["path"].split("/")
        name = next(name for name, g in groups.items() if g["id"] == group)
        return f"group {name} by {known[request['caller']]} for {known[member]}"
    if request["key"]:
        return f"key {request['key']}"
    form = request["fields"]
    wanted = (form.get("profile_id"), form.get("profile_crn"), (form.get("profile_name"), form.get("account")))
    name = next(name for name, p in profiles.items()
                if any(a == b for a, b in zip((p["id"], p["crn"], (p["name"], p["account"])), wanted)))
    return f"profile {name} by {known[request['caller']]}"


K, P, D = "key alice", "profile {} by alice", "key host"
PO = P.format("operators")


def G(name: str, who: str = "alice") -> str:
    return f"group {name} by host for {who}"


def fault(name: str, reason: str, code: str = UNAVAILABLE, times: int = 1, **more) -> Case:
    return Case(f"profile fault {name}", user(profile(f"fault_{name}")),
                "; ".join([K] + [P.format(f"fault_{name}")] * times), code, "profile", reason, **more)


def group_fault(name: str, reason: str, times: int = 1, **more) -> Case:
    return Case(f"group fault {name}", user(in_groups(f"fault_{name}")),
                "; ".join([K, D] + [G(f"fault_{name}")] * times), UNAVAILABLE, "groups", reason, **more)


# Once on the connection of the request before it, once more by libcurl itself on a new one, then our one retry.
RESET = 3
CANNOT_SAY = "IAM does not say who is in the access group"
NO_TIME = "no answer from https://.* in time"
PROFILES = [
    *(Case(f"a user's, by {form}", user(profile("operators", form)), f"{K}; {PO}", profile="operators")
      for form in ("id", "crn", "name")),
    Case("a service's", service(profile("operators")), f"{K}; {PO}", profile="operators"),
    Case("the top's", top(profile("operators")), f"{K}; {PO}", profile="operators"),
    Case("the same at all levels: asked once",
         f"{user(profile('operators'))}{profile('operators')}\nservice $service {{ {profile('operators')} }}\n",
         f"{K}; {PO}", profile="operators"),
    Case("who may not", user(profile("auditors")), f"{K}; {P.format('auditors')}", DENIED, "profile",
         'IAM does not let the key\'s identity assume the trusted profile .*Profile-'),
    Case("may the user's, not the top's", user(profile("operators")) + profile("auditors") + "\n",
         f"{K}; {PO}; {P.format('auditors')}", DENIED, "profile", "of this host"),
    Case("a profile that is gone", user('trusted_profile = "Profile-00000000-0000-0000-0000-000000000000"'),
         "", DENIED, "profile", "IAM does not let"),
    Case("of a foreign account", user(profile("foreign_operators")), f"{K}; {P.format('foreign_operators')}", DENIED,
         "profile", "the trusted profile belongs to an account that is not listed"),
    Case("of a foreign account that is listed", user(profile("foreign_operators")),
         f"{K}; {P.format('foreign_operators')}", profile="foreign_operators",
         config={"accounts": '{ "$home", "$foreign" }'}),
    Case("another's key: no profile is asked for", user(profile("operators")), "key bob", DENIED, "identity",
         "iam_id is not among", key="bob"),
    Case("an unknown key", user(profile("operators")), "key unknown", "PAM_AUTH_ERR", "key",
         "does not know", key="unknown"),
    fault("r503", "cannot be assumed: IAM fails", times=2),
    fault("r429", "cannot be assumed: IAM asks for fewer requests"),
    fault("html_502", "cannot be assumed: IAM fails", times=2),
    fault("reset_before_answer", "no answer from", times=RESET),
    fault("not_json", "IAM's answer about the trusted profile cannot be used"),
    fault("no_token", "IAM's answer about the trusted profile cannot be used"),
    fault("token_expired", "the new token expired"),
    fault("token_wrong_issuer", "issuer .*is not configured", DENIED),
    fault("token_no_iam_id", "IAM's answer about the trusted profile cannot be used"),
    fault("token_other_identity", "IAM's token is not of the trusted profile"),
]
GROUPS = [
    Case("a member, user", user(in_groups("operators")), f"{K}; {D}; {G('operators')}"),
    Case("a member, service", service(in_groups("operators")), f"{K}; {D}; {G('operators')}"),
    Case("a member, top", top(in_groups("operators")), f"{K}; {D}; {G('operators')}"),
    Case("no member", user(in_groups("auditors")), f"{K}; {D}; {G('auditors')}", DENIED, "groups",
         "in none of this user's access_groups"),
    Case("of the second", user(in_groups("auditors", "operators")), f"{K}; {D}; {G('auditors')}; {G('operators')}"),
    Case("of the first: the second is not asked", user(in_groups("operators", "hidden")),
         f"{K}; {D}; {G('operators')}"),
    Case("levels are all asked", user(in_groups("operators")) + f"service $service {{ {in_groups('auditors')} }}\n",
         f"{K}; {D}; {G('operators')}; {G('auditors')}", DENIED, "groups", "in none of this service's access_groups"),
    Case("profile, then group", user(profile("operators") + " " + in_groups("operators")),
         f"{K}; {PO}; {D}; {G('operators')}", profile="operators"),
    Case("no profile: no group", user(profile("auditors") + " " + in_groups("operators")),
         f"{K}; {P.format('auditors')}", DENIED, "profile"),
    Case("which the host may not view", user(in_groups("hidden")), f"{K}; {D}; {G('hidden')}", UNAVAILABLE, "groups",
         r"may not view the access group .*\(403\)"),
    Case("the host's key is disabled", user(in_groups("operators")), f"{K}; key disabled", "PAM_SERVICE_ERR", "groups",
         "the key in directory_key_file: the API key is disabled",
         config={"directory_key_file": f'"{wrong_key}"'}),
    Case("the host's key is a user's", user(in_groups("operators")), f"{K}; {K}; group operators by alice for alice",
         UNAVAILABLE, "groups", "may not view", config={"directory_key_file": f'"{alice_key}"'}),
    group_fault("r500", CANNOT_SAY, times=2),
    group_fault("r429", CANNOT_SAY),
    group_fault("html_200", CANNOT_SAY),
    group_fault("html_403", "may not view"),
    group_fault("redirect_302", CANNOT_SAY),
    group_fault("reset_before_answer", "no answer from", times=RESET),
]
# All of a login's requests have one deadline.
SLOW = [
    fault("hang", NO_TIME, timeout_s=SLOW_S),
    group_fault("hang", NO_TIME, timeout_s=SLOW_S),
    Case("a slow profile, then a slow group", user(profile("fault_slow_2") + " " + in_groups("fault_slow_2")),
         f"{K}; {P.format('fault_slow_2')}; {D}; {G('fault_slow_2')}", UNAVAILABLE, "groups", NO_TIME, timeout_s=3,
         profile="fault_slow_2"),
    Case("a slow profile, in time", user(profile("fault_slow_2")), f"{K}; {P.format('fault_slow_2')}",
         profile="fault_slow_2", timeout_s=20),
]
NOT_HIS = "no IBMid with the e-mail address of this user in an email_domain"
DOMAINS = [  # of a user whom every Debian has; nobody may not log in by a domain
    Case("his address", domain(), "key games", key="games"),
    Case("another's address", domain(), K, DENIED, "identity", NOT_HIS),
    Case("no address", domain(), "key no_email", DENIED, "identity", NOT_HIS, key="no_email"),
    Case("another domain", domain(name="example.org"), "key games", DENIED, "identity", NOT_HIS, key="games"),
    Case("the domain's profile, which he may not assume", domain(profile("operators")),
         "key games; profile operators by games", DENIED, "profile", "of this user", key="games"),
    Case("the domain's group", domain(in_groups("operators")), f"key games; {D}; {G('operators', 'games')}", DENIED,
         "groups", "in none of this user's", key="games"),
    Case("the domain's services", domain('services = { "sshd" }'), "key games", DENIED, "identity",
         "the email_domain's rule does not list this service", key="games"),
    Case("a user block wins", 'user games { iam_ids = { "$alice" } }\n' + domain(), "key games", DENIED, "identity",
         "not among this user's iam_ids", key="games"),
]
HERE = [  # nothing leaves the host
    Case("users", service('users = { "somebody-else" }'), "", DENIED, "service",
         "the service's rule does not list this user"),
    Case("users of *", user() + 'service "*" { users = { "somebody-else" } }', "", DENIED, "service", "does not list"),
    Case("networks", service('networks = { "10.0.0.0/8" }'), "", DENIED, "network", "192.0.2.1 is in none",
         steps=("rhost=192.0.2.1",)),
    Case("networks, a name", service('networks = { "0.0.0.0/0" }'), "", DENIED, "network", "host.example is in none",
         steps=("rhost=host.example",)),
    Case("networks, local", service('networks = { "10.0.0.0/8" }'), "", DENIED, "network", "local is in none"),
    Case("in the network", service('networks = { "10.0.0.0/8" }'), K, steps=("rhost=10.9.8.7",)),
    Case("local, as is said", service('networks = { "local" }'), K),
    Case("users and networks", service('users = { "$me" } networks = { "2001:db8::/32" }'), K,
         steps=("rhost=2001:db8::1",)),
]


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class Access(unittest.TestCase):
    maxDiff = None

    def check(self, cases: list[Case]) -> None:
        """One after the other: the journal does not say whose a request was."""
        for case in cases:
            with self.subTest(case.name):
                self.check_case(case, *case.run())

    def check_case(self, case: Case, run: Run, requests: list[dict]) -> None:
        log = run.logs[0].text
        self.assertEqual((run.codes[0], len(run.logs)), (case.code, 1), run.logs)
        self.assertTrue(log.startswith(PREFIX[case.code]), log)
        self.assertRegex(log, rf' reason="?.*{case.reason}')
        self.assertEqual(f" check={case.check} " in log, case.check != "", log)
        self.assertEqual(" check=" in log, case.check != "", log)
        if case.profile or case.code == ALLOWED:
            self.assertEqual(" profile=" in log, case.profile != "", log)
        if case.profile:
            self.assertIn(f" profile={profiles[case.profile]['iam_id']} ", log)
        if case.asked or case.check in ("service", "network"):
            self.assertEqual("; ".join(map(brief, requests)), case.asked)
        if requests:
            self.assertIn(f" correlation={requests[-1]['correlation_id']} ", log)
        self.assertLess(run.elapsed_ms[0], case.timeout_s * 1000 + LATE_MS)
        self.check_environment(case, run.environments[0])

    def check_environment(self, case: Case, found: dict) -> None:
        if case.code != ALLOWED:
            self.assertEqual(found, {})
            return
        person = ids[case.key]
        whose = profiles[case.profile] if case.profile else {"iam_id": person, "account": iam.iam.accounts["home"]}
        token = claims(found["IBMIAM_TOKEN"])
        self.assertEqual((token["iam_id"], token["authn"]["iam_id"]), (whose["iam_id"], person))
        self.assertEqual(found["IC_IAM_TOKEN"], "Bearer " + found["IBMIAM_TOKEN"])
        self.assertEqual((found["IBMIAM_IAM_ID"], found["IBMIAM_ACCOUNT_ID"]), (person, whose["account"]))
        self.assertEqual(found["IBMIAM_TOKEN_EXPIRATION"], str(token["exp"]))

    def test_profiles(self):
        self.check(PROFILES)

    def test_groups(self):
        self.check(GROUPS)

    def test_slow(self):
        self.check(SLOW)

    def test_domains(self):
        self.check([Case(**{**vars(case), "config": {"minimum_uid": "1"}, "user": "games"}) for case in DOMAINS])

    def test_on_this_host(self):
        self.check(HERE)

    def test_the_profile_in_a_variable(self):
        """%{profile} is the profile's iam_id, and empty where there is none."""
        names = 'environment = { "WHO=%{iam_id}", "AS=%{profile}", "BOTH=%{iam_id} as %{profile}" }'
        for what, more, expected in [("a profile", profile("operators"), profiles["operators"]["iam_id"]),
                                     ("none", "", "")]:
            with self.subTest(what):
                run, _ = Case(what, user(f"{more} {names}"), "").run()
                self.assertEqual(run.codes[0], ALLOWED, run.logs)
                self.assertEqual(run.environments[0], {"WHO": ids["alice"], "AS": expected,
                                                       "BOTH": f"{ids['alice']} as {expected}"})

    def test_client_and_scope_are_for_keys_only(self):
        """IAM takes them over from the first token; the host's own key is a key as well."""
        client = {name: f'"${name}"' for name in ("client_id", "client_secret")}
        run, requests = Case("", user(profile("operators") + " " + in_groups("operators")), "",
                             config=client | {"scope": '"ibm openid"'}).run()
        self.assertEqual(run.codes[0], ALLOWED, run.logs)
        self.assertEqual([r["headers"].get("authorization") for r in requests], ["Basic", None, "Basic", "Bearer"])
        self.assertEqual(["scope" in r["fields"] for r in requests], [True, False, True, False])
        self.assertEqual(["ibm-cloud-tenant" in r["headers"] for r in requests], [True, False, True, False])
        self.assertEqual(len({r["connection"] for r in requests}), 1, "one connection for all")


suite.main()
