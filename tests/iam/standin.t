#!/usr/bin/python3
"""Tests the stand-in itself, from the outside: http.client, ssl and the curl command against a running one.

Run by prove, or by hand. Prints TAP. Starts its own stand-ins and ends them; waits for events, never for time.
"""
import base64
import contextlib
import json
import os
import re
import select
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

sys.dont_write_bytecode = True

from harness import APIKEY, ASSUME, FORM, PROGRAM, another, claims_of, form_of, is_, run, test, unb64  # noqa: E402

FILES = ["ca", "ca.pem", "cancelled.jsonl", "connections.jsonl", "ready.json", "requests.jsonl"]


# Who and what

@test
def files_and_modes(s):
    folder = Path(s.ready_path).parent
    is_(sorted(os.listdir(folder)), FILES)
    modes = {name: oct((folder / name).stat().st_mode & 0o777) for name in os.listdir(folder)}
    is_(modes, {"ca": "0o755", "ca.pem": "0o644", "ready.json": "0o600",
                "requests.jsonl": "0o644", "connections.jsonl": "0o644", "cancelled.jsonl": "0o644"})
    is_(s.ready["pid"], s.process.pid)
    for name, key in s.keys.items():
        is_(name == "custom" or bool(re.fullmatch(r"[0-9][A-Za-z0-9_-]{43}", key)), True, name)


@test
def login_says_what_ibm_says(s):
    response = s.login("alice")
    is_(response.status, 200)
    body = response.json
    is_(list(body), ["access_token", "refresh_token", "ims_user_id", "token_type", "expires_in", "expiration", "scope"])
    is_((body["refresh_token"], body["token_type"], body["expires_in"]), ("not_supported", "Bearer", 3600))
    claims, alice = claims_of(body["access_token"]), s.ready["keys"]["alice"]
    is_(claims["exp"], body["expiration"])
    is_(claims["exp"] - claims["iat"], 3600)
    expected = {
        "iam_id": alice["iam_id"], "id": alice["iam_id"], "realmid": "IBMid",
        "identifier": alice["iam_id"].removeprefix("IBMid-"), "name": "Alice Example", "email": "alice@example.com",
        "sub": "alice@example.com",
        "authn": {"sub": "alice@example.com", "iam_id": alice["iam_id"], "name": "Alice Example"},
        "account": {"valid": True, "bss": s.ready["accounts"]["home"], "frozen": False},
        "iss": s.ready["urls"]["good"] + "/identity", "grant_type": APIKEY, "scope": "ibm openid",
        "client_id": "default", "acr": 1, "amr": ["pwd"]}
    is_({name: claims.get(name) for name in expected}, expected)
    is_({"sub_type", "aud"} & set(claims), set())
    is_(1000 < len(body["access_token"]) < 2048, True, "length of the token")


@test
def signature_verifies_with_the_jwks(s):
    token = s.login("deploy").json["access_token"]
    signed, signature = token.rsplit(".", 1)
    header = json.loads(unb64(signed.split(".")[0]))
    [jwk] = json.loads(s.call("GET", "/identity/keys").text)["keys"]
    is_((jwk["kty"], jwk["alg"], jwk["kid"]), ("RSA", header["alg"], header["kid"]))
    public = rsa.RSAPublicNumbers(*(int.from_bytes(unb64(jwk[part]), "big") for part in "en")).public_key()
    is_(public.key_size, 2048)
    public.verify(unb64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())  # raises


