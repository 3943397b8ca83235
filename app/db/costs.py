"""What each picture took of an engine, as measured."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    worker: str | None = None
    hardware: str | None = None
    software: str | None = None
    image: str | None = None
    peak_bytes: int | None = None
    drawn_digest: str | None = None
    manifest_label: str | None = None
    manifest_digest: str | None = None
    certificate_digest: str | None = None
    certificate_serial: str | None = None
    stamped_at: datetime | None = None


def add(session: Session, inferences: Sequence[NewInference]) -> None:
    """Append measurements; there is one for every success."""
    names = NewInference.__slots__
    rows = [{name: getattr(row, name) for name in names} for row in inferences]
    if rows:
        session.execute(_ADD, {"inferences": json.dumps(rows, default=str)})


_ADD = text("""
INSERT INTO inferences (job_id, attempt, device, engine, stylizer_digest, batch_size,
    device_ms, pixel_share, worker, hardware, software, image, peak_bytes, drawn_digest,
    manifest_label, manifest_digest, certificate_digest, certificate_serial, stamped_at)
SELECT * FROM json_to_recordset(CAST(:inferences AS json)) AS inference (
    job_id uuid, attempt int, device text, engine text, stylizer_digest text, batch_size int,
    device_ms float, pixel_share float, worker text, hardware text, software text, image text,
    peak_bytes bigint, drawn_digest text, manifest_label text, manifest_digest text,
    certificate_digest text, certificate_serial text, stamped_at timestamptz)
""")
