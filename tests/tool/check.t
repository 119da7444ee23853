#!/usr/bin/python3
"""ibmiam check and ibmiam config, against the stand-in IAM in a private machine: which step is crossed, what is advised,
what a script gets, and that no secret gets out."""
import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402

if sandbox.available():
    suite.skip_all(sandbox.available())

import machine as m  # noqa: E402

OK, UNEXPECTED, USAGE, REJECTED, LATER, DENIED, USER_UNKNOWN, CONFIG = 0, 1, 2, 5, 6, 7, 8, 9
TOOL = "/usr/bin/ibmiam"
LOCAL = '"local"'
machine = m.Machine(sandbox.enter())
iam = machine.iam


def check(*options: str, key: str = "alice", value: str | None = None, user: str = "alice", env: dict | None = None):
    return machine.run(TOOL, "check", "--user", user, *options,
                       answer=(iam.keys[key] if value is None else value) + "\n", env=env)


def explained(*options: str, **more) -> dict:
    """The JSON form, with `steps` as (name, outcome) pairs and `text` of them all."""
    done = check("--json", *options, **more)
    found = json.loads(done.stdout)
    found["status"] = done.returncode
    found["pairs"] = [(step["name"], step["outcome"]) for step in found["steps"]]
    found["failed"] = [step["name"] for step in found["steps"] if step["outcome"] == "failed"]
    found["details"] = {step["name"]: step["detail"] for step in found["steps"]}
    found["hints"] = "\n".join(step["detail"] for step in found["steps"] if step["outcome"] == "hint") + (found["hint"] or "")
    return found


class Allowed(unittest.TestCase):
    def setUp(self):
        machine.configure()

    def test_every_step_in_order(self):
        found = explained()
        self.assertEqual((found["status"], found["result"], found["pam_code"]), (OK, "allowed", "PAM_SUCCESS"))
        names = [name for name, outcome in found["pairs"] if outcome == "passed"]
        self.assertEqual(len(names), len(found["pairs"]))
        order = ["user", "config", "accounts", "uid", "rule", "service", "network", "shape", "dns", "tcp", "tls", "iam",
                 "key", "token", "issuer", "expiry", "account", "identity", "environment"]
        self.assertEqual([name for name in names if name in order], order)

    def test_what_was_found(self):
        details = explained()["details"]
        port = iam.urls["good"].rpartition(":")[2]
        for name, pattern in {"config": "^/etc/security/ibmiam.conf$", "rule": "^user alice$", "dns": r"^localhost is at 127\.0\.0\.1$",
                              "tcp": rf"^127\.0\.0\.1 port {port}$",
                              "tls": r"^TLSv1\.[23], certificate by .*pam_ibmiam stand-in CA, (29|30) days left$",
                              "iam": r"^HTTP 200, transaction [0-9a-f-]{36}$",
                              "token": rf"^{iam.iam_ids['alice']}, account {iam.accounts['home']}, valid for \d+ min$"}.items():
            with self.subTest(name):
                self.assertRegex(details[name], pattern)

    def test_words(self):
        done = check()
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        for line in ("✓ dns ", "✓ tls ", "✓ identity ", "result         allowed", "PAM code       PAM_SUCCESS",
                     f"identity       {iam.iam_ids['alice']}", f"account        {iam.accounts['home']}",
                     "token          expires in "):
            with self.subTest(line):
                self.assertIn("\n" + line, "\n" + done.stdout)
        self.assertRegex(done.stdout, r"variable       IBMIAM_TOKEN=eyJ\S{25}\.\.\. \(\d+ characters\)\n")
        self.assertNotIn("✗", done.stdout)

    def test_no_secret_is_shown(self):
        for options in ([], ["--json"]):
            done = check(*options)
            self.assertNotIn(iam.keys["alice"], done.stdout + done.stderr)
            self.assertEqual(re.findall(r"eyJ[\w.-]{40,}", done.stdout), [])

    def test_nothing_is_exported(self):
        machine.configure("service sshd { export = false }\n")
        self.assertEqual(explained()["variables"], {})
        self.assertIn("none would be exported", check().stdout)

    def test_the_nearest_list_of_variables(self):
        machine.configure('service sshd { environment = { "WHO=%{iam_id}" } }\n')
        self.assertEqual(explained()["variables"], {"WHO": iam.iam_ids["alice"]})
        self.assertIn("IBMIAM_TOKEN", explained("--service", "login")["variables"])

    def test_what_others_say_is_data(self):
        """A name with escape sequences and line breaks in the token; and in what the command is given."""
        for done in (check(key="fault_token_evil_name"), check("--service", "\033[31mx\n")):
            self.assertNotRegex(done.stdout + done.stderr, r"\x1b|%n.*\n%n")
        self.assertEqual(explained(key="fault_token_evil_name")["status"], OK)

    def test_colour_only_on_a_terminal(self):
        def on_terminal(**env) -> bytes:
            pid, terminal = pty.fork()
            if pid == 0:
                read, write = os.pipe()
                os.write(write, iam.keys["alice"].encode() + b"\n")
                os.dup2(read, 0)
                os.execve(TOOL, ["ibmiam", "check", "--user", "alice"], {"PATH": "/usr/bin", **env})
            seen = b""
            try:
                while more := os.read(terminal, 65536):
                    seen += more
            except OSError:
                pass  # its other end has gone
            os.close(terminal)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            return seen
        self.assertNotIn("\033", check().stdout)
        self.assertIn(b"\033[32m", on_terminal())
        self.assertNotIn(b"\033", on_terminal(NO_COLOR="1"))
        self.assertIn(b"\033[32m", on_terminal(NO_COLOR=""))

    def test_whose_login(self):
        for what, env, expected in (("the user of sudo", {"SUDO_USER": "alice"}, "alice"), ("root himself", {}, "root")):
            with self.subTest(what):
                done = machine.run(TOOL, "check", "--json", answer=iam.keys["alice"] + "\n", env=env)
                self.assertEqual(json.loads(done.stdout)["user"], expected)

    def test_a_service_without_a_file(self):
        Path("/usr/lib/pam.d").mkdir(exist_ok=True)
        m.write(Path("/usr/lib/pam.d/vendors"), "auth required pam_ibmiam.so\n")
        for service, hints in (("shd", "no file /etc/pam.d/shd.*--service"), ("ibmiam", "^$"), ("login", "^$"),
                               ("vendors", "^$")):
            with self.subTest(service):
                found = explained("--service", service)
                self.assertEqual((found["status"], found["failed"]), (OK, []))
                self.assertRegex(found["hints"], hints)

    def test_only_for_root(self):
        done = machine.run(TOOL, "check", user="alice", answer=iam.keys["alice"] + "\n")
        self.assertEqual((done.returncode, done.stdout), (UNEXPECTED, ""))
        self.assertIn("sudo ibmiam check --user alice", done.stderr)


