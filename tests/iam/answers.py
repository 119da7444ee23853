"""What the stand-in says: IBM's success body, IBM's errors as a table, and the headers around them.

An Exchange is one request being answered. It knows the ids that IBM puts into body and headers alike, and
who is asking; iam.py fills that in, faults.py spoils the result. Formats follow IAM.md and recorded answers.
"""
import base64
import re
import secrets
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Iterable, NamedTuple

from tokens import compact

USUAL, DROP = object(), object()
FOREVER = 86400.0

# Steps of a Raw that are no bytes. For a connection with HTTP/1.1, which has one stream, STALL waits, ABORT and REFUSE
# reset, LEAVE and CLOSE are what happens at the end anyway
RESET = object()  # the connection, by TCP
CLOSE = object()  # the connection, without a word of HTTP
LEAVE = object()  # GOAWAY: it ends with the answers that are under way
STALL = object()  # not a word more on the connection, and nothing is read
ABORT, REFUSE = object(), object()  # RST_STREAM, and the same with REFUSED_STREAM


class Error(NamedTuple):
    status: int
    code: str
    message: str
    details: str | None = None  # {key} becomes the key in clear, as seen from IBM
    extra: dict = {}


ERRORS = {
    # IAM.md's table; each name is also the name of a key that gets this answer
    "unknown": Error(400, "BXNIM0415E", "Provided API key could not be found.",
                     "BXNIM0102E: Unable to find Object. Object Type: 'ApiKey' with ID: '{key}' not found."),
    "err_0109": Error(400, "BXNIM0109E", "Property missing or empty."),
    "err_0106": Error(400, "BXNIM0106E", "Validation of property 'response_type' failed. Valid values: 'cloud_iam'"),
    "err_0060": Error(405, "BXNIM0060E", "Method not allowed."),
    "disabled": Error(400, "BXNIM0462E", "Provided API key is disabled."),
    "disabled_401": Error(401, "BXNIM0462E", "Provided API key is disabled."),
    "not_found_in_account": Error(400, "BXNIM0410E", "Provided user not found or active."),
    "suspended": Error(401, "BXNIM0436E", "User is suspended in the requested account or invalid."),
    "not_member": Error(400, "BXNIM0141E", "The user is not a member of the requested account."),
    "locked_out": Error(401, "BXNIM0400E", "External authentication failed.",
                        extra={"requirements": {"error": "account_locked", "code": "ACCOUNT_LOCKED"}}),
    "backend_failure": Error(500, "BXNIM0050E", "Backend service failed."),
    "backend_failure_400": Error(400, "BXNIM0050E", "Backend service failed."),
    "err_unlisted": Error(400, "BXNIM9999E", "A code that no table lists."),
    # and what IAM.md leaves open; the last code is made up
    "bad_token": Error(400, "BXNIM0407E", "Provided token is invalid."),
    "may_not_assume": Error(403, "BXNIM0513E", "You are not authorized to use this API."),
    "bad_client": Error(401, "BXNIM9998E", "Provided client credentials are invalid."),
}
NOT_KEYS = ("bad_token", "may_not_assume", "bad_client")

CALM = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Expires": "0",
        "Content-Language": "en-US", "X-Content-Type-Options": "nosniff"}
EDGE_PAGE = b"<HTML><HEAD><TITLE>%s</TITLE></HEAD><BODY><H1>%s</H1>Reference&#32;&#35;18&#46;2d</BODY></HTML>\n"


@dataclass
class Answer:
    """A well-formed HTTP answer."""
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def but(self, **headers: str) -> "Answer":
        return Answer(self.status, self.body, self.headers | {n.replace("_", "-"): v for n, v in headers.items()})

    def head(self, length: Any = USUAL, **headers: str) -> bytes:
        """Status line and headers; `length` overrides Content-Length, None leaves it out."""
        fields = {"Date": http_date(time.time())} | self.but(**headers).headers
        if self.status >= 200 and self.status != 204 and length is not None:
            fields["Content-Length"] = len(self.body) if length is USUAL else length
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join(lines + ["", ""]).encode("latin-1")

    def render(self) -> bytes:
        return self.head() + self.body


