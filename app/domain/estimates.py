"""What is asked before work is handed in."""

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from app.domain.requests import MAX_ITEMS, STYLED, CampaignItem, CampaignRequest, Input, Word
from app.domain.told import one_of

MAX_COUNT = 1_000_000

_ONE = one_of(items="array", input="object", count="integer")
_ONE["oneOf"][0]["properties"]["items"]["minItems"] = 1


def _unread(given: object) -> object:
    if given is not None:
        raise ValueError("give items or their count: a manifest is not read for an estimate")
    return given


class EstimateRequest(CampaignRequest):
    """
    The body of a job or a campaign as it would be sent, or a `count` in place of its pictures.

    Nothing is accepted, stored or drawn.
    """

    name: Word = "estimate"
    items: Annotated[tuple[CampaignItem, ...], Field(max_length=MAX_ITEMS)] = ()
    manifest: Annotated[None, BeforeValidator(_unread)] = None
    input: Input | None = None
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = Field(
        None, description="How many pictures there will be, where they are not there yet."
    )
    megapixels: Annotated[float, Field(gt=0, le=1_000)] | None = Field(
        None,
        description="Of one output; for `count`, and for pictures behind URLs, whose size nobody"
        " knows before they are fetched. Without it, as large as those drawn lately.",
    )

    model_config = ConfigDict(json_schema_extra={**_ONE, **STYLED})

    @model_validator(mode="after")
    def _one_list(self) -> "EstimateRequest":
        if [bool(self.items), self.input is not None, self.count is not None].count(True) != 1:
            raise ValueError("give one of items, input and count")
        return self
