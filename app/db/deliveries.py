"""Deliveries on their way: what is due to whom, and what came back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, Uuid, and_, func, or_, select, text
from sqlalchemy.orm import Session

from app.db.models import Delivery, DeliveryState

EXCERPT: Final = 2_048  #: characters kept of a receiver's answer
OPENS: Final = 10  #: failures in a row that open a receiver's circuit
REST: Final = 60.0  #: seconds that it stays open; then one delivery tries
HOPS: Final = 256  #: receivers that one claim looks at
NOWHERE: Final = UUID(int=0)


@dataclass(frozen=True)
class Room:
    """How much a sender can take, and of whom."""

    most: int  #: in all
    strangers: int  #: of those that are not trusted; they come first
    each: int  #: of one of those
    trusted: Mapping[UUID, int]  #: how many of each that answers well, whose turn it is first
    busy: Mapping[UUID, int]  #: what is already on its way to those that are not trusted
    after: UUID = NOWHERE  #: where among the others to go on


@dataclass(frozen=True)
class Claim:
    """What a sender got."""

    rows: Sequence[Row[Any]]
    after: UUID  #: where to go on; `NOWHERE` once all have been looked at


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt."""

    id: UUID
    receiver_id: UUID
    delivered: bool
    status: int | None
    excerpt: str | None
    error: str | None
    code: str | None
    again_in: float | None  #: seconds, if it is tried again
    ms: float


#: Receivers that answer well are asked for by name. The others are found by hopping from one to
#: the next along the index, so that one with 10,000 deliveries due costs one hop; those whose
#: circuit is open are passed by, and after it was open one delivery goes first.
_CLAIM = text("""
WITH RECURSIVE place AS (
    (SELECT receiver_id, 1 AS hops FROM deliveries
     WHERE state = 'pending' AND receiver_id > :after ORDER BY receiver_id LIMIT 1)
  UNION ALL
    SELECT (SELECT deliveries.receiver_id FROM deliveries
            WHERE state = 'pending' AND deliveries.receiver_id > last.receiver_id
            ORDER BY deliveries.receiver_id LIMIT 1), hops + 1
    FROM place AS last WHERE last.receiver_id IS NOT NULL AND hops < :hops
), other AS (
    SELECT place.receiver_id,
        CASE WHEN coalesce(circuits.failures, 0) >= :opens THEN 1 ELSE :each END
            - coalesce(busy.amount, 0) AS room
    FROM place
    LEFT JOIN circuits ON circuits.receiver_id = place.receiver_id
    LEFT JOIN unnest(CAST(:busy_ids AS uuid[]), CAST(:busy_amounts AS int[]))
        AS busy (receiver_id, amount) ON busy.receiver_id = place.receiver_id
    WHERE place.receiver_id <> ALL (CAST(:trusted_ids AS uuid[]))
      AND (circuits.open_until IS NULL OR circuits.open_until <= now())
    ORDER BY place.receiver_id
), stranger AS (
    SELECT due.id
    FROM other CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE state = 'pending' AND deliveries.receiver_id = other.receiver_id
          AND due_at <= now() AND (held_until IS NULL OR held_until <= now())
        ORDER BY due_at LIMIT greatest(0, other.room) FOR UPDATE SKIP LOCKED
    ) AS due
    LIMIT :strangers
), trusted AS (
    SELECT due.id
    FROM unnest(CAST(:trusted_ids AS uuid[]), CAST(:trusted_room AS int[]))
        AS trusted (receiver_id, room)
    CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE state = 'pending' AND deliveries.receiver_id = trusted.receiver_id
          AND due_at <= now() AND (held_until IS NULL OR held_until <= now())
        ORDER BY due_at LIMIT trusted.room FOR UPDATE SKIP LOCKED
    ) AS due
    LIMIT (SELECT :most - count(*) FROM stranger)
), taken AS (
    UPDATE deliveries SET attempts = attempts + 1, attempted_at = now(),
        held_until = now() + make_interval(secs => :hold)
    WHERE id IN (SELECT id FROM trusted UNION ALL SELECT id FROM stranger)
    RETURNING id, url, attempts, attempted_at, receiver_id, endpoint_id, event_id
)
SELECT set_config('synchronous_commit', 'off', true),
    taken.*, event.type, event.data, event.sequence, event.created_at, event.tenant_id,
    tenant.webhook_generation, tenant.webhook_retired,
    endpoint.generation, endpoint.retired, endpoint.v1a,
    endpoint.disabled_at IS NOT NULL AS disabled,
    coalesce(circuits.failures, 0) AS failures, scan.reached
FROM (SELECT (SELECT receiver_id FROM place WHERE hops = :hops) AS reached) AS scan
LEFT JOIN taken ON true
LEFT JOIN events AS event ON event.id = taken.event_id
LEFT JOIN tenants AS tenant ON tenant.id = event.tenant_id
LEFT JOIN webhook_endpoints AS endpoint ON endpoint.id = taken.endpoint_id
LEFT JOIN circuits ON circuits.receiver_id = taken.receiver_id
ORDER BY event.id
""").columns(
    id=Uuid,
    receiver_id=Uuid,
    endpoint_id=Uuid,
    event_id=Uuid,
    tenant_id=Uuid,
    reached=Uuid,
)


