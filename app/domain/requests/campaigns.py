"""Many pictures under one name."""

from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from app.domain.parameters import Parameters
from app.domain.requests.jobs import STYLED, Controls, Input, JobOptions, MaskRequest, Presettable
from app.domain.requests.words import MAX_WORD, Metadata, Request, Word
from app.domain.tags import Tags
from app.domain.told import one_of

MAX_ITEMS: Final = 1_000
MAX_VARIANTS: Final = 20  #: outputs of one item
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
    campaign, or stand in their place. With `variants` it becomes as many outputs; each takes from
    the item what it does not say.
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
        Annotated[
            Word, Field(pattern="^s3://", json_schema_extra={"pattern": "^s3://[^\\u0000]*$"})
        ]
        | None,
        Field(
            description="Every picture under it becomes an item, named by its key behind the last"
            " slash of the prefix.",
            examples=["s3://photos/spring/"],
        ),
    ] = None

    model_config = ConfigDict(json_schema_extra=one_of(upload_id="string", s3_prefix="string"))

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

    model_config = ConfigDict(
        json_schema_extra={**one_of(items="array", manifest="object"), **STYLED}
    )

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
