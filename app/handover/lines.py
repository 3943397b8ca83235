"""A campaign, job by job, as its owner takes it home: read in pages, so that memory stays flat."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Row

from app.db import Sessions, reading
from app.db.models import Job
from app.domain.job import JobStatus
from app.domain.parameters import Parameters
from app.domain.style import drawn_in

KEPT_BACK: Final = "Kept back: its style is suspended, or the style's licence has ended."
PAGE: Final = 500  #: jobs read at once; the connection is given back between pages
LONGEST: Final = 120  #: bytes of a file's stem; archives are unpacked where 255 is all there is
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
#: What some systems take for a device, whatever stands behind the dot.
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


class Line(NamedTuple):
    """
    One file of a campaign; the fields are the columns of its manifest.

    A job without a file has a line, too. A rendition has its job's, but no cost: sums are right.
    """

    custom_id: str | None
    job_id: UUID
    status: JobStatus
    file: str | None  #: its name in the archive; none where its style's licence keeps it back
    sha256: str | None
    media_type: str | None
    bytes: int | None
    width: int | None
    height: int | None
    style: str
    source: str
    content_sha256: str | None
    cost_micros: int | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None
    error_code: str | None
    error_detail: str | None
    rendition: str | None = None  #: its name; none for the output itself


def lines(sessions: Sessions, campaign_id: UUID) -> Iterator[Line]:
    """
    Every job in the order in which it was handed in, each with its renditions behind it; no two
    files share a name.
    """
    after: UUID | None = None
    names = _Names()
    while True:
        with sessions() as session:
            rows = reading.items(session, campaign_id, after=after, status=None, limit=PAGE)
        for row in rows:
            line = _line(row, names)
            yield line
            for part in row.renditions or () if line.sha256 else ():
                yield _part(line, part, row.Job, names)
        if len(rows) < PAGE:
            return
        after = rows[-1].Job.id


def stem(text: str) -> str:
    """A name that stays in its folder and can be a file on every system; may be empty."""
    name = _UNSAFE.sub("_", text).strip(" .")
    name = name.encode()[:LONGEST].decode(errors="ignore")
    return f"_{name}" if _DEVICES.fullmatch(name.partition(".")[0]) else name


class _Names:
    """File names that are unlike each other, also where upper case is lower case."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def new(self, text: str, suffix: str, otherwise: str) -> str:
        """`text.suffix`, or with a piece of `otherwise` where that is taken or nothing."""
        first = stem(text)
        for name in (first, f"{first}-{otherwise[-8:]}", otherwise):
            # A digest of a name: 50,000 of them take 2 MB.
            if (
                name
                and not name.startswith("-")
                and (place := hash(name.lower())) not in self._taken
            ):
                self._taken.add(place)
                return f"{name}.{suffix}"
        return f"{otherwise}.{suffix}"


def _line(row: Row[Any], names: _Names) -> Line:
    job: Job = row.Job
    there = job.status is JobStatus.SUCCEEDED
    kept_back = row.ends_at is not None and row.ends_at <= row.now
    return Line(
        custom_id=job.custom_id,
        job_id=job.id,
        status=job.status,
        file=names.new(job.custom_id or "", _suffix(row.media_type), str(job.id))
        if there and not kept_back
        else None,
        sha256=job.output_digest if there else None,
        media_type=row.media_type if there else None,
        bytes=row.bytes if there else None,
        width=row.width if there else None,
        height=row.height if there else None,
        style=drawn_in(row.slug, row.style_version, Parameters.model_validate(job.parameters).mix),
        source=_shown(job.source),
        content_sha256=job.content_digest,
        cost_micros=job.cost_micros,
        attempts=job.attempt,
        created_at=job.created_at,
        finished_at=job.finished_at,
        error_code=job.error_code,
        error_detail=KEPT_BACK if there and kept_back else job.error_detail,
    )


def _shown(source: str) -> str:
    """An address without its query: a presigned one lets in whoever the archive is passed on to."""
    return source.partition("?")[0] if source.startswith(("http://", "https://")) else source


def _part(line: Line, part: dict[str, Any], job: Job, names: _Names) -> Line:
    """A rendition of a job, called as its preset says."""
    ending = Parameters.model_validate(job.parameters).ending(part["name"])
    named = f"{job.custom_id}{ending}" if job.custom_id else ""
    file = names.new(named, _suffix(part["media_type"]), f"{job.id}{ending}")
    return line._replace(
        file=file if line.file else None,
        sha256=part["digest"],
        cost_micros=None,
        rendition=part["name"],
        **{name: part[name] for name in ("media_type", "bytes", "width", "height")},
    )


def _suffix(media_type: str) -> str:
    return "jpg" if media_type == "image/jpeg" else media_type.rpartition("/")[2]
