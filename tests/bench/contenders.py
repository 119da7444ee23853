"""Who takes part: each does the same login (or, the floor, only the POST) to the same server.

To add one: a class with a command(), and its line in everybody().
"""
import contextlib
import os
import resource
import secrets
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import machine as m
from sandbox import die_with_parent
from server import ACCOUNT, BUNDLE, FOLDER, HOST, IAM_ID
from suite import BUILD, ROOT

BENCH = BUILD / "tests/bench"
BROKER = Path("/usr/libexec/ibmiam-broker")
USER, KEY = "alice", "8" + secrets.token_urlsafe(32)
LOGIN_TIMEOUT_S = 60
BROKER_FILES_MAX = 262144  # a resident broker needs one a session
TRUST = {"folder": FOLDER, "bundle": BUNDLE}


def has_resident() -> bool:
    return "--listen" in subprocess.run([BROKER, "--help"], capture_output=True, text=True).stdout


def no_rate_limit() -> str:
    """The line for the configuration, where this broker knows it."""
    return "rate_limit = 0\n" if b"rate_limit" in BROKER.read_bytes() else ""


def configuration(name: str, trust: str, port: int, users: int = 1) -> Path:
    """An ibmiam.conf in which alice may log in, and users - 1 others before her."""
    path = Path(f"/etc/security/{name}.conf")
    ca = f'ca_file = "{BUNDLE}"\n' if trust == "bundle" else ""  # the folder is the default
    others = "".join(f'user u{i:06} {{ iam_ids = {{ "IBMid-{i:010}" }} }}\n' for i in range(users - 1))
    m.write(path, f'endpoint = "https://{HOST}:{port}"\nissuer = {{ "https://iam.cloud.ibm.com/identity" }}\n'
            f'accounts = {{ "{ACCOUNT}" }}\n{ca}{no_rate_limit()}{others}'
            f'user {USER} {{ iam_ids = {{ "{IAM_ID}" }} }}\n', 0o640)
    os.chown(path, 0, m.USERS["_ibmiam"])  # as README has it: a resident broker that cannot read it has more to log
    return path


def service(name: str, *modules: str) -> None:
    m.write(Path("/etc/pam.d", name), "".join(f"auth required {module}\n" for module in modules))


def ask_resident(name: str, config: Path) -> None:
    """A service that has no one-shot broker to fall back to: it must not be measured by mistake."""
    service(name, f"pam_ibmiam.so config={config} socket={config.with_suffix('.sock')} broker=/usr/bin/false")


def ask_one_shot(name: str, config: Path) -> None:
    service(name, f"pam_ibmiam.so config={config} socket=none timeout={LOGIN_TIMEOUT_S}")


def url(port: int) -> str:
    return f"https://{HOST}:{port}/identity/token"


class Broker:
    """A resident broker that was just started: it listens, and has talked to nobody."""

    def __init__(self, config: Path) -> None:
        self.socket = config.with_suffix(".sock")
        self.socket.unlink(missing_ok=True)
        null = subprocess.DEVNULL  # it may not write to files
        self.process = subprocess.Popen([BROKER, "--config", config, "--listen", self.socket],
                                        stdin=null, stderr=null, preexec_fn=self.prepare)
        m.until(self.listens, "the resident broker listens")

    @staticmethod
    def prepare() -> None:
        die_with_parent()
        with contextlib.suppress(ValueError):  # in a container that may not raise it
            resource.setrlimit(resource.RLIMIT_NOFILE, (BROKER_FILES_MAX, BROKER_FILES_MAX))

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            return s.connect_ex(str(self.socket)) == 0

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(m.TIMEOUT_S)


