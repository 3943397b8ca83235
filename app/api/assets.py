"""Stored pictures: from the store itself where it has an address, else as bytes from here."""

import re
from time import time
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, RedirectResponse, Response

from app.api.deps import TheDesk, admit, state_of, takes
from app.api.links import asset_url, check_asset_url
from app.api.problems import documented
from app.api.replies import not_modified, unchanged
from app.db import licences, reading, reviews
from app.db.licences import WITHHELD
from app.db.models import Asset, AssetKind
from app.db.standings import Clearance
from app.domain.parameters import OutputFormat
from app.domain.scopes import Scope
from app.domain.territories import Territory
from app.errors import (
    AwaitingReview,
    BadRequest,
    Erased,
    InsufficientScope,
    NotFound,
    OutputRejected,
    QuotaExceeded,
    RangeNotSatisfiable,
    StorageUnavailable,
    Unauthorized,
)
from app.storage import LocalStorage, asset_key
from app.submission import Desk

REDIRECT_SECONDS: Final = 3600  #: how long the store's own address opens
YEAR: Final = 31_536_000

_RANGE: Final = "([0-9]+-[0-9]*|-[0-9]+)"
RANGES: Final = rf"bytes=\s*{_RANGE}(\s*,\s*{_RANGE})*\s*"

#: A picture is a picture, also for a browser that would rather see a page in it.
LOCKED: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}

router = APIRouter(prefix="/v1/assets", tags=["assets"])


@router.get(
    "/{sha256}",
    summary="The bytes of a picture",
    response_class=Response,
    responses={
        200: {
            "description": "The picture.",
            "content": {f"image/{kind}": {} for kind in OutputFormat},
        },
        206: {"description": "The part that `Range` asked for."},
        304: {"description": "You have it."},
        307: {"description": "Where the store, or the CDN before it, has the picture."},
        **documented(
            *(BadRequest, Unauthorized, InsufficientScope, NotFound, Erased),
            *(AwaitingReview, OutputRejected),
            *(RangeNotSatisfiable, QuotaExceeded, StorageUnavailable),
        ),
        **documented(*WITHHELD),
    },
    openapi_extra={
        "security": [{}, {"HTTPBearer": []}, {"APIKeyHeader": []}],
        **takes(Scope.READ),
    },
)
async def get_asset(
    request: Request,
    desk: TheDesk,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    owner: Annotated[UUID | None, Query(description="Part of a signed link.")] = None,
    expires: Annotated[int, Query(description="Part of a signed link.")] = 0,
    signature: Annotated[str | None, Query(description="Part of a signed link.")] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    range: Annotated[
        str | None,
        Header(description="`bytes=0-99`", json_schema_extra={"pattern": f"^{RANGES}$"}),
    ] = None,
    territory: Annotated[
        Territory | None, Query(description="Where it will be shown; some licences limit that.")
    ] = None,
) -> Response:
    """
    With a key, or as the signed link that a job's `output.url` is. It never changes.

    A picture whose style is suspended, withdrawn or no longer licensed is kept, not delivered.
    Needs a key with the scope `read`, unless the link is signed.
    """
    if signature is not None and owner is not None:
        check_asset_url(desk.settings, owner, sha256, expires, signature)
        tenant_id, audience = owner, "public"
    else:
        caller = await admit(state_of(request), request.headers, Scope.READ)
        tenant_id, audience = caller.tenant_id, "private"
    places = _places(desk, request, territory)
    asset, cleared = await run_in_threadpool(_asset, desk, tenant_id, sha256, places)
    caching = _caching(desk, audience, asset, cleared)
    headers = {"ETag": f'"{sha256}"', "Cache-Control": caching, **LOCKED}
    if unchanged(if_none_match, headers["ETag"]):
        return not_modified(headers)
    if place := _elsewhere(desk, asset, cleared):
        seconds = _seconds(cleared, REDIRECT_SECONDS) // 2
        aside = {"Cache-Control": f"private, max-age={seconds}"}
        return RedirectResponse(place, 307, aside)
    return picture(desk, asset, headers, range)


def _places(desk: Desk, request: Request, said: str | None) -> list[str]:
    """Where the picture goes, as the caller says and as our edge sees, if it is asked."""
    header = desk.settings.governance.country_header
    seen = [] if header is None else [request.headers.get(header, "").strip().upper()]
    return [said, *seen] if said else seen


def _asset(desk: Desk, tenant_id: UUID, digest: str, places: list[str]) -> tuple[Asset, Clearance]:
    with desk.sessions() as session:
        asset = reading.asset(session, tenant_id, digest)
        reviews.check_deliverable(session, asset)
        if asset.kind is not AssetKind.OUTPUT:
            return asset, Clearance()  # the tenant's own photograph
        return asset, licences.check_delivery(session, tenant_id, digest, places)


def _caching(desk: Desk, audience: str, asset: Asset, cleared: Clearance) -> str:
    """Others may keep what we could not take back anyway, and only as long as its licence lasts."""
    if asset.kind is AssetKind.OUTPUT and cleared.limited:
        longest = desk.settings.governance.limited_url_seconds
        return f"private, max-age={_seconds(cleared, longest)}"
    return f"{audience}, max-age={YEAR}, immutable"


def _seconds(cleared: Clearance, most: int) -> int:
    """So many, or what is left of the licence."""
    if cleared.until is None:
        return most
    return max(1, min(most, int(cleared.until.timestamp() - time())))


def _elsewhere(desk: Desk, asset: Asset, cleared: Clearance) -> str | None:
    """Where the store has the picture; a CDN in front of us asks us, and is not sent back."""
    key = asset_key(asset.tenant_id, asset.digest)
    seconds = _seconds(cleared, REDIRECT_SECONDS)
    place = desk.storage.url(key, media_type=asset.media_type, expires=seconds)
    if place is None or not desk.settings.cdn_url:
        return place
    return asset_url(
        desk.settings,
        asset.tenant_id,
        asset.digest,
        until=cleared.until,
        limited=cleared.limited,
    )


def picture(
    desk: Desk, asset: Asset, headers: dict[str, str], wanted: str | None = None
) -> Response:
    """The bytes of a picture in a local store, or the `wanted` range of them."""
    if not isinstance(desk.storage, LocalStorage):
        raise StorageUnavailable("The store has no address for this picture.")
    _check_range(wanted, asset.bytes)
    kind = asset.media_type.removeprefix("image/")
    return FileResponse(
        desk.storage.path(asset_key(asset.tenant_id, asset.digest)),
        headers=headers,
        media_type=asset.media_type,
        filename=f"{asset.digest[:16]}.{'jpg' if kind == 'jpeg' else kind}",
        content_disposition_type="inline",
    )


_RANGES: Final = re.compile(RANGES)


def _check_range(wanted: str | None, size: int) -> None:
    """Refuse here, in our own shape, what the framework would refuse in its own."""
    if wanted is None:
        return
    if not _RANGES.fullmatch(wanted):
        raise BadRequest("Range: send bytes=FIRST-LAST.")
    for part in wanted.removeprefix("bytes=").split(","):
        first, _, last = part.strip().partition("-")
        if first and int(first) >= size:
            raise RangeNotSatisfiable(f"The picture has {size:,} bytes.", size=size)
        if first and last and int(last) < int(first):
            raise BadRequest("Range: the last byte comes before the first.")
