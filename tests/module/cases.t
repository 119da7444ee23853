#!/usr/bin/python3
"""The module as a host sees it, against the real broker and the IAM stand-in: results, options, passwords of other
modules, conversations, log lines, configuration mistakes. IAM's side is in iam.t, what is exported in stash.t.
"""
import os
import re
import sys
import unittest
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402
from driver import IGNORED, Run, parallel  # noqa: E402

import suite  # noqa: E402

ALL_CALLS = ("authenticate", "setcred", "acct_mgmt", "open_session", "close_session", "chauthtok")
ASKS = "IBM Cloud API key: "
MESSAGE = "IBM Cloud IAM cannot be reached at the moment; the key was not checked."
# An earlier module that asks for a password and puts it into PAM_AUTHTOK.
ASKS_BEFORE = "auth [default=ignore] pam_exec.so quiet expose_authtok /bin/true\n"
# A log line: a word, then name=value, quoted where it is not one plain word.
VALUE = r'"(?:[^"\\]|\\["\\])*"|[^ "\\=]+'
DECISION = re.compile(rf'[a-z-]+(?: [a-z_]+=(?:{VALUE}))*')

stage = driver.Stage()
iam = driver.Standin(stage)


@dataclass
class Case:
    name: str
    code: str | list[str]  # of the calls
    log: tuple[tuple[str, str], ...]  # priority and pattern of each line
    answers: tuple[str | bytes, ...] = ("alice",)  # the name of a key, or another text
    steps: tuple[str, ...] = ("authenticate",)
    user: str | None = None
    options: str = ""
    before: str = ""
    config: dict = field(default_factory=dict)  # changes, see driver.Standin.config
    prompts: list[str] | None = None
    messages: tuple = ()

    def run(self) -> Run:
        service = f"case{stage.number()}"
        stage.pam(stage.options(iam.config(service=service, **self.config), self.options), self.before, service)
        answers = tuple(iam.keys.get(a, a) if isinstance(a, str) and a != stage.me.pw_name else a
                        for a in self.answers)
        return stage.drive(service, *self.steps, "left", user=self.user, answers=answers)


class Table(unittest.TestCase):
    """Runs cases in parallel and judges them one by one."""

    def check(self, cases: list[Case]) -> None:
        for case, run in zip(cases, parallel(Case.run, cases)):
            with self.subTest(case.name):
                self.check_run(case, run)

    def check_run(self, case: Case, run: Run) -> None:
        if isinstance(run, Exception):
            raise run
        self.assertEqual(run.codes, [case.code] if isinstance(case.code, str) else case.code, run.logs)
        self.assertEqual([log[:2] for log in run.logs], [("authpriv", priority) for priority, _ in case.log], run.logs)
        for log, (_, pattern) in zip(run.logs, case.log):
            self.assertRegex(log.text, pattern)
        if case.prompts is not None:
            self.assertEqual([text for _, text, _ in run.prompts], case.prompts)
        self.assertEqual(run.messages, list(case.messages))
        self.assertEqual(run.left, {"processes": 0, "descriptors": 0})


# DESIGN's table of results, and the lines that go with them

ALLOWED = ("info", r"^allowed user=\S+ service=case\d+ iam_id=IBMid-\w+ account=[0-9a-f]{32} http=200 "
                   r"transaction=\S+ correlation=\S+ elapsed_ms=\d+ reason=\"the key's identity may log in")
NEVER_SENT = r"^(?!.*(http|correlation)=)"  # what is decided on this host


def rejected(name: str, answer: str | bytes, reason: str) -> Case:
    return Case(name, "PAM_AUTH_ERR", (("notice", rf"{NEVER_SENT}key-rejected .*{reason}"),), (answer,))


def other(name: str, code: str, priority: str, pattern: str, **more) -> Case:
    return Case(name, code, ((priority, pattern),), **more)


