"""The report of a campaign: what was done, what it cost, what went wrong, and how it looks."""

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from jinja2 import Environment, StrictUndefined
from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.db import campaigns, handover
from app.db.models import Campaign
from app.domain.job import FINAL
from app.domain.style import plain
from app.errors import NotFound, NotOffered
from app.handover.formats import ReportFormat
from app.storage import Storage, asset_key
from app.thumbnails import PIXELS, thumbnails

PAIRS: Final = 6  #: pictures shown before and after
SIDE: Final = 480  #: pixels of the longer side of each
COUNTED: Final = tuple(status.value for status in FINAL)


def gather(session: Session, tenant_id: UUID, campaign_id: UUID, currency: str) -> dict[str, Any]:
    """All that the report says, as plain values; pictures by digest. Raises `NotFound`."""
    campaign = campaigns.get(session, tenant_id, campaign_id)
    left = campaign.total - sum(getattr(campaign, name) for name in COUNTED)
    return {
        "name": campaign.name,
        "id": str(campaign.id),
        "at": _moment(datetime.now(UTC)),
        "finished": campaign.finished_at is not None,
        "began": _moment(campaign.created_at),
        "ended": _moment(campaign.finished_at) if campaign.finished_at else None,
        "counts": {"total": campaign.total}
        | {name: getattr(campaign, name) for name in COUNTED}
        | {"unfinished": left},
        "cost": _cost(campaign, currency),
        "durations": [
            {"name": its.name, "p50": _span(its.p50), "p95": _span(its.p95)}
            for its in handover.durations(session, campaign_id)
        ],
        "reasons": [
            {"code": its.code, "jobs": its.jobs, "example": its.example or ""}
            for its in handover.reasons(session, campaign_id)
        ],
        "styles": [_style(row) for row in handover.styles(session, campaign_id)],
        "pairs": [
            {"custom_id": its.custom_id or str(its.job_id), "digests": (its.content, its.output)}
            for its in handover.pairs(session, campaign_id, amount=PAIRS, pixels=PIXELS)
        ],
    }


def render(facts: dict[str, Any], kind: ReportFormat, storage: Storage, tenant_id: UUID) -> bytes:
    """The report as a file. Raises `NotOffered` for a PDF where its typesetter is missing."""
    pictures = _pictures(facts["pairs"], storage, tenant_id)
    return _pdf(facts, pictures) if kind is ReportFormat.PDF else _html(facts, pictures)


def _pictures(
    pairs: Sequence[dict[str, Any]], storage: Storage, tenant_id: UUID
) -> list[bytes | None]:
    """Before and after of each pair in turn, small."""
    digests = [digest for pair in pairs for digest in pair["digests"]]
    return thumbnails([_stored(storage, asset_key(tenant_id, it)) for it in digests], side=SIDE)


def _stored(storage: Storage, key: str) -> bytes:
    try:
        return storage.get(key)
    except NotFound:  # erased since: the report goes on without it
        return b""


def _html(facts: dict[str, Any], pictures: Sequence[bytes | None]) -> bytes:
    shown = [f"data:image/jpeg;base64,{b64encode(it).decode()}" if it else None for it in pictures]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.from_string(_template("report.html")).render(facts, pictures=shown)
    return page.encode()


def _pdf(facts: dict[str, Any], pictures: Sequence[bytes | None]) -> bytes:
    try:
        import typst
    except ImportError:
        raise NotOffered(
            "PDF reports need the `reports` extra (Typst); format=html works without it."
        ) from None
    with TemporaryDirectory() as directory:
        place = Path(directory)
        names = [_kept(place, number, it) for number, it in enumerate(pictures)]
        source = place / "report.typ"
        source.write_text(_template("report.typ"), "utf-8")
        # What callers named arrives as a value, never as a part of the program.
        said = json.dumps({**facts, "pictures": names})
        return bytes(typst.compile(source, root=place, sys_inputs={"facts": said}))


def _kept(place: Path, number: int, picture: bytes | None) -> str | None:
    if picture is None:
        return None
    (place / f"{number}.jpg").write_bytes(picture)
    return f"{number}.jpg"


def _template(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _cost(campaign: Campaign, currency: str) -> dict[str, str]:
    each = campaign.cost_micros / max(1, campaign.succeeded)
    return {
        "total": f"{currency} {campaign.cost_micros / 1e6:,.4f}",
        "each": f"{currency} {each / 1e6:,.6f}",
    }


def _style(row: Row[Any]) -> dict[str, Any]:
    licence = row.card.get("licence") or {}
    return {
        "style": f"{plain(row.slug)}@{row.version}",
        "title": row.title,
        "jobs": row.jobs,
        "spdx": licence.get("spdx", "not stated"),
        "licensor": licence.get("licensor", ""),
        "evidence": licence.get("evidence", ""),
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%d %B %Y, %H:%M UTC")


def _span(milliseconds: float) -> str:
    """For people: `12.3 ms`, `4.56 s`, `3 min 05 s`."""
    if milliseconds < 1_000:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1_000:.2f} s"
    minutes, seconds = divmod(round(milliseconds / 1_000), 60)
    return f"{minutes} min {seconds:02} s"
