"""Presets."""

from typing import Any, Final

from app.api.examples.names import ID, MOMENT

PRESET_REQUEST: Final[dict[str, Any]] = {
    "name": "brand",
    "description": "What the shop window of spring needs.",
    "style": "great-wave",
    "strength": 0.8,
    "keep_colour": 0.2,
    "output": {"format": "jpeg", "quality": 90, "size": 2048},
    "renditions": [
        {"name": "square", "format": "webp", "width": 1080, "height": 1080, "fit": "cover"},
        {
            "name": "story",
            "format": "avif",
            "quality": 75,
            "width": 1080,
            "height": 1920,
            "fit": "cover",
            "gravity": "north",
        },
        {"name": "banner", "width": 1600, "height": 400, "fit": "pad", "colour": "#102030"},
    ],
}
PRESET: Final[dict[str, Any]] = {
    "object": "preset",
    "id": ID,
    "name": "brand",
    "version": 3,
    "pinned": "brand@3",
    "status": "active",
    "template": {name: value for name, value in PRESET_REQUEST.items() if name != "name"},
    "created_by": "key:4f7a90c2",
    "created_at": MOMENT,
    "retired_at": None,
    "urls": {"get": "/v1/presets/brand?version=3", "versions": "/v1/presets?name=brand"},
}
