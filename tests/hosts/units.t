#!/usr/bin/python3
"""What `make install` gives systemd: the units, the user and the folders, looked at by systemd's own tools."""
import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402
from machine import make  # noqa: E402
from suite import ROOT  # noqa: E402

EXPOSURE_MAX = 1.3  # of 10; "safe" is below 2
UNITS = Path("/usr/lib/systemd/system")
SOCKET, SERVICE = UNITS / "ibmiam-broker.socket", UNITS / "ibmiam-broker.service"

if sandbox.available():
    suite.skip_all(sandbox.available())
sandbox.enter()
make("install")


def run(*command) -> subprocess.CompletedProcess:
    return subprocess.run(command, text=True, capture_output=True, env=os.environ | {"SYSTEMD_COLORS": "0"})


def settings(unit: Path) -> dict[str, list[str]]:
    """The values of each key of a unit, in order."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def constant(header: str, name: str) -> str:
    return re.search(rf'#define {name} "(.*)"', (ROOT / "pam_ibmiam" / header).read_text()).group(1)


class Units(unittest.TestCase):
    def test_systemd_finds_nothing_wrong(self):
        done = run("systemd-analyze", "verify", "--man=no", SOCKET, SERVICE)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_exposure(self):
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", SERVICE)
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        self.assertLessEqual(float(level.group(1)), EXPOSURE_MAX, done.stdout)
        self.assertIn(level.group(0), (ROOT / "README.md").read_text())

    def test_the_socket_is_where_clients_look(self):
        path = constant("common/client.h", "CLIENT_SOCKET")
        self.assertEqual(settings(SOCKET)["ListenSequentialPacket"], [path])
        self.assertIn(f"d {Path(path).parent} 0755 root root -\n", (ROOT / "conf/tmpfiles.d/ibmiam.conf").read_text())

    def test_one_name_for_the_user(self):
        user = constant("broker/sandbox.h", "SANDBOX_USER")
        self.assertEqual([settings(SERVICE)[key] for key in ("User", "Group")], [[user], [user]])
        self.assertRegex((ROOT / "conf/sysusers.d/ibmiam.conf").read_text(), rf"(?m)^u {user} ")

    def test_what_is_started_is_what_is_installed(self):
        program, _, config = settings(SERVICE)["ExecStart"][0].split()
        self.assertTrue(os.access(program, os.X_OK), program)
        self.assertIn(program, settings(SERVICE)["ExecPaths"])
        self.assertTrue(os.path.exists(config), config)

    def test_other_paths(self):
        """The files of another layout name that layout's paths."""
        with tempfile.TemporaryDirectory() as folder:
            make("install", f"DESTDIR={folder}", "PREFIX=/opt/i", "SYSCONF=/opt/i/etc", f"BUILD={folder}/build")
            installed = Path(folder, "opt/i/lib")
            service = (installed / "systemd/system/ibmiam-broker.service").read_text()
            self.assertIn("ExecStart=/opt/i/libexec/ibmiam-broker --config /opt/i/etc/security/ibmiam.conf\n", service)
            self.assertIn("ExecPaths=/opt/i/libexec/ibmiam-broker\n", service)
            self.assertIn("d /opt/i/etc/security/ibmiam.conf.d ", (installed / "tmpfiles.d/ibmiam.conf").read_text())

    def test_uninstall_takes_them_along(self):
        def installed():
            return sorted(Path("/usr/lib").glob("*/**/ibmiam*"))
        self.assertEqual(len(installed()), 4, installed())
        make("uninstall")
        try:
            self.assertEqual(installed(), [])
        finally:
            make("install")


class Root(unittest.TestCase):
    """sysusers.d and tmpfiles.d, applied to a folder that looks like an empty machine."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)
        (self.root / "etc").mkdir()
        self.apply("sysusers")

    def apply(self, what: str, *options: str) -> None:
        done = run(f"systemd-{what}", *options, f"--root={self.root}", ROOT / f"conf/{what}.d/ibmiam.conf")
        self.assertEqual(done.returncode, 0, done.stderr)

    def entry(self, file: str) -> list[str]:
        line = re.search(r"(?m)^_ibmiam:.*$", (self.root / "etc" / file).read_text())
        return line.group(0).split(":")

    def inode(self, path: str) -> tuple[str, int, int]:
        st = os.stat(self.root / path)
        return stat.filemode(st.st_mode), st.st_uid, st.st_gid

    def test_user(self):
        passwd, group = self.entry("passwd"), self.entry("group")
        self.assertTrue(0 < int(passwd[2]) < 1000, passwd)
        self.assertEqual(passwd[3], group[2])
        self.assertEqual(passwd[5:], ["/nonexistent", "/usr/sbin/nologin"])
        self.assertTrue(self.entry("shadow")[1].startswith("!"))

    def test_folders(self):
        gid = int(self.entry("group")[2])
        self.apply("tmpfiles", "--create")
        self.assertEqual(self.inode("run/ibmiam"), ("drwxr-xr-x", 0, 0))
        self.assertEqual(self.inode("etc/security/ibmiam.conf.d"), ("drwxr-x---", 0, gid))

    def test_an_admins_own_folder_stays(self):
        own = self.root / "etc/security/ibmiam.conf.d"
        own.mkdir(parents=True)
        own.chmod(0o700)
        os.chown(own, 0, 12)
        self.apply("tmpfiles", "--create")
        self.assertEqual(self.inode("etc/security/ibmiam.conf.d"), ("drwx------", 0, 12))


suite.main()
