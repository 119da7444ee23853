"""Everything that can go wrong once IAM has seen the key, as one table.

A fault is a function of the Exchange that returns an Answer or a Raw. The key chooses it (`fault_<name>` in
ready.json), so tests that run at the same time never disturb one another. A fault is one line here.
"""
from itertools import chain, cycle

from answers import ABORT, CLOSE, DROP, FOREVER, LEAVE, REFUSE, RESET, STALL, Raw, http_date

MIB = 1 << 20
EVIL = "%s%n%99999d\nstandin forged[1]: session opened\r\x1b[2J\x1b]0;owned\x07"
EVIL_HEADER = '"\'%n%s\t;=\\\x80\x9b31m\xe9\xff'


# How to spoil a good login, from the inside out: claims, payload, token, body, bytes, wire.
def claims(**change):
    return lambda x: x.success(claims=change)


def payload(edit):
    return lambda x: x.success(payload=edit)


def token(edit):
    return lambda x: x.success(token=edit)


def body(**change):
    return lambda x: x.success(body=change)


def text(edit, status=200):
    """`edit` gets the body's bytes, and may ignore them."""
    def fault(x):
        good = x.success()
        return x.answer(status, edit(good.body), good.headers["Content-Type"])
    return fault


def wire(steps, status=200):
    """`steps` gets the good answer and says what to send instead."""
    return lambda x: Raw(steps(x.success()), status)


def late(seconds):
    """A good answer in two halves, each as late as that: those of several requests overlap."""
    return wire(lambda a: [seconds, a.head() + a.body[:500], seconds, a.body[500:]])


def edge(status, **headers):
    return lambda x: x.edge(status, **headers)


def error(name, **change):
    return lambda x: x.error(name, change)


def turns(*faults):
    """One fault for each request on this key; the last one stays."""
    return lambda x: faults[min(x.turn, len(faults)) - 1](x)


def good(x):
    return x.success()


def drip(data):
    """One byte each 200 ms."""
    return chain.from_iterable((bytes([byte]), 0.2) for byte in data)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(last):
    return wire(lambda a: [a.head(length=None, Transfer_Encoding="chunked"),
                           chunk(a.body[:99]), chunk(a.body[99:]), last])


def wrong_length(by):
    return wire(lambda a: [a.head(length=len(a.body) + by) + a.body])


def expired(seconds):
    return claims(exp=lambda c: c["iat"] - seconds, iat=lambda c: c["exp"] - 3600)


def redirect(status):
    """Whoever follows with key and all is let in, so that a test notices."""
    def fault(x):
        if "followed" in x.request.target:
            return x.success()
        return x.edge(status, Location=x.world.urls["good"] + "/identity/token?followed")
    return fault


def retry_at_date(x):
    return x.edge(429, Retry_After=http_date(x.now + 2))  # whole seconds: 1 to 2 s from now


def error_message_evil(x):
    tainted = EVIL + x.form.get("apikey", "")
    return x.error("unknown", {"errorMessage": tainted, "errorDetails": tainted})


def transaction_id_evil(x):
    return x.error("unknown", **{"transaction-id": (EVIL_HEADER * 30)[:300]})