class Refused(unittest.TestCase):
    def setUp(self):
        machine.configure()

    def expect(self, found: dict, status: int, result: str, code: str, failed: str, hint: str = "|"):
        self.assertEqual((found["status"], found["result"], found["pam_code"], found["failed"]),
                         (status, result, code, [failed]))
        self.assertRegex(found["hints"], hint)
        self.assertEqual(found["variables"], {})

    def test_identity_prints_the_block(self):
        found = explained(key="bob")
        self.expect(found, DENIED, "denied", "PAM_PERM_DENIED", "identity")
        self.assertEqual(found["details"]["identity"],
                         f"{iam.iam_ids['bob']}: the key's iam_id is not among this user's iam_ids")
        block = f'    user alice {{ iam_ids = {{ "{iam.iam_ids["bob"]}" }} }}'
        self.assertIn(block, found["hint"].splitlines())
        self.assertIn(block, check(key="bob").stdout.splitlines())

    def test_the_readme_shows_this(self):
        """But for what differs from one run to the next."""
        def plain(text: str) -> str:
            for pattern in (r"IBMid-\w+", r"\b[0-9a-f]{32}\b", r"[0-9a-f-]{36}", r"(?<=localhost:)\d+", r"(?<=port )\d+",
                            r" \(\d+ ms\)", r"TLSv[\d.]+", r"\d+(?= days left)", r"\d+(?= min)", r"(?<=expires in ).*"):
                text = re.sub(pattern, "", text)
            return text
        shown = re.search(r"^# ibmiam check --user alice\nIBM Cloud API key:\n(.*?)^```$", (suite.ROOT / "README.md").read_text(),
                          re.S | re.M)[1]
        self.assertEqual(plain(check(key="bob").stdout), plain(shown))

    def test_the_blocks_work_when_pasted(self):
        """First what is advised without a rule, then what that leads to."""
        machine.configure(accounts=f'{{ "{iam.accounts["home"]}" }}')
        found = explained(key="frozen", user="carol")
        self.expect(found, USER_UNKNOWN, "user-unknown", "PAM_USER_UNKNOWN", "rule", "user carol")
        machine.configure(found["hint"].splitlines()[-1] + "\n")
        found = explained(key="bob", user="carol")
        self.expect(found, DENIED, "denied", "PAM_PERM_DENIED", "identity")
        machine.configure(found["hint"].splitlines()[-1] + "\n")
        self.assertEqual(explained(key="bob", user="carol")["status"], OK)

    def test_by_key(self):
        for key, status, result, code, failed, hint in (
                ("unknown", REJECTED, "key-rejected", "PAM_AUTH_ERR", "key", "ApiKey-"),
                ("disabled", REJECTED, "key-rejected", "PAM_AUTH_ERR", "key", "^an administrator of the IBM Cloud account"),
                ("mallory", DENIED, "denied", "PAM_PERM_DENIED", "key", "accounts"),
                ("tenant_ignored", DENIED, "denied", "PAM_PERM_DENIED", "account", r'accounts \+= \{ "[0-9a-f]{32}" \}'),
                ("fault_token_expired", LATER, "unavailable", "PAM_AUTHINFO_UNAVAIL", "expiry", "timedatectl")):
            with self.subTest(key):
                self.expect(explained(key=key), status, result, code, failed, hint)

    def test_iam_itself(self):
        for key, detail, hint in (("fault_r503", "HTTP 503", "^$"), ("fault_r429", "HTTP 429", "wait a minute")):
            with self.subTest(key):
                found = explained(key=key)
                self.assertEqual((found["status"], found["failed"]), (LATER, ["iam", "key"]))
                self.assertIn(detail, found["details"]["iam"])
                self.assertRegex(found["hints"], hint)

    def test_the_code_and_transaction_of_a_no(self):
        self.assertRegex(explained(key="unknown")["details"]["iam"], r"^HTTP 400 BXNIM0415E, transaction \S+$")

    def test_a_wrong_clock(self):
        self.assertIn("is this host's clock right?", explained(key="fault_token_expired")["details"]["expiry"])

    def test_what_is_no_key(self):
        key = iam.keys["alice"]
        for what, value, said in (("an id", "ApiKey-01234567-89ab-cdef-0123-456789abcdef", "looks like the id"),
                                  ("quotes", f'"{key}"', "brace or quote"), ("braces", f"{{{key}}}", "brace or quote"),
                                  ("a space", f"{key} ", "a space"), ("a space before", f" {key}", "a space")):
            with self.subTest(what):
                found = explained(value=value)
                self.assertEqual(found["status"], REJECTED)
                self.assertIn(said, found["reason"])
        with self.subTest("too short"):
            found = explained(value="password")
            self.expect(found, REJECTED, "key-rejected", "PAM_AUTH_ERR", "shape", "32 characters")
        with self.subTest("nothing"):
            self.assertEqual(check(value="").returncode, REJECTED)

    def test_local_checks(self):
        machine.configure('user lowly { iam_ids = { "IBMid-550000ABCD" } }\nservice ftp { users = { "bob" } }\n'
                          'service web { networks = { "10.0.0.0/8" } }\n')
        for what, options, user, status, failed, hint in (
                ("uid", [], "lowly", USER_UNKNOWN, "uid", "minimum_uid"),
                ("root", [], "root", USER_UNKNOWN, "uid", "allow_root"),
                ("service", ["--service", "ftp"], "alice", DENIED, "service", "--service"),
                ("network", ["--service", "web"], "alice", DENIED, "network", "--rhost")):
            with self.subTest(what):
                found = explained(*options, user=user)
                self.assertEqual((found["status"], found["failed"]), (status, [failed]))
                self.assertIn(hint, found["hints"])
                self.assertNotIn("dns", found["details"])
        with self.subTest("the network it may come from"):
            self.assertEqual(explained("--service", "web", "--rhost", "10.1.2.3")["status"], OK)
        with self.subTest("no such local user"):
            found = explained(user="nobody-at-all")
            self.assertEqual((found["status"], found["pairs"]), (USER_UNKNOWN, [("user", "failed")]))

    def test_a_mistake_in_the_configuration(self):
        line = len(m.CONFIG.read_text().splitlines()) + 1
        machine.configure("minimum_uid = many\n")
        found = explained()
        self.expect(found, CONFIG, "config-error", "PAM_SERVICE_ERR", "config", "man 5 ibmiam.conf")
        self.assertIn(f"{m.CONFIG}:{line}: minimum_uid", found["details"]["config"])

    def test_no_accounts(self):
        machine.configure(accounts="")
        self.expect(explained(), CONFIG, "config-error", "PAM_SERVICE_ERR", "accounts", "ibmcloud account show")

    def test_no_broker(self):
        found = explained("--broker", "/usr/libexec/nothing")
        self.expect(found, UNEXPECTED, "broker-error", "PAM_SERVICE_ERR", "broker")
        self.assertIn("/usr/libexec/nothing", found["reason"])


