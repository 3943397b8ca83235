"""The options that say how a picture is to look, the same for every command that draws."""

from pathlib import Path
from typing import Annotated

import typer

from app.domain.parameters import FEATHER

Style = Annotated[
    str, typer.Option(help="Such as great-wave, or a mix: great-wave:0.6,starry-night:0.4.")
]
Preset = Annotated[
    str, typer.Option(help="A preset of yours, such as brand or brand@3; it may know the style.")
]
Strength = Annotated[
    float, typer.Option(min=0, max=1, help="From the photograph (0) to the style (1).")
]
KeepColour = Annotated[
    float, typer.Option(min=0, max=1, help="How much of the photograph's own colours stays.")
]
Variation = Annotated[
    int | None,
    typer.Option(min=0, max=2**32 - 1, help="A seed: the same number, the same variant."),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="A grey picture: where it is white, the photograph stays."
    ),
]
MaskFeather = Annotated[
    float,
    typer.Option(min=0, max=FEATHER, help="Softness of its edge, as a part of the shorter side."),
]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic", help="The same pixels every time, whatever else runs; a little slower."
    ),
]
Print = Annotated[
    bool, typer.Option("--print", help="Optimize each picture by itself: minutes, not moments.")
]
Size = Annotated[int | None, typer.Option(min=32, help="Longest side in pixels.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")]
Territory = Annotated[str, typer.Option(help="Where they will be shown: DE,AT.")]
Channel = Annotated[str, typer.Option(help="On what they will be shown: web,print.")]