RULE = 'user $me { iam_ids = { "$alice" } }'
RESULTS = [
    Case("allowed", "PAM_SUCCESS", (ALLOWED,), prompts=[ASKS]),
    Case("allowed: a key of spaces, quotes, umlauts and an emoji", "PAM_SUCCESS", (ALLOWED,), ("custom",)),
    Case("allowed: root, where allow_root says so", "PAM_SUCCESS", (ALLOWED,), user="root",
         config={"allow_root": "true", "rules": 'user root { iam_ids = { "$alice" } }'}),
    Case("allowed: the uid is minimum_uid", "PAM_SUCCESS", (ALLOWED,), config={"minimum_uid": str(stage.me.pw_uid)}),
    Case("allowed: the service is listed", "PAM_SUCCESS", (ALLOWED,),
         config={"rules": 'user $me { iam_ids = { "$bob", "$alice" } services = { "sshd", "$service" } }'}),
    rejected("an empty answer", "", "the answer is empty"),
    rejected("a password", "correct horse battery staple", "under 32 characters"),
    rejected("31 characters of two bytes", "ü" * 31, "under 32 characters"),
    rejected("what sshd sends for unknown users", "\b\n\r\x7fINCORRECT" * 3, "control characters"),
    rejected("DEL", "x" * 40 + "\x7f", "control characters"),
    rejected("C1", "x" * 40 + "\x85", "control characters"),
    rejected("not UTF-8", b"x" * 40 + b"\xff\xfe", "not UTF-8"),
    rejected("a surrogate", b"x" * 40 + b"\xed\xa0\x80", "not UTF-8"),
    rejected("511 bytes", "x" * 511, "over 510 bytes"),
    rejected("4,095 bytes", "x" * 4095, "over 510 bytes"),
    rejected("4,096 bytes", "x" * 4096, "too long"),
    rejected("10,000 bytes", "x" * 10_000, "too long"),
    other("32 characters go to IAM", "PAM_AUTH_ERR", "notice", "^key-rejected .*http=400 code=BXNIM0415E",
          answers=("ü" * 32,)),
    other("510 bytes go to IAM", "PAM_AUTH_ERR", "notice", "^key-rejected .*http=400 code=BXNIM0415E",
          answers=("x" * 510,)),
    other("the id of a key", "PAM_AUTH_ERR", "notice", "^key-rejected .*looks like the id of a key",
          answers=("ApiKey-01234567-89ab-cdef-0123-456789abcdef",)),
    other("a pasted file", "PAM_AUTH_ERR", "notice", "^key-rejected .*pasted from a file",
          answers=('{"apikey": "0123456789012345678901234567890123456789"}',)),
    other("somebody else's key", "PAM_PERM_DENIED", "notice",
          r"^denied .*iam_id=IBMid-\w+ account=[0-9a-f]{32} .*iam_id is not among", answers=("bob",)),
    other("a key of another account", "PAM_PERM_DENIED", "notice", "^denied .*code=BXNIM0141E", answers=("mallory",)),
    other("a token for another account", "PAM_PERM_DENIED", "notice", "^denied .*not listed in accounts",
          answers=("tenant_ignored",)),
    other("the same address in another realm", "PAM_PERM_DENIED", "notice", "^denied .*iam_id is not among",
          answers=("appid",)),
    other("the account is not valid", "PAM_PERM_DENIED", "notice", "^denied .*account is not valid",
          answers=("invalid_account",), config={"rules": 'user $me { iam_ids = { "$invalid_account" } }'}),
    other("the service is not listed", "PAM_PERM_DENIED", "notice", rf"{NEVER_SENT}denied .*does not list this service",
          config={"rules": 'user $me { iam_ids = { "$alice" } services = { "sshd" } }'}),
    other("no rule for the user", "PAM_USER_UNKNOWN", "notice", rf"{NEVER_SENT}user-unknown .*no rule for this user",
          user="daemon", config={"minimum_uid": "1"}),
    other("a user that does not exist here", "PAM_USER_UNKNOWN", "notice",
          rf"{NEVER_SENT}user-unknown user=no-such-user .*no such local account", user="no-such-user",
          config={"rules": 'user no-such-user { iam_ids = { "$alice" } }'}),
    other("a uid under minimum_uid", "PAM_USER_UNKNOWN", "notice", rf"{NEVER_SENT}user-unknown .*under minimum_uid",
          config={"minimum_uid": str(stage.me.pw_uid + 1)}),
    other("a uid under minimum_uid's default", "PAM_USER_UNKNOWN", "notice",
          rf"{NEVER_SENT}user-unknown .*uid 1 is under minimum_uid 1000", user="daemon",
          config={"rules": 'user daemon { iam_ids = { "$alice" } }'}),
    other("root", "PAM_USER_UNKNOWN", "notice", rf"{NEVER_SENT}user-unknown .*allow_root", user="root",
          config={"minimum_uid": "0", "rules": 'user root { iam_ids = { "$alice" } }'}),
    other("no accounts", "PAM_SERVICE_ERR", "err", rf"{NEVER_SENT}config-error .*no accounts",
          config={"accounts": None}),
    other("IAM is down", "PAM_AUTHINFO_UNAVAIL", "warning", "^unavailable .*no answer from",
          config={"endpoint": '"$url_no_listen"'}, messages=(("error", MESSAGE),)),
    other("IAM is down, and the host wants silence", "PAM_AUTHINFO_UNAVAIL", "warning", "^unavailable ",
          steps=("authenticate-silent",), config={"endpoint": '"$url_no_listen"'}),
    Case("account: authenticated here", ["PAM_SUCCESS"] * 2, (ALLOWED,), steps=("authenticate", "acct_mgmt")),
    Case("account: not authenticated here", IGNORED, (), steps=("acct_mgmt",)),
    Case("account: refused here", ["PAM_PERM_DENIED", IGNORED], (("notice", "^denied"),), ("bob",),
         steps=("authenticate", "acct_mgmt")),
    Case("account: of another user", ["PAM_SUCCESS", IGNORED], (ALLOWED,),
         steps=("authenticate", "user=root", "acct_mgmt")),
    Case("password", IGNORED, (), steps=("chauthtok",)),
    Case("session, without authentication", ["PAM_SUCCESS"] * 2, (), steps=("open_session", "close_session")),
    Case("credentials, without authentication", ["PAM_SUCCESS"] * 5, (),
         steps=("setcred", "setcred-noflag", "setcred-reinitialize", "setcred-refresh", "setcred-delete")),
]


