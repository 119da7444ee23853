"""What a host with pam_ibmiam on it has: the installed module, users, a system log, an IAM to talk to, sshd.

All of it inside a sandbox (sandbox.py), at the real paths: /usr/lib/.../security, /usr/libexec, /etc/security.
"""
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import sandbox
from leaks import Leaks
from sandbox import die_with_parent
from suite import BUILD, ROOT

CONFIG = Path("/etc/security/ibmiam.conf")
DOCUMENTATION = Path("/usr/share/doc/pam_ibmiam")  # shows a token of an earlier stand-in
USERS = {"alice": 2001, "bob": 2002, "deploy": 2003, "carol": 2004, "lowly": 301, "_ibmiam": 990}
TIMEOUT_S = 60  # for anything that should come at once, on a slow and shared machine
# What ssh asks for answers. They are in its standard input, a file in memory, so that neither the environment nor
# a disk ever holds them: line 1 is for prompts for a key, line 2 for any other; or the lines are in order.
ASKPASS = """#!/bin/sh
printf '%s\\n' "$1" >>"$IBMIAM_TEST_PROMPTS"
case "$1" in
*"API key"*) n=1 ;;
*) n=2 ;;
esac
[ -z "$IBMIAM_TEST_IN_ORDER" ] || n=$(wc -l <"$IBMIAM_TEST_PROMPTS")
exec sed -n "${n}p" /proc/self/fd/0
"""