def claim(session: Session, room: Room, *, hold: float) -> Claim:
    """
    Take what is due for `hold` seconds: if we die, it is due again then.

    The attempt is counted here, so that a delivery that kills its sender is given up, too. The
    transaction's COMMIT does not wait for the disk: what a crash takes back is sent again.
    """
    if not room.most:
        return Claim((), room.after)
    rows: list[Row[Any]] = []
    ends = 1 if room.after == NOWHERE else 2  # begun in the middle, it goes round once
    while True:
        taken, reached = _look(session, room, hold)
        rows += taken
        strangers = [row.receiver_id for row in taken if row.receiver_id not in room.trusted]
        left = room.most - len(taken)
        if not left or len(strangers) >= room.strangers:
            return Claim(rows, max(strangers, default=room.after))
        ends -= reached is None
        if not ends:
            return Claim(rows, NOWHERE)
        room = replace(
            room,
            most=left,
            strangers=min(left, room.strangers - len(strangers)),
            trusted=dict.fromkeys(room.trusted, 0),
            busy=Counter(strangers) + Counter(room.busy),
            after=reached or NOWHERE,
        )


def _look(session: Session, room: Room, hold: float) -> tuple[Sequence[Row[Any]], UUID | None]:
    """What was taken of a stretch of receivers, and where that ended if there are more."""
    given: dict[str, Any] = {
        "trusted_ids": list(map(str, room.trusted)),
        "trusted_room": list(room.trusted.values()),
        "busy_ids": list(map(str, room.busy)),
        "busy_amounts": list(room.busy.values()),
        "most": room.most,
        "strangers": room.strangers,
        "each": room.each,
        "after": str(room.after),
        "hops": HOPS,
        "opens": OPENS,
        "hold": hold,
    }
    rows = session.execute(_CLAIM, given).all()
    return [row for row in rows if row.id is not None], rows[0].reached


_ANSWER = text("""
WITH outcome AS (
    SELECT * FROM json_to_recordset(CAST(:outcomes AS json)) AS outcome (
        id uuid, delivered bool, status int, excerpt text, error text, code text,
        again_in float8, ms float8)
), attempt AS (
    INSERT INTO delivery_attempts (delivery_id, at, duration_ms, response_status,
        response_excerpt, error, error_code)
    SELECT id, now() - make_interval(secs => ms / 1000), ms, status, excerpt, error, code
    FROM outcome
)
UPDATE deliveries SET held_until = NULL, response_status = status, error = outcome.error,
    state = CASE WHEN delivered THEN 'delivered' WHEN again_in IS NULL THEN 'failed'
        ELSE 'pending' END,
    delivered_at = CASE WHEN delivered THEN now() END,
    due_at = CASE WHEN again_in IS NULL THEN due_at
        ELSE now() + make_interval(secs => again_in) END
FROM outcome WHERE deliveries.id = outcome.id AND state = 'pending'
""")


def answer(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Write down what came back, also what came back for a delivery that was given up meanwhile."""
    session.execute(_ANSWER, {"outcomes": to_json(outcomes).decode()})


#: In the order of their ids, so that two senders cannot wait for each other.
_JUDGE = text("""
WITH heard AS (
    SELECT receiver_id, bool_or(delivered) AS well,
        count(*) FILTER (WHERE NOT delivered) AS failures
    FROM json_to_recordset(CAST(:outcomes AS json)) AS outcome (receiver_id uuid, delivered bool)
    GROUP BY receiver_id ORDER BY receiver_id
)
INSERT INTO circuits AS circuit (receiver_id, failures, failing_since, open_until)
SELECT receiver_id, CASE WHEN well THEN 0 ELSE failures END, CASE WHEN NOT well THEN now() END,
    CASE WHEN NOT well AND failures >= :opens THEN now() + make_interval(secs => :rest) END
FROM heard
ON CONFLICT (receiver_id) DO UPDATE SET
    failures = CASE WHEN excluded.failures > 0 THEN circuit.failures + excluded.failures ELSE 0 END,
    failing_since = CASE WHEN excluded.failures > 0
        THEN coalesce(circuit.failing_since, now()) END,
    open_until = CASE WHEN excluded.failures > 0
        AND circuit.failures + excluded.failures >= :opens
        THEN now() + make_interval(secs => :rest) END
RETURNING receiver_id, failing_since <= now() - make_interval(secs => :patience) AS hopeless
""").columns(receiver_id=Uuid)


def judge(session: Session, outcomes: Sequence[Outcome], *, patience: float) -> set[UUID]:
    """
    Open and close circuits by what receivers answered, where any has failed, or had before.

    Answers with those from whom nothing but failures came for `patience` seconds.
    """
    given = {"outcomes": to_json(outcomes).decode(), "opens": OPENS, "rest": REST}
    rows = session.execute(_JUDGE, {**given, "patience": patience})
    return {row.receiver_id for row in rows if row.hopeless}


def any_due(session: Session) -> bool:
    """Whether a sender would find something now; one index probe."""
    free = or_(Delivery.held_until.is_(None), Delivery.held_until <= func.now())
    pending = and_(Delivery.state == DeliveryState.PENDING, Delivery.due_at <= func.now(), free)
    return session.scalar(select(select(Delivery.id).where(pending).limit(1).exists())) or False
