"""The results as Markdown, which is also what is printed; and whether the targets are met."""
import platform
import statistics
from dataclasses import dataclass, field

from measure import CPU_S, GROWTH_KIB, LIBRARIES, PEAK_KIB, ROUND_TRIPS_MS, WALL_S, Held, Spread, slope


@dataclass
class Results:
    contenders: list
    samples: dict = field(default_factory=dict)   # id -> samples of logins at no distance
    calls: dict = field(default_factory=dict)     # id -> system calls of a login
    far: dict = field(default_factory=dict)       # id -> wall ms at each of ROUND_TRIPS_MS
    parallel: dict = field(default_factory=dict)  # id -> number of hosts -> logins a second
    users: dict = field(default_factory=dict)     # one-shot or resident -> user blocks -> CPU ms, or a reason
    held: list[Held] = field(default_factory=list)

    def of(self, id: str, column: int, unit: float = 1) -> Spread:
        return Spread.of([sample[column] * unit for sample in self.samples[id]])

    def cpu_ms(self, id: str) -> float:
        return self.of(id, CPU_S, 1000).median

    def round_trips(self, id: str) -> float:
        return slope(self.far[id])


def table(head: list[str], rows: list[list]) -> str:
    """Aligned, so that it can be read as it stands."""
    cells = [head, *([str(cell) for cell in row] for row in rows)]
    width = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [" | ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, width)))
             for row in cells]
    rule = "|".join(("-" * (w + 1) + "-") if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(width))
    return "\n".join(f"| {line} |" for line in lines[:1]) + f"\n|{rule}|\n" + "".join(f"| {x} |\n" for x in lines[1:])


def spread(s: Spread) -> str:
    return f"{s.low:.1f}-{s.high:.1f}"


def costs(r: Results) -> str:
    rows = []
    for c in r.contenders:
        cpu, wall = r.of(c.id, CPU_S, 1000), r.of(c.id, WALL_S, 1000)
        floor = r.cpu_ms(f"tlsclient-{c.trust or 'folder'}")
        rows.append([c.name, c.trust, f"{cpu.median:.2f}", spread(cpu), f"{cpu.median / floor:.2f}",
                     f"{wall.median:.2f}", spread(wall)])
    return table(["a login", "CAs", "CPU ms", "90% in", "ratio", "wall ms", "90% in"], rows)


def hosts(r: Results) -> str:
    rows = []
    for c in (c for c in r.contenders if c.id in r.calls):
        in_host = c.command("near")[0] != "-x"
        memory = [f"{r.of(c.id, column).median:.0f}" if in_host else "" for column in (LIBRARIES, GROWTH_KIB, PEAK_KIB)]
        rows.append([c.name, *memory, f"{r.calls[c.id]:.0f}"])
    return table(["CA folder", "libraries more", "memory more, KiB", "peak, KiB", "system calls"], rows)


def distance(r: Results) -> str:
    rows = [[c.name, *(f"{ms:.1f}" for ms in r.far[c.id]), f"{r.round_trips(c.id):.2f}"]
            for c in r.contenders if c.id in r.far]
    return table(["CA folder", *(f"{ms} ms" for ms in ROUND_TRIPS_MS), "round trips"], rows)


def parallel(r: Results) -> str:
    numbers = list(next(iter(r.parallel.values())))
    rows = [[c.name, *(f"{r.parallel[c.id][n]:.0f}" if r.parallel[c.id][n] else "failed" for n in numbers)]
            for c in r.contenders if c.id in r.parallel]
    return table(["CA folder", *(f"{n} at once" for n in numbers)], rows)


def users(r: Results) -> str:
    numbers = list(next(iter(r.users.values())))
    rows = [[kind, *(f"{x:.2f}" if isinstance(x, float) else x for x in found.values())]
            for kind, found in r.users.items()]
    return table(["CPU ms of a login", *(f"{n:,} blocks" for n in numbers)], rows)


def sessions(r: Results) -> str:
    rows = [[f"{h.sessions:,}", f"{h.bytes_each:,.0f}", f"{h.answers_per_second:,.0f}", f"{h.cpu_us_each:.1f}"]
            for h in r.held]
    return table(["sessions held", "bytes each", "token answers a second", "broker's CPU µs each"], rows)


def targets(r: Results) -> str:
    """Name, limit, found; all are "at most"."""
    rows = [
        ["one-shot CPU / libcurl in the host, each by default (folder, bundle)", 0.5,
         r.cpu_ms("oneshot-folder") / r.cpu_ms("inprocess-bundle")],
        ["one-shot CPU / bare TLS client, folder", 1.5, r.cpu_ms("oneshot-folder") / r.cpu_ms("tlsclient-folder")],
        ["one-shot CPU / bare TLS client, bundle", 1.5, r.cpu_ms("oneshot-bundle") / r.cpu_ms("tlsclient-bundle")],
        ["host's memory: KiB more than pam_permit", 200,
         r.of("oneshot-folder", GROWTH_KIB).median - r.of("permit", GROWTH_KIB).median],
    ]
    if "warm-folder" in r.far:
        rows += [["resident, warm: round trips", 1.05, r.round_trips("warm-folder")],
                 ["resident, warm: ms of wall time beyond one round trip", 1.0,
                  statistics.median(wall - ms for wall, ms in zip(r.far["warm-folder"], ROUND_TRIPS_MS))]]
    if "resident" in r.users and all(isinstance(x, float) for x in r.users["resident"].values()):
        few, *_, many = r.users["resident"].values()
        rows.append(["resident: CPU with the most user blocks / with the fewest", 1.1, many / few])
    return table(["target", "at most", "found", ""], [[name, limit, f"{x:.2f}", "pass" if x <= limit else "MISS"]
                                                      for name, limit, x in rows])


def markdown(r: Results) -> str:
    number = len(next(iter(r.samples.values())))
    parts = [
        ("Benchmarks", f"Made by `make bench`: Linux {platform.release().split('-')[0]}, {platform.machine()}, "
         f"{number} logins each, in turns. nginx on loopback gives a static answer (HTTP/2 where it is asked for). "
         "CPU is that of all processes but nginx. The ratio is to the bare TLS client with the same CAs. Absolute "
         "times say little: compare within a table.\n"),
        ("A login", costs(r)),
        ("What the host sees", hosts(r)),
        ("Wall time in ms at a distance from IAM", distance(r)),
        ("Logins a second (nginx has its share of the same processors)", parallel(r)),
        ("With many users in the configuration", users(r)),
        *([("Resident: what it holds", sessions(r))] if r.held else []),
        ("Targets", targets(r)),
    ]
    return "\n".join(f"{'#' if i == 0 else '##'} {title}\n{text}" for i, (title, text) in enumerate(parts))
