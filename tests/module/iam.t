#!/usr/bin/python3
"""IAM's side of a login, from outside the module: every error of IAM's, every fault and every listener of the stand-in,
and what the stand-in's journal says that IAM was sent.
"""
import re
import sys
import unittest
import uuid
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402
from driver import Run, parallel  # noqa: E402

import suite  # noqa: E402

LATE_MS = 1000 + 4000  # a second by contract, the rest for a machine that is busy with other tests
SLOW_S = 4  # the timeout where IAM keeps a login waiting: a busy machine's broker must have time to say so
stage = driver.Stage()
iam = driver.Standin(stage)


@dataclass
class Case:
    name: str
    code: str
    priority: str
    reason: str  # matches the log line
    key: str = "alice"
    requests: int = 1
    timeout_s: int = 10
    config: dict = field(default_factory=dict)

    def run(self) -> Run:
        service = stage.pam(stage.options(iam.config(**self.config), f"timeout={self.timeout_s}"))
        return stage.drive(service, "authenticate", "setcred", "env", "left", answers=(iam.keys[self.key],))


def allowed(**more) -> tuple:
    return "PAM_SUCCESS", "info", "^allowed .*http=200", more


def rejected(reason: str, **more) -> tuple:
    return "PAM_AUTH_ERR", "notice", f"^key-rejected .*{reason}", more


def denied(reason: str, **more) -> tuple:
    return "PAM_PERM_DENIED", "notice", f"^denied .*{reason}", more


def unavailable(reason: str, **more) -> tuple:
    return "PAM_AUTHINFO_UNAVAIL", "warning", f"^unavailable .*{reason}", more


def unusable(reason: str) -> tuple:
    return unavailable(f"http=200 .*cannot be used: {reason}")


def slow(**more) -> tuple:
    """Ends at the deadline, and the broker says so itself: an outage is never the module's guess."""
    return unavailable("no answer from https://.* in time", timeout_s=SLOW_S, **more)


NO_OBJECT, NOT_IAM, TWICE = "it is not a JSON object", "the answer is not one of IAM's", {"requests": 2}

