"""What callers ask for, as types: one picture, or many under one name."""

import json
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.domain import mix
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
from app.domain.tags import Tags
from app.domain.terms import CancelAfter, Priority, ReviewRule, Terms
from app.errors import InvalidRequest

MAX_ITEMS: Final = 1_000
MAX_VARIANTS: Final = 20  #: outputs of one item
MAX_WORD: Final = 255
MAX_METADATA_BYTES: Final = 4_096


def storable(text: str) -> str:
    """NUL and lone surrogates are JSON, but no text that Postgres keeps."""
    if "\x00" in text:
        raise ValueError("must not hold NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be valid Unicode") from error
    return text


Word = Annotated[str, Field(min_length=1, max_length=MAX_WORD), AfterValidator(storable)]
Url = Annotated[str, Field(min_length=1, max_length=2_048), AfterValidator(storable)]


def _mixed(text: str) -> str:
    mix.parse(text)
    return text


StyleWish = Annotated[
    str,
    Field(
        min_length=1,
        max_length=mix.MAX_STYLES * (mix.MAX_NAME + 1),
        description="A style, `name` or `name@version`; or up to 8 of them in shares, which are"
        " scaled to sum to 1. Every name is pinned to a version when the work is accepted.",
        examples=["great-wave", "great-wave@1", "great-wave:0.6,starry-night:0.4"],
    ),
    AfterValidator(storable),
    AfterValidator(_mixed),
]


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError("must be plain JSON, without NaN or infinities") from error
    if len(storable(text)) > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} characters in all")
    if "\\u0000" in text:  # also refuses the harmless spelling of these six characters
        raise ValueError("must not hold NUL characters")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_small)]


class Request(BaseModel):
    """Unknown fields are refused: a misspelt option must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(Request):
    """Where the content image is: an upload of yours, or a public address we fetch it from."""

    upload_id: UUID | None = None
    url: Url | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "Input":
        if (self.upload_id is None) == (self.url is None):
            raise ValueError("give either upload_id or url")
        return self


class WebhookRequest(Request):
    """Where to tell, and what: without `events`, the end of each job, or of the campaign."""

    url: Url
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


class JobOptions(Presettable):
    """Everything about one picture but the picture."""

    style: Annotated[
        StyleWish | None, Field(validate_default=True, description="May be left to the preset.")
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


Budget = Annotated[
    int,
    Field(
        ge=0,
        le=2**53,
        description="The most that the campaign may cost, in millionths of the currency unit."
        " What it does not pay for ends as failed, `budget-exceeded`, and is not billed.",
    ),
]


class Variant(Controls):
    """One output of an item, under a name of its own."""

    custom_id: Word


class CommonVariant(Controls):
    """One output of every item, named after the item: `4711` and `hero` make `4711-hero`."""

    suffix: Annotated[Word, Field(max_length=64)]


class CampaignItem(Controls, Presettable):
    """
    One picture of a campaign; style, controls and mask only where they differ from the rest.

    A preset of its own comes before what the campaign says. Its tags are added to those of the
    campaign, or stand in their place. With `variants` it
    becomes as many outputs; each takes from the item what it does not say.
    """

    custom_id: Word
    input: Input
    mask: MaskRequest | None = None
    metadata: Metadata = Field(default_factory=dict)  # a literal would be copied deeply
    tags: Tags = Field(default_factory=dict)
    variants: Annotated[tuple[Variant, ...], Field(max_length=MAX_VARIANTS)] = ()

    def varied(self, custom_id: str, controls: Controls) -> "CampaignItem":
        """The item as one of its outputs. Raises `ValueError` for a name that is too long."""
        if len(custom_id) > MAX_WORD:
            raise ValueError(f"{custom_id[:40]!r}... has more than {MAX_WORD} characters")
        style = {"style": controls.style} if controls.style is not None else {}
        names: dict[str, Any] = {"custom_id": custom_id, "variants": ()}
        return self.model_copy(update={**controls.own, **style, **names})


class ManifestRequest(Request):
    """Where the items are listed: in an upload of yours, or by a bucket that we may read."""

    upload_id: UUID | None = None
    s3_prefix: Annotated[
        Word | None,
        Field(
            pattern="^s3://",
            description="Every picture under it becomes an item, named by its key behind the last"
            " slash of the prefix.",
            examples=["s3://photos/spring/"],
        ),
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "ManifestRequest":
        if (self.upload_id is None) == (self.s3_prefix is None):
            raise ValueError("give either upload_id or s3_prefix")
        return self


class CampaignOptions(JobOptions):
    """Everything about a campaign but its items."""

    name: Word
    budget_micros: Budget | None = None
    variants: Annotated[
        tuple[CommonVariant, ...],
        Field(
            max_length=MAX_VARIANTS,
            description="Outputs of every item that has no variants of its own.",
        ),
    ] = ()

    @model_validator(mode="after")
    def _suffixes_are_unique(self) -> "CampaignOptions":
        if len({one.suffix for one in self.variants}) < len(self.variants):
            raise ValueError("two variants have the same suffix")
        return self

    def parameters_of(self, item: CampaignItem) -> Parameters:
        """The campaign's parameters, with the item's own where it has some."""
        return self.parameters.model_copy(update={**(item._brought or {}), **item.own})

    def outputs(self, item: CampaignItem) -> list[CampaignItem]:
        """What becomes of an item. Raises `ValueError` for a name that is too long."""
        if item.variants:
            return [item.varied(one.custom_id, one) for one in item.variants]
        if self.variants:
            return [item.varied(f"{item.custom_id}-{one.suffix}", one) for one in self.variants]
        return [item]


class CampaignRequest(CampaignOptions):
    """Many pictures under one name; the style's version is pinned when it is accepted."""

    items: Annotated[tuple[CampaignItem, ...], Field(min_length=1, max_length=MAX_ITEMS)] = ()
    manifest: ManifestRequest | None = None

    @model_validator(mode="after")
    def _one_list(self) -> "CampaignRequest":
        if bool(self.items) == (self.manifest is not None):
            raise ValueError("give either items or a manifest")
        return self

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "CampaignRequest":
        seen: set[str] = set()
        for item in self.all_outputs:
            if item.custom_id in seen:
                raise ValueError(f"custom_id {item.custom_id!r} is there twice")
            seen.add(item.custom_id)
        return self

    @property
    def all_outputs(self) -> list[CampaignItem]:
        """What becomes of the items, in their order."""
        return [output for item in self.items for output in self.outputs(item)]
