"""Shapes that many answers have, and the smallest ones."""

from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A part of a listing; `next_cursor` leads to the next part."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None


class Cache(BaseModel):
    """How much of your finished work had been drawn before."""

    days: int | None = Field(description="Today, in UTC, and the days before it.")
    campaign_id: UUID | None = Field(description="The campaign that was asked about, if one was.")
    succeeded: int = Field(
        description="Pictures; of a campaign also those that a reviewer has or refused."
    )
    cached: int = Field(description="Of those; they cost nothing.")
    ratio: float | None = Field(description="`cached` of `succeeded`; null without any.")


class WebhookSecret(BaseModel):
    """What every webhook to this tenant is signed with (Standard Webhooks, `v1`)."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    retired_until: list[datetime] = Field(
        description="When secrets before it sign no longer; the newest first."
    )


class RetiredSecrets(BaseModel):
    """Which old secrets still sign beside the new one; `GET /v1/webhook-secret` shows that."""

    retired_until: list[datetime] = Field(
        description="When secrets before it sign no longer; the newest first."
    )


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Welcome(BaseModel):
    """Where everything is."""

    name: str = "impasto"
    version: str
    docs: str = "/docs"
    openapi: str = "/openapi.json"
    styles: str = "/v1/styles"
    problems: str = "/problems"
