"""What a reviewer says of an output, and of many at once."""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from app.domain.requests import Request, Word, storable
from app.domain.style import NAME
from app.domain.told import STORABLE

MAX_NOTE: Final = 2_000
FLAT: Final = "flat"  #: an output of nearly one colour
UNCHANGED: Final = "unchanged"  #: an output that is nearly its input


class Decision(StrEnum):
    """Deliver it, or never."""

    APPROVE = "approve"
    REJECT = "reject"


ReasonCode = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="A word of your own that reports can count.",
        examples=["off-brand", "face-distorted"],
    ),
]
StyleName = Annotated[
    str, Field(pattern=f"^{NAME.pattern}$", examples=["great-wave", "great-wave@3"])
]
Note = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NOTE, json_schema_extra=STORABLE),
    AfterValidator(storable),
]


class Verdict(Request):
    """One reviewer's word; whoever refuses says why."""

    decision: Decision
    reason_code: ReasonCode | None = None
    note: Note | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"decision": {"const": Decision.APPROVE}}},
                {"required": ["reason_code"], "properties": {"reason_code": {"type": "string"}}},
            ]
        }
    )

    @model_validator(mode="after")
    def _says_why(self) -> "Verdict":
        if self.decision is Decision.REJECT and self.reason_code is None:
            raise ValueError("a rejection needs a reason_code")
        return self

    def kept(self, by: str) -> dict[str, Any]:
        """As it stands beside the job."""
        return {"by": by, **self.model_dump(mode="json", include=set(Verdict.model_fields))}

    @property
    def said(self) -> str:
        """As it stands in the job's history."""
        words = ["approved" if self.decision is Decision.APPROVE else "rejected"]
        return ": ".join(words + [part for part in (self.reason_code, self.note) if part])


class ReviewQuery(Request):
    """Which of the pictures that wait for a reviewer; all that is given must hold."""

    campaign_id: UUID | None = None
    custom_id_prefix: Word | None = None
    style: StyleName | None = None
    warning: Literal["flat", "unchanged"] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("campaign_id", "custom_id_prefix", "style", "warning")
            ]
        }
    )


class BulkVerdict(Verdict):
    """One word for all that a query finds; `dry_run` only counts them."""

    query: ReviewQuery
    dry_run: bool = False

    @model_validator(mode="after")
    def _asks_for_something(self) -> "BulkVerdict":
        if not self.query.model_dump(exclude_none=True):
            raise ValueError("the query must say something: campaign_id, custom_id_prefix, style")
        return self
