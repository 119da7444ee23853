"""What the tests of this folder stand on: a folder of an unprivileged user with copies of what was built, service
files in it for pam_start_confdir(), and hosts that run as that user and tell what happened as events (host.h).

Nothing here needs root. A test that is root gives it up for its hosts: they run as nobody.
"""
import atexit
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import string
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).absolute().parent.parent / "lib"))
sys.dont_write_bytecode = True

from machine import Iam  # noqa: E402
from suite import BUILD  # noqa: E402

TIMEOUT_S = 120  # for a host that takes seconds at most, on a slow and shared machine
PARALLEL = 6
# Behind the module stands pam_debug.so with this code, which the module never returns: where it is the
# result, the module said PAM_IGNORE.
IGNORED = "PAM_CRED_EXPIRED"
STACK = """\
{before}auth [success=done ignore=ignore default=die] {module}
auth required pam_debug.so auth=cred_expired cred=cred_expired
account [success=done ignore=ignore default=die] {module}
account required pam_debug.so acct=cred_expired
session [success=done ignore=ignore default=die] {module}
session required pam_debug.so open_session=cred_expired close_session=cred_expired
password [success=done ignore=ignore default=die] {module}
password required pam_debug.so prechauthtok=cred_expired chauthtok=cred_expired
"""


class Log(NamedTuple):
    facility: str
    priority: str
    text: str


@dataclass
class Run:
    """What a host told."""
    calls: list[tuple[str, str]] = field(default_factory=list)  # name and PAM code
    elapsed_ms: list[int] = field(default_factory=list)  # of each call
    logs: list[Log] = field(default_factory=list)  # the module's, without the prefix that libpam puts before them
    prompts: list[tuple[str, str, str]] = field(default_factory=list)  # echo, text, "authtok" where that is set
    messages: list[tuple[str, str]] = field(default_factory=list)  # error or info, text
    environments: list[dict[str, str]] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)  # of hell.c and wear.c

    @property
    def codes(self) -> list[str]:
        return [code for _, code in self.calls]

    def take(self, kind: str, *words: str) -> None:
        if kind == "call":
            self.calls.append(words[:2])
            self.elapsed_ms.append(int(words[2]))
        elif kind == "log":
            ours = re.fullmatch(r"pam_ibmiam\([^)]*\): (.*)", words[2], re.DOTALL)
            if ours and ours[1] != "conversation failed":  # which pam_prompt() says, in the module's name
                self.logs.append(Log(words[0], words[1], ours[1]))
        elif kind == "prompt":
            self.prompts.append(words)
        elif kind == "env":
            self.environments.append(dict(word.split("=", 1) for word in words))
        elif kind == "left":
            self.left[words[0]] = int(words[1])
        elif kind == "fact":
            self.facts[words[0]] = words[1]
        elif not words[0].endswith("=cred_expired"):  # which pam_debug.so says
            self.messages.append((kind, words[0]))


class Stage:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ibmiam-module-"))
        atexit.register(shutil.rmtree, self.folder)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # unittest goes on after any other exception
        root = os.geteuid() == 0
        self.me = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
        self.identity = {"user": self.me.pw_uid, "group": self.me.pw_gid, "extra_groups": []} if root else {}
        self.numbers = itertools.count(1)
        self.give(self.folder, 0o755)
        for name in ("pam.d", "conf"):
            (self.folder / name).mkdir()
            self.give(self.folder / name, 0o755)
        built = [BUILD / name for name in ("pam_ibmiam.so", "ibmiam-broker")]
        for program in built + [BUILD / "tests/module" / name for name in ("pamdrive", "fakebroker", "hell", "wear")]:
            shutil.copy(program, self.folder)
            self.give(self.folder / program.name, 0o755)
        self.module, self.broker, self.fake = (self.folder / name
                                               for name in ("pam_ibmiam.so", "ibmiam-broker", "fakebroker"))

    def give(self, path: Path, mode: int) -> Path:
        path.chmod(mode)
        os.chown(path, self.me.pw_uid, self.me.pw_gid)
        return path

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return self.give(path, mode)

    def number(self) -> int:
        return next(self.numbers)

    def pam(self, options: str, before: str = "", name: str = "", stack: str = STACK) -> str:
        """A service whose module has these options; `before` are lines before it. Returns the name."""
        name = name or f"service{self.number()}"
        self.write(f"pam.d/{name}", stack.format(module=f"{self.module} {options}", before=before), 0o644)
        return name

    def options(self, config: Path, more: str = "", broker: Path | None = None) -> str:
        return f"config={config} broker={broker or self.broker} {more}"

    def drive(self, service: str, *steps: str, user: str | None = None, answers: tuple[str | bytes, ...] = (),
              env: dict | None = None) -> Run:
        """pamdrive; the user is the one it runs as unless said otherwise."""
        run = self.host("pamdrive", self.folder / "pam.d", service, user or self.me.pw_name, *steps,
                        answers=answers, env=env)
        return run

    def host(self, program: str, *arguments, answers: tuple[str | bytes, ...] = (), env: dict | None = None) -> Run:
        spoken = [a.encode() if isinstance(a, str) else a for a in answers]
        done = subprocess.run([self.folder / program, *arguments], input=b"".join(a + b"\0" for a in spoken),
                              capture_output=True, env=env or {}, cwd="/", timeout=TIMEOUT_S, **self.identity)
        run = read_events(done.stdout)
        if done.returncode != 0:
            raise AssertionError(f"{program} ended with {done.returncode}: {done.stderr.decode()}\n{run}")
        assert_no_secrets(run, spoken)
        return run


