"""The shapes of answers about money."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api import examples
from app.api.schemas import CostParts


class CostGroup(BaseModel):
    """What the settled jobs of one group cost, and what they took."""

    object: Literal["cost_group"] = "cost_group"
    key: str | None = Field(description="Null for jobs that have none.", examples=["acme"])
    jobs: int
    micros: int = Field(description="In millionths of the currency unit.")
    currency: str | None = Field(description="Null for entries of a card that nobody knows.")
    device_seconds: float
    cpu_seconds: float
    stored_bytes: int
    signatures: int


class Price(BaseModel):
    """What it would cost."""

    micros: int
    currency: str
    rate_card: str
    parts: CostParts


class StyleLicence(BaseModel):
    """A style that would be used, as it would be pinned, and what allows it."""

    style: str = Field(examples=["great-wave@3"])
    licence: str | None = Field(description="SPDX expression.", examples=["CC0-1.0"])
    licensor: str | None


class Objection(BaseModel):
    """Pictures that would fail at once, and why; `code` is one of `GET /problems`."""

    code: str
    detail: str
    jobs: int
    custom_ids: list[str] = Field(description="The first 100.")


class Estimate(BaseModel):
    """What would become of the work if it were handed in now."""

    object: Literal["estimate"] = "estimate"
    jobs: int = Field(description="That would be done; those of `objections` not among them.")
    assumed: int = Field(description="How many of them have a size that is assumed.")
    megapixels: float = Field(description="Of all outputs.")
    price: Price
    basis: Literal["measured", "rate_card"] = Field(
        description="Pictures drawn lately, or guesses of the rate card until there are any."
    )
    queue_position: int | None = Field(description="Of its first picture; 1 is next.")
    eta_seconds: int | None = Field(
        description="Until all of it would have ended; null while nobody works or has worked."
    )
    licences: list[StyleLicence]
    objections: list[Objection]

    model_config = ConfigDict(json_schema_extra={"example": examples.ESTIMATE})