class Results(Table):
    def test_results(self):
        self.check(RESULTS)


# Options

BAD_OPTIONS = {
    "nonsense": "is not an option", "nonsense=1": "is not an option", "DEBUG": "is not an option",
    "debugger": "is not an option", "deb": "is not an option", "=": "is not an option", "=debug": "is not an option",
    "config": "absolute path", "config=": "absolute path", "config=ibmiam.conf": "absolute path",
    "broker": "absolute path", "broker=": "absolute path", "broker=./ibmiam-broker": "absolute path",
    **{f"socket{value}": "absolute path of at most 107 bytes, or none"
       for value in ("", "=", "=None", "=run/x", f"=/{'x' * 107}")},
    **{f"[timeout{value}]": "whole seconds from 1 to 60"
       for value in ("", "=", "=0", "=00", "=61", "=100", "=-1", "=+5", "=1.5", "=10s", "= 5", "=5 ", "=0x5",
                     "=4294967297", "=99999999999999999999")},
    "prompt": "text of 1 to 200 bytes", "prompt=": "text of 1 to 200 bytes",
    f"prompt={'x' * 201}": "text of 1 to 200 bytes",
    **{f"{flag}{value}": "takes no value" for flag in ("debug", "try_first_pass", "use_first_pass")
       for value in ("=", "=1", "=no")},
    "debug debug": "twice", "timeout=5 timeout=5": "twice", "socket=none socket=none": "twice",
    "config=/a config=/b": "twice", "try_first_pass use_first_pass": "exclude each other",
}
PERCENT = "%s%n%5$s 100%: "
GOOD_OPTIONS = {
    "timeout=1": ASKS, "timeout=60": ASKS, "timeout=010": ASKS, "socket=none": ASKS, "socket=/nonexistent": ASKS,
    f"socket=/{'x' * 106}": ASKS,
    "prompt=Key:": "Key:", "[prompt=Key for IBM Cloud: ]": "Key for IBM Cloud: ", f"[prompt={PERCENT}]": PERCENT,
    "[prompt=Schlüssel (€): ]": "Schlüssel (€): ", f"prompt={'x' * 200}": "x" * 200,
    "[prompt=a=b]": "a=b", "try_first_pass": ASKS, "timeout=30 debug socket=none": ASKS,
}


