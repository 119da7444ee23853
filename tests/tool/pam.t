#!/usr/bin/python3
"""ibmiam check --pam: service files in, findings out. Needs no root; what is around a service is host.t's."""
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from suite import BUILD, ROOT  # noqa: E402

CLEAN, FINDINGS, USAGE = 0, 1, 2
REST = "account required pam_unix.so\nsession required pam_unix.so\nsession optional pam_ibmiam.so\n"
FALLBACK = "auth  [success=done authinfo_unavail=ignore default=die]  pam_ibmiam.so"
KEY_ONLY = "auth  required  pam_ibmiam.so"
OTHERS = {
    "common-account": "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n"
                      "account requisite pam_deny.so\naccount required pam_permit.so\n",
    "common-session": "session required pam_unix.so\n",
    "common-auth": "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n"
                   "auth required pam_permit.so\n",
    "key": "auth required pam_ibmiam.so\n",
    "broken-include": "auth required pam_ibmiam.so\n\n@include not-there\n",
    "loop": "@include loop\n",
}

# name: the file's auth lines (REST follows), and where and what is found: (line or file:line, pattern, what to write)
AUTH = {
    "required": ("auth required pam_ibmiam.so", []),
    "requisite": ("auth requisite pam_ibmiam.so", []),
    "fallback in brackets": (f"{FALLBACK}\nauth required pam_unix.so", []),
    "as pam-auth-update": ("auth [success=2 default=ignore] pam_unix.so nullok\n"
                           "auth [success=1 default=ignore] pam_ibmiam.so use_first_pass\n"
                           "auth requisite pam_deny.so\nauth required pam_permit.so", []),
    "as pam-auth-update, with sssd": ("auth [success=3 default=ignore] pam_unix.so\n"
                                      "auth [success=2 default=ignore] pam_ibmiam.so use_first_pass\n"
                                      "auth [success=1 default=ignore] pam_sss.so use_first_pass\n"
                                      "auth requisite pam_deny.so\nauth required pam_permit.so", []),
    "the key and a second factor": ("auth required pam_ibmiam.so\nauth required pam_google_authenticator.so", []),
    "an include": ("auth include key", []),
    "an @include": ("@include key", []),
    "a substack": ("auth substack key", []),
    "no line": ("auth required pam_unix.so", [("", "no auth line names pam_ibmiam.so", KEY_ONLY)]),
    "only an optional one, in a comment": ("# auth required pam_ibmiam.so", [("", "no auth line", KEY_ONLY)]),
    "sufficient before a password": (
        "auth sufficient pam_ibmiam.so\nauth required pam_unix.so",
        [("1", r"no fallback.*pam_unix\.so \(.*svc:2\)", FALLBACK)]),
    "sufficient before an included password": (
        "auth sufficient pam_ibmiam.so\n@include common-auth",
        [("1", r"no fallback.*pam_unix\.so \(.*common-auth:1\)", FALLBACK),
         ("1", r"sufficient before pam_deny\.so \(.*common-auth:2\)", KEY_ONLY)]),
    "default=ignore": ("auth [success=done default=ignore] pam_ibmiam.so\nauth required pam_unix.so",
                       [("1", "no fallback", FALLBACK)]),
    "perm_denied=ignore": ("auth [success=done perm_denied=ignore authinfo_unavail=ignore default=die] pam_ibmiam.so\n"
                           "auth required pam_unix.so", [("1", "no fallback", FALLBACK)]),
    "service_err=ignore": ("auth [success=done service_err=ignore authinfo_unavail=ignore default=die] pam_ibmiam.so\n"
                           "auth required pam_unix.so", [("1", "mistake in ibmiam.conf", FALLBACK)]),
    "sufficient before a deny": ("auth sufficient pam_ibmiam.so\nauth required pam_deny.so",
                                 [("1", r"sufficient before pam_deny\.so \(.*svc:2\)", KEY_ONLY)]),
    "sufficient, and something else has said yes": ("auth required pam_env.so\nauth sufficient pam_ibmiam.so",
                                                    [("2", "lets everybody in: after a wrong key", KEY_ONLY)]),
    "sufficient before a permit": ("auth sufficient pam_ibmiam.so\nauth required pam_permit.so",
                                   [("1", "lets everybody in: after a wrong key", KEY_ONLY)]),
    "optional": ("auth optional pam_ibmiam.so\nauth required pam_permit.so", [("1", "lets everybody in: ", KEY_ONLY)]),
    "an outage opens": (f"{FALLBACK}\nauth required pam_permit.so",
                        [("1", "lets everybody in while IAM cannot be reached", FALLBACK)]),
    "an outage opens, by what was before": (f"auth required pam_nologin.so\n{FALLBACK}",
                                            [("2", "lets everybody in while IAM", FALLBACK)]),
    "an outage refuses": (FALLBACK, []),
    "a jump too far": ("auth [success=2 default=die] pam_ibmiam.so\nauth required pam_permit.so\nauth required pam_deny.so",
                       [("1", "lets nobody in", KEY_ONLY)]),
    "a jump over the deny": ("auth [success=1 default=ignore] pam_ibmiam.so\nauth requisite pam_deny.so\n"
                             "auth required pam_permit.so", []),
    "a deny behind it": ("auth required pam_ibmiam.so\nauth required pam_deny.so", [("1", "lets nobody in", KEY_ONLY)]),
    "use_first_pass, first": ("auth required pam_ibmiam.so use_first_pass", [("1", "none does", KEY_ONLY)]),
    "unknown option": ("auth required pam_ibmiam.so timout=5 debug\n", [("1", '"timout=5" is not an option', "")]),
    "an option without its value": ("auth required pam_ibmiam.so timeout=", [("1", '"timeout=" expects whole seconds', "")]),
    "a flag with a value": ("auth required pam_ibmiam.so debug=1", [("1", '"debug=1" takes no value', "")]),
    "a value that is none": ("auth required pam_ibmiam.so timeout=99", [("1", '"timeout=99" expects.*every call.*refused', "")]),
    "a path that is none": ("auth required pam_ibmiam.so config=rel", [("1", '"config=rel" expects an absolute', "")]),
    "a prompt without its brackets": ("auth required pam_ibmiam.so prompt=Key please:", [("1", '"please:" is not an', "")]),
    "an option twice": ("auth required pam_ibmiam.so debug debug", [("1", '"debug" is given twice', "")]),
    "options that exclude each other": (
        "auth required pam_unix.so\nauth required pam_ibmiam.so try_first_pass use_first_pass",
        [("2", '"use_first_pass" is one of two that exclude', "")]),
    "of another line": ("auth required pam_ibmiam.so\nauth required pam_ibmiam.so socket=rel",
                        [("2", '"socket=rel" expects', "")]),
    "all options": ("auth required pam_ibmiam.so config=/a broker=/b socket=none timeout=5 [prompt=Key please: ] debug "
                    "try_first_pass", []),
    "a continued line": ("auth required \\\n  pam_ibmiam.so \\\n  nonsense", [("1", '"nonsense"', "")]),
    "after a continued line": ("auth optional \\\n  pam_echo.so\nauth required pam_ibmiam.so nonsense",
                               [("3", '"nonsense"', "")]),
    "blanks behind the backslash": ("auth required \\ \t\n  pam_ibmiam.so nonsense", [("1", '"nonsense"', "")]),
    "continued past a comment": ("auth required \\\n# comment \\\n\n  pam_ibmiam.so nonsense", [("1", '"nonsense"', "")]),
    "a comment is not continued": ("# comment \\\nauth required pam_ibmiam.so nonsense", [("2", '"nonsense"', "")]),
    "nor one behind a line": ("auth optional pam_echo.so # comment \\\nauth required pam_ibmiam.so nonsense",
                              [("2", '"nonsense"', "")]),
    "upper case and a dash": ("-AUTH Required pam_ibmiam.so", []),
    "a path": ("auth required /opt/lib/security/pam_ibmiam.so nonsense", [("1", '"nonsense"', "")]),
    "not a control": ("auth require pam_ibmiam.so", [(":1: a control that is none", "libpam cannot", ""),
                                                     ("", "no auth line", KEY_ONLY)]),
    "a control that is not closed": ("auth [success=done pam_ibmiam.so", [(":1: expects", "libpam cannot", ""),
                                                                           ("", "no auth line", KEY_ONLY)]),
    "not a type": ("auht required pam_ibmiam.so", [(":1: expects auth", "libpam cannot", ""),
                                                   ("", "no auth line", KEY_ONLY)]),
    "no module": ("auth required\nauth required pam_ibmiam.so", [(":1: a line without", "libpam cannot", "")]),
    "an include that is not there": ("auth include broken-include", [("broken-include:3: includes", "libpam cannot", "")]),
    "a loop": ("auth required pam_ibmiam.so\n@include loop", [("loop:1: files that include", "libpam cannot", "")]),
}
# The same for what follows a good auth line.
REST_CASES = {
    "by includes": ("@include common-account\n@include common-session\nsession optional pam_ibmiam.so", []),
    "no account line": ("session optional pam_ibmiam.so", [("", "no account line.*pam.d/other", "@include common-account")]),
    "only its own account line": ("account required pam_ibmiam.so\nsession optional pam_ibmiam.so",
                                  [("2", "a public key.*is refused", "@include common-account")]),
    "its own and another": ("account required pam_ibmiam.so\naccount required pam_unix.so\nsession optional pam_ibmiam.so", []),
    "an account line that denies": ("account required pam_deny.so\nsession optional pam_ibmiam.so",
                                    [("2", "let nobody in", "@include common-account")]),
    "no session line": ("@include common-account\n@include common-session",
                        [("", "no session line.*sshd, login, su.*!pam_setcred", "session  optional  pam_ibmiam.so")]),
}


