"""How a finished picture is written."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from app.domain.exact import Exact


class OutputFormat(StrEnum):
    """Formats we write."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        return f"image/{self.value}"

    @property
    def max_side(self) -> int:
        """What the format, or the libraries that read it, can hold."""
        return _MAX_SIDES.get(self, 65_500)


_MAX_SIDES: Final = {OutputFormat.WEBP: 16_383, OutputFormat.AVIF: 16_384}

FileQuality = Annotated[int, Field(ge=1, le=100)]


class Output(Exact):
    """How the finished picture is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: OutputFormat = OutputFormat.JPEG
    quality: FileQuality = 90
    size: Annotated[
        int | None,
        Field(ge=32, le=65_500, description="Longest side in pixels; never enlarges."),
    ] = None
