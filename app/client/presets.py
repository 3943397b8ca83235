"""Presets of a service: looks and files under a name."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.client.transport import Client

PRESETS: Final = "/v1/presets"


class Preset(BaseModel):
    """One version of a preset; `name` asks for the newest, `pinned` for exactly this one."""

    model_config = ConfigDict(extra="allow")

    id: UUID
    name: str
    version: int
    pinned: str
    status: str
    template: dict[str, Any]
    created_at: datetime
    retired_at: datetime | None


class Presets:
    """Looks and files under a name."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(
        self, *, name: str, renditions: Iterable[Mapping[str, Any]], **template: Any
    ) -> Preset:
        """
        A preset, or its next version; `renditions` and `template` as the API has them.

        What the newest version says already makes no other one.
        """
        body = {"name": name, "renditions": list(renditions), **template}
        return Preset.model_validate(self._client.post(PRESETS, body))

    def get(self, name: str, version: int | None = None) -> Preset:
        """That version, or the newest. Raises `NothingThere`."""
        wanted = {} if version is None else {"version": version}
        return Preset.model_validate(self._client.get(f"{PRESETS}/{name}", **wanted))

    def list(self, name: str | None = None) -> Iterator[Preset]:
        """The newest version of each, or all versions of one; what came last comes first."""
        wanted = {} if name is None else {"name": name}
        return map(Preset.model_validate, self._client.pages(PRESETS, **wanted))

    def retire(self, name: str, version: int | None = None) -> Preset:
        """No new work under it, or under one version of it. Raises `NothingThere`."""
        wanted = "" if version is None else f"?version={version}"
        return Preset.model_validate(self._client.delete(f"{PRESETS}/{name}{wanted}"))
