"""Accepting a style to be learned: a version without numbers, and the job that will bring them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db import styles
from app.db.intake import NewJob
from app.domain.events import JOB_DEFAULT
from app.domain.ids import new_id
from app.domain.job import Lane
from app.domain.licence import check_learnable
from app.domain.parameters import Parameters
from app.domain.prices import Usage, rounded
from app.domain.requests import Input
from app.domain.style import SMALLEST, StyleRequest
from app.errors import InvalidImage
from app.sources import Picture
from app.submission import Desk, kept_hook, queue


def accept_style(desk: Desk, tenant_id: UUID, request: StyleRequest) -> UUID:
    """
    Write the next version of a style and queue the job that learns it, in one transaction.

    Answers with the version's id. Raises `NotOffered`, `UnknownUpload`, `InvalidImage`,
    `StyleNotLicensed`, and `Conflict` for a name that is everybody's.
    """
    desk.check_offered()
    check_learnable(request.licence, datetime.now(UTC))
    hook = kept_hook(desk, request.webhook, JOB_DEFAULT)
    given = Input(upload_id=request.picture.upload_id)
    with desk.sessions.begin() as session:
        source = desk.sources(session, tenant_id, [given], []).find(given)
        picture = _large_enough(source.asset)
        version = styles.begin(
            session,
            tenant_id,
            request.name,
            title=request.title,
            stylizer=desk.stylizer,
            card=_card(request, picture.digest),
        )
        job = NewJob(
            id=new_id(),
            lane=Lane.LEARN,
            source=source.name,
            style_version_id=version.id,
            parameters=Parameters().model_dump(mode="json"),
            content_digest=picture.digest,
            pixels=picture.width * picture.height,
            reserve_micros=rounded(
                desk.settings.rate_card, Usage(device_ms=request.minutes * 60_000)
            ),
        )
        queue(desk, session, tenant_id, [job], hook)
        desk.admission.admit(session, tenant_id, 1)
    desk.tickets.work(Lane.LEARN)
    return version.id


def _large_enough(picture: Picture | None) -> Picture:
    if picture is None or min(picture.width, picture.height) < SMALLEST:
        raise InvalidImage(
            f"The shorter side of a style's picture must have {SMALLEST} pixels or more: "
            "in fewer there are no strokes to learn."
        )
    return picture


def _card(request: StyleRequest, digest: str) -> dict[str, Any]:
    """What is known before it is learned, under the names that the catalog's cards use."""
    words = request.model_dump(include={"title", "artist", "year", "description", "minutes"})
    words["description"] = words["description"] or f"Learned from {request.title}."
    return {
        "slug": request.name,
        **words,
        "licence": request.licence.model_dump(mode="json"),
        "style_image": {"sha256": digest, "origin": "Given by whoever had the style learned."},
    }