@test
def every_identity(s):
    home, foreign = s.ready["accounts"]["home"], s.ready["accounts"]["foreign"]
    for name, account in {"alice": home, "bob": home, "deploy": home, "host": home, "custom": home, "frozen": home,
                          "mallory": foreign, "tenant_ignored": foreign, "invalid_account": home,
                          "appid": home, "alice_public_issuer": home}.items():
        claims, key = s.claims(name), s.ready["keys"][name]
        is_((claims["iam_id"], claims["account"]["bss"]), (key["iam_id"], key["account"]), name)
        is_(claims["account"]["bss"], account, name)
        is_(claims["account"]["frozen"], name == "frozen", name)
        is_(claims["account"]["valid"], name != "invalid_account", name)
    service = s.claims("deploy")
    is_(service["iam_id"], f"iam-{service['sub']}")
    is_((service["realmid"], service["sub_type"]), ("iam", "ServiceId"))
    is_(s.claims("alice_public_issuer")["iss"], "https://iam.cloud.ibm.com/identity")
    appid = s.claims("appid")
    is_((appid["email"], appid["realmid"] == "IBMid"), ("alice@example.com", False))
    is_(s.claims("custom")["iam_id"], s.claims("alice")["iam_id"])
    is_(set(" &=+%\"'ü€") - set(s.keys["custom"]), set(), "hard characters of the custom key")
    is_(s.curl("custom"), (0, 200), "the custom key as curl encodes it")


@test
def every_error(s):
    expected = {
        "unknown": (400, "BXNIM0415E"), "err_0109": (400, "BXNIM0109E"), "err_0106": (400, "BXNIM0106E"),
        "err_0060": (405, "BXNIM0060E"), "disabled": (400, "BXNIM0462E"), "disabled_401": (401, "BXNIM0462E"),
        "not_found_in_account": (400, "BXNIM0410E"), "suspended": (401, "BXNIM0436E"),
        "not_member": (400, "BXNIM0141E"), "locked_out": (401, "BXNIM0400E"), "backend_failure": (500, "BXNIM0050E"),
        "backend_failure_400": (400, "BXNIM0050E"), "err_unlisted": (400, "BXNIM9999E")}
    for name, (status, code) in expected.items():
        response = s.login(name)
        is_((response.status, response.json["errorCode"]), (status, code), name)
        is_(name == "locked_out", "code" in response.json.get("requirements", {}), name)
        context = response.json["context"]
        is_(set(context) >= {"requestId", "requestType", "startTime", "endTime", "elapsedTime", "locale", "host",
                             "instanceId", "threadId", "url", "userAgent"}, True, name)
        is_({context["requestId"]}, {response.headers[h] for h in ("transaction-id", "x-correlation-id")}, name)
        is_(bool(response.headers["x-request-id"]), True, name)
    is_(s.keys["unknown"] in s.login("unknown").json["errorDetails"], True, "errorDetails repeats the key")


@test
def correlation_id_is_echoed(s):
    response = s.login("unknown", {"X-Correlation-ID": "my-own-id"})
    is_({response.headers["x-correlation-id"], response.headers["transaction-id"],
         response.json["context"]["requestId"], s.journal()[-1]["correlation_id"]}, {"my-own-id"})


@test
def form_is_read_strictly(s):
    good, key = urllib.parse.urlencode(form_of(s.keys["alice"])).encode(), s.keys["alice"].encode()
    for what, body, media, code in [
        ("another Content-Type", good, "application/json", "BXNIM0109E"),
        ("with a charset", good, FORM + ";charset=UTF-8", None),
        ("no body", b"", FORM, "BXNIM0109E"),
        ("no grant_type", b"apikey=" + key, FORM, "BXNIM0109E"),
        ("no apikey", b"grant_type=" + APIKEY.encode(), FORM, "BXNIM0109E"),
        ("blank apikey", b"apikey=+&grant_type=" + APIKEY.encode(), FORM, "BXNIM0109E"),
        ("no response_type", b"grant_type=" + APIKEY.encode() + b"&apikey=" + key, FORM, None),
        ("bad response_type", good.replace(b"cloud_iam", b"uaa"), FORM, "BXNIM0106E"),
        ("unknown grant", good.replace(b"apikey&", b"password&"), FORM, "BXNIM0109E"),
        ("a parameter twice", good + b"&scope=a&scope=b", FORM, "BXNIM0109E"),
        ("a broken escape", good + b"&scope=%zz", FORM, "BXNIM0109E"),
        ("bytes unencoded", good + "&scope=ü".encode(), FORM, "BXNIM0109E"),
        ("not UTF-8", good + b"&scope=%ff", FORM, "BXNIM0109E"),
        ("trailing newline", good + b"\n", FORM, "BXNIM0109E"),
    ]:
        response = s.token(body, {"Content-Type": media})
        is_((response.status, response.json.get("errorCode")), (400 if code else 200, code), what)
    is_(s.call("POST", "/identity/token", iter([good]), {"Content-Type": FORM}).status, 411, "no Content-Length")


