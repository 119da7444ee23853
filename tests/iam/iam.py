"""IAM's endpoints: the token endpoint with its two grants, the JWKS and access group membership.

Called by server.py with each request; returns the answer, after the journal has it. What is said in the
end is data: ERRORS in answers.py, FAULTS in faults.py, the rest in identities.py.
"""
import base64
import re
import urllib.parse

from answers import Answer, Exchange, Raw
from tokens import APIKEY, ASSUME


class Refused(Exception):
    """Carries the answer out of the checks."""


class Iam:
    def __init__(self, world, journal):
        self.world, self.journal = world, journal

    def __call__(self, request) -> Answer | Raw:
        x = Exchange(self.world, request)
        try:
            result = self.route(x)
        except Refused as refused:
            result = refused.args[0]
        self.journal.request(request, result.status, x.form, key=x.key, caller=x.caller,
                             correlation_id=x.transaction, transaction_id=x.transaction)
        return result

    def route(self, x):
        path = x.request.target.partition("?")[0]
        for pattern, method, endpoint, wrong_method in ROUTES:
            if match := re.fullmatch(pattern, path):
                if x.request.method == method:
                    return endpoint(x, *map(urllib.parse.unquote, match.groups()))
                return wrong_method(x).but(Allow=method)
        return x.v2_error(404, "not_found", "No such resource.")


# The token endpoint

def token(x):
    read_form(x)
    grant = GRANTS.get(required(x, "grant_type"))
    return grant(x) if grant else x.error("err_0109", {"errorDetails": "Property 'grant_type' is not supported."})


def apikey_grant(x):
    """The key decides what happens."""
    key = x.world.by_value.get(required(x, "apikey"), x.world.unknown)
    x.key, x.turn, x.grant = key.name, x.world.turn(key.name), APIKEY
    if x.form.get("response_type", "cloud_iam") != "cloud_iam":
        return x.error("err_0106")
    x.subject = x.authn = key.subject
    x.client_id = client_of(x)
    x.scope = x.form.get("scope") or x.scope
    tenants = re.split(r"\s*,\s*", x.request.headers.get("ibm-cloud-tenant", "").strip())
    if key.subject and key.heeds_tenant and tenants != [""] and key.subject.account not in tenants:
        return x.error("not_member")
    return key.answer(x)


def assume_grant(x):
    """The profile decides what happens, once the first token proved who asks."""
    first = x.world.mint.read(required(x, "access_token"), x.now)
    if first is None or first["grant_type"] != APIKEY:
        return x.error("bad_token")
    x.caller, x.grant = first["iam_id"], ASSUME
    x.client_id, x.scope = first["client_id"], first["scope"]  # these belong to the first step
    profile = find_profile(x)
    if profile is None or x.caller not in profile.assumers:
        return x.error("may_not_assume")
    x.turn = x.world.turn(f"profile {profile.name}")
    x.subject, x.authn = profile.subject, x.world.by_iam_id[x.caller]
    return profile.answer(x)


def find_profile(x):
    given = [name for name in ("profile_crn", "profile_id", "profile_name") if name in x.form]
    if len(given) != 1:
        raise Refused(x.error("err_0109", {"errorDetails": "Exactly one of profile_crn, profile_id, profile_name."}))
    wanted = {given[0]: required(x, given[0])}
    if given == ["profile_name"]:
        wanted["account"] = required(x, "account")
    for profile in x.world.profiles.values():
        known = {"profile_crn": profile.crn, "profile_id": profile.subject.claims["identifier"],
                 "profile_name": profile.name, "account": profile.subject.account}
        if wanted.items() <= known.items():
            return profile
    return None


def read_form(x):
    """Strict: what a careless client gets wrong must not work by luck."""
    request, text = x.request, x.request.body.decode("latin-1")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "content-length" not in request.headers:
        raise Refused(x.edge(411))
    if media != "application/x-www-form-urlencoded":
        raise Refused(x.error("err_0109", {"errorDetails": "Content-Type is not application/x-www-form-urlencoded."}))
    try:
        if not re.fullmatch(r"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*", text):
            raise ValueError("not form-encoded")
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a parameter twice")
    except ValueError as wrong:
        # The text itself stays out of the answer and of the journal: a key could be anywhere in it
        why = "not UTF-8" if isinstance(wrong, UnicodeDecodeError) else str(wrong).partition(":")[0]
        raise Refused(x.error("err_0109", {"errorDetails": f"The form is malformed: {why}."})) from None
    x.form = dict(pairs)


def required(x, name):
    if not x.form.get(name, "").strip():
        raise Refused(x.error("err_0109", {"errorDetails": f"Property missing or empty: '{name}'."}))
    return x.form[name]


def client_of(x):
    """The client's id where it authenticates itself, which is optional."""
    scheme, _, credentials = x.request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return x.client_id
    expected = base64.b64encode(":".join(x.world.client.values()).encode()).decode()
    if scheme.lower() != "basic" or credentials.strip() != expected:
        raise Refused(x.error("bad_client", WWW_Authenticate="Basic"))
    return x.world.client["client_id"]


# The other endpoints

def keys(x):
    return x.json(200, x.world.mint.jwks())


def membership(x, group_id, iam_id):
    scheme, _, bearer = x.request.headers.get("authorization", "").partition(" ")
    caller = x.world.mint.read(bearer.strip(), x.now) if scheme.lower() == "bearer" else None
    if caller is None:
        return x.v2_error(401, "not_authenticated", "No valid token.", WWW_Authenticate="Bearer")
    x.caller = caller["iam_id"]
    group = next((g for g in x.world.groups.values() if g.id == group_id), None)
    if group is None:
        return x.v2_error(404, "not_found", "No such group.")
    if x.caller not in group.viewers:
        return x.v2_error(403, "forbidden", "The caller may not view this group.")
    if group.answer:
        x.turn = x.world.turn(f"group {group.name}")
        x.subject = x.authn = x.world.by_iam_id[x.caller]
        return group.answer(x)
    if group.members is None or iam_id in group.members:
        return x.answer(204, b"", "application/json")
    return x.v2_error(404, "not_found", "Not a member.")


def not_allowed(x):
    return x.v2_error(405, "method_not_allowed", "Method not allowed.")


GRANTS = {APIKEY: apikey_grant, ASSUME: assume_grant}
ROUTES = [
    (r"/identity/token", "POST", token, lambda x: x.error("err_0060")),
    (r"/identity/keys", "GET", keys, not_allowed),
    (r"/v2/groups/([^/]+)/members/([^/]+)", "HEAD", membership, not_allowed),
]

