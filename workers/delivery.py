"""Webhooks on their way out: load, sign, send, write down what came back."""

from dataclasses import dataclass
from random import random
from threading import Semaphore
from typing import Any

from sqlalchemy import Row

from app.db import Sessions, deliveries
from app.domain.events import Event
from app.signing import webhook_secret
from app.webhooks import Sender, next_delay

CLAIM = 16  #: deliveries of one transaction


@dataclass(frozen=True)
class PostRoom:
    """What an io worker needs to deliver."""

    sessions: Sessions
    sender: Sender
    secret_key: str
    slots: Semaphore  #: senders at once, so that slow receivers never take every thread
    hold: float  #: seconds a claimed delivery is ours; longer than the slowest attempts together


def deliver(room: PostRoom) -> dict[str, int]:
    """Send everything that is due; when every slot is busy, those who hold them will."""
    if not room.slots.acquire(blocking=False):
        return {}
    try:
        return _drain(room)
    finally:
        room.slots.release()


def _drain(room: PostRoom) -> dict[str, int]:
    sent = delivered = 0
    while True:
        with room.sessions.begin() as session:
            due = deliveries.claim(session, limit=CLAIM, hold=room.hold)
        if not due:
            return {"sent": sent, "delivered": delivered}
        delivered += sum(_send(room, row) for row in due)
        sent += len(due)


def _send(room: PostRoom, row: Row[Any]) -> bool:
    event = Event(
        id=row.event_id,
        type=row.type,
        timestamp=row.created_at,
        data=row.data | {"sequence": row.sequence},
    )
    secret = webhook_secret(room.secret_key, row.tenant_id, row.webhook_generation)
    answer = room.sender.send(row.url, event_id=event.id, body=event.body(), secret=secret)
    with room.sessions.begin() as session:
        if answer.delivered:
            deliveries.delivered(
                session, row.id, status=answer.status or 200, excerpt=answer.excerpt or ""
            )
        else:
            again = None
            if not answer.disable:
                again = next_delay(row.attempts, retry_after=answer.retry_after, random=random)
            deliveries.refused(
                session,
                row.id,
                status=answer.status,
                excerpt=answer.excerpt,
                error=answer.error,
                again_in=again,
            )
    return answer.delivered
