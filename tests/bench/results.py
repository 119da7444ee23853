"""What a run of the benchmark has found: plain data, which bench writes as JSON and report reads."""
import json
import statistics
from dataclasses import asdict, dataclass, field

ROUND_TRIPS_MS = (0, 10, 50, 150)
CPU_S, WALL_S, GROWTH_KIB, PEAK_KIB, LIBRARIES = range(5)  # of a sample, see host.c


@dataclass
class Entry:
    """A contender."""
    id: str
    name: str
    trust: str  # folder, bundle or empty
    in_host: bool  # a PAM module, not a program

    @property
    def kind(self) -> str:
        return self.id.split("-")[0]


@dataclass
class Held:
    """A resident broker that holds so many sessions."""
    sessions: int
    bytes_each: float
    answers_per_second: float
    cpu_us_each: float


@dataclass
class Spread:
    """Of many samples: the middle, and between what nine tenths of them lie."""
    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        values = sorted(values)
        cut = len(values) // 20
        return cls(values[cut], statistics.median(values), values[-1 - cut])


@dataclass
class Results:
    machine: str
    contenders: list[Entry]
    samples: dict = field(default_factory=dict)   # id -> samples of logins at no distance
    memory: dict = field(default_factory=dict)    # id -> samples of what it adds to the host
    calls: dict = field(default_factory=dict)     # id -> system calls of a login
    far: dict = field(default_factory=dict)       # id -> wall ms at each of ROUND_TRIPS_MS
    parallel: dict = field(default_factory=dict)  # id -> number of hosts -> logins a second, 0: some failed
    users: dict = field(default_factory=dict)     # one-shot or resident -> user blocks -> CPU ms, or None
    held: list[Held] = field(default_factory=list)

    def of(self, id: str, column: int, unit: float = 1) -> Spread:
        return Spread.of([sample[column] * unit for sample in self.samples[id]])

    def adds(self, id: str, column: int) -> float:
        return statistics.median(sample[column] for sample in self.memory[id])

    def cpu_ms(self, id: str) -> float:
        return self.of(id, CPU_S, 1000).median

    def round_trips(self, id: str) -> float:
        """Least squares: by how much wall time grows with the distance is how often it is travelled."""
        return statistics.linear_regression(ROUND_TRIPS_MS, self.far[id]).slope

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "Results":
        found = cls(**json.loads(text))
        found.contenders = [Entry(**entry) for entry in found.contenders]
        found.held = [Held(**held) for held in found.held]
        for table in (found.parallel, found.users):  # JSON's keys are strings
            table.update({name: {int(n): value for n, value in row.items()} for name, row in table.items()})
        return found