@test
def methods_and_paths(s):
    for method, path, status in [("GET", "/identity/token", 405), ("PUT", "/identity/token", 405),
                                 ("POST", "/identity/keys", 405), ("GET", "/v2/groups/a/members/b", 405),
                                 ("GET", "/", 404), ("POST", "/identity/token/", 404), ("POST", "/oidc/token", 404)]:
        is_(s.call(method, path).status, status, f"{method} {path}")
    wrong = s.call("GET", "/identity/token")
    is_((json.loads(wrong.text)["errorCode"], wrong.headers["Allow"]), ("BXNIM0060E", "POST"))


@test
def tenant_header(s):
    home, foreign = s.ready["accounts"]["home"], s.ready["accounts"]["foreign"]
    for name, tenants, code in [
        ("alice", home, None), ("alice", f"{foreign},{home}", None), ("alice", foreign, "BXNIM0141E"),
        ("mallory", home, "BXNIM0141E"), ("mallory", f"{home}, {foreign}", None), ("mallory", "", None),
        ("tenant_ignored", home, None), ("unknown", home, "BXNIM0415E"),
    ]:
        is_(s.login(name, {"ibm-cloud-tenant": tenants}).json.get("errorCode"), code, f"{name}: {tenants}")


@test
def client_authentication_and_scope(s):
    client = s.ready["client"]

    def basic(secret):
        return {"Authorization": "Basic " + base64.b64encode(f"{client['client_id']}:{secret}".encode()).decode()}
    is_(s.claims("alice", basic(client["client_secret"]))["client_id"], client["client_id"])
    is_(s.login("alice", basic("wrong")).status, 401)
    is_(s.claims("alice", scope="openid")["scope"], "openid")


# The second steps

@test
def assume(s):
    first = s.claims("alice", scope="openid")
    token = s.login("alice", scope="openid").json["access_token"]
    profile = s.ready["profiles"]["operators"]
    for choice in [{"profile_id": profile["id"]}, {"profile_crn": profile["crn"]},
                   {"profile_name": "operators", "account": profile["account"]}]:
        response = s.token({"grant_type": ASSUME, "access_token": token} | choice)
        is_(response.status, 200, choice)
        claims = claims_of(response.json["access_token"])
        expected = {"iam_id": f"iam-{profile['id']}", "sub": profile["id"], "sub_type": "Profile", "realmid": "iam",
                    "grant_type": ASSUME, "scope": "openid", "authn": first["authn"]}
        is_({name: claims[name] for name in expected}, expected, choice)
        is_(claims["account"]["bss"], profile["account"], choice)
        is_((s.journal()[-1]["caller"], s.journal()[-1]["key"]), (first["iam_id"], None), choice)
    foreign = s.ready["profiles"]["foreign_operators"]
    assumed = s.token({"grant_type": ASSUME, "access_token": token, "profile_id": foreign["id"]}).json["access_token"]
    is_(claims_of(assumed)["account"]["bss"], s.ready["accounts"]["foreign"])


@test
def refused_assume(s):
    tokens = {name: s.login(name).json["access_token"]
              for name in ("alice", "bob", "fault_token_expired", "fault_token_no_iam_id")}
    profile = s.ready["profiles"]["operators"]
    by_id, by_crn = {"profile_id": profile["id"]}, {"profile_crn": profile["crn"]}
    by_name = {"profile_name": "operators"}
    tokens["a profile"] = s.token({"grant_type": ASSUME, "access_token": tokens["alice"]} | by_id).json["access_token"]
    tokens["a forger"] = tokens["alice"][:-4] + "AAAA"
    for name, choice, code in [
        ("bob", by_id, "BXNIM0513E"), ("alice", {"profile_id": "Profile-none"}, "BXNIM0513E"),
        ("alice", {}, "BXNIM0109E"), ("alice", by_id | by_crn, "BXNIM0109E"), ("alice", by_name, "BXNIM0109E"),
        ("a forger", by_id, "BXNIM0407E"), ("a profile", by_id, "BXNIM0407E"),
        ("fault_token_expired", by_id, "BXNIM0407E"), ("fault_token_no_iam_id", by_id, "BXNIM0407E"),
    ]:
        response = s.token({"grant_type": ASSUME, "access_token": tokens[name]} | choice)
        is_(response.json.get("errorCode"), code, f"{name}, {list(choice)}")