class Pam(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="ibmiam-pam-")
        cls.folder = Path(cls.holder.name)
        for name, text in OTHERS.items():
            (cls.folder / name).write_text(text)

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def run_tool(self, service, *options: str) -> subprocess.CompletedProcess:
        return subprocess.run([BUILD / "ibmiam", "check", "--pam", str(service), *options], capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL)

    def check(self, text: str, expected: list[tuple[str, str, str]]) -> None:
        service = self.folder / "svc"
        service.write_text(text)
        done = self.run_tool(service, "--json")
        found = json.loads(done.stdout)
        self.assertEqual(len(found), len(expected), found)
        for finding, (where, pattern, write) in zip(found, expected):
            place = f"{service}:{where}" if where.isdigit() else f"{service}" if not where else where
            (self.assertIn if ":" in where else self.assertEqual)(place, finding["where"])
            self.assertRegex(finding["what"], pattern)
            self.assertEqual(finding["write"], write)
        self.assertEqual(done.returncode, FINDINGS if expected else CLEAN)
        words = self.run_tool(service).stdout
        for finding in found:
            self.assertIn(f"{finding['where']}: {finding['what']}\n", words)

    def test_auth(self):
        for name, (text, expected) in AUTH.items():
            with self.subTest(name):
                self.check(f"{text}\n{REST}", expected)

    def test_the_rest(self):
        for name, (text, expected) in REST_CASES.items():
            with self.subTest(name):
                self.check(f"auth required pam_ibmiam.so\n{text}\n", expected)

    def test_the_files_of_this_project_are_without_a_finding(self):
        for path in sorted((ROOT / "conf/pam.d").iterdir()):
            with self.subTest(path.name):
                copy = self.folder / path.name
                text = path.read_text().replace("@include common-password", "")
                copy.write_text(text.replace("common-session-noninteractive", "common-session"))
                done = self.run_tool(copy)
                self.assertEqual(done.returncode, CLEAN)
                self.assertRegex(done.stdout, r"\Ano mistakes found in this file; --service NAME .*\n\Z")

    def test_what_cannot_be_read(self):
        """A path is that file, and not one of /etc/pam.d that has its name."""
        for path, why in ((self.folder / "nothing", "No such file"), (self.folder / "passwd", "No such file"),
                          (self.folder, "Is a directory")):
            with self.subTest(path.name):
                done = self.run_tool(path)
                self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
                self.assertIn(f"{path} cannot be read: {why}", done.stderr)

    def test_the_codes_are_those_of_the_readme(self):
        """Results: the outcome's word in the log, and the PAM code, of which module and command have one table."""
        header, names = ((ROOT / "pam_ibmiam/common" / name).read_text() for name in ("result.h", "result.c"))
        codes = dict(re.findall(r"ROW\((IBMIAM_\w+), (PAM_\w+)\)", header))
        words = dict(re.findall(r'\[(IBMIAM_\w+)\] = "([\w-]+)"', names))
        self.assertEqual(codes.keys(), words.keys())
        pairs = set(re.findall(r"^\|[^|]*\| `(PAM_\w+)` \| `([\w-]+)` \|$", (ROOT / "README.md").read_text(), re.M))
        self.assertEqual(pairs, {(codes[name], words[name]) for name in codes if name != "IBMIAM_NO_SESSION"})


suite.main()
