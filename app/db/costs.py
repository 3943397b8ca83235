"""What each picture took of an engine, as measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.db.models import Inference


@dataclass(frozen=True, slots=True)
class NewInference:
    """One job's part of one engine call."""

    job_id: UUID
    attempt: int
    device: str
    engine: str
    stylizer_digest: str
    batch_size: int
    device_ms: float
    pixel_share: float


def add(session: Session, inferences: Sequence[NewInference]) -> None:
    """Append measurements; there is one for every success."""
    if inferences:
        names = NewInference.__slots__
        rows = [{name: getattr(row, name) for name in names} for row in inferences]
        session.execute(insert(Inference), rows)
