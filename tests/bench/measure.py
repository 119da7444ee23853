"""What is measured of a contender. Each function gives values, none prints."""
import re
import signal
import statistics
import subprocess
import time
from pathlib import Path

import machine as m
from contenders import BENCH, KEY, USER, Broker, ask_one_shot, ask_resident, configuration, run_host
from results import CPU_S, ROUND_TRIPS_MS, WALL_S, Held, Spread
from sandbox import die_with_parent


def in_turns(contenders: list, rounds: int, count: int) -> dict[str, list[list[float]]]:
    """`count` logins each, `rounds` times, so that the machine's mood hits all alike."""
    found = {c.id: [] for c in contenders}
    for _ in range(rounds):
        for contender in contenders:
            found[contender.id] += contender.samples("near", count)
    return found


def over_distance(contenders: list, server, rounds: int) -> dict[str, list[float]]:
    """Wall time in ms at each of ROUND_TRIPS_MS."""
    walls = {c.id: {ms: [] for ms in ROUND_TRIPS_MS} for c in contenders}
    for _ in range(rounds):
        for ms in ROUND_TRIPS_MS:
            server.distance(ms)
            for contender in contenders:
                walls[contender.id][ms] += [sample[WALL_S] * 1000 for sample in contender.samples("far", 1)]
    return {id: [statistics.median(found) for found in at.values()] for id, at in walls.items()}


def per_second(contender, parallel: int, seconds: float) -> float:
    """Logins, by so many hosts at once."""
    options = ["-s", str(seconds), "-w", str(contender.warm_ups)]
    hosts = [subprocess.Popen([BENCH / "host", *options, *contender.command("near")], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) for _ in range(parallel)]
    for host in hosts:
        host.stdin.write(KEY)
        host.stdin.close()
    return sum(int(host.stdout.read() or 0) for host in hosts) / seconds * (not any(h.wait() for h in hosts))


def system_calls(contender, folder: Path) -> float:
    """One login's, over all processes: what ten more logins add."""
    return (count_calls(contender, 11, folder) - count_calls(contender, 1, folder)) / 10


def count_calls(contender, logins: int, folder: Path) -> int:
    watchers = [subprocess.Popen(["strace", "-f", "-q", "-c", "-o", folder / f"calls-{pid}", "-p", str(pid)],
                                 stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
                for pid in contender.pids("near")]
    for pid in contender.pids("near"):
        m.until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text(), "strace is attached")
    subprocess.run(["strace", "-f", "-q", "-c", "-o", folder / "calls", BENCH / "host", "-n", str(logins),
                    *contender.command("near")], input=KEY, text=True, capture_output=True, check=True)
    for watcher in watchers:
        watcher.send_signal(signal.SIGINT)
        watcher.wait(m.TIMEOUT_S)
    files = [folder / "calls", *(folder / f"calls-{pid}" for pid in contender.pids("near"))]
    return sum(int(re.search(r"\s(\d+)\s+(?:\d+\s+)?total$", file.read_text(), re.M)[1]) for file in files)


def with_users(kind: str, users: int, port: int, count: int) -> float | None:
    """The CPU time of a login in ms, with so many user blocks; None: there was none in time."""
    name = f"users-{kind}-{users}"
    config = configuration(name, "folder", port, users)
    broker = Broker(config) if kind == "resident" else None
    (ask_resident if broker else ask_one_shot)(name, config)
    options = ["-p", str(broker.process.pid)] if broker else []
    try:
        samples = run_host([*options, "-n", str(count), "-w", "1"], [name, USER])
        return Spread.of([sample[CPU_S] * 1000 for sample in samples]).median
    except RuntimeError:
        return None
    finally:
        if broker:
            broker.stop()


def cpu_s(pid: int) -> float:
    """Of a whole process, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def resident_kib(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def held(sessions: int, port: int, seconds: float) -> Held:
    broker = Broker(configuration(f"held-{sessions}", "folder", port))
    try:
        with Sessions(broker, 1):
            before_kib = resident_kib(broker.process.pid)
            with Sessions(broker, sessions) as made:
                grown = resident_kib(broker.process.pid) - before_kib
                return Held(made.number, grown * 1024 / max(made.number, 1), *made.ask(seconds))
    finally:
        broker.stop()


class Sessions:
    """So many, made by a process that holds them."""

    def __init__(self, broker: Broker, number: int) -> None:
        self.broker = broker
        command = [BENCH / "sessions", broker.socket, "make", USER, str(m.USERS[USER]), str(number)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        self.process.stdin.write(KEY + "\n")
        self.process.stdin.flush()
        number, self.handle = self.process.stdout.readline().rstrip("\n").split(" ")
        self.number = int(number)

    def __enter__(self) -> "Sessions":
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait(m.TIMEOUT_S)

    def ask(self, seconds: float) -> tuple[float, float]:
        """Token answers a second, and what each costs the broker in µs of CPU."""
        pid, command = self.broker.process.pid, [BENCH / "sessions", self.broker.socket, "ask", str(seconds)]
        before = cpu_s(pid)
        done = subprocess.run([*command, self.handle], capture_output=True, text=True, check=True)
        answers = int(done.stdout)
        return answers / seconds, (cpu_s(pid) - before) * 1e6 / max(answers, 1)