# By name of key. IAM's errors first: the table of IAM.md.
KEYS = {
    "alice": allowed(),
    "custom": allowed(),
    "bob": denied("iam_id is not among"),
    "deploy": denied("iam_id is not among"),
    "host": denied("iam_id is not among"),
    "late_alice": allowed(),
    "late_bob": denied("iam_id is not among"),
    "late_deploy": denied("iam_id is not among"),
    "appid": denied("iam_id is not among"),
    **{name: denied("iam_id is not among") for name in (
        "games", "nobody", "shouting", "capital", "plus", "dotted", "subdomain", "lookalike", "root", "no_email",
        "service_email")},
    "frozen": denied("iam_id is not among"),
    "mallory": denied("http=400 code=BXNIM0141E"),
    "tenant_ignored": denied("not listed in accounts"),
    "invalid_account": denied("account is not valid"),
    "alice_public_issuer": denied("issuer .*https://iam.cloud.ibm.com/identity"),
    "unknown": rejected("http=400 code=BXNIM0415E .*does not know"),
    "disabled": rejected("http=400 code=BXNIM0462E .*disabled"),
    "disabled_401": rejected("http=401 code=BXNIM0462E .*disabled"),
    "not_found_in_account": rejected("http=400 code=BXNIM0410E .*not found or not active"),
    "suspended": rejected("http=401 code=BXNIM0436E .*suspended"),
    "locked_out": rejected("http=401 code=BXNIM0400E .*locked"),
    "not_member": denied("http=400 code=BXNIM0141E .*not a member"),
    "err_unlisted": rejected("http=400 code=BXNIM9999E .*not known here"),
    "err_0109": unavailable("http=400 code=BXNIM0109E .*bug of pam_ibmiam"),
    "err_0106": unavailable("http=400 code=BXNIM0106E .*bug of pam_ibmiam"),
    "err_0060": unavailable("http=405 code=BXNIM0060E .*bug of pam_ibmiam"),
    "backend_failure": unavailable("http=500 code=BXNIM0050E .*backend", **TWICE),
    "backend_failure_400": unavailable("http=400 code=BXNIM0050E .*backend"),

    # Late, or never
    "fault_slow_2": allowed(),
    "fault_slow_headers": slow(),
    "fault_trickle_headers": slow(),
    "fault_trickle_body": slow(),
    "fault_hang": slow(),
    # Cut off
    "fault_reset_before_answer": unavailable("no answer from .*reset by peer", **TWICE),
    "fault_reset_mid_body": unavailable("no answer from .*reset by peer", **TWICE),
    "fault_reset_once": allowed(**TWICE),
    "fault_close_before_answer": unavailable("no answer from .*Empty reply", **TWICE),
    "fault_close_after_answer": allowed(),
    "fault_close_once": allowed(**TWICE),
    "fault_goaway": allowed(),
    "fault_stall": slow(),
    "fault_abort": unavailable("no answer from .*reset by peer", **TWICE),
    "fault_abort_mid_body": unavailable("no answer from .*reset by peer", **TWICE),
    "fault_abort_once": allowed(**TWICE),
    "fault_refuse": unavailable("no answer from .*reset by peer", **TWICE),
    "fault_truncated_body": unavailable("no answer from .*100 bytes remaining", **TWICE),
    # Framing
    "fault_wrong_length_short": unusable(NO_OBJECT),
    "fault_no_length_close": allowed(),
    "fault_chunked": allowed(),
    "fault_chunked_bad": unavailable("no answer from .*chunked", requests=None),
    "fault_huge_body": unavailable("over 64 KiB"),
    "fault_huge_header": unavailable("."),
    "fault_garbage_status_line": unavailable("no answer from"),
    "fault_http09": unavailable("no answer from .*HTTP/0.9"),
    "fault_early_hints_103": allowed(),
    # Status
    "fault_html_200": unusable(NO_OBJECT),
    "fault_html_403": unavailable(f"http=403 .*{NOT_IAM}"),
    "fault_html_502": unavailable("http=502 ", **TWICE),
    "fault_empty_200": unusable(NO_OBJECT),
    "fault_empty_500": unavailable("http=500 ", **TWICE),
    "fault_redirect_301": unavailable(f"http=301 .*{NOT_IAM}"),
    "fault_redirect_302": unavailable(f"http=302 .*{NOT_IAM}"),
    "fault_redirect_307": unavailable(f"http=307 .*{NOT_IAM}"),
    "fault_r403_html": unavailable(f"http=403 .*{NOT_IAM}"),
    "fault_r429": unavailable("http=429 .*fewer requests"),
    "fault_r429_late": unavailable("http=429 .*fewer requests"),
    "fault_r429_retry_1": allowed(**TWICE),
    "fault_r429_retry_60": unavailable("http=429 .*fewer requests"),
    "fault_r429_retry_bad": unavailable("http=429 .*fewer requests"),
    "fault_r429_date": allowed(**TWICE),
    "fault_r500": unavailable("http=500 ", **TWICE),
    "fault_r501": unavailable("http=501 "),
    "fault_r503": unavailable("http=503 ", **TWICE),
    "fault_r503_once": allowed(**TWICE),
    "fault_s201_success": unavailable(f"http=201 .*{NOT_IAM}"),
    "fault_s204": unavailable(f"http=204 .*{NOT_IAM}"),
    # The first of two, see Changing
    "fault_then_disabled": allowed(),
    "fault_then_503": allowed(),
    "fault_then_withdrawn": allowed(),
    "fault_then_removed": unavailable(f"http=204 .*{NOT_IAM}"),
    # Body
    "fault_not_json": unusable(NO_OBJECT),
    "fault_json_array": unusable(NO_OBJECT),
    "fault_json_scalar": unusable(NO_OBJECT),
    "fault_trailing_bytes": unusable(NO_OBJECT),
    "fault_wrong_types": unusable("there is no access_token"),
    "fault_expires_in_string": allowed(),  # expiration and the token say it too
    "fault_expiration_negative": unusable("its expiration"),
    "fault_expiration_huge": unusable("its expiration"),
    "fault_null_token": unusable("there is no access_token"),
    "fault_no_token": unusable("there is no access_token"),
    "fault_empty_token": unusable("the token is not a JWT"),
    "fault_token_only": allowed(),
    "fault_token_type_mac": unusable("its token_type is not Bearer"),
    "fault_deep_nesting": unusable(NO_OBJECT),
    "fault_duplicate_members": unusable("there is no access_token"),
    "fault_nul_in_string_access_token": unusable(NO_OBJECT),
    "fault_nul_in_string_iam_id": unusable("the token's claims are not a JSON object"),
    "fault_bad_utf8": allowed(),  # in a member that nobody reads
    # Token
    "fault_token_huge": unusable("the token is over 16 KiB"),
    "fault_token_two_parts": unusable("the token is not a JWT"),
    "fault_token_bad_base64": unusable("the token holds characters"),
    "fault_token_control_chars": unusable("the token holds characters"),
    "fault_token_payload_not_json": unusable("the token's claims are not a JSON object"),
    "fault_token_payload_bad_utf8": allowed(),  # likewise
    "fault_token_payload_duplicate_iam_id": unusable("the token names no iam_id"),
    "fault_token_expired": unavailable("http=200 .*expired .*clock"),
    "fault_token_exp_within_skew": allowed(),
    "fault_token_exp_string": unusable("the token has no expiry"),
    "fault_token_no_exp": unusable("the token has no expiry"),
    "fault_token_no_iam_id": unusable("the token names no iam_id"),
    "fault_token_iam_id_array": unusable("the token names no iam_id"),
    "fault_token_no_account": unusable("the token names no account"),
    "fault_token_no_bss": unusable("the token names no account"),
    "fault_token_wrong_issuer": denied("issuer .*https://iam.evil.example/identity"),
    "fault_token_other_identity": denied("iam_id=IBMid-550000OTHER .*iam_id is not among"),
    "fault_token_evil_name": allowed(),
    # Errors
    "fault_transaction_id_evil": rejected("code=BXNIM0415E"),
    "fault_error_message_evil": rejected("code=BXNIM0415E"),
    "fault_error_code_evil": unavailable(NOT_IAM),
    "fault_error_no_code": unavailable(NOT_IAM),
    "fault_error_v2_shape": rejected("code=bad_request"),
}