class Options(Table):
    def test_bad(self):
        def run(option):
            first = "" if option.startswith("config") else f"config={iam.config()} "
            return stage.drive(stage.pam(first + option), *ALL_CALLS, "left", answers=(iam.keys["alice"],))
        for (option, reason), run in zip(BAD_OPTIONS.items(), parallel(run, BAD_OPTIONS)):
            with self.subTest(option):
                if isinstance(run, Exception):
                    raise run
                self.assertEqual(run.calls, [(call, "PAM_SERVICE_ERR") for call in ALL_CALLS])
                self.assertEqual([log.priority for log in run.logs], ["err"] * len(ALL_CALLS))
                for log in run.logs:
                    self.assertRegex(log.text, rf"^options? .*{reason}.*every call is refused")
                self.assertEqual((run.prompts, run.messages), ([], []))

    def test_good(self):
        def case(option, prompt):
            lines = (ALLOWED, ("debug", "5 variables exported")) if "debug" in option else (ALLOWED,)
            return Case(option, ["PAM_SUCCESS"] * 2, lines, options=option, prompts=[prompt],
                        steps=("authenticate", "setcred"))
        self.check([case(*item) for item in GOOD_OPTIONS.items()])


# Passwords of other modules, and conversations

PASSWORD = "Password: "
TOO_SHORT = ("notice", "^key-rejected .*under 32 characters")
UNKNOWN = ("notice", "^key-rejected .*code=BXNIM0415E")
DENIED = ("notice", "^denied ")
CONV = ("err", "conversation failed")


def after(name: str, option: str, code: str, log: tuple, answers: tuple, prompts: list[str], **more) -> Case:
    """After a module that asks for a password; it is the first answer."""
    return Case(f"{option or 'no option'}: {name}", code, log, answers, options=option, before=ASKS_BEFORE,
                prompts=[PASSWORD] + prompts, **more)


