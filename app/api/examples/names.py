"""Names that all examples share, so that one leads to another."""

from typing import Final

DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ID: Final = "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"
LIST_ID: Final = "0196f0a4-5b7c-7000-8000-7c1d9e0f2a35"  #: of an upload that is a manifest
MOMENT: Final = "2026-11-22T12:00:00.000Z"
