#!/usr/bin/python3
"""The Debian package agrees with the sources, and when it refuses to go. Its build and use are tests/package/check."""
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

TOOLCHAIN = {"gcc", "libc6-dev"}  # a Debian package need not name these
# A service's auth lines, and whether they need the module: for the package and for `ibmiam check --pam`.
AUTH = {
    "plain": ("auth required pam_ibmiam.so\n", True),
    "a path": ("auth required /lib/security/pam_ibmiam.so debug\n", True),
    "without a newline at its end": ("auth required pam_ibmiam.so", True),
    "another module": ("auth required pam_permit.so\n", False),
    "a comment": ("#auth required pam_ibmiam.so\n  # auth required pam_ibmiam.so\n", False),
    "a comment behind a line": ("auth required pam_permit.so # was pam_ibmiam.so\n", False),
    "one that is not UTF-8": ("auth required pam_permit.so # \udcfc pam_ibmiam.so\n", False),
    "continued": ("auth required \\\n  pam_ibmiam.so\n", True),
    "continued twice, with a tab behind a backslash": ("auth\\\nrequired \\\t\npam_ibmiam.so debug\n", True),
    "continued past a comment and an empty line": ("auth required \\\n# comment\n\n pam_ibmiam.so\n", True),
    "past one that names it": ("auth required \\\n# comment \\\n\n# pam_ibmiam.so\n pam_permit.so\n", False),
    "continued at the end of the file": ("auth required pam_ibmiam.so \\\n", True),
    "a comment is not continued": ("# comment \\\nauth required pam_ibmiam.so\n", True),
    "nor one behind a line": ("auth required pam_permit.so # comment \\\nauth required pam_ibmiam.so\n", True),
    "nor one behind a backslash": ("auth required pam_permit.so \\ # \\\nauth required pam_ibmiam.so\n", True),
}
NEEDS = "auth required pam_ibmiam.so\n"
# What is in which file, and which of them keep the package.
FILES = {
    "none": ({}, []),
    "a dash": ({"/etc/pam.d/svc": "-auth optional pam_ibmiam.so\n-session sufficient pam_ibmiam.so\n"}, []),
    "a dash, required": ({"/etc/pam.d/svc": "-auth required pam_ibmiam.so\n"}, ["/etc/pam.d/svc"]),
    "a dash, continued": ({"/etc/pam.d/svc": "-auth optional \\\n pam_ibmiam.so\n  -session \\\noptional pam_ibmiam.so\n"}, []),
    "the package's own": ({"/usr/lib/pam.d/svc": NEEDS}, ["/usr/lib/pam.d/svc"]),
    "hidden by one of the admin's": ({"/usr/lib/pam.d/svc": NEEDS, "/etc/pam.d/svc": "auth required pam_deny.so\n"}, []),
    "both": ({"/usr/lib/pam.d/svc": NEEDS, "/etc/pam.d/svc": NEEDS, "/etc/pam.d/two": NEEDS},
             ["/etc/pam.d/svc", "/etc/pam.d/two"]),
    "what dpkg and editors keep": ({"/etc/pam.d/svc.dpkg-old": NEEDS, "/etc/pam.d/svc~": NEEDS}, []),
    "a common file": ({"/etc/pam.d/common-auth": NEEDS}, []),
    "a common file that pam-auth-update leaves alone": ({"/etc/pam.d/common-edited": NEEDS}, ["/etc/pam.d/common-edited"]),
    "one that it does not know": ({"/usr/lib/pam.d/common-auth": NEEDS}, ["/usr/lib/pam.d/common-auth"]),
}
PAM_AUTH_UPDATE = """#!/bin/sh
[ "$*" = "--package --remove ibmiam" ] && rm -f %s/etc/pam.d/common-auth
"""


def read(path: str) -> str:
    return (ROOT / path).read_text()


def variable(makefile: str, name: str) -> str:
    return re.search(rf"(?m)^{name}\s*:= (.*)$", read(makefile).replace("\\\n", " ")).group(1)


