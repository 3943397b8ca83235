"""
`python -m benchmarks.simulate`: waits, use and cost of fleets that nobody has to buy.

The cost model is fitted to benchmarks/costs.json, which `--measure` writes.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from app.catalog import Catalog
from app.settings import CATALOG, EngineSettings
from benchmarks import machine
from benchmarks.fleet import Device, Fleet, Lane, Rule, Run
from benchmarks.result import Bench, Result
from workers.asks import Shape
from workers.engines import open_engine

COSTS: Final = Path(__file__).with_name("costs.json")
SHAPES: Final[tuple[Shape, ...]] = ((512, 512), (768, 512), (1024, 1024), (1440, 1080))
TENANTS: Final = 24
URGENT: Final = 0.1  #: of the device time, for pictures that somebody waits for
CAMPAIGNS: Final = (50, 500, 5_000, 50_000)  #: pictures; each kind brings as many in all
BURST: Final = 3  #: campaigns that come in the same minute


@dataclass(frozen=True)
class Load:
    """What comes: so many pictures, which keep `devices` busy for a `share` of the time."""

    jobs: int
    devices: int
    share: float
    seed: int = 1

    def arrivals(self, device: Device) -> Iterator[Run]:
        """In the order of time; campaigns come in bursts, single pictures evenly."""
        random, mean = Random(self.seed), sum(map(device.each, SHAPES)) / len(SHAPES)
        horizon = self.jobs * mean / 1000 / (self.devices * self.share)
        runs = [*self._campaigns(random, horizon), *self._singles(random, horizon)]
        return iter(sorted(runs, key=lambda run: run.time))

    def _campaigns(self, random: Random, horizon: float) -> Iterator[Run]:
        left, kinds = round(self.jobs * (1 - URGENT)), [1 / size for size in CAMPAIGNS]
        while left:
            burst = random.uniform(0, horizon)
            for _ in range(BURST):
                [size] = random.choices(CAMPAIGNS, kinds)
                amount = min(size, left)
                if amount:
                    yield self._run(random, burst + random.uniform(0, 60), "campaign", amount)
                left -= amount

    def _singles(self, random: Random, horizon: float) -> Iterator[Run]:
        for _ in range(round(self.jobs * URGENT)):
            yield self._run(random, random.uniform(0, horizon), "interactive", 1)

    def _run(self, random: Random, time: float, lane: Lane, amount: int) -> Run:
        return Run(time, random.randrange(TENANTS), lane, random.choice(SHAPES), amount)


def fitted(measured: Sequence[dict[str, float]]) -> tuple[float, float]:
    """Milliseconds of a call and of a megapixel: least squares of what is relative to each."""
    # Weighted by 1 / ms², so that a call of a second does not decide what a call of 50 ms takes.
    rows = [(row["megapixels"], row["ms"]) for row in measured]
    weights = [1 / ms**2 for _, ms in rows]
    total = sum(weights)
    x = sum(w * mp for w, (mp, _) in zip(weights, rows, strict=True)) / total
    y = sum(w * ms for w, (_, ms) in zip(weights, rows, strict=True)) / total
    spread = sum(w * (mp - x) ** 2 for w, (mp, _) in zip(weights, rows, strict=True))
    both = sum(w * (mp - x) * (ms - y) for w, (mp, ms) in zip(weights, rows, strict=True))
    slope = both / spread
    return max(0.0, y - slope * x), slope


def device(name: str) -> Device:
    """`cpu` is fitted to what was measured; `gpu` is an estimate from the literature."""
    known = json.loads(COSTS.read_text())
    if name == "cpu":
        return Device(*fitted(known["cpu"]["calls"]), pictures=8, pixels=2**17, sticky=1)
    its = known["gpu"]
    return Device(its["start_ms"], its["ms_per_megapixel"], pictures=8, pixels=2**22, sticky=4)


def rules(devices: int, target: float, cold: float) -> list[Rule]:
    """A fleet that stays, a smaller one, and some that follow the backlog."""
    least = max(1, devices // 4)
    followed = (target / 4, target, 4 * target)
    return [
        Rule("fixed", devices, devices),
        Rule("fixed, half", max(1, devices // 2), max(1, devices // 2)),
        *(Rule(f"backlog / {goal:.0f} s", least, devices, goal, cold) for goal in followed),
    ]


def measure() -> dict[str, Any]:
    """What the stylizer takes here, by megapixels of a call: medians of five."""
    chosen, catalog = EngineSettings(), Catalog(CATALOG)
    engine, random = open_engine(chosen, catalog), np.random.default_rng(1)
    style = np.zeros((1, catalog.stylizer(chosen.stylizer).embedding_size), np.float32)
    calls = []
    for height, width, amount in (
        (256, 256, 1),
        (256, 256, 2),
        *((h, w, 1) for h, w, *_ in SHAPES),
    ):
        content = random.integers(0, 255, (amount, height, width, 3), np.uint8)
        given = np.repeat(style, amount, 0), np.ones(amount, np.float32)
        engine.stylize(content, *given)
        times = []
        for _ in range(5):
            start = perf_counter()
            engine.stylize(content, *given)
            times.append(1000 * (perf_counter() - start))
        megapixels = amount * height * width / 1e6
        calls.append({"megapixels": round(megapixels, 4), "ms": round(median(times), 1)})
    engine.close()
    return {"machine": machine.describe(), "stylizer": chosen.stylizer, "calls": calls}


def play(load: Load, device: Device, rule: Rule) -> tuple[Fleet, float]:
    """One fleet to its end, and the CPU seconds that took us."""
    start, fleet = process_time(), Fleet(device, rule)
    fleet.run(load.arrivals(device))
    return fleet, process_time() - start


def simulate(bench: Bench) -> Iterator[Result]:
    """A small fleet of CPUs, as a number that should not move."""
    load, its = Load(bench.amount(100_000, 5_000), 8, 0.7), device("cpu")
    fleet, took = play(load, its, Rule("fixed", load.devices, load.devices))
    wait = fleet.waits["interactive"].percentile(95)
    yield Result("simulated wait of interactive work, p95, 8 CPU devices at 70 %", wait, "s")
    yield Result("simulated pictures a CPU second", fleet.drawn / took, "/s", ">=")


def table(load: Load, its: Device, rules: Sequence[Rule]) -> Table:
    """A line a rule."""
    names = ("rule", "interactive p50, p95, p99", "campaigns p50, p95, p99", "in use", "most")
    shown = Table(*names, "device-hours", "of a million", "CPU s")
    for rule in rules:
        fleet, took = play(load, its, rule)
        waits = [
            ", ".join(_time(fleet.waits[lane].percentile(percent)) for percent in (50, 95, 99))
            for lane in ("interactive", "campaign")
        ]
        hours = fleet.up_seconds / 3600
        cost = f"{hours:,.1f}", f"{hours / fleet.drawn * 1e6:,.0f}", f"{took:.1f}"
        shown.add_row(rule.name, *waits, f"{fleet.utilisation:.0%}", str(fleet.most), *cost)
    return shown


def main() -> int:
    """Print the table, or measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--devices", type=int, default=16, help="1 to 256")
    parser.add_argument("--share", type=float, default=0.6, help="of their time that work is for")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--target", type=float, default=120.0, help="seconds to drain a backlog in")
    parser.add_argument("--cold", type=float, default=60.0, help="seconds until a device works")
    parser.add_argument("--measure", action="store_true", help="write what this CPU takes")
    given = parser.parse_args()
    if given.measure:
        known = json.loads(COSTS.read_text())
        COSTS.write_text(json.dumps(known | {"cpu": measure()}, indent=2) + "\n")
        return 0
    load = Load(given.jobs, given.devices, given.share)
    its = rules(given.devices, given.target, given.cold)
    Console(width=150).print(table(load, device(given.device), its))
    return 0


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2g} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    sys.exit(main())