FIRST_PASS = [
    after("asks for itself", "", "PAM_SUCCESS", (ALLOWED,), ("unknown", "alice"), [ASKS]),
    after("a key", "try_first_pass", "PAM_SUCCESS", (ALLOWED,), ("alice",), []),
    after("no key", "try_first_pass", "PAM_SUCCESS", (TOO_SHORT, ALLOWED), ("hunter2", "alice"), [ASKS]),
    after("a rejected key", "try_first_pass", "PAM_SUCCESS", (UNKNOWN, ALLOWED), ("unknown", "alice"), [ASKS]),
    after("both rejected", "try_first_pass", "PAM_AUTH_ERR", (UNKNOWN, TOO_SHORT), ("unknown", "hunter2"), [ASKS]),
    after("a key of another", "try_first_pass", "PAM_PERM_DENIED", (DENIED,), ("bob", "alice"), []),
    after("IAM is down", "try_first_pass", "PAM_AUTHINFO_UNAVAIL", (("warning", "^unavailable"),), ("alice", "alice"),
          [], config={"endpoint": '"$url_no_listen"'}, messages=(("error", MESSAGE),)),
    Case("try_first_pass: nobody has asked", "PAM_SUCCESS", (ALLOWED,), options="try_first_pass", prompts=[ASKS]),
    after("a key", "use_first_pass", "PAM_SUCCESS", (ALLOWED,), ("alice",), []),
    after("no key", "use_first_pass", "PAM_AUTH_ERR", (TOO_SHORT,), ("hunter2", "alice"), []),
    after("a rejected key", "use_first_pass", "PAM_AUTH_ERR", (UNKNOWN,), ("unknown", "alice"), []),
    Case("use_first_pass: nobody has asked", "PAM_AUTH_ERR", (("notice", "no module before this one has asked"),),
         options="use_first_pass", prompts=[]),
]
CONVERSATIONS = [
    Case("fails", "PAM_CONV_ERR", (CONV,), steps=("conv=error", "authenticate")),
    Case("has no answer", "PAM_CONV_ERR", (CONV,), steps=("conv=null", "authenticate")),
    Case("ends", "PAM_CONV_ERR", (CONV,), ()),
    Case("wants to be asked again", "PAM_INCOMPLETE", (), steps=("conv=again", "authenticate")),
    Case("wants to be asked again, and is", ["PAM_INCOMPLETE", "PAM_SUCCESS"], (ALLOWED,),
         steps=("conv=again", "authenticate", "conv=answers", "authenticate")),
    Case("says who the user is", "PAM_SUCCESS", (ALLOWED,), (stage.me.pw_name, "alice"), user="-"),
    Case("fails, asked for the user", "PAM_CONV_ERR", (CONV,), user="-", steps=("conv=error", "authenticate")),
    Case("wants to be asked for the user again", "PAM_INCOMPLETE", (), user="-", steps=("conv=again", "authenticate")),
]


class Passwords(Table):
    def test_first_pass(self):
        self.check(FIRST_PASS)

    def test_conversations(self):
        self.check(CONVERSATIONS)

    def test_another_user_meanwhile(self):
        """The host changes PAM_USER while it is asked: one of the two is meant, and nothing else."""
        service = stage.pam(stage.options(iam.config()))
        for start, then, code in (("root", me := stage.me.pw_name, "PAM_SUCCESS"), (me, "root", "PAM_USER_UNKNOWN")):
            with self.subTest(start):
                run = stage.drive(service, f"next-user={then}", "authenticate", "acct_mgmt", user=start,
                                  answers=(iam.keys["alice"],))
                user = re.search(r" user=(\S*) ", run.logs[0].text)[1]
                self.assertIn(user, (start, then))
                if user == then:
                    self.assertEqual(run.codes, [code, "PAM_SUCCESS" if code == "PAM_SUCCESS" else IGNORED])
                else:
                    self.assertEqual(run.codes[1], IGNORED)

    def test_key_stays_out_of_authtok(self):
        """A module after this one, that wants PAM_AUTHTOK, has to ask."""
        for name, key, code in (("allowed", "alice", "PAM_SUCCESS"), ("refused", "bob", "PAM_PERM_DENIED")):
            with self.subTest(name):
                stack = "auth required {module}\n" + ASKS_BEFORE + "{before}"
                service = stage.pam(stage.options(iam.config()), stack=stack)
                run = stage.drive(service, "authenticate", answers=(iam.keys[key], "other"))
                self.assertEqual(run.codes, [code])
                self.assertEqual(run.prompts, [("off", ASKS, ""), ("off", PASSWORD, "")])


# Log lines

EVIL = ["new\nline", "a\r\nb\tc\x1b[2J\x7f", 'x" reason="so be it', "back\\slash\\", "quote'\"", "", " ", "a=b c=d",
        "ü€", "%s%n%99999d", "\nAug  1 00:00:00 host sshd[1]: Accepted password for root",
        *(character * 5000 for character in 'x"\\\n')]


