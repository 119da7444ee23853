"""Who exists: accounts, identities, API keys, trusted profiles and access groups, all made up at each start.

The tables below name them; ready.json hands the values to the tests. Every key carries the function that
answers it, so a good login, an error and a fault are the same thing to iam.py.
"""
import secrets
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

from answers import ERRORS, NOT_KEYS
from faults import FAULTS, GROUP_FAULTS, PROFILE_FAULTS, claims, good, late


def new_key() -> str:
    """44 characters of [A-Za-z0-9_-], as IAM makes them; a digit in front, so that it looks like no vendor's key."""
    return secrets.choice("23456789") + secrets.token_urlsafe(32)


def new_custom_key() -> str:
    """What a user could make up: everything that a careless encoder gets wrong."""
    return f"My own key: {secrets.token_urlsafe(18)} & = + % %41 \"'#?/\\;<> ü€ \N{KEY}!"


@dataclass
class Identity:
    iam_id: str
    account: str
    claims: dict  # those that depend on nothing but who it is
    frozen: bool = False
    account_valid: bool = True

    def authn(self) -> dict:
        return {name: self.claims[name] for name in ("sub", "iam_id", "sub_type", "name") if name in self.claims}


@dataclass
class Key:
    name: str
    behaviour: str
    answer: Callable
    subject: Identity | None = None
    heeds_tenant: bool = True
    value: str = field(default_factory=new_key)


@dataclass
class Profile:
    name: str
    behaviour: str
    subject: Identity
    crn: str
    assumers: set[str]
    answer: Callable = good


@dataclass
class Group:
    name: str
    behaviour: str
    members: set[str] | None  # None: everyone
    viewers: set[str]
    answer: Callable | None = None  # instead of 204 or 404
    id: str = field(default_factory=lambda: f"AccessGroupId-{uuid.uuid4()}")


# name: kind, account, and what is special
IDENTITIES = {
    "alice": ("user", "home", {}),
    "bob": ("user", "home", {}),
    "frozen": ("user", "home", {"frozen": True}),
    "invalid_account": ("user", "home", {"account_valid": False}),
    "mallory": ("user", "foreign", {}),
    "appid": ("appid", "home", {}),
    "deploy": ("service", "home", {}),
    "host": ("service", "home", {}),
    # E-mail addresses, for who logs in by his domain
    "games": ("user", "home", {}),
    "nobody": ("user", "home", {}),
    "shouting": ("user", "home", {"email": "alice@EXAMPLE.Com"}),
    "capital": ("user", "home", {"email": "Alice@example.com"}),
    "plus": ("user", "home", {"email": "alice+ops@example.com"}),
    "dotted": ("user", "home", {"email": "al.ice@example.com"}),
    "subdomain": ("user", "home", {"email": "alice@mail.example.com"}),
    "lookalike": ("user", "home", {"email": "\N{CYRILLIC SMALL LETTER A}lice@example.com"}),
    "root": ("user", "home", {"email": "root@example.com"}),
    "no_email": ("user", "home", {"email": None}),
    "service_email": ("service", "home", {"email": "alice@example.com"}),
}
LATE_S = {"alice": 0.3, "bob": 0.2, "deploy": 0.1}
BY_DOMAIN = ("games", "nobody", "shouting", "capital", "plus", "dotted", "subdomain", "lookalike", "root", "no_email",
             "service_email")

# name: identity, behaviour, and what is special
KEYS = {
    "alice": ("alice", "logs in: IBMid user of the home account", {}),
    "bob": ("bob", "logs in: another one", {}),
    "deploy": ("deploy", "logs in: service ID of the home account", {}),
    "host": ("host", "logs in: service ID of the home account, the one that may view groups", {}),
    "custom": ("alice", "logs in as alice: a user-made key with spaces, &=+%, quotes, ü, € and an emoji",
               {"value": new_custom_key()}),
    "frozen": ("frozen", "logs in: account.frozen is true", {}),
    "mallory": ("mallory", "logs in: user of the foreign account; 400 BXNIM0141E where ibm-cloud-tenant lacks it", {}),
    "tenant_ignored": ("mallory", "logs in as mallory whatever ibm-cloud-tenant says", {"heeds_tenant": False}),
    "invalid_account": ("invalid_account", "logs in: account.valid is false", {}),
    "appid": ("appid", "logs in: alice's email address, but of another realm", {}),
    "alice_public_issuer": ("alice", "logs in as alice: iss is https://iam.cloud.ibm.com/identity",
                            {"answer": claims(iss="https://iam.cloud.ibm.com/identity")}),
    **{name: (name, f"logs in: {IDENTITIES[name][0]} of the home account, e-mail: "
              f"{IDENTITIES[name][2].get('email', f'{name}@example.com')}", {}) for name in BY_DOMAIN},
    **{f"late_{name}": (name, f"logs in as {name}: in two halves, each after {seconds} s", {"answer": late(seconds)})
       for name, seconds in LATE_S.items()},
}

# name: account, who may assume it, behaviour
PROFILES = {
    "operators": ("home", ("alice", "deploy"), "alice and deploy may assume it"),
    "auditors": ("home", ("bob",), "only bob may assume it"),
    "foreign_operators": ("foreign", ("alice",), "alice may assume it, but it is of the foreign account"),
}

