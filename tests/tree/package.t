#!/usr/bin/python3
"""The Debian package's description agrees with the sources. Its build and use are tests/package/check."""
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402
from suite import ROOT  # noqa: E402

TOOLCHAIN = {"gcc", "libc6-dev"}  # a Debian package need not name these


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


suite.main()
