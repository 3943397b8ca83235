"""What a caller may ask of one picture, and the key under which equal requests are equal."""

from enum import StrEnum
from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class OutputFormat(StrEnum):
    """Formats we write."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        return f"image/{self.value}"


class Output(BaseModel):
    """How the finished picture is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: OutputFormat = OutputFormat.JPEG
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    size: Annotated[
        int | None,
        Field(ge=32, le=16_384, description="Longest side in pixels; never enlarges."),
    ] = None


class Parameters(BaseModel):
    """Everything beside picture and style that decides how the output looks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strength: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = 1.0
    output: Output = Output()

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the output for an upright content picture of that size."""
        longest = max(width, height)
        if self.output.size is None or self.output.size >= longest:
            return width, height
        scale = self.output.size / longest
        return max(1, round(width * scale)), max(1, round(height * scale))


def render_key(*, content: str, style: str, stylizer: str, parameters: Parameters) -> str:
    """
    SHA-256 over everything that decides the pixels: equal keys mean equal pictures.

    `content` and `stylizer` are SHA-256 digests, `style` is `slug@version`.
    """
    parts = (content, style, stylizer, parameters.model_dump_json())
    return sha256("\n".join(parts).encode()).hexdigest()
