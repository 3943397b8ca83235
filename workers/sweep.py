"""Repairs what a lost ticket or a dead worker left; nothing depends on a message surviving."""

from collections.abc import Callable

from app.db import Sessions, deadlines, deliveries, events, expiries, idempotency, lost, moves
from app.db.queue import waiting_lanes
from app.queue import QueueName, Tickets, queue_of

ENOUGH = 64  #: tickets that nobody has taken yet; without workers they would pile up


def sweep(
    sessions: Sessions, tickets: Tickets, waiting: Callable[[QueueName], int]
) -> dict[str, int]:
    """
    Rescue expired leases, end what is late, and wake workers for what waits without a ticket.

    Any number may run at once: the rows decide. Answers with what it found, for Flower.
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
    return {
        "rescued": rescued,
        "expired": expired,
        "expiring": expiring,
        "lanes": len(lanes),
        "deliveries": int(due),
    }
