"""How fast lanes are and which devices are up: written by workers now and then, read by anybody."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from app.db.halts import names_of
from app.domain.job import Lane
from app.domain.pace import MEMORY, Pace

LIVE_SECONDS: Final = 30  #: since a worker was last heard of, three of its reports
OPTIMIZER: Final = "optimizer"  #: the engine of workers that print and learn

Kind = tuple[Lane, bool]  #: a lane, and whether its pictures were drawn in tiles


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker has to tell since it last did."""

    worker: str
    host: str
    device: str
    engine: str
    up_ms: float
    used_ms: float
    pictures: int
    paces: Mapping[Kind, Pace]


@dataclass(frozen=True, slots=True)
class Workers:
    """How many are up."""

    stylizing: int
    optimizing: int


def write(session: Session, report: Report) -> bool:
    """
    Add to the hour's row of the worker, and to what is known of lanes.

    Answers with whether an operator wants that worker to take no more work.
    """
    its = asdict(report)
    del its["paces"]
    halted = session.execute(_UP, its | {"names": names_of(report.worker)}).scalar_one()
    rows: list[dict[str, Any]] = [
        {"lane": lane.value, "tiled": tiled, **asdict(pace)}
        for (lane, tiled), pace in sorted(report.paces.items())
    ]
    if rows:
        about = {"engine": report.engine, "device": report.device, "memory": MEMORY}
        session.execute(_LEARN, {"rows": json.dumps(rows), **about})
    return bool(halted)


def read(session: Session) -> dict[Kind, Pace]:
    """What the devices that are up have shown; all that ever were if none is."""
    rows = session.execute(_READ, {"seconds": LIVE_SECONDS}).all()
    alive = [row for row in rows if row.alive] or rows
    found: dict[Kind, Pace] = {}
    for row in alive:
        pace = Pace(**{name: getattr(row, name) for name in Pace.__slots__})
        kind = Lane(row.lane), row.tiled
        found[kind] = found.get(kind, Pace()) + pace
    return found


def workers(session: Session) -> Workers:
    """Those that were heard of lately."""
    row = session.execute(_WORKERS, {"seconds": LIVE_SECONDS, "optimizer": OPTIMIZER}).one()
    return Workers(stylizing=row.stylizing, optimizing=row.optimizing)


def leave(session: Session, worker: str) -> None:
    """A worker that ends in order is gone at once."""
    session.execute(_LEAVE, {"worker": worker})


_UP = text("""
INSERT INTO device_hours (hour, worker, host, device, engine, up_ms, used_ms, pictures)
VALUES (date_trunc('hour', now()), :worker, :host, :device, :engine, :up_ms, :used_ms, :pictures)
ON CONFLICT (hour, worker) DO UPDATE SET
    up_ms = device_hours.up_ms + EXCLUDED.up_ms,
    used_ms = device_hours.used_ms + EXCLUDED.used_ms,
    pictures = device_hours.pictures + EXCLUDED.pictures,
    seen_at = EXCLUDED.seen_at
RETURNING EXISTS (SELECT FROM halts WHERE kind = 'worker' AND target = ANY (:names))
""").bindparams(bindparam("names", type_=ARRAY(String)))

#: An hour old, so that it counts as up no longer; the row itself stays for idle time.
_LEAVE = text("""
UPDATE device_hours SET seen_at = now() - interval '1 hour'
WHERE worker = :worker AND seen_at > now() - interval '1 hour'
""")

_SUMS: Final = Pace.__slots__
_FORGET: Final = "{0} = paces.{0} * exp(-EXCLUDED.pictures / :memory) + EXCLUDED.{0}"
_LEARN = text(f"""
INSERT INTO paces (lane, tiled, engine, device, {", ".join(_SUMS)})
SELECT lane, tiled, :engine, :device, {", ".join(_SUMS)}
FROM json_to_recordset(CAST(:rows AS json)) AS new (
    lane text, tiled bool, {", ".join(f"{name} float" for name in _SUMS)})
ON CONFLICT (lane, engine, device, tiled) DO UPDATE SET updated_at = now(),
    {", ".join(map(_FORGET.format, _SUMS))}
""")  # noqa: S608 - the names are ours

_READ = text("""
SELECT paces.*, EXISTS (
    SELECT FROM device_hours AS up
    WHERE up.engine = paces.engine AND up.device = paces.device
        AND up.seen_at > now() - make_interval(secs => :seconds)) AS alive
FROM paces WHERE pictures > 0
""")

_WORKERS = text("""
SELECT count(DISTINCT worker) FILTER (WHERE engine <> :optimizer) AS stylizing,
    count(DISTINCT worker) FILTER (WHERE engine = :optimizer) AS optimizing
FROM device_hours WHERE seen_at > now() - make_interval(secs => :seconds)
""")
