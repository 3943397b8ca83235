"""
What the `type` of a problem leads to: the catalogue of errors, read from their classes.

`python -m app.api.kinds` writes it as docs/problems.md.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.problems import catalogue, documented
from app.errors import ImpastoError, JobFailure, Misconfigured, NotFound, StyleNotLicensed

PAGE: Final = Path(__file__).parents[2] / "docs" / "problems.md"
HEAD: Final = """\
# Problems

Every error is an RFC 9457 problem (`application/problem+json`) whose `code` never changes;
`GET /problems` lists the same as JSON, and `type` leads to one of them. `detail` is for people and
may change. What is retryable comes with `Retry-After`, and `impasto.Impasto` waits for it. Invalid
fields are in `errors`, each with a JSON pointer.

This page is written from the classes in [app/errors](../app/errors) by
`python -m app.api.kinds`.

## Answers

Those of lines stand in `manifest-errors` of a campaign, and those of pictures also in `error` of a
job.
"""
JOBS: Final = """
## Jobs

Only in `error` of a job that failed, and in its webhook.
"""

router = APIRouter(prefix="/problems", tags=["problems"])


class ProblemKind(BaseModel):
    """One entry of the catalogue."""

    type: str
    code: str
    title: str
    status: int
    retryable: bool
    description: str
    remedy: str


@router.get("", summary="Every kind of problem")
async def list_kinds() -> list[ProblemKind]:
    """What `type` and `code` of a problem, or of a failed job's error, can be."""
    return [_shown(kind) for kind in catalogue().values()]


@router.get("/{code}", summary="One kind of problem", responses=documented(NotFound))
async def get_kind(code: str) -> ProblemKind:
    """What a problem's `type` leads to."""
    kind = catalogue().get(code)
    if kind is None:
        raise NotFound("There is no such kind of problem; GET /problems lists them.")
    return _shown(kind)


def page() -> str:
    """The catalogue for people, as Markdown."""
    kinds = sorted(catalogue().values(), key=lambda kind: (kind.status, kind.code))
    ends = [kind for kind in kinds if issubclass(kind, JobFailure)]
    answers = [kind for kind in kinds if not issubclass(kind, JobFailure | Misconfigured)]
    return "\n".join([HEAD, *_table(answers), JOBS, *_table(ends), ""])


def _table(kinds: Iterable[type[ImpastoError]]) -> Iterator[str]:
    yield "| `code` | Status | What it means | What to do |"
    yield "|---|---|---|---|"
    for kind in kinds:
        meaning = " ".join((kind.__doc__ or "").split())
        yield f"| `{kind.code}` | {_status(kind)} | {kind.title}. {meaning} | {kind.remedy} |"


def _status(kind: type[ImpastoError]) -> str:
    """What it is answered with; a picture that is kept back (451) has the code of the reason."""
    if issubclass(kind, JobFailure):
        return "failed"
    return "422, 451" if issubclass(kind, StyleNotLicensed) else str(kind.status)


def _shown(kind: type[ImpastoError]) -> ProblemKind:
    return ProblemKind(
        type=f"/problems/{kind.code}",
        code=kind.code,
        title=kind.title,
        status=kind.status,
        retryable=kind.retryable,
        description=(kind.__doc__ or kind.title).strip(),
        remedy=kind.remedy,
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