# By name of listener; for the requests stand the connections.
CERTIFICATE = r"no answer from .*curl 60"
LISTENERS = {
    "http2": allowed(),
    "http2_narrow": allowed(),
    "expired": unavailable("certificate has expired .curl 60"),
    "not_yet_valid": unavailable("certificate is not yet valid .curl 60"),
    "foreign_ca": unavailable(CERTIFICATE),
    "wrong_host": unavailable("subject name .*curl 60"),
    "self_signed": unavailable(CERTIFICATE),
    "old_tls": unavailable("no answer from .*protocol version"),
    "hang_accept": slow(),
    "reset_accept": unavailable("no answer from .*reset by peer", **TWICE),
    "reset_once": allowed(**TWICE),
    "garbage_tls": unavailable("no answer from .*wrong version"),
    # Neither timers nor their deadline: the keeper ends it (a resident broker ends the connection).
    "hello_requests": ("PAM_SERVICE_ERR", "err", "^broker-error .*did not answer in time", {"timeout_s": SLOW_S}),
    "no_listen": unavailable("no answer from .*connect", requests=0),
    "plain_http": ("PAM_SERVICE_ERR", "err", "^config-error .*expects https", {"requests": 0}),
}
ELSEWHERE = ("good", "proxy", "tls_proxy")  # tested by all the others, and by Requests


