"""Styles, learned and moved."""

from typing import Any, Final

from app.api.examples.names import ID

STYLE_REQUEST: Final[dict[str, Any]] = {
    "name": "harbour",
    "title": "The Harbour",
    "artist": "Jane Doe",
    "year": 2026,
    "licence": {
        "spdx": "LicenseRef-Contract-2026-11",
        "licensor": "Jane Doe",
        "evidence": "Contract of 1 November 2026, page 3",
    },
    "picture": {"upload_id": ID},
    "minutes": 8,
}


MOVE_REQUEST: Final[dict[str, Any]] = {"reason": "Contract 2026-11 was looked at by legal."}
