"""What the `type` of a problem leads to: the catalogue of errors, read from their classes."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.problems import catalogue, documented
from app.errors import ImpastoError, NotFound

router = APIRouter(prefix="/problems", tags=["problems"])


class ProblemKind(BaseModel):
    """One entry of the catalogue."""

    type: str
    code: str
    title: str
    status: int
    retryable: bool
    description: str


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


def _shown(kind: type[ImpastoError]) -> ProblemKind:
    return ProblemKind(
        type=f"/problems/{kind.code}",
        code=kind.code,
        title=kind.title,
        status=kind.status,
        retryable=kind.retryable,
        description=(kind.__doc__ or kind.title).strip(),
    )
