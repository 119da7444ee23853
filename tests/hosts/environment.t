#!/usr/bin/python3
"""A hostile environment: su and sudo -E hand their caller's variables to whatever runs inside them, as root.

Variables that make libcurl, OpenSSL, the C library or the loader write files, read other files, load code or
talk to somebody else must change nothing. A module that calls libcurl in-process shows that they are real.
"""
import os
import shutil
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
import suite  # noqa: E402
from hosttest import HostTest, begin  # noqa: E402
from leaks import Watcher  # noqa: E402
from machine import free_port, until, write  # noqa: E402

machine = HostTest.machine = begin()
keys = machine.iam.keys
COMPILER = os.environ.get("CC") or "cc"
SOURCES = Path(__file__).absolute().parent / "traps"
OPEN, CLOSED = Path("/tmp/traps"), Path("/etc/traps")  # where everybody may write, and where root only
PROXIES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class Traps:
    """Listeners that nobody should talk to, files that nobody should read, and a library that nobody should load."""

    def __init__(self) -> None:
        for folder in OPEN, CLOSED, OPEN / "home", OPEN / "empty", OPEN / "lib":
            folder.mkdir()
        OPEN.chmod(0o1777)
        self.library = OPEN / "lib/loaded.so"
        build(self.library, SOURCES / "loaded.c", f'-DTRAPS="{OPEN}"')
        for name in "libcurl.so.4", "libcjson.so.1", "libconfuse.so.2", "libssl.so.3", "libnss_files.so.2", "TRAP.so":
            shutil.copy(self.library, OPEN / "lib" / name)
        write(OPEN / "home/.netrc", "machine localhost login evil password evil\n")
        write(OPEN / "home/.curlrc", f'proxy = "http://127.0.0.1:1"\ntrace-ascii = "{OPEN}/curlrc-trace"\n')
        write(OPEN / "aliases", "localhost evil.example\niam.cloud.ibm.com evil.example\n")
        write(OPEN / "lib/gconv-modules", "module UTF-8// INTERNAL TRAP 1\nmodule INTERNAL UTF-8// TRAP 1\n")
        write(OPEN / "openssl.cnf", "openssl_conf = start\n[start]\nproviders = list\n[list]\ntrap = trap\n"
              f"[trap]\nmodule = {self.library}\nactivate = 1\n")
        self.sockets = [socket.create_server(("127.0.0.1", free_port())) for _ in PROXIES]
        self.dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.dns.bind(("127.0.0.1", 53))
        write(Path("/etc/resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        for s in [*self.sockets, self.dns]:
            s.setblocking(False)

    def environment(self, files: Path) -> dict[str, str]:
        """Files are to be written into that folder."""
        proxies = {name: f"http://127.0.0.1:{s.getsockname()[1]}" for name, s in zip(PROXIES, self.sockets)}
        return proxies | {
            "NO_PROXY": "nowhere.example", "no_proxy": "nowhere.example",
            # written to
            "SSLKEYLOGFILE": f"{files}/SSLKEYLOGFILE", "LD_DEBUG": "all", "LD_DEBUG_OUTPUT": f"{files}/LD_DEBUG_OUTPUT",
            "MALLOC_TRACE": f"{files}/MALLOC_TRACE", "LD_PROFILE": "libc.so.6", "LD_PROFILE_OUTPUT": str(files),
            "GMON_OUT_PREFIX": f"{files}/GMON", "GCOV_PREFIX": str(files), "TMPDIR": str(files),
            "ASAN_OPTIONS": f"log_path={files}/ASAN", "UBSAN_OPTIONS": f"log_path={files}/UBSAN",
            "CURL_MEMDEBUG": f"{files}/CURL_MEMDEBUG", "CURL_TRACE": f"{files}/CURL_TRACE",
            # read from
            "HOME": str(OPEN / "home"), "CURL_HOME": str(OPEN / "home"), "XDG_CONFIG_HOME": str(OPEN / "home"),
            "NETRC": str(OPEN / "home/.netrc"), "OPENSSL_CONF": str(OPEN / "openssl.cnf"),
            "SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": str(OPEN / "empty"), "CURL_CA_BUNDLE": "/dev/null",
            "HOSTALIASES": str(OPEN / "aliases"), "RESOLV_HOST_CONF": str(OPEN / "aliases"),
            "RES_OPTIONS": "ndots:15 timeout:30 attempts:5", "LOCALDOMAIN": "evil.example",
            "LOCPATH": str(OPEN / "empty"), "NLSPATH": str(OPEN / "empty"), "TZDIR": str(OPEN / "empty"),
            # loaded from
            "LD_PRELOAD": str(self.library), "LD_AUDIT": str(self.library), "LD_LIBRARY_PATH": str(OPEN / "lib"),
            "OPENSSL_MODULES": str(OPEN / "lib"), "OPENSSL_ENGINES": str(OPEN / "lib"), "GCONV_PATH": str(OPEN / "lib"),
            # obeyed
            "CURL_SSL_BACKEND": "none", "MALLOC_PERTURB_": "85", "MALLOC_CHECK_": "3", "MALLOC_ARENA_MAX": "1",
            "GLIBC_TUNABLES": "glibc.malloc.check=3", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Trap/Trap",
            "OPENSSL_ia32cap": "0", "IBMIAM_CONFIG": str(OPEN / "aliases"), "IBMIAM_BROKER": str(self.library),
            "PAM_IBMIAM_STASH": "AQMBAAZhbGljZQA",
        }

    def visitors(self) -> list[str]:
        """Who has been here: names of proxy variables, or dns. A connection is in the queue before it is refused."""
        found = []
        for name, s in [*zip(PROXIES, self.sockets), ("dns", self.dns)]:
            try:
                s.recv(512) if name == "dns" else s.accept()[0].close()
                found.append(name)
            except BlockingIOError:
                pass
        return found


def build(target: Path, *arguments) -> None:
    subprocess.run([*COMPILER.split(), "-shared", "-fPIC", "-o", target, *arguments], check=True)


def files() -> dict[Path, tuple]:
    """All that has been written in the sandbox: the owner, and what changes when it is written again."""
    states = {sandbox.shown(path): os.lstat(path) for path in sandbox.written()}
    return {path: (state.st_uid, state.st_mtime_ns, state.st_size) for path, state in states.items()}


def script(first: str) -> tuple[str, ...]:
    """The beginning of a command that does this before the rest."""
    return "sh", "-c", f'set -e; {first}; exec "$@"', "sh"


class Environment(HostTest):
    @classmethod
    def setUpClass(cls):
        cls.traps = Traps()
        for service in "sudo", "su":
            machine.pam_example(service)
        machine.pam("plain", "auth required pam_ibmiam.so")
        write(Path("/etc/login.defs"), "FAIL_DELAY 0\nALWAYS_SET_PATH yes\n")
        names = " ".join(cls.traps.environment(OPEN))
        write(Path("/etc/sudoers"), f'Defaults timestamp_timeout=0, !env_reset, env_keep += "{names}"\n'
              "alice ALL=(ALL:ALL) SETENV: ALL\n", 0o440)
        # The stand-in's CA is the system's, so that other certificates would be noticed.
        for link in Path(machine.iam.ready["ca_path"]).iterdir():
            write(Path("/etc/ssl/certs", link.name), link.read_text())
        machine.configure(ca_path="")

    HOSTS = {  # name: command, who runs it
        "su": (("su", "alice", "-c", "env"), "bob"),
        "su -": (("su", "-", "alice", "-c", "env"), "bob"),
        "su -p": (("su", "-p", "alice", "-c", "env"), "bob"),
        "sudo": (("sudo", "-S", "env"), "alice"),
        "sudo -E": (("sudo", "-S", "-E", "env"), "alice"),
        "sudo -E, group": (("sudo", "-S", "-E", "-g", "deploy", "env"), "alice"),
        "a host run by root": (("pamtester", "plain", "alice", "authenticate", "setcred"), None),
    }

    def login(self, host: str, env: dict[str, str]):
        """One login, and the files that were written meanwhile: path and owner."""
        command, user = self.HOSTS[host]
        before = files()
        seen = self.attempt(machine.run, *command, user=user, answer=keys["alice"] + "\n", env=env)
        return seen, {(path, owner) for path, (owner, *_) in (files().items() - before.items())}

    def test_nothing_changes(self):
        for host in self.HOSTS:
            usual = set().union(*(self.login(host, {})[1] for _ in range(2)))  # some files are new the first time only
            for folder in OPEN, CLOSED:
                with self.subTest(host, folder=str(folder)):
                    hostile = self.traps.environment(folder)
                    if host == "a host run by root":  # together with LD_DEBUG it writes into all that is descriptor 3
                        del hostile["LD_PROFILE"]
                    seen, written = self.login(host, hostile)
                    self.assertEqual(seen.status, 0, seen.err)
                    self.assert_decided(seen, "allowed", requests=1, user="alice")
                    self.assertEqual(self.traps.visitors(), [])
                    if host == "a host run by root":  # not setuid: what the loader lets it do is not ours to prevent
                        written = {(path, owner) for path, owner in written
                                   if path.parent not in (OPEN, CLOSED) or owner != 0 or "broker" in path.name}
                    self.assertEqual(written - usual, set())
                    if host in ("su", "su -p", "sudo -E"):
                        self.assertEqual(seen.environment["SSLKEYLOGFILE"], hostile["SSLKEYLOGFILE"])
                        self.assertEqual(seen.environment["https_proxy"], hostile["https_proxy"])

    def test_the_brokers_environment_is_empty(self):
        for host, (command, user) in self.HOSTS.items():
            with self.subTest(host):
                def seen():  # a broker lives for some milliseconds: not every one is seen
                    machine.run(*command, user=user, answer=keys["alice"] + "\n", env=self.traps.environment(OPEN))
                    return watcher.saw(b"ibmiam-broker")
                with Watcher() as watcher:
                    until(seen, "the watcher sees a broker")
                brokers = watcher.saw(b"ibmiam-broker")
                self.assertEqual({(p.command, p.environment) for p in brokers},
                                 {(b"ibmiam-broker\0--config\0/etc/security/ibmiam.conf\0", b"")})

    def test_preloading_is_real(self):
        """The loader does what the environment says to the host, and would to the broker if it inherited it."""
        trace = OPEN / "loaded-by-pamtester"
        trace.unlink(missing_ok=True)
        machine.run("pamtester", "plain", "alice", "authenticate", answer=keys["alice"] + "\n",
                    env={"LD_PRELOAD": str(self.traps.library)})
        self.assertTrue(trace.exists())
        self.assertFalse((OPEN / "loaded-by-ibmiam-broker").exists())

    def test_an_openssl_configuration_is_real(self):
        trace = OPEN / "loaded-by-openssl"
        trace.unlink(missing_ok=True)
        machine.run("openssl", "list", "-providers", env={"OPENSSL_CONF": str(OPEN / "openssl.cnf")})
        self.assertTrue(trace.exists())


class Process(HostTest):
    """Limits, priority, signals and the rest of what a process inherits, from a caller who also knows alice's local
    password: could he turn a login into an outage, he would reach it."""

    HARMLESS = {
        "no file may be written": ("prlimit", "--fsize=0"), "no locked memory": ("prlimit", "--memlock=0"),
        "large cores": ("prlimit", "--core=unlimited"), "little time": ("prlimit", "--cpu=2"),
        "the lowest priority": ("nice", "-n", "19"), "idle time only": ("chrt", "-i", "0"),
        "an odd umask": script("umask 0777"), "a lax umask": script("umask 0"),
        "ignored signals": script("trap '' HUP INT QUIT PIPE ALRM TERM USR1 USR2 CHLD TSTP TTIN TTOU"),
        "open descriptors": script("exec 3</etc/passwd 4>/dev/null 5</ 6</etc/passwd 7</etc/passwd 9</etc/passwd"),
        "a folder that is gone": script("mkdir /tmp/gone-$$; cd /tmp/gone-$$; rmdir /tmp/gone-$$"),
    }
    HOSTILE = (*(f"nofile={number}" for number in (6, 7, 8, 12, 16)),
               *(f"as={number}000000" for number in (16, 18, 20, 24, 40, 80)),
               *(f"data={number}" for number in (500000, 1000000, 2000000, 6000000)),
               *(f"stack={number}" for number in (16384, 40000, 150000)), *(f"nproc={number}" for number in (0, 1, 2)),
               "sigpending=0", "rss=0", "msgqueue=0", "rttime=1", "locks=0")
    HOSTS = (("su", "alice", "-c", "env"), "bob"), (("sudo", "-S", "-g", "deploy", "env"), "alice")

    @classmethod
    def setUpClass(cls):
        machine.pam_example("su-fallback", "su")
        machine.pam_example("sudo-fallback", "sudo")
        machine.configure()

    def login(self, prefix: tuple[str, ...], command: tuple[str, ...], user: str):
        answers = f"{keys['alice']}\n{machine.passwords['alice']}\n"
        return self.attempt(machine.run, *prefix, *command, user=user, answer=answers)

    def test_logs_in_as_ever(self):
        for command, user in self.HOSTS:
            for name, prefix in self.HARMLESS.items():
                with self.subTest(name, host=command[0]):
                    seen = self.login(prefix, command, user)
                    self.assert_decided(seen, "allowed", requests=1, user="alice", ruser=user)
                    self.assertEqual(seen.status, 0, seen.err)
                    self.assert_exports(seen.environment, "alice")

    def test_a_limit_makes_no_outage(self):
        """Where the login cannot go on, it is refused, and does not fall back."""
        for command, user in self.HOSTS:
            for limit in self.HOSTILE:
                with self.subTest(limit, host=command[0]):
                    seen = self.login(("prlimit", f"--{limit}"), command, user)
                    self.assertLessEqual({d[0] for d in seen.decisions}, {"allowed", "broker-error"}, seen.lines)
                    self.assertNotIn("assword: ", seen.err)
                    self.assertNotIn("[sudo] password", seen.err)
                    if seen.status == 0:
                        self.assert_exports(seen.environment, "alice")


class Victim(HostTest):
    """The same traps, and a module that walks into them: libcurl inside su, called by an unprivileged user."""

    @classmethod
    def setUpClass(cls):
        module = next(Path("/usr/lib").glob("*/security/pam_ibmiam.so")).with_name("pam_naive.so")
        try:
            build(module, SOURCES / "naive.c", "-lcurl", "-lpam")
        except subprocess.CalledProcessError:
            raise unittest.SkipTest("libcurl's headers are not installed") from None
        machine.pam("su", f"auth required pam_naive.so {machine.iam.urls['good']}/identity/token "
                    f"{machine.iam.ready['ca_path']}",
                    "account required pam_permit.so", "session required pam_permit.so")

    def su(self, **env: str):
        return machine.run("su", "alice", "-c", "true", user="bob", answer=keys["alice"] + "\n", env=env)

    def test_works_by_itself(self):
        self.assertEqual(self.su().returncode, 0)

    def test_writes_where_the_caller_says(self):
        file = CLOSED / "SSLKEYLOGFILE"
        self.su(SSLKEYLOGFILE=str(file))
        self.assertEqual(file.stat().st_uid, 0)

    def test_talks_to_whom_the_caller_says(self):
        hostile = Environment.traps.environment(OPEN)
        for name in "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY":
            with self.subTest(name):
                self.su(**{name: hostile[name]})
                self.assertEqual(Environment.traps.visitors(), [name])


def tearDownModule():
    machine.assert_clean()


suite.main()
