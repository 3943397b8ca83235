"""Shapes that many answers have, and the smallest ones."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A part of a listing; `next_cursor` leads to the next part."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None


class Cache(BaseModel):
    """How much of your finished work had been drawn before."""

    days: int
    succeeded: int
    cached: int = Field(description="Of those; they cost nothing.")
    ratio: float | None = Field(description="`cached` of `succeeded`; null without any.")


class WebhookSecret(BaseModel):
    """What every webhook to this tenant is signed with (Standard Webhooks, `v1`)."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


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