@test
def profile_faults(s):
    token, profiles = s.login("alice").json["access_token"], s.ready["profiles"]
    for name, status in [("fault_r503", 503), ("fault_r429", 429), ("fault_not_json", 200)]:
        form = urllib.parse.urlencode({"grant_type": ASSUME, "access_token": token, "profile_id": profiles[name]["id"]})
        is_(s.call("POST", "/identity/token", form, {"Content-Type": FORM}).status, status, name)


@test
def withdrawn(s):
    """What may be done once, and then no more."""
    token = s.login("alice").json["access_token"]
    form = {"grant_type": ASSUME, "access_token": token, "profile_id": s.ready["profiles"]["fault_then_withdrawn"]["id"]}
    is_([s.token(form).status for _ in range(3)], [200, 403, 403])
    is_([s.member("fault_then_removed", "alice", "host") for _ in range(3)], [204, 404, 404])


@test
def email_addresses(s):
    for name, email in [("nobody", "nobody@example.com"), ("shouting", "alice@EXAMPLE.Com"), ("no_email", None),
                        ("lookalike", "\u0430lice@example.com"), ("service_email", "alice@example.com")]:
        is_(s.claims(name).get("email"), email, name)
    is_(s.claims("service_email")["realmid"], "iam")


@test
def groups(s):
    for group, name, caller, status in [
        ("operators", "alice", "host", 204), ("operators", "deploy", "host", 204), ("operators", "bob", "host", 404),
        ("operators", "alice", "deploy", 204), ("operators", "alice", "alice", 403), ("auditors", "bob", "host", 204),
        ("auditors", "bob", "deploy", 403), ("hidden", "alice", "host", 403), ("public_access", "mallory", "host", 204),
        ("fault_r500", "alice", "host", 500), ("fault_r429", "alice", "host", 429),
        ("fault_html_200", "alice", "host", 200),
    ]:
        is_(s.member(group, name, caller), status, f"{group} {name} {caller}")
    path = f"/v2/groups/{s.ready['groups']['operators']['id']}/members/x"
    is_(s.call("HEAD", path).status, 401, "without a token")
    is_(s.call("HEAD", path, headers={"Authorization": "Bearer eyJ0.eyJ0.eyJ0"}).status, 401, "with a wrong token")
    is_(s.journal()[-1]["headers"]["authorization"], "Bearer")


# Listeners

@test
def certificates(s):
    for listener, why in [("expired", 10), ("not_yet_valid", 9), ("self_signed", 18), ("foreign_ca", 20), ("wrong_host", 62)]:
        try:
            s.connect(listener).connect()
            raise AssertionError(f"{listener} was accepted")
        except ssl.SSLCertVerificationError as wrong:
            is_(wrong.verify_code, why, listener)
        is_(s.curl("alice", listener), (60, 0), listener)
        is_(s.curl("alice", listener, "--insecure"), (0, 200), f"{listener}: nothing else is wrong with it")


