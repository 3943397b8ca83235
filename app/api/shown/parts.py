"""What several answers show: a style by its name, parameters, reasons, links."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.api import schemas
from app.api.links import asset_url
from app.api.problems import catalogue
from app.db import models
from app.domain.parameters import Parameters
from app.domain.style import drawn_in, plain
from app.errors import ImpastoError
from app.settings import Settings

KINDS = catalogue()


def error_of(job: models.Job | Row[Any]) -> schemas.JobError | None:
    """Why it failed, in the words of `GET /problems`; None for what did not."""
    if job.error_code is None:
        return None
    kind = KINDS.get(job.error_code, ImpastoError)
    return schemas.JobError(
        code=job.error_code,
        title=kind.title,
        detail=job.error_detail,
        retryable=kind.retryable,
    )


def style_of(row: Row[Any], parameters: Parameters) -> str:
    """What it was drawn in, pinned."""
    return drawn_in(row.slug, row.style_version, parameters.mix)


def parameters_of(kept: dict[str, Any]) -> Parameters:
    """As they were asked for: a tenant's own styles by the names it gave them."""
    parameters = Parameters.model_validate(kept)
    if not parameters.mix:
        return parameters
    named = {plain(name): share for name, share in parameters.mix.items()}
    return parameters.model_copy(update={"mix": named})


def url_of(
    settings: Settings, tenant_id: UUID, digest: str, ends_at: datetime | None, now: datetime
) -> str | None:
    """None for a picture whose licence has ended, or is suspended: no new links to it."""
    if ends_at is not None and ends_at <= now:
        return None
    return asset_url(settings, tenant_id, digest, until=ends_at)
