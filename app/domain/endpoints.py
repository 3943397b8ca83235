"""What callers ask of webhook endpoints, as types."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from app.domain.events import EventType
from app.domain.requests import Request, WebUrl, storable
from app.domain.told import STORABLE

OVERLAP: Final = 24 * 3600  #: seconds that an old secret signs beside the new one, at most

Signatures = Annotated[
    list[Literal["v1", "v1a"]],
    Field(
        description="How its webhooks are signed: `v1` (HMAC-SHA256, a shared secret) always, and"
        " beside it `v1a` (Ed25519, a public key), which nobody who verifies could forge.",
        json_schema_extra={"contains": {"const": "v1"}},
    ),
]
Description = Annotated[
    str, Field(max_length=500, json_schema_extra=STORABLE), AfterValidator(storable)
]
Events = Annotated[
    list[EventType] | None,
    Field(min_length=1, description="The kinds of events it hears of; `null`: all."),
]


def _with_v1(signatures: Sequence[str]) -> None:
    if "v1" not in signatures:
        raise ValueError("signatures must hold v1: every receiver can verify it")


class EndpointRequest(Request):
    """Where to tell of everything that happens to a tenant, or of some of it."""

    url: WebUrl
    events: Events = None
    description: Description = ""
    signatures: Signatures = ["v1"]
    enabled: bool = True

    @model_validator(mode="after")
    def _readable(self) -> "EndpointRequest":
        _with_v1(self.signatures)
        return self

    @property
    def columns(self) -> dict[str, Any]:
        """As it is kept; whether it is enabled is not among them."""
        return _columns(self.model_dump(exclude={"enabled"}))


class EndpointChange(Request):
    """What shall be different; what is not named stays."""

    url: WebUrl | SkipJsonSchema[None] = None
    events: Events = None
    description: Description | SkipJsonSchema[None] = None
    signatures: Signatures | SkipJsonSchema[None] = None
    enabled: bool | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def _sense(self) -> "EndpointChange":
        for name in self.model_fields_set - {"events"}:
            if getattr(self, name) is None:
                raise ValueError(f"{name} must not be null; leave it out to keep it")
        if self.signatures is not None:
            _with_v1(self.signatures)
        return self

    @property
    def columns(self) -> dict[str, Any]:
        """What was named, as it is kept; `enabled` among it."""
        return _columns(self.model_dump(include=self.model_fields_set))


class RotateRequest(Request):
    """How long the old secret shall sign beside the new one."""

    overlap_seconds: int = Field(
        OVERLAP,
        ge=0,
        le=OVERLAP,
        description="0 ends all old secrets at once, for when one has leaked.",
    )


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    if "signatures" in given:
        given["v1a"] = "v1a" in given.pop("signatures")
    if given.get("events"):
        given["events"] = sorted({event.value for event in given["events"]})
    return given
