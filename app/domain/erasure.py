"""What can be asked to be forgotten."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from app.domain.requests import Request
from app.domain.told import one_of


class ErasureRequest(Request):
    """One of these. What is erased does not come back."""

    asset: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{64}$",
            description="A picture, by its SHA-256, with every job that used or made it, and what"
            " those made of it.",
        ),
    ] = None
    job: Annotated[UUID | None, Field(description="A job with its pictures.")] = None
    campaign: Annotated[UUID | None, Field(description="All jobs of a campaign.")] = None
    all: Annotated[Literal[True] | None, Field(description="Everything of yours.")] = None

    model_config = ConfigDict(
        json_schema_extra=one_of(asset="string", job="string", campaign="string", all="boolean")
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "ErasureRequest":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give one of asset, job, campaign and all")
        return self
