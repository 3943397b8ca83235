"""`python -m benchmarks`: measure, print a table, exit 1 where a must is missed."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.accept import accept
from benchmarks.cached import cached
from benchmarks.clients import clients
from benchmarks.interactive import interactive
from benchmarks.large import large
from benchmarks.marking import marking
from benchmarks.memory import memory
from benchmarks.overhead import overhead
from benchmarks.result import Bench, Benchmark, Result
from benchmarks.scale import scale
from benchmarks.simulate import simulate
from benchmarks.throughput import throughput
from benchmarks.watching import watching
from benchmarks.webhooks import webhooks

BENCHMARKS: Final[dict[str, Benchmark]] = {
    "overhead": overhead,
    "throughput": throughput,
    "accept": accept,
    "cached": cached,
    "interactive": interactive,
    "clients": clients,
    "watching": watching,
    "memory": memory,
    "large": large,
    "webhooks": webhooks,
    "marking": marking,
    "scale": scale,
    "simulate": simulate,
}


def main() -> int:
    """Run what was named, or everything."""
    given = _arguments()
    console = Console(stderr=True, highlight=False)
    facts = machine.describe()
    console.print(_line(facts))
    results: list[Result] = []
    facts["yardstick_ms"] = {}
    given.data.mkdir(parents=True, exist_ok=True)
    # Removed at the end only: see `system.running`.
    with machine.paused(given.pause), TemporaryDirectory(dir=given.data) as directory:
        facts["others_at_start"] = round(_settle(given.patience, console), 3)
        for name in given.names or BENCHMARKS:
            facts["yardstick_ms"][name] = round(machine.yardstick(), 2)
            results += _run(name, given, directory, console)
    show(results)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        report = {"machine": facts, "results": [_plain(result) for result in results]}
        given.json.write_text(json.dumps(report, indent=2) + "\n")
    return int(any(result.verdict == "MISSED" for result in results))


def show(results: list[Result]) -> None:
    """The table."""
    table = Table("what", "must", "aim", "measured", "reached")
    for result in results:
        bounds = [f"{result.way} {b:g}" if b is not None else "" for b in (result.must, result.aim)]
        table.add_row(result.what, *bounds, f"{result.value:.4g} {result.unit}", result.verdict)
    Console().print(table)


def _name(text: str) -> str:
    """Not `choices`: before Python 3.12 they refuse that nothing is named."""
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"no {text!r}, only {', '.join(BENCHMARKS)}")
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", type=_name, metavar="NAME", help=f"{', '.join(BENCHMARKS)}; or all"
    )
    parser.add_argument("--json", type=Path, help="also write everything that was measured there")
    parser.add_argument(
        "--data", type=Path, default=Path("var/bench"), help="where the systems live meanwhile"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the work")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an environment variable of the system, such as IMPASTO_ENGINE__MAX_BATCH=4",
    )
    parser.add_argument(
        "--pause",
        action="append",
        default=[],
        type=int,
        metavar="PID",
        help="a process of yours that stands still meanwhile",
    )
    parser.add_argument(
        "--patience", type=float, default=30.0, help="seconds to wait for a quiet machine"
    )
    return parser.parse_args()


def _run(name: str, given: argparse.Namespace, directory: str, console: Console) -> list[Result]:
    start = monotonic()
    with console.status(name) as status:
        bench = Bench(
            directory=directory,
            environment=dict(one.split("=", 1) for one in given.set),
            say=lambda text: status.update(f"{name}: {text}"),
            scale=given.scale,
        )
        results = list(BENCHMARKS[name](bench))
    console.print(f"{name}: {monotonic() - start:.0f} s")
    for result in results:
        console.print(f"  {result.what}: {result.value:.4g} {result.unit} {result.verdict}")
    return results


def _settle(patience: float, console: Console) -> float:
    share = machine.wait_until_quiet(patience)
    if share > machine.BUSY:
        console.print(
            f"[bold red]Others use {share:.0%} of this machine: these numbers will be worse than "
            "they need be.[/]"
        )
    return share


def _line(facts: dict[str, Any]) -> str:
    load = ", ".join(f"{one:.2f}" for one in facts["load_at_start"])
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['cores']} cores of {facts['cpu']}, {facts['memory_gb']} GB, {facts['system']}, "
        f"Python {facts['python']}, {versions}; load {load}"
    )


def _plain(result: Result) -> dict[str, Any]:
    return {**asdict(result), "value": round(result.value, 4), "reached": result.verdict}


if __name__ == "__main__":
    sys.exit(main())