class Network(unittest.TestCase):
    """The crossed line is that of the part that failed, and all before it are there."""
    WAY = ["dns", "tcp", "tls", "iam"]

    def expect(self, failed: str, detail: str = "|", hint: str = "|", way=tuple(WAY), options=(), env=None, **changes):
        machine.configure(**changes)
        found = explained(*options, env=env)
        self.assertEqual(found["failed"], [failed, "key"], found["steps"])
        self.assertEqual([n for n, _ in found["pairs"] if n in way], list(way[:way.index(failed) + 1]))
        self.assertRegex(found["details"][failed], detail)
        self.assertRegex(found["hints"], hint)
        return found

    def test_dns(self):
        self.expect("dns", "resolve", "getent ahosts", endpoint='"https://nowhere.invalid"')

    def test_tcp(self):
        self.expect("tcp", "connect", "set proxy", endpoint=m.quoted(iam.urls["no_listen"]))

    def test_a_certificate_of_another_time(self):
        for name, detail in (("expired", "expired"), ("not_yet_valid", "not yet valid")):
            with self.subTest(name):
                self.expect("tls", detail, r"by this host's clock, which says \d{4}-.*is this host's clock right\?",
                            endpoint=m.quoted(iam.urls[name]))

    def test_an_unknown_ca(self):
        for name in ("foreign_ca", "self_signed"):
            with self.subTest(name):
                self.expect("tls", "certificate", f"no CA in {iam.ready['ca_path']}; the package ca-certificates",
                            endpoint=m.quoted(iam.urls[name]))

    def test_without_the_private_ca(self):
        self.expect("tls", "certificate", "no CA in /etc/ssl/certs; the package ca-certificates", ca_path="")

    def test_a_ca_file_that_is_none(self):
        m.write(Path("/etc/ssl/empty.pem"), "nothing\n")
        machine.configure(ca_path="", ca_file='"/etc/ssl/empty.pem"')
        found = explained()
        self.assertEqual((found["status"], found["failed"]), (CONFIG, ["tls", "key"]))
        self.assertRegex(found["hints"], "/etc/ssl/empty.pem.*ca_file.*ca-certificates")

    def test_other_tls(self):
        for name, hint in (("wrong_host", "getent ahosts.*localhost"), ("old_tls", "TLS 1.2 or newer.*set proxy"),
                           ("garbage_tls", "TLS 1.2 or newer.*set proxy")):
            with self.subTest(name):
                found = self.expect("tls", ".", hint, endpoint=m.quoted(iam.urls[name]))
                self.assertEqual(found["details"]["tls"].count("(curl "), 1)

    def test_a_name_server_that_is_silent(self):
        resolver = Path("/etc/resolv.conf")
        before = resolver.read_text() if resolver.exists() else ""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 53))
            resolver.write_text("nameserver 127.0.0.1\n")
            self.expect("dns", "in time", "/etc/resolv.conf", endpoint='"https://iam.example.com"', options=("--timeout", "2"))
        resolver.write_text(before)

    def test_a_host_that_is_silent(self):
        """As behind a firewall that drops packets: a queue of connections that is full."""
        with socket.socket() as full, contextlib.ExitStack() as held:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            self.expect("tcp", "in time", "set proxy", endpoint=f'"https://localhost:{full.getsockname()[1]}"',
                        options=("--timeout", "2"))

    def test_silence(self):
        with self.subTest("in TLS"):
            self.expect("tls", "in time", endpoint=m.quoted(iam.urls["hang_accept"]), options=("--timeout", "2"))
        with self.subTest("of IAM"):
            machine.configure()
            found = explained("--timeout", "2", key="fault_hang")
            self.assertEqual((found["status"], found["failed"]), (LATER, ["iam", "key"]))
            self.assertRegex(found["hints"], "cloud.ibm.com/status")
            self.assertRegex(found["details"]["tls"], r"^(TLSv1\.[23], )?certificate by ")

    def test_through_a_proxy(self):
        machine.configure(proxy=m.quoted(iam.urls["proxy"]))
        found = explained()
        self.assertEqual((found["status"], found["failed"]), (OK, []))
        self.assertRegex(found["details"]["proxy"], "it connects to https://localhost")

    def test_a_proxy_that_refuses(self):
        self.expect("proxy", "CONNECT with HTTP 403", "must allow CONNECT", way=("dns", "tcp", "proxy", "tls"),
                    proxy=m.quoted(iam.urls["proxy"]), endpoint='"https://elsewhere.invalid"')

    def test_through_a_proxy_in_tls(self):
        machine.configure(proxy=m.quoted(iam.urls["tls_proxy"]))
        found = explained()
        self.assertEqual((found["status"], found["failed"]), (OK, []))
        self.assertRegex(found["details"]["proxy"], "it connects to https://localhost")
        self.assertRegex(found["details"]["tls"], r"^TLSv1\.[23], certificate by .*stand-in")

    def test_a_proxy_that_is_not_trusted(self):
        """Its certificate, not IAM's: so the line of the proxy is crossed, and no line says more than was reached."""
        way = ("dns", "tcp", "proxy", "tls")
        for name, detail, hint in (
                ("foreign_ca", "the proxy: SSL certificate", f"no CA in {iam.ready['ca_path']}.*ca_file or ca_path"),
                ("expired", "the proxy: .*expired", "by this host's clock"),
                ("wrong_host", "the proxy: ", "the proxy's certificate is for another name"),
                ("garbage_tls", "the proxy: .*curl 35", "http:// or https:// right"),
                ("hang_accept", "in time", "http:// or https:// right")):
            with self.subTest(name):
                self.expect("proxy", detail, hint, way=way, proxy=m.quoted(iam.urls[name]), options=("--timeout", "2"))
        with self.subTest("IAM's own, through the proxy"):
            self.expect("tls", f"{iam.urls['foreign_ca']}: .*SSL", "ca_path", way=way,
                        proxy=m.quoted(iam.urls["tls_proxy"]), endpoint=m.quoted(iam.urls["foreign_ca"]))

    def test_a_proxy_that_is_not_there(self):
        dead = iam.urls["no_listen"].replace("https://", "http://")
        self.expect("tcp", "connect", "address in proxy", proxy=m.quoted(dead))

    def test_a_proxy_in_the_environment(self):
        found = self.expect("tcp", endpoint=m.quoted(iam.urls["no_listen"]), env={"https_proxy": iam.urls["proxy"]},
                            hint="https_proxy is set here, but a login never heeds the environment")
        self.assertNotIn("proxy", found["details"])

    def test_a_retry_is_told_by_its_last_try(self):
        machine.configure(endpoint=m.quoted(iam.urls["reset_once"]),
                          issuer=f'{{ "{iam.urls["good"]}/identity" }}')
        self.assertEqual(explained()["status"], OK)

    def test_profile_and_groups_have_a_way_of_their_own(self):
        profile = iam.ready["profiles"]["fault_r503"]
        machine.configure(trusted_profile=m.quoted(profile["id"]))
        found = explained()
        self.assertEqual((found["status"], found["failed"]), (LATER, ["iam", "profile"]))
        self.assertEqual([outcome for name, outcome in found["pairs"] if name == "iam"], ["passed", "failed"])


