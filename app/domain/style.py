"""Styles as callers name and order them. Pure: which there are, others know."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from app.domain import mix
from app.domain.exact import Exact
from app.domain.licence import Licence, Spdx
from app.domain.requests import Request, WebhookRequest, Word, storable
from app.domain.told import STORABLE

SLUG: Final = r"[a-z0-9][a-z0-9-]{0,62}"
NAME: Final = re.compile(rf"({SLUG})(?:@([1-9][0-9]{{0,8}}))?")
SMALLEST: Final = 256  #: pixels of a style picture's short side; below, strokes are a few wide


class StyleStatus(StrEnum):
    """Where a version of a style is on its way to being offered."""

    LEARNING = "learning"  #: it has no numbers yet
    DRAFT = "draft"  #: learned; its owner has not said yes
    REVIEW = "review"  #: somebody asked for a second pair of eyes
    ACTIVE = "active"  #: may be asked for
    SUSPENDED = "suspended"  #: stopped for now: nothing new, and what there is is kept back
    RETIRED = "retired"  #: nothing new, for good; what there is stays


class StyleMove(StrEnum):
    """What people do with a version once it is learned."""

    SUBMIT = "submit-for-review"
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    RETIRE = "retire"
    WITHDRAW = "withdraw"  #: its licensor takes it back: suspended, and never reinstated


_L, _D, _R, _A, _S, _T = StyleStatus

#: From where each move is open, and where it leads.
STYLE_MOVES: Final[dict[StyleMove, tuple[frozenset[StyleStatus], StyleStatus]]] = {
    StyleMove.SUBMIT: (frozenset({_D}), _R),
    StyleMove.ACTIVATE: (frozenset({_R}), _A),  # from a draft, too, where two eyes are enough
    StyleMove.SUSPEND: (frozenset({_A}), _S),
    StyleMove.REINSTATE: (frozenset({_S}), _A),
    StyleMove.RETIRE: (frozenset({_D, _R, _A, _S}), _T),
    StyleMove.WITHDRAW: (frozenset({_D, _R, _A, _S}), _S),  # a retired one stays retired
}


def owned(tenant_id: UUID, name: str) -> str:
    """
    The slug of a tenant's own style: nobody else can ask for it, for no name holds a slash.

    Styles of the catalog are everybody's, and their slugs are their names.
    """
    return f"{tenant_id}/{name}"


def plain(slug: str) -> str:
    """The name by which its owner asks for it, also with a version behind."""
    return slug.rpartition("/")[2]


def drawn_in(slug: str, version: int, shares: Mapping[str, float] | None) -> str:
    """How its owner reads what a job was drawn in: one pinned version, or the shares of several."""
    if shares:
        return mix.text({plain(name): share for name, share in shares.items()})
    return f"{plain(slug)}@{version}"


class LicenceRequest(Exact, Licence):
    """What allows this style to be learned from the picture and used, and within what limits."""

    model_config = Request.model_config

    spdx: Annotated[Spdx, Field(max_length=255, examples=["LicenseRef-Contract-2026-11"])]
    licensor: Annotated[Word, Field(description="Who allows it.")]
    evidence: Annotated[Word, Field(description="How anybody can tell.")]
    tenants: Annotated[tuple[str, ...], Field(max_length=0)] = Field(
        (), exclude_if=lambda given: not given, description="Empty: your style is yours alone."
    )
    notes: Annotated[
        str, Field(max_length=2_000, json_schema_extra=STORABLE), AfterValidator(storable)
    ] = Field("", exclude_if=lambda given: not given)


class PictureRequest(Request):
    """A picture of yours that has arrived."""

    upload_id: UUID


class StyleRequest(Request):
    """A style to be learned from one picture; a name that you have already gets a new version."""

    name: Annotated[str, StringConstraints(pattern=rf"^{SLUG}$"), Field(examples=["harbour"])]
    title: Word
    artist: Word
    year: Annotated[int, Field(ge=-40_000, le=9_999)]
    description: Annotated[
        str, Field(max_length=1_000, json_schema_extra=STORABLE), AfterValidator(storable)
    ] = ""
    licence: LicenceRequest
    picture: PictureRequest
    minutes: Annotated[
        float,
        Field(ge=0.1, le=60.0, allow_inf_nan=False, description="Of the worker's time, at most."),
    ] = 8.0
    webhook: WebhookRequest | None = None