@test
def other_listeners(s):
    proxy = s.ready["urls"]["proxy"]
    for listener, options, expected in [
        ("good", [], (0, 200)),
        ("http2", [], (0, 200)),
        ("http2", ["--http1.1"], (0, 200)),
        ("http2_narrow", [], (0, 200)),
        ("old_tls", [], (35, 0)),
        ("old_tls", ["--tls-max", "1.1", "--tlsv1.1", "--ciphers", "ALL:@SECLEVEL=0"], (0, 200)),
        ("plain_http", [], (0, 200)),
        ("hang_accept", ["-m", "0.5"], (28, 0)),
        ("reset_accept", [], (35, 0)),
        ("reset_once", [], (35, 0)),
        ("reset_once", [], (0, 200)),
        ("garbage_tls", [], (35, 0)),
        ("no_listen", [], (7, 0)),
        ("good", ["--proxy", proxy], (0, 200)),
        ("good", ["--proxy", s.ready["urls"]["tls_proxy"], "--proxy-capath", s.ready["ca_path"]], (0, 200)),
    ]:
        is_(s.curl("alice", listener, *options), expected, f"{listener} {options}")
    connect = [line for line in s.journal() if line["listener"] == "proxy"]
    is_([(line["method"], line["path"], line["status"]) for line in connect],
        [("CONNECT", s.ready["urls"]["good"].removeprefix("https://"), 200)])
    outside = subprocess.run(["curl", "-q", "-s", "-o", "/dev/null", "-w", "%{http_connect}", "--proxy", proxy,
                              "https://iam.cloud.ibm.com/"], capture_output=True, text=True)
    is_(outside.stdout, "403", "the proxy leads to nowhere else")
    # hello_requests would keep curl for ever, too
    seen = {line["listener"] for line in s.journal("connections")}
    is_(seen, set(s.ready["urls"]) - {"no_listen", "hello_requests"}, "connections.jsonl")


@test
def keep_alive(s):
    with contextlib.closing(s.connect()) as connection:
        s.login("alice", on=connection)
        s.login("unknown", on=connection)
    first, second = s.journal()[-2:]
    is_((first["key"], second["key"]), ("alice", "unknown"))
    is_(first["connection"], second["connection"])


@test
def two_hundred_connections(s):
    connections = [s.connect() for _ in range(200)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda connection: connection.connect(), connections))  # all open at once
        replies = list(pool.map(lambda connection: s.login("alice", on=connection).status, connections))
    for connection in connections:
        connection.close()
    is_(replies, [200] * 200)


# Faults

# Those whose answer is not a 200 that curl is content with: curl's exit status, HTTP status
ODD_FAULTS = {
    # 28: had to be given up
    "slow_2": (28, 0), "r429_late": (28, 0), "slow_headers": (28, 0), "trickle_headers": (28, 200), "trickle_body": (28, 200),
    "hang": (28, 0), "reset_before_answer": (56, 0), "reset_mid_body": (56, 200), "reset_once": (56, 0),
    "close_before_answer": (52, 0), "close_once": (52, 0), "stall": (28, 0), "abort": (56, 0), "abort_once": (56, 0),
    "abort_mid_body": (56, 200), "refuse": (56, 0), "truncated_body": (18, 200), "wrong_length_short": (0, 200),
    "chunked_bad": (56, 200), "huge_header": (27, 200), "garbage_status_line": (1, 0), "http09": (1, 0),
    "html_403": (0, 403), "html_502": (0, 502), "empty_500": (0, 500), "redirect_301": (0, 301),
    "redirect_302": (0, 302), "redirect_307": (0, 307), "r403_html": (0, 403), "r429": (0, 429),
    "r429_retry_1": (0, 429), "r429_retry_60": (0, 429), "r429_retry_bad": (0, 429), "r429_date": (0, 429),
    "r500": (0, 500), "r501": (0, 501), "r503": (0, 503), "r503_once": (0, 503), "s201_success": (0, 201),
    "s204": (0, 204), "then_removed": (0, 204), "transaction_id_evil": (0, 400), "error_message_evil": (0, 400), "error_code_evil": (0, 400),
    "error_no_code": (0, 400), "error_v2_shape": (0, 400),
}


@test
def every_fault(s):
    names = [name.removeprefix("fault_") for name in s.keys if name.startswith("fault_")]
    is_(set(ODD_FAULTS) - set(names), set(), "faults that are gone")
    expected = {name: ODD_FAULTS.get(name, (0, 200)) for name in names}
    patience = {name: "1.5" if result[0] == 28 else "30" for name, result in expected.items()}
    with ThreadPoolExecutor(8) as pool:
        got = dict(zip(names, pool.map(lambda name: s.curl(f"fault_{name}", "good", "-m", patience[name]), names)))
    for name in names:
        is_(got[name], expected[name], name)


