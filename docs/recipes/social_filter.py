"""Filters of an app, asked for by many people at once: read social_filter.md beside this."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Final
from uuid import uuid4

from kit import console, cook, facts
from rich.table import Table

from impasto.client import Impasto, Job
from impasto.sheet import Shown, contact_sheet

FILTERS: Final = ("starry-night", "udnie")
FANS: Final = 8  #: how often each picture is asked for in each filter
PHONES: Final = 4  #: at once


@dataclass(frozen=True)
class Tap:
    """On a filter; a phone that lost its connection sends it again under the same key."""

    picture: Path
    filter: str
    key: str


@dataclass(frozen=True)
class Answer:
    """What a tap brought, and how long that took."""

    job: Job
    seconds: float


def serve(impasto: Impasto, pictures: list[Path], out: Path) -> None:
    """Everybody taps, in any order; then some phones ask again for what they did not get."""
    wanted = list(product(pictures, FILTERS)) * FANS
    Random(7).shuffle(wanted)
    taps = [Tap(picture, look, f"tap-{uuid4()}") for picture, look in wanted]
    with ThreadPoolExecutor(PHONES) as phones:
        answers = list(phones.map(lambda one: draw(impasto, one), taps))
        again = list(phones.map(lambda one: draw(impasto, one), taps[:FANS]))
    drawn = [one for one in answers if one.job.rendered_by is None]
    there = [one for one in answers if one.job.rendered_by is not None]
    console.print(compared({"drawn now": drawn, "there already": there}))
    same = [one.job.id == other.job.id for one, other in zip(answers, again, strict=False)]
    today = impasto.cache(days=1)
    facts(
        "Cache",
        {
            "hits here": f"{len(there)} of {len(answers)}, {len(there) / len(answers):.1%}",
            "hits today": f"{today.cached} of {today.succeeded}",
            "sent twice, done once": f"{sum(same)} of {len(same)}",
        },
    )
    jobs = {(tap.picture, tap.filter): one.job for tap, one in zip(taps, answers, strict=True)}
    rows: list[list[Shown]] = [
        [("photograph", picture), *((look, jobs[picture, look].content()) for look in FILTERS)]
        for picture in pictures
    ]
    contact_sheet(rows, out / "sheet.jpg", side=180)
    console.print(f"look at {out / 'sheet.jpg'}")


def draw(impasto: Impasto, tap: Tap) -> Answer:
    """The finished picture in one call; a photograph's bytes travel only the first time."""
    begun = perf_counter()
    job = impasto.jobs.create(
        style=tap.filter,
        file=tap.picture,
        output={"format": "jpeg", "size": 320},
        wait=10,
        idempotency_key=tap.key,
    )
    if job.finished_at is None:
        job = job.wait(timeout=60)
    return Answer(job, perf_counter() - begun)


def compared(answers: dict[str, list[Answer]]) -> Table:
    """How many there were of each kind, what they cost, and how long people waited."""
    table = Table("", "answers", "cost", "half within", "95 % within")
    for kind, some in answers.items():
        cost = sum(one.job.cost.micros for one in some if one.job.cost)
        ordered = sorted(one.seconds for one in some)
        waits = (ordered[int(share * len(ordered))] * 1000 for share in (0.5, 0.95) if ordered)
        table.add_row(kind, str(len(some)), f"{cost / 1e6:.6f}", *(f"{ms:.0f} ms" for ms in waits))
    return table


if __name__ == "__main__":
    cook(serve, "social_filter")