@dataclass
class Raw:
    """An answer beyond HTTP's rules: bytes to send, seconds to wait, and what is above. After it the connection ends,
    or in HTTP/2 the stream."""
    steps: Iterable
    status: int | None = 200  # for the journal; None where no status line is sent


class Exchange:
    def __init__(self, world, request):
        self.world, self.request, self.now = world, request, time.time()
        sent = request.headers.get("x-correlation-id", "")
        made = f"{base64.b64encode(b'standin').decode().rstrip('=')}-{secrets.token_hex(16)}"
        self.transaction = sent if re.fullmatch(r"[!-~]{1,128}", sent) else made
        # What the endpoints find out: the form, whose token it is to be, the how-manieth request on this key
        self.form: dict[str, str] = {}
        self.key = self.caller = self.subject = self.authn = None
        self.grant, self.client_id, self.scope, self.turn = "", "default", "ibm openid", 1

    def answer(self, status: int, body: bytes, media: str, **headers: str) -> Answer:
        ids = {"transaction-id": self.transaction, "x-correlation-id": self.transaction,
               "x-request-id": str(uuid.uuid4())}
        return Answer(status, body, {"Content-Type": media} | CALM | ids).but(**headers)

    def json(self, status: int, body: Any, **headers: str) -> Answer:
        return self.answer(status, compact(body), "application/json", **headers)

    def edge(self, status: int, **headers: str) -> Answer:
        """What the edge network in front of IAM says: HTML, and none of IAM's headers."""
        phrase = HTTPStatus(status).phrase.encode()
        usual = {"Server": "AkamaiGHost", "Content-Type": "text/html"}
        return Answer(status, EDGE_PAGE % (phrase, phrase), usual).but(**headers)

    def error(self, name: str, change: dict | None = None, **headers: str) -> Answer:
        """An error of the token endpoint, by its name in ERRORS."""
        error = ERRORS[name]
        body = {"errorCode": error.code, "errorMessage": error.message}
        if error.details:
            body["errorDetails"] = error.details.format(key=self.form.get("apikey", ""))
        body |= {"context": self.context()} | error.extra
        return self.json(error.status, altered(body, change), **headers)

    def v2_error(self, status: int, code: str, message: str, **headers: str) -> Answer:
        """An error of the other APIs."""
        return self.json(status, {"trace": self.transaction, "status_code": status,
                                  "errors": [{"code": code, "message": message}]}, **headers)

    def context(self) -> dict:
        ended, pod = time.time(), "iamid-standin-0"
        return {"requestId": self.transaction, "requestType": "incoming.Identity_Token",
                "userAgent": self.request.headers.get("user-agent", ""), "url": self.world.urls["good"],
                "instanceId": pod, "threadId": f"{secrets.randbits(20):x}", "host": pod,
                "startTime": ibm_time(self.now), "endTime": ibm_time(ended),
                "elapsedTime": str(int((ended - self.now) * 1000)), "locale": "en_US", "clusterName": "iam-id-standin"}

    def success(self, claims=None, payload=None, token=None, body=None) -> Answer:
        """The 200 of the token endpoint. The four arguments alter one stage of it each, for the faults."""
        mint = self.world.mint
        said = altered(mint.claims(self.subject, self.authn, self.grant, self.client_id, self.scope, self.now),
                       claims)
        raw = compact(said)
        jwt = mint.sign(payload(raw) if payload else raw)
        expiration = said.get("exp") if isinstance(said.get("exp"), int) else int(self.now) + mint.lifetime
        return self.json(200, altered({
            "access_token": token(jwt) if token else jwt, "refresh_token": "not_supported",
            "ims_user_id": 118000090, "token_type": "Bearer", "expires_in": mint.lifetime,
            "expiration": expiration, "scope": self.scope}, body))


def altered(base: dict, change: dict | None) -> dict:
    """`base` with members set, computed from what stands there so far, or dropped."""
    result = dict(base)
    for name, value in (change or {}).items():
        if value is DROP:
            result.pop(name, None)
        else:
            result[name] = value(result) if callable(value) else value
    return result


def http_date(when: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(when))


def ibm_time(when: float) -> str:
    return time.strftime("%d.%m.%Y %H:%M:%S", time.gmtime(when)) + f":{int(when * 1000) % 1000:03d} UTC"
