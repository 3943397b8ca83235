"""What work would cost, and what it did cost."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.client.transport import Client


class Price(BaseModel):
    """Money, in millionths of the currency unit."""

    micros: int
    currency: str
    rate_card: str


class Licensed(BaseModel):
    """A style that would be used, as it would be pinned, and what allows it."""

    style: str
    licence: str | None
    licensor: str | None


class Objection(BaseModel):
    """Pictures that would fail at once, and why."""

    code: str
    detail: str
    jobs: int
    custom_ids: list[str]


class Estimate(BaseModel):
    """What would become of work if it were handed in now."""

    model_config = ConfigDict(extra="allow")

    jobs: int
    megapixels: float
    price: Price
    basis: str  #: `measured`, or `rate_card`: a guess until something was drawn
    queue_position: int | None
    eta_seconds: int | None
    licences: list[Licensed]
    objections: list[Objection]


class CostGroup(BaseModel):
    """What the jobs of one group cost and took; `key` is None for those that have none."""

    key: str | None
    jobs: int
    micros: int
    currency: str | None
    device_seconds: float
    cpu_seconds: float
    stored_bytes: int
    signatures: int


class CacheUse(BaseModel):
    """How much of what succeeded in `days` had been drawn before; `ratio` is None without any."""

    days: int
    succeeded: int
    cached: int
    ratio: float | None


class Costs:
    """Money, before and after."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def estimate(self, *, style: str, **options: Any) -> Estimate:
        """
        What work would cost: `items`, `input`, or a `count` with `megapixels`, and its options.

        Nothing is accepted. What would refuse the work raises the same here.
        """
        body = json.loads(json.dumps({"style": style, **options}, default=str))
        return Estimate.model_validate(self._client.post("/v1/estimates", body))

    def list(
        self, group_by: str | None = None, since: date | None = None, until: date | None = None
    ) -> Iterator[CostGroup]:
        """What was spent (in 30 days), by `campaign`, `style`, `day`, `tag:KEY`, ... or in all."""
        given = {
            "group_by": group_by,
            "since": since and since.isoformat(),
            "until": until and until.isoformat(),
        }
        query = {word: value for word, value in given.items() if value is not None}
        return map(CostGroup.model_validate, self._client.pages("/v1/costs", limit=200, **query))
