#!/usr/bin/python3
"""The sources build without a warning, with gcc and with clang; and again when a header has changed."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import suite  # noqa: E402


class Warnings(unittest.TestCase):
    def build(self, compiler: str) -> None:
        if not shutil.which(compiler):
            self.skipTest(f"{compiler} is not installed")
        with tempfile.TemporaryDirectory(prefix="ibmiam-warnings-") as folder:
            done = subprocess.run(["make", "-s", "-C", suite.ROOT, f"CC={compiler}", f"BUILD={folder}/build",
                                   "WERROR=1"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(Path(folder, "build/pam_ibmiam.so").exists())

    def test_gcc(self):
        self.build("gcc")

    def test_clang(self):
        self.build("clang")


class Headers(unittest.TestCase):
    def test_changed(self):
        """Whatever the folder of objects was called when they were made, and is called now."""
        with tempfile.TemporaryDirectory(prefix="ibmiam-headers-") as folder:
            target = Path(folder, "build/pam_ibmiam/common/client.o")
            made = []
            for name in f"{folder}/build", f"{folder}/./build/", os.path.relpath(f"{folder}/build", suite.ROOT):
                done = subprocess.run(["make", "-s", "-C", suite.ROOT, f"BUILD={name}", "-W",
                                       "pam_ibmiam/common/wire.h", target], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                made.append(target.stat().st_mtime_ns)
            self.assertEqual(len(set(made)), len(made))


suite.main()
