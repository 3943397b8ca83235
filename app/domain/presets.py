"""Presets: a look and its files under a name, so that whoever sends pictures need not know more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, Field, model_validator

from app.domain.parameters import Deterministic, KeepColour, Output, Strength, Variation
from app.domain.renditions import MAX_RENDITIONS, PresetName, Rendition
from app.domain.requests import CampaignItem, JobOptions, Request, StyleWish, storable

Options = TypeVar("Options", bound=JobOptions)

_CONTROLS: Final = ("style", "strength", "keep_colour", "variation")


class Template(Request):
    """What a preset says. A version of one never changes."""

    description: Annotated[str, Field(max_length=1_000), AfterValidator(storable)] = ""
    style: StyleWish | None = None
    strength: Strength | None = None
    keep_colour: KeepColour | None = None
    variation: Variation = None
    deterministic: Deterministic | None = None
    output: Annotated[
        Output | None, Field(description="Of the picture itself, of which the renditions are made.")
    ] = None
    renditions: Annotated[tuple[Rendition, ...], Field(min_length=1, max_length=MAX_RENDITIONS)]

    @model_validator(mode="after")
    def _told_apart(self) -> "Template":
        for name in (one.name for one in self.renditions):
            if sum(one.name == name for one in self.renditions) > 1:
                raise ValueError(f"two renditions are named {name!r}")
        files = [(one.ending, one.format) for one in self.renditions]
        for ending, format in files:
            if files.count((ending, format)) > 1:
                raise ValueError(f"two renditions are {format} with the suffix {ending!r}")
        return self

    @property
    def said(self) -> dict[str, Any]:
        """The controls that it has, by name."""
        its = {name: getattr(self, name) for name in _CONTROLS}
        return {name: value for name, value in its.items() if value is not None}


class PresetRequest(Template):
    """A preset, or the next version of one."""

    name: PresetName

    @property
    def template(self) -> Template:
        """All of it but the name."""
        return Template.model_validate(self.model_dump(exclude={"name"}))


@dataclass(frozen=True, slots=True)
class Pinned:
    """One version of a preset, as work is accepted under it."""

    pin: str  #: `brand@3`
    template: Template

    def applied(self, asked: Options) -> Options:
        """What was asked for, and of all else what the preset says."""
        given = {name for name in asked.model_fields_set if getattr(asked, name) is not None}
        its: dict[str, Any] = {**self.template.said, "deterministic": self.template.deterministic}
        news = {
            name: value for name, value in its.items() if value is not None and name not in given
        }
        if self.template.output is not None:
            said = asked.output.model_dump(exclude_unset=True) if "output" in given else {}
            news["output"] = self.template.output.model_copy(update=said)
        return asked.model_copy(update={**news, "preset": self.pin}).taking(self._brought)

    def applied_to_item(self, item: CampaignItem) -> CampaignItem:
        """The same for an item that names a preset of its own: it comes before the campaign's."""
        news = {
            name: value for name, value in self.template.said.items() if getattr(item, name) is None
        }
        brought: dict[str, Any] = {"renditions": self.template.renditions}
        if self.template.output is not None:
            brought["output"] = self.template.output
        if self.template.deterministic is not None:
            brought["deterministic"] = self.template.deterministic
        changed = item.model_copy(update={**news, "preset": self.pin})
        return changed.taking({**brought, "preset": self.pin})

    @property
    def _brought(self) -> dict[str, Any]:
        return {"preset": self.pin, "renditions": self.template.renditions}


class Presets:
    """Those that one request names, by what it calls them."""

    def __init__(self, known: Mapping[str, Pinned]) -> None:
        self._known = known

    def options(self, asked: Options) -> Options:
        """What is asked for, with what its preset says."""
        return self._known[asked.preset].applied(asked) if asked.preset else asked

    def item(self, item: CampaignItem) -> CampaignItem:
        """An output of a campaign, with what its own preset says."""
        return self._known[item.preset].applied_to_item(item) if item.preset else item
