"""What each picture took of an engine, as measured."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


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
    software: str | None = None
    manifest_label: str | None = None
    manifest_digest: str | None = None
    certificate_digest: str | None = None


def add(session: Session, inferences: Sequence[NewInference]) -> None:
    """Append measurements; there is one for every success."""
    names = NewInference.__slots__
    rows = [{name: getattr(row, name) for name in names} for row in inferences]
    if rows:
        session.execute(_ADD, {"inferences": json.dumps(rows, default=str)})


_ADD = text("""
INSERT INTO inferences (job_id, attempt, device, engine, stylizer_digest, batch_size,
    device_ms, pixel_share, software, manifest_label, manifest_digest, certificate_digest)
SELECT * FROM json_to_recordset(CAST(:inferences AS json)) AS inference (
    job_id uuid, attempt int, device text, engine text, stylizer_digest text, batch_size int,
    device_ms float, pixel_share float, software text, manifest_label text, manifest_digest text,
    certificate_digest text)
""")
