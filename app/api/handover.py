"""What a campaign leaves its owner with: an archive, a manifest, a report."""

from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import UNCACHED
from app.db import campaigns
from app.errors import InvalidRequest, NotFound, NotOffered, StorageUnavailable
from app.handover.archive import archive
from app.handover.formats import ManifestFormat, ReportFormat
from app.handover.lines import lines, stem
from app.handover.manifest import written
from app.handover.report import gather, render
from app.submission import Desk

#: A page of ours in somebody's browser runs nothing and loads nothing.
LOCKED: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"

router = APIRouter(prefix="/v1/campaigns/{campaign_id}", tags=["campaigns"], **KEYED)


def _file(*kinds: str) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": "The file.", "content": dict.fromkeys(kinds, schema)}}


@router.get(
    "/archive",
    response_class=Response,
    summary="Every finished picture of a campaign as one ZIP",
    responses={**_file("application/zip"), **documented(NotFound, StorageUnavailable)},
)
def get_archive(desk: TheDesk, tenant_id: TenantId, campaign_id: UUID) -> Response:
    """
    Made while it is sent, with `manifest.csv` and `SHA256SUMS` in it. Of a campaign that still
    runs it holds what is finished. One that ends early has no directory: take it again.
    """
    name = _name(desk, tenant_id, campaign_id)
    content = archive(desk.storage, tenant_id, lines(desk.sessions, campaign_id))
    return StreamingResponse(content, 200, _as_file(f"{name}.zip"), "application/zip")


@router.get(
    "/manifest",
    response_class=Response,
    summary="Which picture became which",
    responses={
        **_file("text/csv", "application/x-ndjson"),
        **documented(NotFound, InvalidRequest),
    },
)
def get_manifest(
    desk: TheDesk,
    tenant_id: TenantId,
    campaign_id: UUID,
    format: Annotated[ManifestFormat, Query()] = ManifestFormat.CSV,
) -> Response:
    """
    A line for every job, in the order in which they were handed in: names as in the archive,
    checksums, costs, and why the others failed. In CSV, text that a spreadsheet would take for
    a formula has an apostrophe in front.
    """
    name = _name(desk, tenant_id, campaign_id)
    content = written(lines(desk.sessions, campaign_id), format)
    return StreamingResponse(content, 200, _as_file(f"{name}.{format}"), format.media_type)


@router.get(
    "/report",
    response_class=Response,
    summary="What was done, what it cost, what went wrong, and how it looks",
    responses={
        **_file("text/html", "application/pdf"),
        **documented(NotFound, InvalidRequest, NotOffered),
    },
)
def get_report(
    desk: TheDesk,
    tenant_id: TenantId,
    campaign_id: UUID,
    format: Annotated[ReportFormat, Query()] = ReportFormat.HTML,
) -> Response:
    """One file, with some of the pictures in it. Of a campaign that still runs: as it is now."""
    with desk.sessions() as session:
        facts = gather(session, tenant_id, campaign_id, desk.settings.rate_card.currency)
    content = render(facts, format, desk.storage, tenant_id)
    place = _as_file(f"{_stem(facts['name'], campaign_id)}.{format}", "inline")
    return Response(content, 200, {**place, "Content-Security-Policy": LOCKED}, format.media_type)


def _name(desk: Desk, tenant_id: UUID, campaign_id: UUID) -> str:
    """What the file is called. Raises `NotFound` before a byte is sent."""
    with desk.sessions() as session:
        return _stem(campaigns.get(session, tenant_id, campaign_id).name, campaign_id)


def _stem(name: str, campaign_id: UUID) -> str:
    return stem(name) or str(campaign_id)


def _as_file(name: str, how: str = "attachment") -> dict[str, str]:
    """RFC 6266: the name in UTF-8 for who reads it, in ASCII for the others."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    said = f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    return {**UNCACHED, "Content-Disposition": said}
