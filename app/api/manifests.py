"""What `POST /v1/campaigns` takes: JSON, or a manifest as the body or as the file of a form."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, BinaryIO, Final, TypeVar, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.responses import Response

from app.api import examples, schemas
from app.api.deps import KEYED, Cursor, TenantId, TheDesk
from app.api.pages import Pages, answer
from app.api.problems import documented, invalid
from app.bulk import accept_manifest
from app.db import campaigns, manifests
from app.domain.manifest import Format
from app.domain.requests import CampaignOptions, CampaignRequest, ManifestRequest
from app.errors import BadRequest, BodyTooLarge, InvalidRequest, NotFound
from app.listings import listed
from app.manifest import entries, format_of
from app.submission import Desk, accept_campaign

IN_MEMORY: Final = 2**20  #: bytes of a manifest; the rest waits in a file
OPTIONS_BYTES: Final = 64 * 1024

OPTIONS: Final[dict[str, Any]] = {
    "name": "options",
    "in": "query",
    "required": False,
    "description": "Where the body is a manifest: everything else about the campaign, as JSON.",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/CampaignOptions"},
            "example": examples.CAMPAIGN_OPTIONS,
        }
    },
}
BODY: Final[dict[str, Any]] = {
    "parameters": [OPTIONS],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/CampaignRequest"},
                "examples": examples.CAMPAIGN_REQUESTS,
            },
            **{
                kind: {"schema": {"type": "string"}, "example": example}
                for kind, example in examples.MANIFESTS.items()
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["campaign", "manifest"],
                    "additionalProperties": False,
                    "properties": {
                        "campaign": {"$ref": "#/components/schemas/CampaignOptions"},
                        "manifest": {"type": "string", "format": "binary"},
                    },
                },
                "encoding": {"manifest": {"contentType": ", ".join(Format)}},
                "example": {
                    "campaign": examples.CAMPAIGN_OPTIONS,
                    "manifest": examples.MANIFESTS["text/csv"],
                },
            },
        },
    },
}

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"], **KEYED)

Model = TypeVar("Model", CampaignOptions, CampaignRequest)


@dataclass(frozen=True)
class Order:
    """What is wanted of a campaign, and its manifest where it came with the request."""

    request: CampaignOptions
    manifest: IO[bytes] | None = None
    format: Format = Format.JSONL


@router.get(
    "/{campaign_id}/manifest-errors",
    response_model=schemas.Page[schemas.ManifestError],
    summary="Lines of a campaign's manifest that became no job",
    responses=documented(BadRequest, InvalidRequest, NotFound),
)
def list_manifest_errors(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    campaign_id: UUID,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """In the order of the manifest. Send these lines again, put right, as another campaign."""
    pages = Pages(f"manifest-errors/{campaign_id}", desk.settings.secret_key)
    last = pages.last(cursor)
    with desk.sessions() as session:
        campaigns.get(session, tenant_id, campaign_id)
        after = 0 if last is None else last.int
        rows = manifests.errors(session, campaign_id, after=after, limit=limit + 1)
    following = pages.cursor(UUID(int=rows[limit - 1].line)) if len(rows) > limit else None
    data = [
        schemas.ManifestError(
            line=row.line, custom_id=row.custom_id, code=row.code, detail=row.detail
        )
        for row in rows[:limit]
    ]
    return answer(request, schemas.Page[schemas.ManifestError], data, following)


def accept(desk: Desk, tenant_id: UUID, order: Order) -> UUID:
    """The id of the campaign that was asked for. Raises as `app.submission` and `app.bulk`."""
    match order.request:
        case CampaignRequest(manifest=ManifestRequest() as wanted) as request:
            with listed(desk.settings, desk.sessions, desk.storage, tenant_id, wanted) as lines:
                return accept_manifest(desk, tenant_id, request, lines)
        case CampaignRequest() as request:
            return accept_campaign(desk, tenant_id, request)
        case options:
            lines = entries(cast(BinaryIO, order.manifest), order.format)
            return accept_manifest(desk, tenant_id, options, lines)


@asynccontextmanager
async def ordered(request: Request, desk: Desk) -> AsyncIterator[Order]:
    """
    What the request asks for, for as long as its files are open.

    Raises `BadRequest` for another syntax, `BodyTooLarge`, and `InvalidRequest`.
    """
    media_type = request.headers.get("content-type", "")
    kind = media_type.partition(";")[0].strip().lower()
    limit = desk.settings.limits.manifest_bytes
    if "options" in request.query_params and format_of(kind) is None:
        raise _field("options", "goes with a manifest that is the body")
    if kind == "application/json":
        yield Order(_valid(CampaignRequest, await _json(request)))
    elif kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=1, max_part_size=OPTIONS_BYTES) as form:
            yield _of_form(dict(form.multi_items()), limit)
    elif its := format_of(kind):
        options = _options(request.query_params.get("options", ""), "the query's `options`")
        with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            async for chunk in request.stream():
                file.write(chunk)
                _check(file.tell(), limit)
            file.seek(0)
            yield Order(options, cast(IO[bytes], file), its)
    else:
        raise BadRequest(
            "Send application/json, a manifest as application/x-ndjson or text/csv, or "
            "multipart/form-data with `campaign` and `manifest`."
        )


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def _of_form(fields: dict[str, Any], limit: int) -> Order:
    manifest = fields.pop("manifest", None)
    if not isinstance(manifest, UploadFile):
        raise _field("manifest", "must be a file, CSV or JSONL")
    its = format_of(manifest.content_type or "", manifest.filename or "")
    if its is None:
        raise _field("manifest", "must be text/csv or application/x-ndjson, or be named so")
    options = fields.pop("campaign", None)
    if not isinstance(options, str):
        raise _field("campaign", "must be a field with JSON")
    if fields:
        raise _field(next(iter(fields)), "is not a field of this form")
    _check(manifest.size or 0, limit)
    return Order(_options(options, "the field `campaign`"), manifest.file, its)


def _options(text: str, place: str) -> CampaignOptions:
    try:
        content = from_json(text, allow_inf_nan=False)
    except ValueError:
        raise BadRequest(f"Say what the campaign is to be, as JSON, in {place}.") from None
    return _valid(CampaignOptions, content)


def _valid(model: type[Model], content: Any) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise invalid(error.errors()) from error


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLarge(f"A manifest may have up to {limit:,} bytes.", limit=limit)


def _field(name: str, detail: str) -> InvalidRequest:
    reason = {"pointer": f"/{name}", "detail": detail}
    return InvalidRequest(f"{name}: {detail}.", errors=[reason])
