"""What a caller may ask of one picture, and the key under which equal requests are equal."""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.domain import mix
from app.domain.mix import Mix
from app.domain.output import Output as Output
from app.domain.output import OutputFormat as OutputFormat
from app.domain.renditions import Rendition

#: The widest edge: more than a quarter of the short side, and no part of a mask is itself.
FEATHER: Final = 0.25

Strength = Annotated[
    float,
    Field(
        ge=0.0,
        le=1.0,
        allow_inf_nan=False,
        description="How far from the photograph (0) to the style (1).",
        examples=[0.8],
    ),
]
KeepColour = Annotated[
    float,
    Field(
        ge=0.0,
        le=1.0,
        allow_inf_nan=False,
        description="How much of the photograph's own colours stays: at 1 the style decides on"
        " light and brushwork only.",
        examples=[0.5],
    ),
]
Variation = Annotated[
    int | None,
    Field(
        ge=0,
        lt=2**32,
        description="A seed for a variant of the style: the same number, the same variant.",
        examples=[7],
    ),
]
Deterministic = Annotated[
    bool,
    Field(
        description="Draw this picture alone, so that the same engine and build give the same"
        " pixels, bit by bit, whatever else runs. Slower: it shares no batch."
    ),
]


class Quality(StrEnum):
    """How much work goes into a picture."""

    STANDARD = "standard"  #: one pass of the stylizer: milliseconds
    PRINT = "print"  #: the picture itself is optimized: minutes, for pages and walls


Feather = Annotated[
    float,
    Field(
        ge=0.0,
        le=FEATHER,
        allow_inf_nan=False,
        description="How soft the edge of the mask is: a Gaussian blur whose standard deviation is"
        " this part of the output's shorter side.",
        examples=[0.02],
    ),
]
SOFT: Final = 0.02  #: the feather of who asks for none


class Mask(BaseModel):
    """Where the photograph stays, by the digest of a stored greyscale picture: white keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    feather: Feather = SOFT


def _nothing(value: float | None) -> bool:
    return not value


def _none(value: object) -> bool:
    return value is None


def _empty(value: tuple[Rendition, ...]) -> bool:
    return not value


def _standard(quality: Quality) -> bool:
    return quality is Quality.STANDARD


class Parameters(BaseModel):
    """
    Everything beside picture and style that decides how the output looks.

    What came after the first release is written only where it was asked for: the render keys of
    plain requests are what they always were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    strength: Strength = 1.0
    output: Output = Output()
    keep_colour: KeepColour = Field(0.0, exclude_if=_nothing)
    variation: Variation = Field(None, exclude_if=_none)
    mask: Mask | None = Field(None, exclude_if=_none)
    deterministic: Deterministic = Field(False, exclude_if=_nothing)
    quality: Annotated[
        Quality, Field(description="`print` optimizes the picture itself: minutes, not moments.")
    ] = Field(Quality.STANDARD, exclude_if=_standard)
    mix: Annotated[
        Mix | None,
        AfterValidator(lambda shares: shares and mix.settled(shares)),  # JSONB forgets their order
        Field(description="The shares of a mix, by pinned style; absent for one style alone."),
    ] = Field(None, exclude_if=_none)
    preset: Annotated[
        str | None, Field(description="What was asked for by name, pinned to its version.")
    ] = Field(None, exclude_if=_none)
    renditions: Annotated[
        tuple[Rendition, ...], Field(description="Further files of the same drawing.")
    ] = Field((), exclude_if=_empty)

    def ending(self, rendition: str) -> str:
        """What a rendition's file is called behind the name of the picture."""
        endings = (one.ending for one in self.renditions if one.name == rendition)
        return next(endings, f"-{rendition}")

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
    return render_keys(style=style, stylizer=stylizer, parameters=parameters)(content)


def render_keys(*, style: str, stylizer: str, parameters: Parameters) -> Callable[[str], str]:
    """The same for many pictures: from the digest of each to its key."""
    rest = "\n".join(("", style, stylizer, parameters.model_dump_json()))
    return lambda content: sha256((content + rest).encode()).hexdigest()