FAULTS = {
    # Late, or never
    "slow_2": ("logs in, after 2 s", wire(lambda a: [2.0, a.render()])),
    "slow_headers": ("logs in, after 30 s", wire(lambda a: [30.0, a.render()])),
    "trickle_headers": ("headers, 1 byte each 200 ms, endless",
                        wire(lambda a: chain([b"HTTP/1.1 200 OK\r\nX-Drip: "], drip(cycle(b"x"))))),
    "trickle_body": ("body, 1 byte each 200 ms, endless",
                     wire(lambda a: chain([a.head(length=None)], drip(cycle(b" "))))),
    "hang": ("never answers", wire(lambda a: [FOREVER], None)),
    # Cut off
    "reset_before_answer": ("resets the connection", wire(lambda a: [RESET], None)),
    "reset_mid_body": ("resets after half of the body",
                       wire(lambda a: [a.head() + a.body[:len(a.body) // 2], 0.2, RESET])),
    "reset_once": ("first request: reset; then logs in", turns(wire(lambda a: [RESET], None), good)),
    "close_before_answer": ("closes without an answer", wire(lambda a: [CLOSE], None)),
    "close_after_answer": ("logs in, then closes the kept-alive connection unannounced",
                           wire(lambda a: [a.render(), CLOSE])),
    "close_once": ("first request: closes without an answer; then logs in", turns(wire(lambda a: [CLOSE], None), good)),
    "goaway": ("logs in, after GOAWAY", wire(lambda a: [LEAVE, 0.2, a.render()])),
    "stall": ("nothing more on the whole connection", wire(lambda a: [STALL], None)),
    "abort": ("RST_STREAM", wire(lambda a: [ABORT], None)),
    "abort_mid_body": ("RST_STREAM after half of the body",
                       wire(lambda a: [a.head() + a.body[:len(a.body) // 2], 0.2, ABORT])),
    "abort_once": ("first request: RST_STREAM; then logs in", turns(wire(lambda a: [ABORT], None), good)),
    "refuse": ("RST_STREAM with REFUSED_STREAM", wire(lambda a: [REFUSE], None)),
    "truncated_body": ("Content-Length 100 more than is sent", wrong_length(+100)),
    # Framing
    "wrong_length_short": ("Content-Length 20 less than is sent", wrong_length(-20)),
    "no_length_close": ("logs in, body ends with the connection",
                        wire(lambda a: [a.head(length=None, Connection="close") + a.body])),
    "chunked": ("logs in, chunked", chunked(chunk(b""))),
    "chunked_bad": ("chunked, with a bad chunk size", chunked(b"zz\r\n")),
    "huge_body": ("a good body padded to 10 MiB", text(lambda b: b[:-1] + b',"pad":"' + b"x" * 10 * MIB + b'"}')),
    "huge_header": ("a good answer with a header of 1 MiB", lambda x: x.success().but(X_Pad="x" * MIB)),
    "garbage_status_line": ("status line HTTP/1.1 2OO",
                            wire(lambda a: [a.render().replace(b" 200 ", b" 2OO ", 1)], None)),
    "http09": ("a good body without status line and headers", wire(lambda a: [a.body], None)),
    "early_hints_103": ("logs in, after a 103",
                        wire(lambda a: [b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n", a.render()])),
    # Status
    "html_200": ("200 with HTML", edge(200)),
    "html_403": ("403 with HTML", edge(403)),
    "html_502": ("502 with HTML", edge(502)),
    "empty_200": ("200 without a body", text(lambda b: b"")),
    "empty_500": ("500 without a body", text(lambda b: b"", 500)),
    "redirect_301": ("301 to the good listener", redirect(301)),
    "redirect_302": ("302 to the good listener", redirect(302)),
    "redirect_307": ("307 to the good listener, which then logs in", redirect(307)),
    "r403_html": ("403 with HTML", edge(403)),
    "r429": ("429 without Retry-After", edge(429)),
    "r429_late": ("429 without Retry-After, after 2 s", lambda x: Raw([2.0, x.edge(429).render()], 429)),
    "r429_retry_1": ("first request: 429, Retry-After: 1; then logs in", turns(edge(429, Retry_After="1"), good)),
    "r429_retry_60": ("429, Retry-After: 60", edge(429, Retry_After="60")),
    "r429_retry_bad": ("429 with an unreadable Retry-After", edge(429, Retry_After="-99999999999999999999")),
    "r429_date": ("first request: 429, Retry-After: a date 1-2 s ahead; then logs in", turns(retry_at_date, good)),
    "r500": ("500 with HTML", edge(500)),
    "r501": ("501 with HTML", edge(501)),
    "r503": ("503 with HTML", edge(503)),
    "r503_once": ("first request: 503; then logs in", turns(edge(503), good)),
    "s201_success": ("201 with a good body", text(lambda b: b, 201)),
    "s204": ("204", lambda x: x.answer(204, b"", "application/json")),
    # A key that changes
    "then_disabled": ("first request: logs in; then 400 BXNIM0462E", turns(good, error("disabled"))),
    "then_503": ("first request: logs in; then 503", turns(good, edge(503))),
    "then_withdrawn": ("first request: logs in; then 403 BXNIM0513E", turns(good, error("may_not_assume"))),
    "then_removed": ("first request: 204; then 404", turns(lambda x: x.answer(204, b"", "application/json"),
                                                           lambda x: x.v2_error(404, "not_found", "Not a member."))),
    # Body
    "not_json": ("text instead of JSON", text(lambda b: b"Everything is fine.")),
    "json_array": ("the good object inside an array", text(lambda b: b"[" + b + b"]")),
    "json_scalar": ("a string instead of an object", text(lambda b: b'"Bearer"')),
    "trailing_bytes": ("a second JSON object after the good one", text(lambda b: b + b'{"access_token":"x"}')),
    "wrong_types": ("every member of another type",
                    body(access_token=12345, refresh_token=[], ims_user_id="x", token_type=7,
                         expires_in="soon", expiration={}, scope=True)),
    "expires_in_string": ('expires_in is "3600"', body(expires_in="3600")),
    "expiration_negative": ("expires_in and expiration below zero", body(expires_in=-3600, expiration=-1)),
    "expiration_huge": ("expires_in and expiration beyond 64 bits", body(expires_in=10**30, expiration=10**30)),
    "null_token": ("access_token is null", body(access_token=None)),
    "no_token": ("no access_token", body(access_token=DROP)),
    "empty_token": ('access_token is ""', body(access_token="")),
    "token_only": ("logs in, nothing but access_token in the body",
                   body(**dict.fromkeys(("refresh_token", "ims_user_id", "token_type",
                                         "expires_in", "expiration", "scope"), DROP))),
    "token_type_mac": ("token_type is mac", body(token_type="mac")),
    "deep_nesting": ("a good body with 10000 nested arrays",
                     text(lambda b: b[:-1] + b',"deep":' + b"[" * 10000 + b"]" * 10000 + b"}")),
    "duplicate_members": ("a second access_token in the body", text(lambda b: b[:-1] + b',"access_token":"second"}')),
    "nul_in_string_access_token": (r"\u0000 and more after the token", token(lambda t: t + "\0tail")),
    "nul_in_string_iam_id": (r"\u0000 and more in the iam_id claim", claims(iam_id=lambda c: c["iam_id"] + "\0tail")),
    "bad_utf8": ("invalid UTF-8 in the body's scope", text(lambda b: b.replace(b"openid", b"open\xff\xc0\xafid"))),
    # Token
    "token_huge": ("an access_token of over 16 KiB", claims(name="x" * 20000)),
    "token_two_parts": ("a JWT without signature", token(lambda t: t.rsplit(".", 1)[0])),
    "token_bad_base64": ("a JWT whose payload is not base64url", token(lambda t: t.replace(".", ".!!*", 1))),
    "token_control_chars": ("newline and ESC in access_token", token(lambda t: t + "\nX-Evil: 1\x1b[2J")),
    "token_payload_not_json": ("a JWT around text", payload(lambda p: b"not JSON")),
    "token_payload_bad_utf8": ("invalid UTF-8 in a claim", payload(lambda p: p[:-1] + b',"note":"\xff\xc0\xaf"}')),
    "token_payload_duplicate_iam_id": ("a second iam_id claim",
                                       payload(lambda p: p[:-1] + b',"iam_id":"IBMid-550000SECOND"}')),
    "token_expired": ("exp one hour ago", expired(3600)),
    "token_exp_within_skew": ("logs in, exp 30 s ago", expired(30)),
    "token_exp_string": ("exp is a string", claims(exp=lambda c: str(c["exp"]))),
    "token_no_exp": ("no exp", claims(exp=DROP)),
    "token_no_iam_id": ("no iam_id", claims(iam_id=DROP)),
    "token_iam_id_array": ("iam_id is an array", claims(iam_id=lambda c: [c["iam_id"]])),
    "token_no_account": ("no account", claims(account=DROP)),
    "token_no_bss": ("account without bss", claims(account={"valid": True})),
    "token_wrong_issuer": ("iss is another site's", claims(iss="https://iam.evil.example/identity")),
    "token_other_identity": ("the token of somebody else in the same account",
                             claims(iam_id="IBMid-550000OTHER", id="IBMid-550000OTHER")),
    "token_evil_name": ("logs in, format string and ESC in name, email and scope",
                        claims(name=EVIL, email=EVIL, scope=EVIL)),
    # Errors
    "transaction_id_evil": ("400 BXNIM0415E, transaction-id of 300 wild bytes", transaction_id_evil),
    "error_message_evil": ("400 BXNIM0415E, %n, ESC, line breaks and the key in message and details",
                           error_message_evil),
    "error_code_evil": ("400, errorCode with a line break and 500 more characters",
                        error("unknown", errorCode="BXNIM0415E\n" + "A" * 500)),
    "error_no_code": ("400, JSON without errorCode", error("unknown", errorCode=DROP)),
    "error_v2_shape": ("400 in the shape of the /v2 APIs",
                       lambda x: x.v2_error(400, "bad_request", "The request is wrong.")),
}

# The second steps have no key of their own: some faults are offered as profiles and as groups too.
PROFILE_FAULTS = ("hang", "reset_before_answer", "r503", "r429", "html_502", "not_json", "no_token", "token_expired",
                  "token_wrong_issuer", "token_no_iam_id", "token_other_identity", "slow_2", "then_withdrawn", "then_503")
GROUP_FAULTS = ("hang", "reset_before_answer", "r500", "r429", "html_200", "html_403", "redirect_302", "slow_2",
                "then_removed")