class Table(unittest.TestCase):
    def check_run(self, case: Case, run: Run) -> None:
        if isinstance(run, Exception):
            raise run
        self.assertEqual([log[:2] for log in run.logs], [("authpriv", case.priority)], run.logs)
        self.assertRegex(run.logs[0].text, case.reason)
        self.assertEqual(run.codes[0], case.code)
        self.assertEqual(bool(run.environments[0]), case.code == "PAM_SUCCESS")
        self.assertEqual(run.left, {"processes": 0, "descriptors": 0})
        self.assertTrue(run.logs[0].text.isascii() and run.logs[0].text.isprintable())
        told = [("error", "IBM Cloud IAM cannot be reached at the moment; the key was not checked.")]
        self.assertEqual(run.messages, told if case.code == "PAM_AUTHINFO_UNAVAIL" else [])
        if case.timeout_s == SLOW_S:
            self.assertLess(run.elapsed_ms[0], SLOW_S * 1000 + LATE_MS)


class Keys(Table):
    def test_keys(self):
        self.assertEqual(set(KEYS), set(iam.keys), "the stand-in has keys that the table above lacks, or the reverse")
        cases = [Case(name, code, priority, reason, key=name, **more)
                 for name, (code, priority, reason, more) in KEYS.items()]
        for case, run in zip(cases, parallel(Case.run, cases)):
            with self.subTest(case.name):
                self.check_run(case, run)
                self.check_requests(case, iam.requests(case.key), run.logs[0].text)

    def check_requests(self, case: Case, sent: list[dict], log: str) -> None:
        """At most one retry, under a new name; the log has the last one's."""
        if case.requests is None:
            self.assertLessEqual(len(sent), 2)
        else:
            self.assertEqual(len(sent), case.requests)
        names = [request["correlation_id"] for request in sent]
        self.assertEqual(len(set(names)), len(names))
        for name in names:
            self.assertEqual(str(uuid.UUID(name)), name)
        self.assertIn(f" correlation={names[-1]} ", log)

    def test_transaction_id(self):
        """IAM's name for the exchange, as far as it is a word."""
        run = Case("", "", "", "", key="fault_transaction_id_evil").run()
        found = re.search(r" transaction=(\S*)", run.logs[0].text)
        self.assertLess(len(found[1]) if found else 0, 100)


class Listeners(Table):
    def test_listeners(self):
        self.assertEqual({*LISTENERS, *ELSEWHERE}, set(iam.urls), "as with the keys")
        issuer = '{ "$url_good/identity" }'
        cases = [Case(name, code, priority, reason, config={"endpoint": f'"$url_{name}"', "issuer": issuer}, **more)
                 for name, (code, priority, reason, more) in LISTENERS.items()]
        for case, run in zip(cases, parallel(Case.run, cases)):
            with self.subTest(case.name):
                self.check_run(case, run)
                self.assertEqual(iam.connections(case.name), case.requests)


class Fresh(Table):
    """Keys that change with the first request on them, at a stand-in of their own."""

    @classmethod
    def setUpClass(cls):
        cls.own = driver.Standin(stage)

    def test_second_login(self):
        for name, code, priority, reason in (("disabled", "PAM_AUTH_ERR", "notice", "^key-rejected .*code=BXNIM0462E"),
                                             ("503", "PAM_AUTHINFO_UNAVAIL", "warning", "^unavailable .*http=503")):
            with self.subTest(name):
                key = self.own.keys[f"fault_then_{name}"]
                run = stage.drive(stage.pam(stage.options(self.own.config())), "authenticate", "authenticate",
                                  "open_session", "env", "left", answers=(key, key))
                self.assertEqual(run.codes[:2], ["PAM_SUCCESS", code])
                self.assertEqual(run.logs[1].priority, priority)
                self.assertRegex(run.logs[1].text, reason)
                self.assertEqual(run.environments, [{}])

    def test_retry_that_does_not_fit(self):
        for key in ("fault_r429_retry_1", "fault_r429_date"):
            with self.subTest(key):
                run = stage.drive(stage.pam(stage.options(self.own.config(), "timeout=1")), "authenticate",
                                  answers=(self.own.keys[key],))
                self.assertEqual(run.codes, ["PAM_AUTHINFO_UNAVAIL"])
                self.assertRegex(run.logs[0].text, "http=429 .*fewer requests")
                self.assertEqual(len(self.own.requests(key)), 1)


