"""Repairs what a lost ticket or a dead worker left; nothing depends on a message surviving."""

import logging
from collections.abc import Callable

from app import metrics
from app.db import Sessions, deadlines, deliveries, events, expiries, idempotency, lost, moves
from app.db.queue import waiting_lanes
from app.erasing import clean, erase, retain
from app.errors import ImpastoError
from app.queue import QueueName, Tickets, queue_of
from app.storage import Storage

log = logging.getLogger(__name__)

ENOUGH = 64  #: tickets that nobody has taken yet; without workers they would pile up


def sweep(
    sessions: Sessions,
    tickets: Tickets,
    waiting: Callable[[QueueName], int],
    storage: Storage | None = None,
) -> dict[str, int]:
    """
    Rescue expired leases, end what is late, and wake workers for what waits without a ticket.

    Any number may run at once: the rows decide. Answers with what it found, for Flower. With a
    `storage`, it also erases what is to be, for a few seconds.
    """
    with sessions.begin() as session:
        rescued = lost.rescue(session)
        lanes = waiting_lanes(session)
        expiring = expiries.announce(session)
        due = deliveries.any_due(session) or events.written(session)
        idempotency.forget(session)
    with sessions.begin() as session:
        expired = deadlines.expire(session)
        moves.settle_budgets(session)
        due = due or events.written(session)
    for lane in lanes:
        # Of any lane: one with many must not starve the others.
        if waiting(queue_of(lane)) < ENOUGH:
            tickets.work(lane)
    if due:
        tickets.deliver()
    metrics.rescued.inc(rescued)
    metrics.expired.inc(expired)
    metrics.swept.set_to_current_time()
    found = {
        "rescued": rescued,
        "expired": expired,
        "expiring": expiring,
        "lanes": len(lanes),
        "deliveries": int(due),
    }
    if storage is not None:
        found |= _forget(sessions, storage)
    return found


def _forget(sessions: Sessions, storage: Storage) -> dict[str, int]:
    """A store that is away, or does not let us delete, makes it wait; nothing else does."""
    try:
        return {
            "erased": erase(sessions, storage),
            "retained": retain(sessions, storage),
            "cleaned": clean(sessions, storage),
        }
    except ImpastoError as error:
        log.warning("what is to be erased waits: %s", error)
        return {"erased": 0, "retained": 0, "cleaned": 0}