def read_events(output: bytes) -> Run:
    run = Run()
    for line in output.decode("ascii").splitlines():
        # One character a byte so far (host.h)
        run.take(*(word.encode("latin-1").decode("utf-8", "surrogateescape") for word in json.loads(line)))
    return run


def assert_no_secrets(run: Run, answers: list[bytes]) -> None:
    """Rule 6, in every test: no log line and no message holds a token or (what is long enough to be) a key."""
    said = [log.text for log in run.logs] + [text for _, text in run.messages]
    keys = [a.decode("utf-8", "surrogateescape") for a in answers if len(a) >= 16]
    for text in said:
        if "eyJ" in text or any(key in text for key in keys):
            raise AssertionError("a secret in a log line or message")  # which stays out of this one


class Standin:
    """The IAM stand-in for tests of this folder, and the configurations that go with it."""

    def __init__(self, stage: Stage, *options: str) -> None:
        self.stage = stage
        self.iam = Iam(stage.folder / f"iam{stage.number()}", *options)
        atexit.register(self.iam.stop)
        self.keys, self.urls, self.ready = self.iam.keys, self.iam.urls, self.iam.ready

    def names(self) -> dict[str, str]:
        """What $name stands for in a configuration."""
        ids = {name: iam_id for name, iam_id in self.iam.iam_ids.items() if iam_id}
        return ids | self.iam.accounts | self.ready["client"] | {
            "me": self.stage.me.pw_name, "ca_file": self.ready["ca_file"], "ca_path": self.ready["ca_path"],
            **{f"url_{name}": url for name, url in self.urls.items()}}

    def fill(self, text: str, service: str = "") -> str:
        return string.Template(text).safe_substitute(self.names(), service=service)

    def config(self, text: str | None = None, rules: str = 'user $me { iam_ids = { "$alice" } }', *, service: str = "",
               mode: int = 0o600, **changes: str | None) -> Path:
        """A working configuration in which I am alice. Changes replace keys (None leaves one out), and `text`
        replaces the whole."""
        keys = {"endpoint": '"$url_good"', "ca_path": '"$ca_path"', "accounts": '{ "$home" }'} | changes
        lines = [f"{name} = {value}" for name, value in keys.items() if value is not None]
        whole = "\n".join(lines + [rules, ""]) if text is None else text
        return self.stage.write(f"conf/{self.stage.number()}.conf", self.fill(whole, service), mode)

    def requests(self, key: str) -> list[dict]:
        return [r for r in self.iam.requests() if r["key"] == key]

    def connections(self, listener: str) -> int:
        lines = Path(self.ready["connections"]).read_text().splitlines()
        return sum(json.loads(line)["listener"] == listener for line in lines)


def parallel(function, items) -> list:
    """The results, in the items' order; an exception is a result too."""
    def guarded(item):
        try:
            return function(item)
        except Exception as wrong:
            return wrong
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        return list(pool.map(guarded, items))
    finally:
        pool.shutdown(cancel_futures=True)