class Config(unittest.TestCase):
    """ibmiam config: the values, where they come from, and that they can be read back."""

    def show(self, path: Path = m.CONFIG, *options: str):
        return machine.run(TOOL, "config", "--config", str(path), *options)

    @staticmethod
    def without_comments(text: str) -> str:
        return re.sub(r" *#.*", "", text)

    def test_only_for_who_may_read_it(self):
        machine.configure()
        done = machine.run(TOOL, "config", user="alice")
        self.assertEqual((done.returncode, done.stdout), (CONFIG, ""))
        self.assertEqual(done.stderr, f"ibmiam: {m.CONFIG} is not for everybody to read; try: sudo ibmiam config\n")

    def test_origins(self):
        folder = Path("/etc/security/ibmiam.conf.d")
        folder.mkdir(mode=0o755, exist_ok=True)
        more = folder / "10-more.conf"
        try:
            machine.configure('service "*" {\n\n\tnetworks = { "local",\n\t"10.0.0.0/8" }\n}\nemail_domain "example.com" {\n}\n',
                              minimum_uid="1500")
            lines = m.CONFIG.read_text().splitlines()
            at = {key: 1 + next(i for i, line in enumerate(lines) if key in line)
                  for key in ("endpoint", "minimum_uid", "user alice", "service", LOCAL, "10.0.0.0", "email_domain")}
            m.write(more, "# later\naccounts += { \"00000000000000000000000000000001\" }\nminimum_uid = 900\n", 0o640)
            shown = self.show()
            self.assertEqual((shown.returncode, shown.stderr), (OK, ""))
            for line in (f'endpoint = "{iam.urls["good"]}"    # {m.CONFIG}:{at["endpoint"]}',
                         f'\t"{iam.accounts["home"]}",    # {m.CONFIG}:{lines.index(next(l for l in lines if "accounts" in l)) + 1}',
                         f'\t"00000000000000000000000000000001"    # {more}:2', f"minimum_uid = 900    # {more}:3",
                         "rate_limit = 600    # default", "allow_root = false    # default",
                         '\t"IBMIAM_TOKEN=%{token}",    # default', "# proxy is not set",
                         "# issuer is not set: the endpoint's /identity; for IBM's private endpoints also the public one",
                         f'user "alice" {{    # {m.CONFIG}:{at["user alice"]}', f'service "*" {{    # {m.CONFIG}:{at["service"]}',
                         f'\t\t"local",    # {m.CONFIG}:{at[LOCAL]}', f'\t\t"10.0.0.0/8"    # {m.CONFIG}:{at["10.0.0.0"]}',
                         f'email_domain "example.com" {{    # {m.CONFIG}:{at["email_domain"]}'):
                with self.subTest(line):
                    self.assertIn(line, shown.stdout.splitlines())
        finally:
            more.unlink()
            folder.rmdir()

    def test_secrets_are_masked_and_it_can_be_read_back(self):
        machine.configure("user \"d\u00e9\" { iam_ids = { \"IBMid-1\" } export = false }\nservice sudo { export = target }\n",
                          client_id='"me"', client_secret=m.quoted(iam.ready["client"]["client_secret"]),
                          proxy='"http://joe:sesame@proxy.example.com:3128"',
                          environment="{ \"A=it's \\\"%{token}\\\" \\\\\", 'B=${HOME}%%' }", issuer='{ "https://a/identity" }')
        shown = self.show()
        self.assertEqual((shown.returncode, shown.stderr), (OK, ""))
        for secret in (iam.ready["client"]["client_secret"], "sesame"):
            self.assertNotIn(secret, shown.stdout)
        self.assertIn('client_secret = "(set)"', shown.stdout)
        self.assertIn('proxy = "http://joe:(set)@proxy.example.com:3128"', shown.stdout)
        copy = Path("/etc/security/copy.conf")
        m.write(copy, shown.stdout, 0o640)
        again = self.show(copy)
        self.assertEqual((again.returncode, again.stderr), (OK, ""))
        self.assertEqual(self.without_comments(again.stdout), self.without_comments(shown.stdout))

    def test_an_emptied_list(self):
        machine.configure(environment="{ }")
        self.assertIn(f"environment = {{ }}    # {m.CONFIG}", self.show().stdout.splitlines())

    def test_a_mistake(self):
        machine.configure("nonsense = 1\n")
        line = len(m.CONFIG.read_text().splitlines())
        shown = self.show()
        self.assertEqual((shown.returncode, shown.stdout), (CONFIG, ""))
        self.assertIn(f"{m.CONFIG}:{line}: ", shown.stderr)

    def test_who_may_not_read_it(self):
        machine.configure()
        done = machine.run(TOOL, "config", user="alice")
        self.assertEqual((done.returncode, done.stdout), (CONFIG, ""))

    def test_a_full_disk(self):
        machine.configure()
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.assertEqual(subprocess.run([TOOL, "config"], stdout=full, stderr=subprocess.DEVNULL).returncode, UNEXPECTED)

    def test_a_closed_pipe(self):
        machine.configure()
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([TOOL, "config"], stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (UNEXPECTED, "ibmiam-broker: cannot write to standard output\n"))


class End(unittest.TestCase):
    def test_zz_nothing_is_left(self):
        machine.configure()
        machine.assert_clean()


suite.main()