class Package(unittest.TestCase):
    def test_version(self):
        version = variable("Makefile", "VERSION")
        for file in ("changelog", "NEWS"):
            with self.subTest(file):
                self.assertRegex(read(f"debian/{file}"), rf"^libpam-ibmiam \({re.escape(version)}\) ")

    def test_build_dependencies(self):
        needed = set(variable("tests/tests.mk", "BUILD_PACKAGES").split()) - TOOLCHAIN
        field = re.search(r"(?ms)^Build-Depends: (.*?)\n\n", read("debian/control")).group(1)
        named = {dependency.split()[0] for dependency in field.split(",")}
        self.assertEqual(needed - named, set())

    def test_license(self):
        """debian/copyright has the whole text of LICENSE."""
        def words(text: str) -> list[str]:
            return [word for word in text.split() if word != "."]
        text = read("debian/copyright").split("License: BSD-3-Clause\n", 2)[2]
        self.assertEqual(words(text), words(read("LICENSE").split("\n", 4)[4]))

    def test_the_profile_is_off(self):
        """On by default it would ask IAM about the local passwords of everybody."""
        profile = read("debian/pam-configs/ibmiam")
        self.assertIn("\nDefault: no\n", profile)
        for line in re.findall(r"(?m)^\t.*pam_ibmiam\.so.*$", profile):
            with self.subTest(line):  # never a way past what else the admin requires, never the only way
                self.assertRegex(line, r"^\t(\[success=end default=ignore\]|optional)\t")


class Removal(unittest.TestCase):
    """debian/libpam-ibmiam.prerm, with the folders of PAM below one of our own."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="ibmiam-package-")
        self.addCleanup(holder.cleanup)
        self.root = Path(holder.name)
        script, places = re.subn(r"(?<![\w/])/(etc|usr/lib)/pam\\?\.d", rf"{self.root}\g<0>",
                                 read("debian/libpam-ibmiam.prerm"))
        self.assertGreater(places, 2)
        (self.root / "prerm").write_text(script)
        (self.root / "pam-auth-update").write_text(PAM_AUTH_UPDATE % self.root)
        (self.root / "pam-auth-update").chmod(0o755)

    def kept_by(self, files: dict[str, str]) -> list[str]:
        for folder in ("etc", "usr/lib"):
            subprocess.run(["rm", "-rf", self.root / folder], check=True)
            (self.root / folder / "pam.d").mkdir(parents=True)
        for name, text in files.items():
            Path(f"{self.root}{name}").write_text(text, errors="surrogateescape")
        done = subprocess.run(["sh", self.root / "prerm", "remove"], capture_output=True, text=True, timeout=60,
                              env={"PATH": f"{self.root}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        found = re.findall(rf"(?m)^    {self.root}(/.*)$", done.stderr)
        self.assertEqual((done.returncode, done.stderr != ""), (1, True) if found else (0, False), done.stderr)
        return found

    def test_which_files(self):
        for name, (files, expected) in FILES.items():
            with self.subTest(name):
                self.assertEqual(self.kept_by(files), expected)

    def test_which_lines(self):
        for name, (text, needed) in AUTH.items():
            with self.subTest(name):
                self.assertEqual(self.kept_by({"/etc/pam.d/svc": text}), ["/etc/pam.d/svc"] if needed else [])

    def test_the_tool_reads_the_same_lines(self):
        for name, (text, needed) in AUTH.items():
            with self.subTest(name):
                (self.root / "svc").write_text(text, errors="surrogateescape")
                done = subprocess.run([BUILD / "ibmiam", "check", "--json", "--pam", self.root / "svc"], timeout=60,
                                      capture_output=True, stdin=subprocess.DEVNULL)
                found = " ".join(finding["what"] for finding in json.loads(done.stdout))
                self.assertEqual("no auth line names pam_ibmiam.so" not in found, needed, found)


suite.main()
