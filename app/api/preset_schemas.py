"""The shapes of answers about presets."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api import examples
from app.db import models
from app.domain.presets import Template


class PresetUrls(BaseModel):
    get: str
    versions: str


class Preset(BaseModel):
    """One version of a preset."""

    object: Literal["preset"] = "preset"
    id: UUID
    name: str = Field(description="Asks for the newest version that is not retired.")
    version: int
    pinned: str = Field(examples=["brand@3"], description="Asks for exactly this version.")
    status: Literal["active", "retired"]
    template: Template = Field(description="What it says; never changes.")
    created_by: str = Field(examples=["key:4f7a90c2"])
    created_at: datetime
    retired_at: datetime | None
    urls: PresetUrls

    model_config = ConfigDict(json_schema_extra={"example": examples.PRESET})


def preset_shown(preset: models.Preset) -> Preset:
    """A row as callers see it."""
    path = f"/v1/presets/{preset.name}?version={preset.version}"
    return Preset(
        id=preset.id,
        name=preset.name,
        version=preset.version,
        pinned=f"{preset.name}@{preset.version}",
        status="active" if preset.retired_at is None else "retired",
        template=Template.model_validate(preset.template),
        created_by=preset.created_by,
        created_at=preset.created_at,
        retired_at=preset.retired_at,
        urls=PresetUrls(get=path, versions=f"/v1/presets?name={preset.name}"),
    )
