"""Boots a system from clean.py under systemd-nspawn, for as long as a program in it takes."""
import contextlib
import os
from pathlib import Path
from typing import Iterator

from clean import System, run

RESULT = "/opt/probe.out"
UNIT = f"""[Unit]
After=multi-user.target
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
ExecStart=/opt/probe
StandardOutput=file:{RESULT}
StandardError=inherit
"""
# What nspawn of Debian 12 does not let a container do, and the broker does.
CALLS = "@memlock landlock_create_ruleset landlock_add_rule landlock_restrict_self"


@contextlib.contextmanager
def control_groups() -> Iterator[list[Path]]:
    """Empty ones for systemd to work in, below those of this process. nspawn wants the same name in both trees."""
    name = f"ibmiam-{os.urandom(4).hex()}"
    top = Path("/sys/fs/cgroup")
    tree = {"": top / "unified" if (top / "unified").exists() else top, "name=systemd": top / "systemd"}
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    made = [tree[kind] / path.lstrip("/") / name for _, kind, path in lines if kind in tree]
    for folder in made:
        folder.mkdir()
    try:
        yield made
    finally:
        for folder in made:
            for found, _, _ in os.walk(folder, topdown=False):
                os.rmdir(found)


def probe(system: System, program: Path) -> str:
    """What the program printed, run when everything else had started."""
    system.unmount()
    system.write("/opt/probe", program.read_text())
    (system.root / "opt/probe").chmod(0o755)
    system.write("/etc/systemd/system/probe.service", UNIT)
    wants = system.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "probe.service").symlink_to("../probe.service")
    with control_groups() as groups:
        def enter() -> None:
            for group in groups:
                (group / "cgroup.procs").write_text("0")
        said = run("timeout", "--kill-after=10", "120", "systemd-nspawn", "--quiet", "--boot", "--register=no",
                   "--keep-unit", "--private-network", "--link-journal=no", f"--system-call-filter={CALLS}",
                   "-D", system.root, preexec_fn=enter)
    result = system.root / RESULT.lstrip("/")
    return result.read_text().strip() if result.exists() else said
