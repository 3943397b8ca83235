"""Whether the service keeps its engine busy: a campaign against the bare network in a loop."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from sqlalchemy import bindparam, text

from app.catalog import Catalog
from app.settings import Settings
from benchmarks import pictures
from benchmarks.machine import BUSY
from benchmarks.result import Bench, Result, Round, medians, quiet
from benchmarks.system import System, running

PICTURES: Final = 96
ROUNDS: Final = 3  #: undisturbed ones
MOST_ROUNDS: Final = 5
SIDE: Final = 512
BATCHES: Final = (1, 2, 4, 8)
PROBE: Final = 16  #: pictures by which a setting is judged


@dataclass(frozen=True)
class Setting:
    """How a bare session is run."""

    batch: int
    spinning: bool
    threads: int

    def __str__(self) -> str:
        spin = "spinning" if self.spinning else "no spinning"
        return f"batch {self.batch}, {self.threads} threads, {spin}"


class Loop:
    """The network and nothing else: same model, same cores, arrays that are there already."""

    def __init__(self, settings: Settings, content: NDArray[np.uint8]) -> None:
        self._model = Catalog(settings.catalog).model(settings.engine.stylizer)
        card = Catalog(settings.catalog).stylizer(settings.engine.stylizer)
        rng = np.random.default_rng(0)
        self._styles = rng.random((len(content), card.embedding_size), np.float32)
        self._content = content
        self._sessions: dict[tuple[bool, int], ort.InferenceSession] = {}

    def rate(self, setting: Setting, amount: int) -> float:
        """Pictures a second over `amount` pictures, after one call to warm up."""
        session = self._session(setting)
        feeds = [self._feed(start, setting.batch) for start in range(0, amount, setting.batch)]
        session.run(None, feeds[0])
        start = perf_counter()
        for feed in feeds:
            session.run(None, feed)
        return sum(len(feed["content"]) for feed in feeds) / (perf_counter() - start)

    def _feed(self, start: int, batch: int) -> dict[str, Any]:
        rows = np.arange(start, start + batch) % len(self._content)
        content = np.ascontiguousarray(self._content[rows])
        strength = np.ones(batch, np.float32)
        return {"content": content, "style": self._styles[rows], "strength": strength}

    def _session(self, setting: Setting) -> ort.InferenceSession:
        key = (setting.spinning, setting.threads)
        if key not in self._sessions:
            options = ort.SessionOptions()
            options.intra_op_num_threads = setting.threads
            options.inter_op_num_threads = 1
            options.enable_mem_pattern = False
            spin = str(int(setting.spinning))
            options.add_session_config_entry("session.intra_op.allow_spinning", spin)
            providers = ["CPUExecutionProvider"]
            self._sessions[key] = ort.InferenceSession(self._model, options, providers=providers)
        return self._sessions[key]


def throughput(bench: Bench) -> Iterator[Result]:
    """Service, bare loop, service, bare loop ...: medians of each, on the same cores."""
    settings = Settings(_env_file=None)
    amount = bench.amount(PICTURES, least=32)
    files = list(pictures.jpegs(amount, (SIDE, SIDE)))
    content = np.stack([np.asarray(one) for one in pictures.distinct(BATCHES[-1], (SIDE, SIDE))])
    loop = Loop(settings, content)
    threads = settings.engine.threads or len(os.sched_getaffinity(0))
    environment = bench.environment
    with running(bench.directory, null_engine=False, environment=environment) as system:
        uploads = system.caller.upload_all(files)
        styles = system.caller.styles()
        _served(system, uploads[:16], styles)  # warm
        first = _served(system, uploads, styles)
        same = Setting(round(first["batch"]), False, threads)
        grid = _grid(bench, loop, threads)
        best = max(grid, key=lambda setting: grid[setting])
        rounds: list[Round] = []
        while not _enough(bench, rounds):
            bare = _bare(system, loop, same, amount)
            served = _served(system, uploads, styles)
            peak = _bare(system, loop, best, amount // 2)
            others = max(one["others"] for one in (bare, served, peak))
            rounds.append({"bare": bare, "served": served, "peak": peak, "others": others})
            bench.say(f"served {served['rate']:.2f}/s, bare {bare['rate']:.2f}/s")
    chosen = quiet(rounds)
    rate, bare_rate, peak_rate = (
        median(one[kind]["rate"] for one in chosen) for kind in ("served", "bare", "peak")
    )
    ratio = median(one["served"]["rate"] / one["bare"]["rate"] for one in chosen)
    details = {
        "pictures_per_round": amount,
        "rounds": [_brief(one) for one in rounds],
        "rounds_used": len(chosen),
        "bare_setting": str(same),
        "bare_best_setting": str(best),
        "grid_per_s": {str(setting): round(found, 2) for setting, found in grid.items()},
        "mean_batch": first["batch"],
        "engine_busy": round(median(one["served"]["busy"] for one in chosen), 3),
        "cpu_ms_per_picture": medians([one["served"]["cpu"] for one in chosen]),
        "bare_cpu_ms_per_picture": round(median(one["bare"]["cpu"] for one in chosen), 1),
        "others_share": round(max(one["others"] for one in chosen), 3),
    }
    bench.say(f"{bare_rate:.2f}/s bare")
    yield Result("service / bare loop, 512 pixels", ratio, "", ">=", 0.90, 0.97, details)
    yield Result("service / bare loop at its best", rate / peak_rate, "", ">=")
    yield Result("pictures a second, real stylizer", rate, "1/s", ">=")


def _enough(bench: Bench, rounds: list[Round]) -> bool:
    calm = [one for one in rounds if one["others"] <= BUSY]
    return len(calm) >= ROUNDS or len(rounds) >= bench.amount(MOST_ROUNDS, least=2)


def _brief(one: Round) -> dict[str, float]:
    rates = {kind: round(one[kind]["rate"], 2) for kind in ("bare", "served", "peak")}
    return {**rates, "others": round(one["others"], 3)}


def _bare(system: System, loop: Loop, setting: Setting, amount: int) -> Round:
    with system.census.window() as window:
        rate = loop.rate(setting, amount)
    return {"rate": rate, "cpu": 1000 * window.client / amount, "others": window.others}


def _grid(bench: Bench, loop: Loop, threads: int) -> dict[Setting, float]:
    """What suits this network on these cores: every setting twice, the better counts."""
    settings = [Setting(*one, threads) for one in product(BATCHES, (False, True))]
    amount = bench.amount(PROBE, least=8)
    found = dict.fromkeys(settings, 0.0)
    for setting in [*settings, *reversed(settings)]:
        bench.say(f"bare loop, {setting}")
        found[setting] = max(found[setting], loop.rate(setting, amount))
    return found


def _served(system: System, uploads: list[str], styles: list[str]) -> Round:
    """One campaign in all styles, from its acceptance to its last picture."""
    items = [
        {"custom_id": str(n), "input": {"upload_id": one}, "style": styles[n % len(styles)]}
        for n, one in enumerate(uploads)
    ]
    body = {"name": "throughput", "style": styles[0], "items": items}
    with system.census.window() as window:
        campaign_id = system.caller.post("/v1/campaigns", body)["id"]
        [campaign] = system.caller.finish([campaign_id])
    created, finished = (
        datetime.fromisoformat(campaign[f"{w}_at"]) for w in ("created", "finished")
    )
    wall = (finished - created).total_seconds()
    engine_ms, batch = _engine(system, campaign_id)
    return {
        "rate": len(uploads) / wall,
        "busy": engine_ms / 1000 / wall,
        "batch": batch,
        "cpu": {name: 1000 * spent / len(uploads) for name, spent in window.cpu.items()},
        "others": window.others,
    }


def _engine(system: System, campaign_id: str) -> tuple[float, float]:
    """Milliseconds in the engine, and the batch size that most pictures were drawn in."""
    statement = text("""
        SELECT sum(device_ms * pixel_share) AS ms,
            percentile_disc(0.5) WITHIN GROUP (ORDER BY batch_size) AS batch
        FROM inferences JOIN jobs ON jobs.id = job_id WHERE campaign_id = CAST(:id AS uuid)
    """).bindparams(bindparam("id", campaign_id))
    with system.sessions() as session:
        row = session.execute(statement).one()
    return float(row.ms), float(row.batch)