# name: members, who may view it, behaviour
GROUPS = {
    "operators": (("alice", "deploy"), ("host", "deploy"), "204 for alice and deploy, 404 for others"),
    "auditors": (("bob",), ("host",), "204 for bob, 404 for others"),
    "public_access": (None, ("host",), "204 for everyone"),
    "hidden": (("alice",), (), "nobody may view it: 403"),
}


class World:
    def __init__(self, mint):
        self.mint = mint
        self.urls: dict[str, str] = {}
        self.accounts = {"home": secrets.token_hex(16), "foreign": secrets.token_hex(16)}
        self.client = {"client_id": f"standin-{secrets.token_hex(4)}", "client_secret": new_key()}
        self.identities = {name: MAKERS[kind](name, self.accounts[account], **special)
                           for name, (kind, account, special) in IDENTITIES.items()}
        self.by_iam_id = {identity.iam_id: identity for identity in self.identities.values()}
        self.keys = {key.name: key for key in self.make_keys()}
        self.unknown = self.keys["unknown"]
        self.by_value = {key.value: key for key in self.keys.values() if key is not self.unknown}
        self.profiles = {profile.name: profile for profile in self.make_profiles()}
        self.groups = {group.name: group for group in self.make_groups()}
        self.turns, self.lock = Counter(), threading.Lock()

    def make_keys(self):
        for name, (identity, behaviour, special) in KEYS.items():
            yield Key(name, behaviour, **{"answer": good, "subject": self.identities[identity]} | special)
        for name, error in ERRORS.items():
            if name not in NOT_KEYS:
                details = ", errorDetails repeats the key" if "{key}" in (error.details or "") else ""
                yield Key(name, f"{error.status} {error.code}{details}", lambda x, name=name: x.error(name))
        for name, (behaviour, fault) in FAULTS.items():
            yield Key(f"fault_{name}", behaviour, fault, self.identities["alice"])

    def make_profiles(self):
        for name, (account, assumers, behaviour) in PROFILES.items():
            yield self.profile(name, self.accounts[account], assumers, behaviour, good)
        for name in PROFILE_FAULTS:
            yield self.profile(f"fault_{name}", self.accounts["home"], ("alice", "deploy"), *FAULTS[name])

    def profile(self, name, account, assumers, behaviour, answer) -> Profile:
        identity = new_profile(name, account)
        crn = f"crn:v1:bluemix:public:iam-identity::a/{account}::profile:{identity.claims['identifier']}"
        return Profile(name, behaviour, identity, crn, self.iam_ids(assumers), answer)

    def make_groups(self):
        for name, (members, viewers, behaviour) in GROUPS.items():
            yield Group(name, behaviour, members and self.iam_ids(members), self.iam_ids(viewers))
        for name in GROUP_FAULTS:
            yield Group(f"fault_{name}", FAULTS[name][0], set(), self.iam_ids(("host",)), FAULTS[name][1])

    def iam_ids(self, names) -> set[str]:
        return {self.identities[name].iam_id for name in names}

    def turn(self, name: str) -> int:
        with self.lock:
            self.turns[name] += 1
            return self.turns[name]

    def describe(self) -> dict:
        """ready.json's part about who exists. The only place where a key leaves the process."""
        return {
            "accounts": self.accounts,
            "client": self.client,
            "keys": {key.name: {"key": key.value, "iam_id": key.subject and key.subject.iam_id,
                                "account": key.subject and key.subject.account, "behaviour": key.behaviour}
                     for key in self.keys.values()},
            "profiles": {p.name: {"id": p.subject.claims["identifier"], "iam_id": p.subject.iam_id, "crn": p.crn,
                                  "name": p.name, "account": p.subject.account, "behaviour": p.behaviour}
                         for p in self.profiles.values()},
            "groups": {g.name: {"id": g.id, "behaviour": g.behaviour} for g in self.groups.values()},
        }


def new_user(name: str, account: str, email: str | None = "", **special) -> Identity:
    return new_person(name, account, "IBMid", "550000" + secrets.token_hex(3).upper(),
                      f"{name}@example.com" if email == "" else email, **special)


def new_appid_user(name: str, account: str) -> Identity:
    return new_person(name, account, f"appid-{secrets.token_hex(4)}", str(uuid.uuid4()), "alice@example.com")


def new_person(name, account, realm, identifier, email, **special) -> Identity:
    iam_id, given, family = f"{realm}-{identifier}", name.capitalize(), "Example"
    return Identity(iam_id, account, {
        "iam_id": iam_id, "id": iam_id, "realmid": realm, "identifier": identifier, "given_name": given,
        "family_name": family, "name": f"{given} {family}", "sub": email or iam_id}
        | ({"email": email} if email else {}), **special)


def new_service(name: str, account: str, email: str = "") -> Identity:
    service = new_thing("ServiceId", name, account)
    service.claims |= {"email": email} if email else {}  # which IAM's have not
    return service


def new_profile(name: str, account: str) -> Identity:
    return new_thing("Profile", name, account)


def new_thing(kind: str, name: str, account: str) -> Identity:
    identifier = f"{kind}-{uuid.uuid4()}"
    iam_id = f"iam-{identifier}"
    return Identity(iam_id, account, {"iam_id": iam_id, "id": iam_id, "realmid": "iam", "identifier": identifier,
                                      "name": name, "sub": identifier, "sub_type": kind})


MAKERS = {"user": new_user, "appid": new_appid_user, "service": new_service}