# What is different in HTTP/2
HTTP_2 = {
    "reset_mid_body": (56, 200), "close_before_answer": (18, 0), "huge_header": (52, 0),
    **dict.fromkeys(("abort", "truncated_body", "wrong_length_short", "chunked", "chunked_bad", "no_length_close",
                     "garbage_status_line", "http09"), (92, 0)),
    "abort_mid_body": (92, 200), "goaway": (0, 200), "early_hints_103": (0, 200),
    "huge_body": (0, 200), "html_403": (0, 403), "s204": (0, 204), "trickle_body": (28, 200), "hang": (28, 0),
}


@test
def http_2(s):
    patience = {name: "1" if result[0] == 28 else "30" for name, result in HTTP_2.items()}
    with ThreadPoolExecutor(8) as pool:
        got = dict(zip(HTTP_2, pool.map(lambda name: s.curl(f"fault_{name}", "http2", "-m", patience[name]), HTTP_2)))
    is_(got, HTTP_2)


@test
def journal_of_http_2(s):
    s.curl("alice", "http2", "--http1.1")
    s.curl("bob", "http2")
    first, second = s.journal()[-2:]
    is_([first[name] for name in ("http", "stream", "open")], ["1.1", None, None])
    is_([second[name] for name in ("http", "stream", "open")], ["2", 1, 1])
    is_(sorted(first), sorted(second))


@test
def faults_that_pass(s):
    """The second time, after every_fault; curl had the 103, which http.client cannot read."""
    for name in ["reset_once", "close_once", "abort_once", "r503_once", "r429_retry_1", "r429_date", "chunked",
                 "no_length_close", "token_exp_within_skew", "token_evil_name", "close_after_answer", "token_only"]:
        is_(s.claims(f"fault_{name}")["iam_id"], s.ready["keys"]["alice"]["iam_id"], name)
    is_(s.login("fault_then_disabled").json["errorCode"], "BXNIM0462E")


@test
def details_of_faults(s):
    def body(name):
        form = urllib.parse.urlencode(form_of(s.keys[f"fault_{name}"]))
        return s.call("POST", "/identity/token", form, {"Content-Type": FORM}).text
    is_(len(body("huge_body")) > 10 << 20, True)
    is_(body("duplicate_members").count(b'"access_token"'), 2)
    is_(rb"\u0000tail" in body("nul_in_string_access_token"), True)
    is_("\0tail" in s.claims("fault_nul_in_string_iam_id")["iam_id"], True)
    is_(b"\xff" in body("bad_utf8"), True)
    is_(len(s.login("fault_token_huge").json["access_token"]) > 16384, True)
    is_("exp" in s.claims("fault_token_no_exp"), False)
    is_(-3700 < s.claims("fault_token_expired")["exp"] - time.time() < -3590, True)
    is_(-60 < s.claims("fault_token_exp_within_skew")["exp"] - time.time() < -29, True)
    evil = s.login("fault_error_message_evil").json
    for part in ("%n", "\x1b", s.keys["fault_error_message_evil"]):
        is_((part in evil["errorMessage"], part in evil["errorDetails"]), (True, True))
    is_(len(s.login("fault_transaction_id_evil").headers["transaction-id"]), 300)
    is_(s.login("fault_r429_retry_60").headers["Retry-After"], "60")
    location = s.login("fault_redirect_307").headers["Location"]
    is_(location.startswith(s.ready["urls"]["good"] + "/identity/token"), True)
    is_(s.curl("fault_redirect_307", "good", "--location"), (0, 200), "whoever follows is let in")


