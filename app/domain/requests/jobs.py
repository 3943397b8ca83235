"""One picture, and everything that can be asked of it."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.domain.events import EventType
from app.domain.licence import Channels, Territories, Usage
from app.domain.parameters import (
    SOFT,
    Deterministic,
    Feather,
    KeepColour,
    Output,
    Parameters,
    Quality,
    Strength,
    Variation,
)
from app.domain.renditions import PresetWish
from app.domain.requests.words import WISHED, Metadata, Request, StyleWish, Url, WebUrl
from app.domain.tags import Tags
from app.domain.terms import CancelAfter, Priority, ReviewRule, Terms
from app.domain.told import any_of, one_of
from app.errors import InvalidRequest


class Input(Request):
    """Where the content image is: an upload of yours, or a public address we fetch it from."""

    upload_id: UUID | None = None
    url: Url | None = None

    model_config = ConfigDict(json_schema_extra=one_of(upload_id="string", url="string"))

    @model_validator(mode="after")
    def _one_of_them(self) -> "Input":
        if (self.upload_id is None) == (self.url is None):
            raise ValueError("give either upload_id or url")
        return self


class WebhookRequest(Request):
    """Where to tell, and what: without `events`, the end of each job, or of the campaign."""

    url: WebUrl
    events: Annotated[list[EventType], Field(min_length=1)] | None = None


class MaskRequest(Request):
    """
    Where the photograph stays as it is: a picture of yours, white where to keep the original.

    Its luminance counts, and what is transparent in it counts as white. One of another size is
    stretched over the output.
    """

    upload_id: UUID
    feather: Feather = SOFT


class Presettable(Request):
    """What a preset can be asked for with; what it brings into the parameters comes later."""

    preset: PresetWish | None = None
    _brought: dict[str, Any] | None = PrivateAttr(None)

    def taking(self, brought: dict[str, Any]) -> Self:
        """The same, with these parameters of its preset."""
        taken = self.model_copy()
        taken._brought = brought
        return taken


#: A style is named, or a preset that may have one.
STYLED: Final = any_of(style="string", preset="string")


class JobOptions(Presettable):
    """Everything about one picture but the picture."""

    style: Annotated[
        StyleWish | None,
        Field(
            validate_default=True,
            description=f"{WISHED} May be left to the preset.",
            examples=["great-wave", "great-wave@1", "great-wave:0.6,starry-night:0.4"],
        ),
    ] = None
    strength: Strength = 1.0
    keep_colour: KeepColour = 0.0
    variation: Variation = None
    mask: MaskRequest | None = None
    deterministic: Deterministic = False
    quality: Quality = Quality.STANDARD
    output: Output = Output()
    territory: Territories = Field((), description="Where it will be shown; some licences ask.")
    channel: Channels = Field((), description="On what it will be shown; some licences ask.")
    commercial: bool = Field(True, description="Whether that is commercial use.")
    metadata: Metadata = {}
    tags: Tags = {}
    webhook: WebhookRequest | None = None
    cancel_after: CancelAfter = None
    priority: Priority = 0
    review: ReviewRule = None

    model_config = ConfigDict(json_schema_extra=STYLED)

    @field_validator("style")
    @classmethod
    def _of_somebody(cls, style: str | None, info: ValidationInfo) -> str | None:
        if style is None and not info.data.get("preset"):
            raise ValueError("name a style, or a preset that has one")
        return style

    @property
    def look(self) -> str:
        """The style that is asked for. Raises `InvalidRequest` where the preset has none either."""
        if self.style is None:
            detail = f"The preset {self.preset} has no style: name one."
            raise InvalidRequest(detail, errors=[{"pointer": "/style", "detail": detail}])
        return self.style

    @property
    def terms(self) -> Terms:
        """What is agreed besides the picture."""
        return Terms(cancel_after=self.cancel_after, priority=self.priority, review=self.review)

    @property
    def usage(self) -> Usage:
        """What the style's licence is asked about."""
        return Usage(territory=self.territory, channel=self.channel, commercial=self.commercial)

    @property
    def parameters(self) -> Parameters:
        """As far as they are known here: mixes and masks are pinned when the work is accepted."""
        return Parameters(
            strength=self.strength,
            output=self.output,
            keep_colour=self.keep_colour,
            variation=self.variation,
            deterministic=self.deterministic,
            quality=self.quality,
            **(self._brought or {}),
        )


class JobRequest(JobOptions):
    """One picture in one style."""

    input: Input


class Controls(Request):
    """How one output is to look, where it differs from the rest."""

    style: StyleWish | None = None
    strength: Strength | None = None
    keep_colour: KeepColour | None = None
    variation: Variation = None

    @property
    def own(self) -> dict[str, Any]:
        """The parameters that are given here."""
        mine = (
            ("strength", self.strength),
            ("keep_colour", self.keep_colour),
            ("variation", self.variation),
        )
        return {name: value for name, value in mine if value is not None}
