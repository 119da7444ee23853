"""A private machine inside this one: what a test or the demo does to /etc, /usr, users, ports and processes
is gone when it ends, however it ends.

enter() restarts the program in new mount, pid, network, ipc and uts namespaces, with overlays over the system's
folders and a loopback interface of its own. Needs root. Nothing outside is touched, not even /tmp: a sandbox
that is killed leaves nothing to clean up.
"""
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from suite import BUILD, ROOT

INSIDE = "IBMIAM_TEST_SANDBOX"  # in the environment of the restarted program
OVERLAID = ("/etc", "/usr", "/var", "/home", "/root", "/tmp", "/opt", "/srv")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
BASE = Path("/run/ibmiam-sandbox")  # inside; /run is ours alone
SCRATCH = BASE / "scratch"
MS_BIND_REC = 0x1000 | 0x4000


def available() -> str:
    """Empty when enter() can work, else why it cannot."""
    if os.geteuid() != 0:
        return "needs root, for a private copy of /etc and real users"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return "" if probe.returncode == 0 else f"needs namespaces: {probe.stderr.strip()}"


def enter() -> Path:
    """Returns inside, with the path of an empty scratch folder that is gone afterwards."""
    if os.environ.pop(INSIDE, None) is None:
        sys.exit(outside())
    build()
    become_init()
    return SCRATCH


def outside() -> int:
    program = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
         "/usr/bin/python3", "-B", *sys.argv], env=os.environ | {INSIDE: "1"}, preexec_fn=die_with_parent)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: program.kill())
    try:
        return program.wait()
    except KeyboardInterrupt:
        program.kill()
        return program.wait()


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


def become_init() -> None:
    """Process 1 of the pid namespace only reaps; the program goes on as its child."""
    sys.stdout.flush()
    main = os.fork()
    if main == 0:
        die_with_parent()
        return
    while True:
        pid, status = os.wait()
        if pid == main:
            os._exit(os.waitstatus_to_exitcode(status) & 255)


def written() -> Iterator[Path]:
    """Everything that has been written since enter(), as it lies in the layers; see shown()."""
    for top in ("/run", "/dev/shm"):
        for folder, _, names in os.walk(top):
            yield from (Path(folder, name) for name in names)


def shown(path: Path) -> Path:
    """The name by which everybody here knows a file that written() found."""
    for folder in OVERLAID:
        upper = layers(folder) / "upper"
        if path.is_relative_to(upper):
            return Path(folder, path.relative_to(upper))
    return path


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def build() -> None:
    checkout = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in (ROOT, BUILD) if path.exists()]
    mount("-t", "tmpfs", "-o", "mode=0755", "ibmiam", "/run")
    SCRATCH.mkdir(parents=True)
    for folder in OVERLAID:
        if os.path.isdir(folder) and not os.path.islink(folder):
            overlay(folder)
    for path, descriptor in checkout:
        keep_visible(path, descriptor)
    devices()
    socket.sethostname("sandbox")
    loopback_up()


def layers(folder: str) -> Path:
    return BASE / folder.strip("/")


def overlay(folder: str) -> None:
    upper, work = layers(folder) / "upper", layers(folder) / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    shutil.copystat(folder, upper)
    mount("-t", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", "ibmiam", folder)


def keep_visible(path: Path, descriptor: int) -> None:
    """An overlay hides what is mounted below its folder, which a container may have done with the checkout."""
    path.mkdir(parents=True, exist_ok=True)
    if not any(path.iterdir()):
        libc = ctypes.CDLL(None, use_errno=True)
        source = f"/proc/self/fd/{descriptor}".encode()
        if libc.mount(source, os.fsencode(path), None, ctypes.c_ulong(MS_BIND_REC), None) != 0:
            raise OSError(ctypes.get_errno(), "cannot bind", str(path))
    os.close(descriptor)


def devices() -> None:
    """A /dev of our own: /dev/log is ours, and pseudo-terminals are counted apart."""
    old = BASE / "dev"
    old.mkdir()
    mount("--rbind", "/dev", str(old))
    mount("-t", "tmpfs", "-o", "mode=0755", "ibmiam", "/dev")
    for name in DEVICES:
        Path("/dev", name).touch()
        mount("--bind", str(old / name), f"/dev/{name}")
    for folder in ("pts", "shm"):
        Path("/dev", folder).mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620,gid=5", "ibmiam", "/dev/pts")
    mount("-t", "tmpfs", "-o", "mode=1777", "ibmiam", "/dev/shm")
    for name, target in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1",
                         "stderr": "fd/2"}.items():
        os.symlink(target, f"/dev/{name}")
    subprocess.run(["umount", "--lazy", "--recursive", str(old)], check=True)
    old.rmdir()


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS
