"""How much waits, how long, and who is there for it: read from the tables at every scrape."""

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry
from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError

from app.db import Sessions

Rows = Sequence[Row[Any]]


class Gauges(Collector):
    """
    One statement a family at each scrape; every API process says the same, so take the `max`.

    While the database is away there are no samples: nobody must take an old number for a new one.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: the registry would ask the database at start, which may be away."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families, by lane and kind."""
        try:
            with self._sessions() as session:
                lanes = session.execute(_LANES).all()
                workers = session.execute(_WORKERS).all()
                webhooks = session.execute(_WEBHOOKS).all()
        except SQLAlchemyError:
            yield _family("impasto_database_up", "Whether the database answers.", [], [((), 0.0)])
            return
        yield _family("impasto_database_up", "Whether the database answers.", [], [((), 1.0)])
        yield from _of_lanes(lanes)
        up = [((row.engine,), float(row.amount)) for row in workers]
        yield _family("impasto_workers_up", "Workers heard of lately.", ["engine"], up)
        [row] = webhooks
        waiting, oldest = [((), float(row.amount))], [((), float(row.oldest))]
        yield _family("impasto_webhooks_waiting", "Webhooks that are due.", [], waiting)
        yield _family("impasto_webhooks_oldest_seconds", "For how long the oldest is.", [], oldest)


def register(sessions: Sessions, registry: CollectorRegistry = REGISTRY) -> None:
    """Add them to what a process serves."""
    registry.register(Gauges(sessions))


def _of_lanes(rows: Rows) -> Iterator[GaugeMetricFamily]:
    states = [
        ((row.lane, state), float(getattr(row, state)))
        for row in rows
        for state in ("queued", "running")
    ]
    yield _family("impasto_queue_jobs", "Jobs that wait or run.", ["lane", "state"], states)
    for name, column, about in (
        ("device_seconds", "device_seconds", "Device time of what waits and runs, as foreseen."),
        ("oldest_seconds", "oldest_seconds", "Age of the oldest job that waits."),
    ):
        values = [((row.lane,), float(getattr(row, column) or 0)) for row in rows]
        yield _family(f"impasto_queue_{name}", about, ["lane"], values)


def _family(
    name: str, about: str, labels: list[str], samples: Sequence[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, value in samples:
        family.add_metric(list(values), value)
    return family


#: Every lane, also those in which nothing waits: an absent number looks like a broken scrape.
_LANES = text("""
SELECT lane, coalesce(queued, 0) AS queued, coalesce(running, 0) AS running,
    coalesce(device_seconds, 0) AS device_seconds, coalesce(oldest_seconds, 0) AS oldest_seconds
FROM unnest(ARRAY['interactive', 'campaign', 'fetch', 'solo', 'print', 'learn']) AS every(lane)
LEFT JOIN backlog USING (lane)
""")

_WORKERS = text("""
SELECT engine, count(DISTINCT worker) FILTER (WHERE seen_at > now() - interval '30 seconds')
    AS amount
FROM device_hours WHERE hour >= date_trunc('hour', now()) - interval '1 day' GROUP BY engine
""")

_WEBHOOKS = text("""
SELECT count(*) AS amount,
    coalesce(extract(epoch FROM now() - min(deliveries.due_at)), 0) AS oldest
FROM deliveries WHERE state = 'pending' AND due_at <= now()
""")
