"""Campaigns whose pictures were drawn before: how fast they are done, and that nothing is drawn."""

import json
from collections.abc import Iterator, Sequence
from statistics import median
from time import perf_counter, sleep
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import text

from benchmarks import pictures
from benchmarks.caller import POLL
from benchmarks.result import Bench, Result, Round, medians, quiet
from benchmarks.system import System, running

ITEMS: Final = 10_000
REQUEST: Final = 1_000  #: items of one request
ROUNDS: Final = 3
TWINS: Final = 1_000  #: equal items in each of two campaigns at once
COPIES: Final = 2_000  #: of one picture that nobody has drawn yet
SPARE: Final = 50  #: small pictures that differ may be equal as JPEG
LOOKS: Final = 20  #: at the ratio


def cached(bench: Bench) -> Iterator[Result]:
    """One campaign is drawn, then the same again and again; every count is looked at."""
    amount = bench.amount(ITEMS, least=REQUEST)
    # What marking adds is measured by itself, and would only make the first drawing slow.
    environment = {"IMPASTO_CACHE": "true", "IMPASTO_MARKING__ENABLED": "false"}
    environment |= bench.environment
    with running(bench.directory, null_engine=True, environment=environment) as system:
        bench.say(f"uploading {amount} pictures")
        files = dict.fromkeys(pictures.jpegs(amount + SPARE, (64, 64)))
        uploads = system.caller.upload_all(list(files)[:amount])
        bench.say("drawing them once")
        first = _drawn(system, uploads)
        manifests = [_again(bench, system, uploads) for _ in range(ROUNDS)]
        requests = [_requests(bench, system, uploads) for _ in range(ROUNDS)]
        reviewed = _again(bench, system, uploads[: amount // 2], review="all")
        twins = _twins(bench, system, uploads[: bench.amount(TWINS, least=100)])
        copies = _copies(bench, system, uploads[0], bench.amount(COPIES, least=100))
        look = _looks(system)
    details = {"items": amount, "drawn_first": first}
    yield _rate("a cached campaign, a manifest", manifests, details, aim=2_000)
    yield _rate("the same in requests of 1,000 items", requests, {}, aim=2_000)
    yield _rate("cached pictures until all wait for a reviewer", [reviewed], {})
    yield _rate("two campaigns of equal pictures at once", [twins], {})
    yield _rate("copies of one picture that was not drawn yet", [copies], {})
    yield Result("GET /v1/cache, p50", 1000 * look, "ms")


def _rate(what: str, rounds: Sequence[Round], details: Round, aim: float | None = None) -> Result:
    chosen = quiet(rounds, least=1)
    about = {
        **details,
        "rates": [round(one["rate"]) for one in rounds],
        "others_share": [round(one["others"], 3) for one in rounds],
        "cpu_ms_per_item": medians([one["cpu"] for one in chosen]),
    }
    about |= {"accepted_s": [round(one["accepted"], 2) for one in rounds]}
    return Result(what, median(one["rate"] for one in chosen), "items/s", ">=", None, aim, about)


def _drawn(system: System, uploads: Sequence[str]) -> dict[str, float]:
    start = perf_counter()
    [campaign] = system.caller.finish([_manifest(system, uploads)])
    counts = campaign["counts"]
    assert counts["cached"] == 0, counts
    seconds = perf_counter() - start
    return {"items_per_s": round(len(uploads) / seconds), "jobs": counts["succeeded"]}


def _again(bench: Bench, system: System, uploads: Sequence[str], **options: Any) -> Round:
    """The same pictures by one manifest."""
    drawn = _inferences(system)
    with system.census.window() as window:
        start = perf_counter()
        place = _manifest(system, uploads, **options)
        accepted = perf_counter() - start
        campaigns = [_over(system, place, "in_review" if options else "succeeded")]
        seconds = perf_counter() - start
    if not options:
        _check(system, campaigns, len(uploads), drawn)
    assert _inferences(system) == drawn
    return _round(bench, window, len(uploads), accepted, seconds)


def _requests(bench: Bench, system: System, uploads: Sequence[str]) -> Round:
    """The same pictures, a request for each thousand of them."""
    drawn = _inferences(system)
    with system.census.window() as window:
        start = perf_counter()
        places = [
            system.caller.campaign(uploads[first : first + REQUEST], system.style)
            for first in range(0, len(uploads), REQUEST)
        ]
        accepted = perf_counter() - start
        campaigns = system.caller.finish(places)
        seconds = perf_counter() - start
    _check(system, campaigns, len(uploads), drawn)
    return _round(bench, window, len(uploads), accepted, seconds)


def _twins(bench: Bench, system: System, uploads: Sequence[str]) -> Round:
    """Two campaigns of the same new pictures, begun in the same moment: each is drawn once."""
    drawn = _inferences(system)
    with system.census.window() as window:
        start = perf_counter()
        with system.standing_still():
            places = [_manifest(system, uploads, output={"quality": 71}) for _ in range(2)]
            accepted = perf_counter() - start
        campaigns = system.caller.finish(places)
        seconds = perf_counter() - start
    _check(system, campaigns, len(uploads), drawn + len(uploads))
    return _round(bench, window, 2 * len(uploads), accepted, seconds)


def _copies(bench: Bench, system: System, upload: str, amount: int) -> Round:
    """One picture many times in one campaign, before anybody drew it so."""
    drawn = _inferences(system)
    with system.census.window() as window:
        start = perf_counter()
        place = _manifest(system, [upload] * amount, output={"quality": 72})
        accepted = perf_counter() - start
        campaigns = system.caller.finish([place])
        seconds = perf_counter() - start
    _check(system, campaigns, amount - 1, drawn + 1)
    return _round(bench, window, amount, accepted, seconds)


def _round(bench: Bench, window: Any, amount: int, accepted: float, seconds: float) -> Round:
    bench.say(f"{amount / seconds:.0f} items a second")
    cpu = {name: 1000 * spent / amount for name, spent in window.cpu.items()}
    others = window.others
    return {"rate": amount / seconds, "accepted": accepted, "cpu": cpu, "others": others}


def _manifest(system: System, uploads: Sequence[str], **options: Any) -> str:
    lines = (
        f'{{"custom_id": "{n}", "input": {{"upload_id": "{one}"}}}}\n'
        for n, one in enumerate(uploads)
    )
    about = {"name": "cached", "style": system.style, **options}
    query = urlencode({"options": json.dumps(about)})
    sent = {"Content_Type": "application/x-ndjson"}
    body = "".join(lines).encode()
    _, content = system.caller.send("POST", f"/v1/campaigns?{query}", body, **sent)
    return str(json.loads(content)["id"])


def _over(system: System, campaign_id: str, status: str) -> dict[str, Any]:
    """Once all of a campaign's jobs are in that status."""
    while True:
        campaign = system.caller.get(f"/v1/campaigns/{campaign_id}")
        if campaign["counts"][status] == campaign["counts"]["total"]:
            return campaign
        sleep(POLL)


def _check(system: System, campaigns: Sequence[dict[str, Any]], hits: int, inferences: int) -> None:
    """So many were there already and cost nothing, and so many were drawn since the start."""
    ids = [campaign["id"] for campaign in campaigns]
    free = text("""
        SELECT count(*) FILTER (WHERE rendered_by IS NOT NULL AND cost_micros = 0) AS free,
            count(*) FILTER (WHERE status = 'succeeded') AS succeeded, count(*) AS jobs,
            (SELECT coalesce(sum(amount_micros), 0) FROM ledger WHERE job_id IN (
                SELECT id FROM jobs WHERE campaign_id = ANY(CAST(:ids AS uuid[]))
                    AND rendered_by IS NOT NULL)) AS charged
        FROM jobs WHERE campaign_id = ANY(CAST(:ids AS uuid[]))
    """)
    with system.sessions() as session:
        row = session.execute(free, {"ids": ids}).one()
    counted = sum(campaign["counts"]["cached"] for campaign in campaigns)
    assert (row.free, counted, row.charged) == (hits, hits, 0), (row, counted)
    assert row.succeeded == row.jobs == sum(one["counts"]["succeeded"] for one in campaigns)
    assert _inferences(system) == inferences


def _inferences(system: System) -> int:
    with system.sessions() as session:
        return int(session.scalar(text("SELECT count(*) FROM inferences")) or 0)


def _looks(system: System) -> float:
    """Seconds of one look at the ratio."""
    taken = []
    for _ in range(LOOKS):
        start = perf_counter()
        system.caller.get("/v1/cache")
        taken.append(perf_counter() - start)
    return median(taken)