class Logs(unittest.TestCase):
    def check_line(self, run: Run, names: list[str]) -> None:
        self.assertEqual([log.facility for log in run.logs], ["authpriv"])
        text = run.logs[0].text
        self.assertTrue(text.isascii() and text.isprintable(), text)
        self.assertLess(len(text), 2048)
        self.assertTrue(DECISION.fullmatch(text), text)
        found = [name for name, _ in re.findall(rf" ([a-z_]+)=({VALUE})", text)]
        self.assertEqual(found, names)

    def test_injection(self):
        service = stage.pam(stage.options(iam.config()))
        outside = ["user", "service", "ruser", "rhost", "elapsed_ms", "check", "reason"]
        for number, evil in enumerate(EVIL):
            with self.subTest(f"items, {number}"):
                items = (f"rhost={evil}", f"ruser={evil}", f"tty={evil}")
                run = stage.drive(service, *items, "authenticate", answers=("no",))
                self.check_line(run, outside)
                self.assertIn("under 32 characters", run.logs[0].text)
            if evil.strip():
                with self.subTest(f"user, {number}"):
                    run = stage.drive(service, "rhost=x", "authenticate", user=evil, answers=("no",))
                    self.assertEqual(run.codes, ["PAM_USER_UNKNOWN"])
                    self.check_line(run, ["user", "service", "rhost", "elapsed_ms", "reason"])

    def test_values_are_recorded(self):
        run = stage.drive(stage.pam(stage.options(iam.config())), "rhost=192.0.2.7", "ruser=eve", "authenticate",
                          answers=("no",))
        self.assertRegex(run.logs[0].text, rf"user={stage.me.pw_name} service=service\d+ ruser=eve rhost=192\.0\.2\.7 ")

    def test_environment_of_the_host(self):
        """libcurl would read each of these, were it not for the broker."""
        trace = stage.folder / "keylog"
        env = {"SSLKEYLOGFILE": str(trace), "SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent",
               "CURL_CA_BUNDLE": "/nonexistent", "OPENSSL_CONF": "/nonexistent", "RES_OPTIONS": "attempts:0",
               "LOCALDOMAIN": "example.com", "TMPDIR": str(stage.folder)}
        env |= {name: iam.urls["no_listen"].replace("https", "http")
                for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
        stage.folder.chmod(0o777)
        run = stage.drive(stage.pam(stage.options(iam.config())), "authenticate", answers=(iam.keys["alice"],), env=env)
        stage.folder.chmod(0o755)
        self.assertEqual(run.codes, ["PAM_SUCCESS"])
        self.assertFalse(trace.exists())


# Mistakes in the configuration: what is written, the line, and the reason

GOOD_START = 'accounts = { "$home" }\nuser $me { iam_ids = { "$alice" } }\n'
MISTAKES = {
    "an unknown key": ("nonsense = 1", 3, "no such option"),
    "a key of later": ('\nuser x {\n iam_ids = { "y" }\n nonsense = 1\n}', 6, "no such option"),
    "a key set twice": ("minimum_uid = 1\nminimum_uid = 2", 4, "set twice"),
    "a section left open": ('\nservice x {\n export = false\n', 4, "never closed"),
    "a list left open": ('scope = "x"\nissuer = { "x"\n', 4, "never closed"),
    "a string left open": ('scope = "x', 3, "not closed"),
    "an environment variable": ('scope = "${HOME}"', 3, "not expanded"),
    "a user twice": ('user $me { iam_ids = { "x" } }', 3, "."),
    "a user without iam_ids": ("user x { }", 3, "has no iam_ids"),
    "an account that is none": ('accounts += { "0123" }', 3, "expects an account id"),
    "an address as iam_id": ('user x { iam_ids = { "a@example.com" } }', 3, "e-mail address"),
    "an endpoint without TLS": ('endpoint = "http://iam.cloud.ibm.com"', 3, "expects https"),
    "an endpoint with a user": ('endpoint = "https://a:b@iam.cloud.ibm.com"', 3, "expects https"),
    "a relative ca_path": ('ca_path = "certs"', 3, "absolute path"),
    "a proxy of another kind": ('proxy = "socks5://localhost:1"', 3, "expects http"),
    "a uid that is none": ("minimum_uid = 0x10", 3, "expects a user id"),
    "export = perhaps": ("service x { export = perhaps }", 3, "expects true, false or target"),
    "export = target for a user": ('user x { iam_ids = { "y" } export = target }', 3, "expects true or false"),
    "an unknown placeholder": ('environment = { "X=%{secret}" }', 3, "after each %"),
    "a variable twice": ('environment = { "X=1", "X=2" }', 3, "already set"),
    "a variable without a name": ('environment = { "=1" }', 3, "NAME=value"),
    "a boolean that is none": ("allow_root = 2", 3, "."),
    "a control character": ('scope = "a\x01b"', 3, "control character"),
}


class Configuration(Table):
    def config_error(self, name: str, path: Path, pattern: str) -> Case:
        case = Case(name, "PAM_SERVICE_ERR", (("err", rf"{NEVER_SENT}config-error .*{pattern}"),))
        case.run = lambda: stage.drive(stage.pam(stage.options(path)), "authenticate", "left",
                                       answers=(iam.keys["alice"],))
        return case

    def check_cases(self, cases: list[Case]) -> None:
        for case, run in zip(cases, parallel(lambda case: case.run(), cases)):
            with self.subTest(case.name):
                self.check_run(case, run)

    def test_mistakes(self):
        cases = []
        for name, (text, line, reason) in MISTAKES.items():
            path = iam.config(GOOD_START + text + "\n")
            cases.append(self.config_error(name, path, rf"{re.escape(str(path))}:{line}: .*{reason}"))
        self.check_cases(cases)

    def test_files(self):
        folder = stage.folder / "conf"
        good = (folder / "good.conf", iam.config().read_bytes())
        stage.write("conf/good.conf", good[1])
        (folder / "link.conf").symlink_to(good[0])
        secret = iam.config(client_id='"$client_id"', client_secret='"$client_secret"', mode=0o644)
        half = iam.config(client_id='"$client_id"')
        broken_part = iam.config()
        part = Path(f"{broken_part}.d")
        part.mkdir()
        stage.give(part, 0o755)
        stage.write(f"conf/{part.name}/10-good.conf", "minimum_uid = 5\n")
        stage.write(f"conf/{part.name}/20-bad.conf", "\n\nnonsense = 1\n")
        open_part = iam.config()
        Path(f"{open_part}.d").mkdir()
        stage.give(Path(f"{open_part}.d"), 0o777)
        self.check_cases([
            self.config_error("missing", folder / "missing.conf", "missing.conf: No such file"),
            self.config_error("a folder", folder, "is not a regular file"),
            self.config_error("a symbolic link", folder / "link.conf", "is a symbolic link"),
            self.config_error("written by a group", stage.write("conf/g.conf", good[1], 0o660), "written by its group"),
            self.config_error("written by all", stage.write("conf/w.conf", good[1], 0o602), "written by everybody"),
            self.config_error("a secret that all may read", secret, "holds client_secret but may be read"),
            self.config_error("half of the client's credentials", half, "client_id and client_secret go together"),
            self.config_error("a mistake in a part", broken_part, r"/20-bad\.conf:3: .*no such option"),
            self.config_error("a folder of parts that all may write", open_part, "may be written by others"),
        ])

    @unittest.skipIf(os.geteuid() != 0, "only root can give a file to somebody else")
    def test_foreign_owner(self):
        path = iam.config()
        os.chown(path, 1, stage.me.pw_gid)
        path.chmod(0o640)
        self.check_cases([self.config_error("owned by another", path, "is not owned by root")])


suite.main()