class Requests(unittest.TestCase):
    """What IAM is sent, by the stand-in's journal."""

    def login(self, key: str = "alice", code: str = "PAM_SUCCESS", **config) -> dict:
        run = stage.drive(stage.pam(stage.options(iam.config(**config))), "authenticate", answers=(iam.keys[key],))
        self.assertEqual(run.codes, [code], run.logs)
        name = re.search(r"correlation=(\S+)", run.logs[0].text)[1]
        found = [r for r in iam.iam.requests() if r["correlation_id"] == name]
        self.assertEqual(len(found), 1)
        return found[0]

    def test_plain(self):
        sent = self.login()
        headers = sent["headers"]
        self.assertEqual((sent["method"], sent["path"], sent["query"]), ("POST", "/identity/token", {}))
        self.assertEqual(sent["fields"], {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": None,
                                          "response_type": "cloud_iam"})
        self.assertEqual(headers["content-type"], "application/x-www-form-urlencoded")
        self.assertEqual(headers["accept"], "application/json")
        self.assertEqual(int(headers["content-length"]), sent["content_length"])
        self.assertRegex(headers["user-agent"], r"^pam_ibmiam/\d")
        self.assertEqual(headers["ibm-cloud-tenant"], iam.iam.accounts["home"])
        for absent in ("authorization", "expect", "cookie", "accept-encoding"):
            self.assertNotIn(absent, headers)

    def test_base_url(self):
        for end in ("/", "/identity/token", "/identity/token/"):
            with self.subTest(end):
                self.assertEqual(self.login(endpoint=f'"$url_good{end}"')["path"], "/identity/token")

    def test_tenants(self):
        sent = self.login(accounts='{ "$foreign", "$home" }')
        self.assertEqual(sent["headers"]["ibm-cloud-tenant"], "{foreign},{home}".format(**iam.iam.accounts))
        self.login("mallory", accounts='{ "$foreign", "$home" }', rules='user $me { iam_ids = { "$mallory" } }')

    def test_more_tenants_than_a_header_takes(self):
        """None is sent then, rather than a part of them; the token is judged as ever."""
        many = ", ".join(f'"{n:032x}"' for n in range(500))
        self.assertNotIn("ibm-cloud-tenant", self.login(accounts=f'{{ {many}, "$home" }}')["headers"])
        self.login("mallory", accounts=f'{{ {many} }}', code="PAM_PERM_DENIED")

    def test_client_credentials(self):
        client = {"client_id": '"$client_id"', "client_secret": '"$client_secret"'}
        self.assertEqual(self.login(**client)["headers"]["authorization"], "Basic")
        self.login(code="PAM_SERVICE_ERR", **(client | {"client_secret": '"wrong"'}))

    def test_scope(self):
        self.assertEqual(self.login(scope='"ibm openid & more=1"')["fields"]["scope"], "ibm openid & more=1")

    def test_issuer(self):
        public = '{ "https://iam.cloud.ibm.com/identity" }'
        self.login("alice_public_issuer", issuer=public)
        self.login(issuer=public, code="PAM_PERM_DENIED")

    def test_proxy(self):
        """In TLS it is trusted as IAM is."""
        file_only = {"ca_path": None, "ca_file": '"$ca_file"'}
        for name, config in ("proxy", {}), ("tls_proxy", {}), ("tls_proxy", file_only):
            with self.subTest(name, **config):
                before = len(iam.iam.requests())
                self.login(proxy=f'"$url_{name}"', **config)
                connects = [r for r in iam.iam.requests()[before:] if r["listener"] == name]
                self.assertEqual([(r["method"], r["status"]) for r in connects], [("CONNECT", 200)])
                self.assertNotIn("x-correlation-id", connects[0]["headers"])

    def test_proxy_that_refuses_or_is_gone(self):
        for endpoint, proxy in (("https://localhost:1", "$url_proxy"), ("$url_good", iam.urls["no_listen"])):
            with self.subTest(endpoint):
                run = Case("", "", "", "", config={"endpoint": f'"{endpoint}"',
                                                   "proxy": f'"{proxy.replace("https", "http")}"'}).run()
                self.assertEqual(run.codes[0], "PAM_AUTHINFO_UNAVAIL", run.logs)

    def test_who_does_not_answer(self):
        """The proxy, until it has let the connection through."""
        proxy, foreign = '"$url_tls_proxy"', '"$url_foreign_ca"'
        for name, config, reason in (
                ("the proxy has another CA", {"proxy": foreign}, "the proxy: SSL certificate problem.*curl 60"),
                ("the proxy has another name", {"proxy": '"$url_wrong_host"'}, "the proxy: SSL: no alt.*curl 60"),
                ("the proxy is unknown", {"proxy": proxy, "ca_path": None}, "the proxy: SSL certificate problem.*curl 60"),
                ("the proxy speaks TLS 1.1", {"proxy": '"$url_old_tls"'}, "the proxy: .*protocol version.*curl 35"),
                ("the proxy is gone", {"proxy": '"https://localhost:1"'}, "the proxy: .*curl 7"),
                ("IAM has another CA", {"proxy": proxy, "endpoint": foreign}, f"{iam.urls['foreign_ca']}: .*SSL"),
                ("IAM has another name", {"proxy": proxy, "endpoint": '"$url_wrong_host"'},
                 f"{iam.urls['wrong_host']}: SSL.*curl 60"),
                ("IAM is gone", {"proxy": proxy, "endpoint": '"https://localhost:1"'}, "https://localhost:1: CONNECT.*403")):
            with self.subTest(name):
                run = Case("", "", "", "", config=config).run()
                self.assertEqual(run.codes[0], "PAM_AUTHINFO_UNAVAIL", run.logs)
                self.assertRegex(run.logs[0].text, f"no answer from {reason}")

    def test_trust(self):
        empty = stage.folder / "empty"
        empty.mkdir()
        stage.give(empty, 0o755)
        broken = stage.write("broken.pem", "-----BEGIN CERTIFICATE-----\nx\n", 0o644)
        for name, code, config in (
                ("ca_path", "PAM_SUCCESS", {}),
                ("ca_file", "PAM_SUCCESS", {"ca_path": None, "ca_file": '"$ca_file"'}),
                ("both", "PAM_SUCCESS", {"ca_file": '"$ca_file"'}),
                ("an empty ca_path", "PAM_AUTHINFO_UNAVAIL", {"ca_path": f'"{empty}"'}),
                ("a missing ca_path", "PAM_SERVICE_ERR", {"ca_path": '"/nonexistent"'}),
                ("a missing ca_file", "PAM_SERVICE_ERR", {"ca_path": None, "ca_file": '"/nonexistent"'}),
                ("a broken ca_file", "PAM_SERVICE_ERR", {"ca_path": None, "ca_file": f'"{broken}"'}),
                ("the system's", "PAM_AUTHINFO_UNAVAIL", {"ca_path": None})):
            with self.subTest(name):
                run = Case("", "", "", "", config=config).run()
                self.assertEqual(run.codes[0], code, run.logs)


suite.main()
