"""Webhooks on their way out: claim, sign, send, write down what came back."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from random import random
from threading import Event, Lock
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection, Row
from sqlalchemy.orm import Session

from app import metrics
from app.db import Sessions, deliveries, endpoints, events, traces
from app.db.deliveries import EXCERPT, Outcome
from app.db.models import DisabledBecause
from app.domain.events import Event as Told
from app.domain.rotation import Signing
from app.logs import about
from app.signing import endpoint_key, endpoint_secret, webhook_secret
from app.tracing import OFF, Kind, Span, Tracer
from app.webhooks import Answer, Keys, Sender, next_delay
from workers.turns import Turns

log = logging.getLogger(__name__)

LINGER: Final = 0.005  #: seconds: a transaction for many costs little more than one for one
PATIENCE: Final = 5 * 24 * 3600.0  #: seconds of nothing but failures that disable an endpoint


@dataclass(frozen=True)
class Sent:
    """One attempt that has ended."""

    row: Row[Any]
    answer: Answer
    seconds: float

    @property
    def outcome(self) -> Outcome:
        answer, again = self.answer, None
        if not answer.delivered and not answer.disable and not self.row.disabled:
            again = next_delay(self.row.attempts, retry_after=answer.retry_after, random=random)
        return Outcome(
            id=self.row.id,
            receiver_id=self.row.receiver_id,
            delivered=answer.delivered,
            status=answer.status,
            excerpt=answer.excerpt and answer.excerpt[:EXCERPT],
            error=answer.error,
            code=answer.code,
            again_in=again,
            ms=round(1000 * self.seconds, 1),
        )


class PostRoom:
    """What an io worker needs to deliver, and its senders; share one between threads."""

    def __init__(
        self,
        sessions: Sessions,
        sender: Sender,
        *,
        secret_key: str,
        slots: int,
        hold: float,
        tracer: Tracer = OFF,
    ) -> None:
        """`hold` is how many seconds a claim is ours: longer than the slowest attempt."""
        self.sessions = sessions
        self.sender = sender
        self.secret_key = secret_key
        self.hold = hold
        self.tracer = tracer
        self.turns = Turns(slots)
        self.busy = Lock()
        self.closing = Event()  #: nothing more is claimed
        self.ended = SimpleQueue[Sent | None]()  #: None: there may be more to claim
        self.pool = ThreadPoolExecutor(slots, thread_name_prefix="webhook")

    def close(self) -> None:
        """Claim nothing more, and wait for what is under way."""
        self.closing.set()
        self.pool.shutdown()


def deliver(room: PostRoom) -> dict[str, int]:
    """Send everything that is due; whoever comes meanwhile only says that there may be more."""
    done = Counter(sent=0, delivered=0)
    room.ended.put(None)
    # Looked at after the release, so that nobody's word is lost between the two.
    while not room.ended.empty() and room.busy.acquire(blocking=False):
        try:
            _drain(room, done)
        finally:
            room.busy.release()
    return dict(done)


def _drain(room: PostRoom, done: Counter[str]) -> None:
    try:
        # One connection for all: taking it from the pool each time would ask each time if it lives.
        with room.sessions.kw["bind"].connect() as connection:
            while True:
                ended = _wait(room)
                begun = _exchange(room, connection, ended)
                done.update(sent=begun, delivered=sum(one.answer.delivered for one in ended))
                if not begun and not room.turns.sending:
                    return
    finally:
        # Only where the database went away: what came back is lost, and will be due again.
        while room.turns.sending:
            _wait(room)


def _exchange(room: PostRoom, connection: Connection, ended: Sequence[Sent]) -> int:
    """One transaction: what came back, and what goes out next. How many go."""
    outcomes = [one.outcome for one in ended]
    hopeless: set[UUID] = set()
    with room.sessions(bind=connection) as session, session.begin():
        if outcomes:
            deliveries.answer(session, outcomes)
        if any(not one.answer.delivered or one.row.failures for one in ended):
            hopeless = deliveries.judge(session, outcomes, patience=PATIENCE)
        rows = () if room.closing.is_set() else _claim(room, session)
        parents = _parents(room, session, rows)
    for row in rows:
        room.turns.begin(row.receiver_id)
        room.pool.submit(_send, room, row, parents.get(row.event_id))
    _give_up(room, ended, hopeless)
    _tell(ended)
    return len(rows)


def _tell(ended: Sequence[Sent]) -> None:
    now = datetime.now(UTC)
    for one in ended:
        metrics.attempts.labels("delivered" if one.answer.delivered else "failed").inc()
        if one.answer.delivered:
            lag = (now - one.row.created_at).total_seconds()
            metrics.webhook_lag.observe(max(0.0, lag))


def _claim(room: PostRoom, session: Session) -> Sequence[Row[Any]]:
    claim = deliveries.claim(session, room.turns.room(), hold=room.hold)
    room.turns.after = claim.after
    return claim.rows


def _parents(room: PostRoom, session: Session, rows: Sequence[Row[Any]]) -> Mapping[UUID, str]:
    """The traces of what is told, where somebody traces."""
    return traces.of_events(session, [row.event_id for row in rows]) if room.tracer.on else {}


def _give_up(room: PostRoom, ended: Sequence[Sent], hopeless: set[UUID]) -> None:
    """Disable endpoints that are gone; in a transaction of its own, which holds no delivery."""
    ends = dict.fromkeys(hopeless, DisabledBecause.FAILING)
    gone = {one.row.receiver_id for one in ended if one.answer.disable}
    ends |= dict.fromkeys(gone, DisabledBecause.GONE)
    if ends:
        with room.sessions.begin() as session:
            endpoints.give_up(session, ends)
            if events.written(session):
                room.ended.put(None)


def _wait(room: PostRoom) -> list[Sent]:
    """What has ended: most of all, or what comes within `LINGER`; or that there is more."""
    enough = max(1, 3 * room.turns.sending.total() // 4)
    heard = [room.ended.get()]
    until = monotonic() + LINGER
    with suppress(Empty):
        while len(heard) < enough and (left := until - monotonic()) > 0:
            heard.append(room.ended.get(timeout=left))
        while True:
            heard.append(room.ended.get_nowait())
    ended = [one for one in heard if one is not None]
    for one in ended:
        receiver, delivered = one.row.receiver_id, one.answer.delivered
        room.turns.end(receiver, delivered=delivered, seconds=one.seconds)
    return ended


def _send(room: PostRoom, row: Row[Any], parent: str | None = None) -> None:
    start = monotonic()
    try:
        with (
            about(tenant_id=row.tenant_id, **_about(row.data)),
            room.tracer.span("webhook", Kind.CLIENT, parent=parent) as span,
        ):
            answer = _attempt(room, row, span)
            _trace(span, row, answer)
    except Exception:
        log.exception("delivery %s could not be sent", row.id)
        answer = Answer(error="Something broke on our side.")
    room.ended.put(Sent(row, answer, monotonic() - start))


def _about(data: Mapping[str, Any]) -> dict[str, Any]:
    """What an event tells of, by the ids that it names."""
    return {name: data[name] for name in ("job_id", "campaign_id") if name in data}


def _trace(span: Span, row: Row[Any], answer: Answer) -> None:
    span.tell({f"impasto.{name}": value for name, value in _about(row.data).items()})
    span.tell({"impasto.tenant_id": str(row.tenant_id), "impasto.event": row.type})
    span.tell({"server.address": urlsplit(row.url).hostname, "impasto.attempt": row.attempts})
    span.tell({"http.response.status_code": answer.status})
    if not answer.delivered:
        span.broke(str(answer.status or answer.code))


def _attempt(room: PostRoom, row: Row[Any], span: Span) -> Answer:
    if row.disabled:
        return Answer(error="The endpoint was disabled.")
    event = Told(
        id=row.event_id,
        type=row.type,
        timestamp=row.created_at,
        data=row.data | {"sequence": row.sequence},
    )
    return room.sender.send(
        row.url,
        event_id=event.id,
        body=event.body(),
        keys=_keys(room.secret_key, row),
        now=row.attempted_at,
        traceparent=span.traceparent,
    )


def _keys(secret_key: str, row: Row[Any]) -> Keys:
    """What signs: the tenant's secret for a URL that work came with, else the endpoint's own."""
    now = row.attempted_at
    if row.endpoint_id is None:
        live = Signing.of(row.webhook_generation, row.webhook_retired, now=now).generations
        return Keys(tuple(webhook_secret(secret_key, row.tenant_id, one) for one in live))
    live = Signing.of(row.generation, row.retired, now=now).generations
    secrets = tuple(endpoint_secret(secret_key, row.endpoint_id, one) for one in live)
    if not row.v1a:
        return Keys(secrets)
    return Keys(secrets, tuple(endpoint_key(secret_key, row.endpoint_id, one) for one in live))
