"""
The same job as plain Celery does it: no claim, no fence, no lease, no sweep. A negative control.

`python -m tests.chaos.plain --ready-file FILE`. A message carries a job's id, acknowledged late and
rejected when a worker is lost, as the manuals advise; the task does the work and writes that it is
done. Without faults the checker finds nothing wrong with it.
"""

import argparse
import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import Celery, signals
from PIL import Image
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import Sessions, intake, open_database
from app.db.intake import NewAsset
from app.db.models import AssetKind
from app.domain.job import Lane
from app.domain.requests import CampaignRequest, JobOptions
from app.settings import settings
from app.storage import Blob, Storage, asset_key, open_storage
from app.submission import Desk, accept_campaign, accept_picture
from tests.chaos.doors import noted
from tests.chaos.journal import Asked

TASK = "plain.stylize"
VISIBILITY = 6  #: seconds; kinder than the hour that is Celery's default

#: What plain code has no use for: it would refuse the second end of a job.
PLAIN = """
    DROP TRIGGER final_stays ON jobs;
    ALTER TABLE ledger DROP CONSTRAINT uq_ledger_job_id_kind_round;
    ALTER TABLE campaigns DROP CONSTRAINT ck_campaigns_counts_within_total,
        DROP CONSTRAINT ck_campaigns_finished_iff_all_final;
"""


def open_plain(broker: str) -> Celery:
    """The Celery application, as careful as its settings allow."""
    celery = Celery("plain", broker=broker)
    celery.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        result_backend=None,
        task_ignore_result=True,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
        },
        task_default_queue="plain",
        worker_hijack_root_logger=False,
    )
    return celery


class PlainDoor:
    """Writes the rows as the desk does, then sends one message a job."""

    def __init__(self, desk: Desk, celery: Celery) -> None:
        self._desk, self._celery = desk, celery

    def campaign(self, asked: Asked, request: CampaignRequest) -> None:
        plain = request.model_copy(update={"webhook": None})
        with noted(asked):
            asked.id = accept_campaign(self._desk, asked.tenant_id, plain)
            self._send("campaign_id", asked.id)

    def picture(self, asked: Asked, options: JobOptions, content: bytes) -> None:
        plain = options.model_copy(update={"webhook": None})
        with noted(asked):
            asked.id = accept_picture(self._desk, asked.tenant_id, plain, content)
            self._send("id", asked.id)

    def _send(self, column: str, value: UUID) -> None:
        with self._desk.sessions() as session:
            ids = session.scalars(text(f"SELECT id FROM jobs WHERE {column} = :id"), {"id": value})  # noqa: S608 - our own words
            names = [str(job_id) for job_id in ids]
        for name in names:
            self._celery.send_task(TASK, args=[name])


class NoTickets:
    """Plain Celery has none."""

    def work(self, lane: Lane, tickets: int = 1) -> None:
        """Nobody listens."""

    def deliver(self) -> None:
        """Nobody listens."""


def stylize(sessions: Sessions, storage: Storage, worker: str, job_id: str) -> None:
    """Begin, do, end; each as if nobody else could have had the same message."""
    with sessions.begin() as session:
        row = session.execute(_BEGIN, {"id": job_id, "worker": worker}).one()
    content = storage.get(asset_key(row.tenant_id, row.content_digest))
    with Image.open(BytesIO(content)) as opened:
        buffer = BytesIO()
        opened.save(buffer, "JPEG", quality=90)
    output = buffer.getvalue()
    digest = sha256(output).hexdigest()
    storage.put(Blob(asset_key(row.tenant_id, digest), output, "image/jpeg"))
    asset = NewAsset(row.tenant_id, digest, AssetKind.OUTPUT, "image/jpeg", len(output), 64, 64)
    with sessions.begin() as session:
        intake.add_assets(session, [asset])
        _end(session, row, digest, worker)


def _end(session: Session, row: Any, digest: str, worker: str) -> None:
    given = {"id": row.id, "attempt": row.attempt, "digest": digest, "worker": worker}
    for statement in _END:
        session.execute(statement, given)


_BEGIN = text("""
    WITH begun AS (
        UPDATE jobs SET status = 'running', attempt = attempt + 1, worker = :worker,
            lease_until = 'infinity', finished_at = NULL, output_digest = NULL
        WHERE id = :id RETURNING id, tenant_id, attempt, content_digest
    ), told AS (
        INSERT INTO job_history (job_id, status, attempt, worker)
        SELECT id, 'running', attempt, :worker FROM begun
    )
    SELECT * FROM begun
""")

_END = (
    text("""
        UPDATE jobs SET status = 'succeeded', output_digest = :digest, finished_at = now(),
            worker = NULL, lease_until = NULL, cost_micros = 20 WHERE id = :id
    """),
    text("""
        INSERT INTO job_history (job_id, status, attempt, worker)
        VALUES (:id, 'succeeded', :attempt, :worker)
    """),
    text("""
        INSERT INTO inferences (job_id, attempt, device, engine, stylizer_digest, batch_size,
            device_ms, pixel_share) VALUES (:id, :attempt, 'cpu:0', 'plain', '', 1, 0, 1)
    """),
    text("""
        INSERT INTO ledger (tenant_id, campaign_id, job_id, kind, amount_micros, rate_card)
        SELECT tenant_id, campaign_id, job_id, 'release', -amount_micros, rate_card
        FROM ledger WHERE job_id = :id AND kind = 'reserve'
        UNION ALL
        SELECT tenant_id, campaign_id, job_id, 'settle', 20, rate_card
        FROM ledger WHERE job_id = :id AND kind = 'reserve'
    """),
    text("""
        UPDATE campaigns SET succeeded = succeeded + 1,
            cost_micros = campaigns.cost_micros + 20,
            finished_at = CASE WHEN succeeded + 1 = total THEN now() END
        FROM jobs WHERE campaigns.id = jobs.campaign_id AND jobs.id = :id
    """),
)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device")
    parser.add_argument("--ready-file", type=Path)
    given = parser.parse_args()
    config = settings()
    celery = open_plain(config.broker_url.get_secret_value())
    storage = open_storage(config.storage)
    opened: list[Sessions] = []  # by each child of the pool for itself

    @celery.task(name=TASK)
    def _stylize(job_id: str) -> None:
        if not opened:
            opened.append(open_database(config.database_url.get_secret_value()))
        stylize(opened[0], storage, f"plain@host:{os.getppid()}:x", job_id)

    signals.worker_ready.connect(lambda **_: given.ready_file.touch(), weak=False)
    worker = celery.Worker(
        hostname=f"plain-{given.device}@localhost",
        pool="prefork",
        concurrency=2,
        without_gossip=True,
        without_mingle=True,
        loglevel="WARNING",
    )
    worker.start()


if __name__ == "__main__":
    main()
