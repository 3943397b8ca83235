"""Webhooks on their way out: load, sign, send, write down what came back."""

from dataclasses import dataclass
from random import random
from threading import Semaphore
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.db import Sessions, deliveries
from app.domain.events import Event
from app.signing import webhook_secret
from app.webhooks import Answer, Sender, next_delay


@dataclass(frozen=True)
class PostRoom:
    """What an io worker needs to deliver."""

    sessions: Sessions
    sender: Sender
    secret_key: str
    slots: Semaphore  #: senders at once, so that slow receivers never take every thread
    hold: float  #: seconds a claimed delivery is ours; longer than the slowest attempt


def deliver(room: PostRoom) -> dict[str, int]:
    """Send everything that is due; when every slot is busy, those who hold them will."""
    if not room.slots.acquire(blocking=False):
        return {}
    try:
        return _drain(room)
    finally:
        room.slots.release()


def _drain(room: PostRoom) -> dict[str, int]:
    """One at a time: what a dead sender held is due again as soon as one attempt may take."""
    sent = delivered = 0
    answered: tuple[Row[Any], Answer] | None = None
    while True:
        with room.sessions.begin() as session:
            if answered is not None:
                _write_down(session, *answered)
            due = deliveries.claim(session, limit=1, hold=room.hold)
        if not due:
            return {"sent": sent, "delivered": delivered}
        answered = due[0], _send(room, due[0])
        sent += 1
        delivered += answered[1].delivered


def _send(room: PostRoom, row: Row[Any]) -> Answer:
    event = Event(
        id=row.event_id,
        type=row.type,
        timestamp=row.created_at,
        data=row.data | {"sequence": row.sequence},
    )
    secret = webhook_secret(room.secret_key, row.tenant_id, row.webhook_generation)
    return room.sender.send(row.url, event_id=event.id, body=event.body(), secret=secret)


def _write_down(session: Session, row: Row[Any], answer: Answer) -> None:
    if answer.delivered:
        deliveries.delivered(
            session, row.id, status=answer.status or 200, excerpt=answer.excerpt or ""
        )
        return
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
