"""Boots a system from clean.py under systemd-nspawn, for as long as a program in it takes."""
from pathlib import Path

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


def probe(system: System, program: Path) -> str:
    """What the program printed, run when everything else had started."""
    system.unmount()
    system.write("/opt/probe", program.read_text())
    (system.root / "opt/probe").chmod(0o755)
    system.write("/etc/systemd/system/probe.service", UNIT)
    wants = system.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "probe.service").symlink_to("../probe.service")
    said = run("timeout", "--kill-after=10", "120", "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
               "--private-network", "--link-journal=no", f"--system-call-filter={CALLS}", "-D", system.root)
    result = system.root / RESULT.lstrip("/")
    return result.read_text().strip() if result.exists() else said