@test
def vanishing_clients(s):
    """Dozens that leave in the middle of everything disturb nobody."""
    for sent in [b"", b"\x16", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"] * 10:
        with contextlib.closing(s.connect("plain_http")) as connection:
            connection.connect()
            connection.sock.sendall(sent)
    for name in ["fault_hang", "fault_trickle_body", "fault_slow_headers", "alice"] * 5:
        with contextlib.closing(s.connect()) as connection:
            form = urllib.parse.urlencode(form_of(s.keys[name]))
            connection.request("POST", "/identity/token", form, {"Content-Type": FORM})
    is_(s.login("alice").status, 200)


# The journal

@test
def journal_lines(s):
    s.login("bob", {"User-Agent": "me/1", "X-Correlation-ID": "a-b-c"}, scope="openid")
    line = s.journal()[-1]
    is_(abs(line["time"] - time.time()) < 60, True)
    is_({name: line[name] for name in ("listener", "method", "path", "query", "fields", "key", "caller", "status",
                                       "correlation_id", "transaction_id")},
        {"listener": "good", "method": "POST", "path": "/identity/token", "query": {}, "key": "bob", "caller": None,
         "fields": {"grant_type": APIKEY, "response_type": "cloud_iam", "scope": "openid", "apikey": None},
         "status": 200, "correlation_id": "a-b-c", "transaction_id": "a-b-c"})
    is_((line["headers"]["user-agent"], line["content_length"] > 100), ("me/1", True))
    s.login("unknown")
    is_(s.journal()[-1]["key"], "unknown")


@test
def no_secret_in_any_file(s):
    secret = "a-key-nobody-made-0123456789-abcdefghijklmnop"
    for key in (s.keys["alice"], s.keys["custom"], s.keys["unknown"], secret):
        quoted = urllib.parse.quote(key, safe="")
        s.call("GET", f"/identity/token?apikey={quoted}&{quoted}")
        s.token(form_of(key, scope=key), {"X-Note": quoted, "Authorization": f"Bearer {quoted}"})
        s.token({key: key} | form_of(key))
        s.call("POST", "/identity/token", json.dumps({"apikey": key}), {"Content-Type": "application/json"})
        s.token(key.encode())
    token = s.login("alice").json["access_token"]
    s.call("GET", f"/identity/keys?{token}", headers={"X-Token": token})
    s.token({"grant_type": ASSUME, "access_token": token, "profile_id": "x"})
    secrets = [secret, token, token.split(".")[1], s.ready["client"]["client_secret"], *s.keys.values()]
    secrets += [urllib.parse.quote(secret, safe="") for secret in secrets]
    secrets += [json.dumps(secret)[1:-1] for secret in secrets]
    files = [path for path in Path(s.ready_path).parent.rglob("*") if path.is_file() and path.name != "ready.json"]
    for path in files + [s.errors]:
        found = [secret for secret in secrets if secret in path.read_text()]
        is_(len(found), 0, f"secrets in {path.name}")
        is_("PRIVATE KEY" in path.read_text(), False, path.name)


@test
def nothing_on_stderr(s):
    is_(s.errors.read_text(), "")


# Beginning and end

@test
def options(_):
    with another("--lifetime", "60", "--issuer", "https://issuer.example/identity") as s:
        claims = s.claims("alice")
        is_((claims["exp"] - claims["iat"], claims["iss"]), (60, "https://issuer.example/identity"))
        is_(s.login("alice").json["expires_in"], 60)


@test
def ends_on_sigterm_with_0(_):
    with another() as s:
        s.process.terminate()
        is_(s.process.stdout.read(), "", "one line on stdout")
        is_(s.process.wait(10), 0)
        is_(sorted(os.listdir(Path(s.ready_path).parent)),
            FILES)


@test
def ends_with_its_stdin(_):
    with another() as s:
        s.process.stdin.close()
        is_(s.process.wait(10), 0)


@test
def survives_dev_null_as_stdin(_):
    with another(stdin=subprocess.DEVNULL) as s:
        is_(s.login("alice").status, 200)
        is_(s.process.poll(), None)


@test
def ends_with_its_parent(_):
    with tempfile.TemporaryDirectory(prefix="standin-t-") as folder:
        parent = subprocess.Popen(["/bin/sh", "-c", '"$0" --dir "$1" </dev/null & wait', PROGRAM, folder],
                                  stdout=subprocess.PIPE, text=True)
        ready = json.loads(Path(parent.stdout.readline().rstrip("\n")).read_text())
        descriptor = os.pidfd_open(ready["pid"])
        parent.kill()
        parent.wait(10)
        gone = bool(select.select([descriptor], [], [], 10)[0])
        if not gone:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)
        parent.stdout.close()
        is_(gone, True, "gone with its parent")


if __name__ == "__main__":
    run()