@dataclass
class Contender:
    trust: str = ""  # folder or bundle: which form of the system's CAs; empty where there is none
    ports: dict[str, int] = field(default_factory=dict)  # "near" and "far"
    name = ""
    warm_ups = 1
    in_host = True  # it works through PAM

    def __post_init__(self) -> None:
        self.id = "-".join(filter(None, (type(self).__name__.lower(), self.trust)))
        for where, port in self.ports.items():
            self.prepare(f"{self.id}-{where}", port)

    def prepare(self, service_name: str, port: int) -> None:
        """Writes the PAM service."""

    def command(self, where: str) -> list:
        """What host.c is to do."""
        return [f"{self.id}-{where}", USER]

    def samples(self, where: str, count: int) -> list[list[float]]:
        """Of each of so many logins: CPU and wall in s."""
        return run_host(["-n", str(count), "-w", str(self.warm_ups), *self.options(where)], self.command(where))

    def memory(self, count: int) -> list[list[float]]:
        """Likewise, but only what is said of memory and libraries is exact."""
        return run_host(["-m", "-n", str(count)], self.command("near"))

    def options(self, where: str) -> list[str]:
        return []

    def pids(self, where: str) -> list[int]:
        """Processes besides the host's own that work for it."""
        return []

    def stop(self) -> None:
        """Ends them."""


def run_host(options: list[str], command: list) -> list[list[float]]:
    return run([BENCH / "host", *options, *command])


def run(command: list) -> list[list[float]]:
    done = subprocess.run(command, input=KEY, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed: {done.stderr.strip()}")
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


class Permit(Contender):
    name = "pam_permit: the host itself"

    def prepare(self, service_name, port):
        service(service_name, "pam_permit.so")


class TlsClient(Contender):
    name = "bare TLS client"
    in_host = False

    def command(self, where):
        return ["-x", BENCH / "tlsclient", HOST, str(self.ports[where]), TRUST[self.trust]]


class OpenTls(TlsClient):
    """The floor of a warm login."""
    name = "POST on an open connection"

    def samples(self, where, count):
        return run([BENCH / "tlsclient", HOST, str(self.ports[where]), TRUST[self.trust], str(count)])


class CurlClient(Contender):
    """The floor of what calls libcurl in a process of its own."""
    name = "bare libcurl client"
    in_host = False

    def command(self, where):
        return ["-x", BENCH / "curlclient", url(self.ports[where]), *([FOLDER] if self.trust == "folder" else [])]


class OneShot(Contender):
    name = "pam_ibmiam, one-shot"

    def prepare(self, service_name, port):
        ask_one_shot(service_name, configuration(service_name, self.trust, port))


class Warm(Contender):
    """A resident broker that has a connection to IAM."""
    name = "pam_ibmiam, resident, warm"

    def prepare(self, service_name, port):
        config = configuration(service_name, self.trust, port)
        ask_resident(service_name, config)
        self.brokers = getattr(self, "brokers", {}) | {service_name: Broker(config)}

    def broker(self, where):
        return self.brokers[f"{self.id}-{where}"]

    def options(self, where):
        return ["-p", str(self.broker(where).process.pid)]

    def pids(self, where):
        return [self.broker(where).process.pid]

    def stop(self):
        for broker in self.brokers.values():
            broker.stop()


class Cold(Warm):
    """Likewise, but each login is the first that its broker sees."""
    name = "pam_ibmiam, resident, cold"
    warm_ups = 0

    def samples(self, where, count):
        found = []
        for _ in range(count):
            found += super().samples(where, 1)
            self.restart(f"{self.id}-{where}")
        return found

    def restart(self, name):
        self.brokers[name].stop()
        self.brokers[name] = Broker(Path(f"/etc/security/{name}.conf"))


class InProcess(Contender):
    name = "libcurl in the host"

    def prepare(self, service_name, port):
        folder = str(FOLDER) if self.trust == "folder" else ""
        service(service_name, f"{BENCH}/inprocess.so {url(port)} {IAM_ID} {folder}")


class PamExec(Contender):
    """curl's --capath does not spare it the bundle, but this is how one would ask for the folder."""
    name = "pam_exec and curl"

    def prepare(self, service_name, port):
        option = f"--capath {FOLDER}" if self.trust == "folder" else ""
        script = f"{ROOT}/tests/bench/curl-login {url(port)} {IAM_ID} {option}"
        service(service_name, f"pam_exec.so expose_authtok quiet {script}", "pam_permit.so")  # for setcred


def everybody(near: int, far: int) -> list[Contender]:
    service("other", "pam_deny.so")  # which PAM loads along with each
    ours = [OneShot, Cold, Warm] if has_resident() else [OneShot]
    ports = {"near": near, "far": far}
    return [Permit("", ports), OpenTls("folder", ports)] + [
        kind(trust, ports) for kind in (TlsClient, CurlClient, *ours, InProcess, PamExec) for trust in TRUST]