class Log:
    """/dev/log: every line that anybody here sends to syslog."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrived = threading.Condition()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        while True:
            line = self.socket.recv(65536).decode("utf-8", "backslashreplace").rstrip("\n\0")
            with self.arrived:
                self.lines.append(line)
                self.arrived.notify_all()

    def mark(self) -> int:
        with self.arrived:
            return len(self.lines)

    def wait(self, pattern: str, since: int = 0) -> str:
        """The first line from `since` on that matches; waits for it."""
        def match():
            return next((line for line in self.lines[since:] if re.search(pattern, line)), None)
        with self.arrived:
            if not self.arrived.wait_for(match, TIMEOUT_S):
                raise AssertionError(f"no log line matches {pattern!r} in:\n" + "\n".join(self.lines[since:]))
            return match()

    def settle(self) -> None:
        """Returns when all that was sent so far has arrived: datagrams keep their order."""
        marker = f"marker {secrets.token_hex(8)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect("/dev/log")
            sender.send(marker.encode())
        self.wait(marker)

    def decisions(self, since: int = 0) -> list[str]:
        """The module's lines, without syslog's prefix."""
        with self.arrived:
            found = [re.search(r"pam_ibmiam\([^)]*\): (.*)", line) for line in self.lines[since:]]
        return [m.group(1) for m in found if m]


class Iam:
    """A running stand-in."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(mode=0o755)
        self.process = subprocess.Popen([ROOT / "tests/iam/standin", "--dir", folder, *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        ready = self.process.stdout.readline().strip()
        if not ready:
            raise RuntimeError("the IAM stand-in did not start")
        self.ready = json.loads(Path(ready).read_text())
        self.keys = {name: k["key"] for name, k in self.ready["keys"].items()}
        self.iam_ids = {name: k["iam_id"] for name, k in self.ready["keys"].items()}
        self.accounts = self.ready["accounts"]
        self.urls = self.ready["urls"]

    def requests(self, since: int = 0) -> list[dict]:
        """The journal, from its `since`-th line on: a line is there before its answer is."""
        lines = Path(self.ready["journal"]).read_text().splitlines()
        return [json.loads(line) for line in lines[since:]]

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(TIMEOUT_S)


class Machine:
    def __init__(self, scratch: Path, *iam_options: str) -> None:
        self.scratch = scratch
        self.log, self.sshds = Log(), []
        self.passwords = {name: secrets.token_urlsafe(12) for name in ("alice", "bob", "carol", "root")}
        self.add_users()
        Path("/etc/hosts").write_text("127.0.0.1 localhost\n127.0.0.1 sandbox\n")
        shutil.rmtree(f"{CONFIG}.d", ignore_errors=True)  # the host's own must not matter here
        install()
        self.iam = Iam(scratch / "iam", *iam_options)
        self.leaks = Leaks({f"key {name}": key for name, key in self.iam.keys.items()}
                           | {f"password of {name}": word for name, word in self.passwords.items()}
                           | {"the client secret": self.iam.ready["client"]["client_secret"]})
        self.old_cores = set(Path("/").glob("core*"))
        self.configure()

    def add_users(self) -> None:
        for file in ("passwd", "shadow", "group", "gshadow"):
            Path("/etc", file).touch()
        own = set(USERS) | {"root"}
        for file in ("passwd", "shadow", "group"):
            path = Path("/etc", file)
            kept = [line for line in path.read_text().splitlines() if line.split(":")[0] not in own]
            path.write_text("\n".join(kept) + "\n")
        for name, uid in {"root": 0, **USERS}.items():
            home = "/root" if uid == 0 else f"/home/{name}"
            shell = "/usr/sbin/nologin" if name == "_ibmiam" else "/bin/sh"
            append("/etc/passwd", f"{name}:x:{uid}:{uid}::{home}:{shell}")
            append("/etc/group", f"{name}:x:{uid}:")
            append("/etc/shadow", f"{name}:{self.hashed(name)}:20000:0:99999:7:::")
            if shell == "/bin/sh":
                os.makedirs(home, exist_ok=True)
                os.chown(home, uid, uid)

    def hashed(self, name: str) -> str:
        if name not in self.passwords:
            return "!"
        done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=self.passwords[name], text=True,
                              capture_output=True, check=True)
        return done.stdout.strip()

    def configure(self, text: str = "", **changes: str) -> None:
        """Writes ibmiam.conf: a working one for the stand-in; changes replace its keys, text is appended."""
        ids = self.iam.iam_ids
        keys = {"endpoint": quoted(self.iam.urls["good"]), "ca_path": quoted(self.iam.ready["ca_path"]),
                "accounts": f'{{ "{self.iam.accounts["home"]}" }}'} | changes
        top = "".join(f"{key} = {value}\n" for key, value in keys.items() if value)
        users = "".join(f'user {name} {{ iam_ids = {{ "{ids[name]}" }} }}\n' for name in ("alice", "bob", "deploy"))
        write(CONFIG, top + users + text, 0o640)
        os.chown(CONFIG, 0, USERS["_ibmiam"])  # a resident broker reads it again

    def pam(self, service: str, *lines: str) -> None:
        write(Path("/etc/pam.d", service), "".join(line + "\n" for line in lines))

    def pam_example(self, name: str, *services: str) -> None:
        """Takes over a file of conf/pam.d, as these services."""
        for service in services or (name,):
            write(Path("/etc/pam.d", service), (ROOT / "conf/pam.d" / name).read_text())

    def assert_no_secrets(self) -> None:
        """No key, password or token has been written anywhere, but by the stand-in into its ready.json."""
        self.log.settle()
        found = [f"a log line of {line.split('[')[0]}: {what}" for line in self.log.lines
                 for what in self.leaks.inside(line.encode())]
        for path in sandbox.written():
            name = sandbox.shown(path)
            ours = name == self.scratch / "iam/ready.json" or name.is_relative_to(DOCUMENTATION)
            if not ours and path.is_file() and not path.is_symlink():
                found += [f"{name}: {what}" for what in self.leaks.inside(path.read_bytes())]
        found += [f"{path}: a core dump" for path in self.cores()]
        if found:
            raise AssertionError("secrets have got out:\n" + "\n".join(sorted(set(found))))

    def cores(self) -> list[Path]:
        """Also those in / itself, which no layer covers: it is where the broker works."""
        names = (path for path in sandbox.written() if re.fullmatch(r"core(\.\d+)?", path.name))
        return [*map(sandbox.shown, names), *(set(Path("/").glob("core*")) - self.old_cores)]

    def assert_clean(self) -> None:
        """For the end of a test: no secrets lie around, and no broker, keeper or zombie is left of any login."""
        self.assert_no_secrets()
        for sshd in self.sshds:
            sshd.stop()
        own = {1, os.getpid(), self.iam.process.pid}
        until(lambda: not processes().keys() - own, f"only {own} run, and not {processes()}")

    def sshd(self, *options: str, name: str = "sshd") -> "Sshd":
        self.sshds.append(Sshd(self, options, name))
        return self.sshds[-1]

    def run(self, *command: str, user: str | None = None, answer: str = "", env: dict | None = None,
            timeout: float = TIMEOUT_S) -> subprocess.CompletedProcess:
        """Runs a command as that user, without a terminal; `answer` is its standard input."""
        uid = USERS[user] if user else None
        identity = {"user": uid, "group": uid, "extra_groups": [], "cwd": f"/home/{user}"} if user else {}
        home = f"/home/{user}" if user else "/root"
        base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LOGNAME": user or "root"}
        done = subprocess.run(command, input=answer, text=True, capture_output=True, env=base | (env or {}),
                              timeout=timeout, **identity)
        self.leaks.learn(done.stdout)
        return done


class Sshd:
    """A real sshd on loopback, and the ssh client that talks to it."""

    def __init__(self, machine: Machine, options: tuple[str, ...], name: str) -> None:
        self.machine, self.name = machine, name
        folder = machine.scratch / f"{name}-{secrets.token_hex(4)}"
        folder.mkdir()
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        host_key = folder / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
        # sshd names its PAM service after its own program.
        program = Path("/usr/sbin", name)
        if not program.exists():
            os.link("/usr/sbin/sshd", program)
        self.port = free_port()
        lines = [*options, f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {host_key}",
                 f"PidFile {folder}/pid", "UsePAM yes", "StrictModes no", "LogLevel VERBOSE", "PrintMotd no",
                 "UseDNS no", "PermitRootLogin yes", "MaxStartups 500"]
        write(folder / "sshd_config", "".join(line + "\n" for line in lines))
        self.process = subprocess.Popen([program, "-D", "-f", folder / "sshd_config"], stdin=subprocess.DEVNULL,
                                        preexec_fn=die_with_parent)
        self.askpass = folder / "askpass"
        write(self.askpass, ASKPASS, 0o755)
        machine.log.wait(f"Server listening on 127.0.0.1 port {self.port}")

    def login(self, user: str, key: str, command: str = "env", *, method: str = "password", password: str | None = None,
              options: tuple[str, ...] = (), answers: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        """One login with the key as the answer; password answers any prompt that is not for a key.

        With `answers` they are given one after the other instead. The result's `prompts` are those that the user saw.
        """
        prompts = self.askpass.parent / f"prompts-{secrets.token_hex(8)}"
        env = os.environ | {"SSH_ASKPASS": str(self.askpass), "SSH_ASKPASS_REQUIRE": "force",
                            "IBMIAM_TEST_PROMPTS": str(prompts), "IBMIAM_TEST_IN_ORDER": "1" if answers else ""}
        with open(os.memfd_create("answers"), "w+", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in answers or (key, key if password is None else password))
            file.flush()
            done = subprocess.run(
                ["ssh", "-n", "-F", "none", "-p", str(self.port), *options, "-o", "StrictHostKeyChecking=no",
                 "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1",
                 "-o", f"PreferredAuthentications={method}", "-o", "PubkeyAuthentication=no",
                 "-o", "KexAlgorithms=curve25519-sha256",  # half the cost of the default
                 "-l", user, "127.0.0.1", command],
                env=env, stdin=file, capture_output=True, text=True, timeout=TIMEOUT_S)
        done.prompts = prompts.read_text().splitlines() if prompts.exists() else []
        self.machine.leaks.learn(done.stdout)
        return done

    def authorize(self, user: str) -> tuple[str, ...]:
        """The options with which that user logs in by a public key, and method="publickey"."""
        identity = self.askpass.parent / f"identity-{user}"
        if not identity.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", identity], check=True)
            folder = Path(f"~{user}/.ssh").expanduser()
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / "authorized_keys", identity.with_suffix(".pub").read_text())
        return ("-o", "PubkeyAuthentication=yes", "-i", str(identity))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(TIMEOUT_S)


def install() -> None:
    """`make install` from the checkout, as an admin would."""
    make("install")


def make(*targets) -> None:
    names = [str(target).removeprefix(f"{ROOT}/") for target in targets]  # as the Makefile calls them
    done = subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={BUILD}", *names], text=True, capture_output=True,
                          env=os.environ | {"MAKEFLAGS": build_overrides()})
    if done.returncode != 0:
        raise RuntimeError(f"make {targets} failed:\n{done.stdout}{done.stderr}")


def build_overrides() -> str:
    """What the user gave the outer make (CC=clang …), without its job server."""
    words = os.environ.get("MAKEFLAGS", "").split(" -- ", 1)
    return "-- " + words[1] if len(words) == 2 else ""


def quoted(text: str) -> str:
    return f'"{text}"'


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)


def append(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def free_port() -> int:
    """Free in this network namespace, which is ours alone."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(text: str) -> dict[str, str]:
    """What env(1) printed."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def processes() -> dict[int, str]:
    """The processes of the sandbox: pid and command line, zombies too."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                found[int(entry.name)] = line or (entry / "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def until(true, what: str) -> None:
    """Waits for something that announces itself nowhere, such as the end of another's child."""
    deadline = time.monotonic() + TIMEOUT_S
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {TIMEOUT_S} s: {what}")
        time.sleep(0.01)
