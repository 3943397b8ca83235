"""A thousand people who want a picture now and then: how long they wait, who is refused."""

from collections.abc import Iterator
from typing import Final

from benchmarks import pictures
from benchmarks.result import Bench, Result, percentile
from benchmarks.system import System, running
from benchmarks.visitors import Seen, Visitors

CLIENTS: Final = 1_000
SIZE: Final = (512, 512)
FILES: Final = 200
DEVICE_MS: Final = "5"  #: of one batch
#: Seconds for which everybody looks at a picture before wanting the next -> what we call it.
THINK: Final = {30.0: "30 s apart", 15.0: "15 s apart", 0.0: "without a pause"}
PROMISED: Final = 30.0
WARM: Final = 8.0
SECONDS: Final = 45.0


def clients(bench: Bench) -> Iterator[Result]:
    """A closed loop of a thousand with time to think; and one without, which is an overload."""
    environment = {"IMPASTO_ENGINE__NULL_MS": DEVICE_MS, **bench.environment}
    amount = bench.amount(CLIENTS, least=10)
    with running(bench.directory, null_engine=True, environment=environment) as system:
        files = list(pictures.jpegs(FILES, SIZE))
        for think, name in THINK.items():
            yield from _told(
                bench,
                system,
                Visitors(system.caller, system.style, files, amount, think),
                name,
                think,
            )


def _told(
    bench: Bench, system: System, visitors: Visitors, name: str, think: float
) -> Iterator[Result]:
    with system.census.window() as window:
        seen = visitors.visit(WARM, SECONDS, lambda text: bench.say(f"{name}: {text}"))
    if not seen.ms:
        raise SystemExit(f"nobody got a picture: {dict(seen.errors)}")
    promised = think == PROMISED
    what = f"{bench.amount(CLIENTS, least=10):,} interactive clients, {name}"
    details = {
        **_waits(seen),
        "pictures_per_s": round(len(seen.ms) / seen.seconds, 1),
        "asked_again": seen.polls,
        "errors": dict(seen.errors),
        "cpu_share": {name: round(cpu / window.wall, 3) for name, cpu in window.cpu.items()},
        "client_cpu_share": round(window.client / window.wall, 3),
        "others_share": round(window.others, 3),
    }
    p95 = percentile(seen.ms, 95)
    yield Result(f"{what}, p95", p95, "ms", "<=", 400.0 if promised else None, None, details)
    must = 0.0 if promised else None
    yield Result(f"{what}, errors", seen.errors.total(), "", "<=", must)


def _waits(seen: Seen) -> dict[str, float]:
    return {f"p{share}_ms": round(percentile(seen.ms, share), 1) for share in (50, 95, 99)}
