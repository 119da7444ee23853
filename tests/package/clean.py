"""Clean Debian systems in folders: what debootstrap makes, with nothing of this machine but its network.

A program that uses them begins with private(): its mounts and processes end with it, and then the folder goes.
"""
import ctypes
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

INSIDE = "IBMIAM_TEST_PACKAGE"  # in the environment of the restarted program
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINES_MAX = 40  # of what a failed command said, at its end
# Where files come and go by themselves, and dpkg's and apt's own records.
VOLATILE = {"proc", "sys", "dev", "run", "tmp", "var/tmp", "var/cache", "var/log", "var/lib/apt", "var/lib/dpkg"}


def private(parent: Path) -> Path:
    """Restarts the program with mounts and processes of its own, and an empty folder below parent to work in.

    The folder is removed from outside, where nothing is mounted in it: /dev and /proc must not be emptied.
    """
    if INSIDE in os.environ:
        folder = Path(os.environ.pop(INSIDE))
        cover_run(folder / "run")
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="package-", dir=parent))
    folder.chmod(0o755)
    command = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
               "/usr/bin/python3", "-B", *sys.argv]
    try:
        done = subprocess.run(command, env=os.environ | {INSIDE: str(folder)}, preexec_fn=die_with_parent)
        sys.exit(done.returncode)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


def cover_run(layers: Path) -> None:
    """What systemd's tools leave in /run is ours alone; what is there can be seen (the resolver's files)."""
    layers.mkdir()
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "run", layers)
    for name in ("upper", "work"):
        (layers / name).mkdir()
    run("mount", "-t", "overlay", "-o", f"lowerdir=/run,upperdir={layers}/upper,workdir={layers}/work", "run", "/run")


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL


class Failed(Exception):
    pass


class System:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.mounted = False

    @classmethod
    def bootstrap(cls, root: Path) -> "System":
        """From the mirror that debootstrap takes by itself."""
        release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
        root.mkdir(parents=True)
        run("debootstrap", "--variant=minbase", release["VERSION_CODENAME"].strip('"'), root)
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        # Services are not started by packages here.
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        return cls(root)

    def copy(self, root: Path) -> "System":
        run("cp", "-a", self.root, root)
        return System(root)

    def mount(self) -> None:
        if self.mounted:
            return
        dev = self.root / "dev"
        run("mount", "-t", "proc", "proc", self.root / "proc")
        run("mount", "-t", "sysfs", "-o", "ro", "sysfs", self.root / "sys")
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "run", self.root / "run")
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "dev", dev)
        run("cp", "-a", *(f"/dev/{name}" for name in DEVICES), dev)
        for name in ("pts", "shm"):
            (dev / name).mkdir()
        run("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620,gid=5", "devpts", dev / "pts")
        run("mount", "-t", "tmpfs", "-o", "mode=1777", "shm", dev / "shm")
        for name, target in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1",
                             "stderr": "fd/2"}.items():
            (dev / name).symlink_to(target)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        self.mounted = True

    def unmount(self) -> None:
        if self.mounted:
            for name in ("proc", "sys", "run", "dev"):
                run("umount", "--recursive", self.root / name)
            self.mounted = False

    def run(self, *command, answer: str = "", status: int | None = 0) -> str:
        """What the command printed; it must end with that status, or not with 0 when that is None."""
        self.mount()
        return run("chroot", self.root, *command, answer=answer, status=status, env=ENVIRONMENT)

    def install(self, *packages) -> None:
        self.run("apt-get", "update")
        self.run("apt-get", "install", "-y", "--no-install-recommends", *packages)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def write(self, path: str, text: str) -> None:
        (self.root / path.lstrip("/")).write_text(text)

    def describe(self, path: str) -> str:
        """Mode, owner and group, as ls shows them."""
        return self.run("stat", "-c", "%A %U:%G", path).strip()

    def files(self) -> dict[str, str]:
        """Everything but what is volatile, with all that there is to say about it."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            here = os.path.relpath(folder, self.root)
            folders[:] = [name for name in folders if os.path.normpath(f"{here}/{name}") not in VOLATILE]
            for name in folders + names:
                path = Path(folder, name)
                found["/" + os.path.normpath(f"{here}/{name}")] = look(path)
        return found


def look(path: Path) -> str:
    st = path.lstat()
    content = ""
    if stat.S_ISLNK(st.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(st.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{stat.filemode(st.st_mode)} {st.st_uid}:{st.st_gid} {content}"


def run(*command, answer: str = "", status: int | None = 0, **more) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, input=answer, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if (done.returncode == 0) if status is None else (done.returncode != status):
        said = "\n".join(done.stdout.splitlines()[-LINES_MAX:])
        raise Failed(f"{' '.join(words)}\nended with {done.returncode}:\n{said}")
    return done.stdout
