"""Jobs as callers see them, and reviewers."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.api import schemas
from app.api.shown.costs import cost_shown
from app.api.shown.parts import error_of, parameters_of, style_of, url_of
from app.db import models
from app.domain.job import JobStatus
from app.domain.parameters import Parameters
from app.outlook import NOTHING, Forecast
from app.settings import Settings


def job_shown(settings: Settings, row: Row[Any], forecast: Forecast = NOTHING) -> schemas.Job:
    """A row of `reading.job`, `jobs` or `items` as callers see it."""
    job: models.Job = row.Job
    succeeded = job.status is JobStatus.SUCCEEDED
    parameters = parameters_of(job.parameters)
    return schemas.Job(
        id=job.id,
        status=job.status,
        stage=job.stage,
        attempt=job.attempt,
        lane=job.lane,
        style=style_of(row, parameters),
        parameters=parameters,
        usage=job.usage,
        custom_id=job.custom_id,
        campaign_id=job.campaign_id,
        metadata=job.metadata_,
        tags=job.tags,
        queue_position=forecast.position,
        eta_seconds=forecast.seconds,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        erased_at=job.erased_at or row.erased_at,
        timings=job.timings,
        deadline_at=job.deadline_at,
        priority=job.priority,
        warnings=job.warnings,
        review=reviewed_shown(job),
        error=error_of(job),
        output=_output(settings, row) if succeeded and row.erased_at is None else None,
        renditions=_renditions(settings, row) if succeeded else [],
        rendered_by=job.rendered_by,
        cost=cost_shown(settings, row),
        provenance=provenance_shown(row) if succeeded else None,
        urls=_job_urls(job.id),
    )


def review_shown(settings: Settings, row: Row[Any]) -> schemas.Review:
    """A row of `reading.reviews` as reviewers see it."""
    job: models.Job = row.Job
    output = schemas.ReviewOutput(
        asset_id=job.output_digest or "",
        url=f"/v1/reviews/{job.id}/output",
        media_type=row.media_type,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
        renditions=[
            _rendition(row, one, f"/v1/reviews/{job.id}/output?rendition={one['name']}")
            for one in row.renditions or ()
        ],
    )
    return schemas.Review(job=job_shown(settings, row), output=output)


def reviewed_shown(job: models.Job) -> schemas.Reviewed | None:
    """What became of a job's review; None for one that nobody was to look at."""
    if job.review is None:
        return None
    said = job.verdict or {}
    return schemas.Reviewed(
        rule=job.review,
        state=_STATES.get((job.status, job.verdict is not None)),
        by=said.get("by"),
        at=job.finished_at if job.verdict else None,  # a verdict is the end of its job
        reason_code=said.get("reason_code"),
        note=said.get("note"),
    )


_STATES: Final[dict[tuple[JobStatus, bool], Any]] = {
    (JobStatus.IN_REVIEW, False): "pending",
    (JobStatus.SUCCEEDED, True): "approved",
    (JobStatus.REJECTED, True): "rejected",
    (JobStatus.SUCCEEDED, False): "skipped",
}


def _output(settings: Settings, row: Row[Any]) -> schemas.OutputAsset:
    job: models.Job = row.Job
    digest = job.output_digest or ""
    return schemas.OutputAsset(
        asset_id=digest,
        url=url_of(settings, job.tenant_id, digest, row.ends_at, row.now),
        media_type=row.media_type,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
    )


def _renditions(settings: Settings, row: Row[Any]) -> list[schemas.RenditionAsset]:
    whose, ends_at, now = row.Job.tenant_id, row.ends_at, row.now
    return [
        _rendition(row, one, url_of(settings, whose, one["digest"], ends_at, now))
        for one in row.renditions or ()
    ]


def _rendition(row: Row[Any], one: dict[str, Any], url: str | None) -> schemas.RenditionAsset:
    facts = {name: one[name] for name in ("name", "media_type", "bytes", "width", "height")}
    suffix = Parameters.model_validate(row.Job.parameters).ending(one["name"])
    return schemas.RenditionAsset(sha256=one["digest"], url=url, suffix=suffix, **facts)


def provenance_shown(row: Row[Any]) -> schemas.Provenance:
    """What made the output of a row of `reading`."""
    job: models.Job = row.Job
    parameters = parameters_of(job.parameters)
    return schemas.Provenance(
        content_sha256=job.content_digest or "",
        output_sha256=job.output_digest or "",
        style=style_of(row, parameters),
        stylizer=schemas.StylizerName(
            name=row.stylizer_name, version=row.stylizer_version, digest=row.stylizer_digest
        ),
        engine=row.engine,
        device=row.device,
        batch_size=row.batch_size,
        render_key=job.render_key or "",
        parameters=parameters,
        software=row.software,
        drawn_sha256=row.drawn_digest,
        credentials=_credentials(row),
    )


def rendition_provenance(made: schemas.Provenance, part: dict[str, Any]) -> schemas.Provenance:
    """The same of a rendition, which `row.renditions` has: it is signed by itself."""
    signed = part["manifest_label"] and schemas.ContentCredentials(
        label=part["manifest_label"],
        manifest_sha256=part["manifest_digest"],
        certificate_sha256=part["certificate_digest"],
    )
    about = {"output_sha256": part["digest"], "rendition": part["name"], "credentials": signed}
    return made.model_copy(update=about)


def _credentials(row: Row[Any]) -> schemas.ContentCredentials | None:
    if row.manifest_label is None:
        return None
    return schemas.ContentCredentials(
        label=row.manifest_label,
        manifest_sha256=row.manifest_digest,
        certificate_sha256=row.certificate_digest,
        certificate_serial=row.certificate_serial,
        stamped_at=row.stamped_at,
    )


def _job_urls(job_id: UUID) -> schemas.JobUrls:
    path = f"/v1/jobs/{job_id}"
    return schemas.JobUrls(get=path, cancel=f"{path}/cancel", retry=f"{path}/retry")
