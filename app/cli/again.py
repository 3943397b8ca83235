"""A picture drawn once more from what it says of itself, and held against what it was."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from PIL import ImageChops, ImageStat
from PIL.AvifImagePlugin import AvifImageFile
from PIL.ImageFile import ImageFile
from pydantic import ValidationError

from app.catalog import open_catalog
from app.client import Client
from app.domain.parameters import Parameters, Quality
from app.errors import BadRequest, ImpastoError, InvalidImage
from app.images import AVIF, media_type, open_picture
from app.settings import LimitSettings, Settings

ROWS: Final = 256  #: of two pictures that are compared at once
PATIENCE: Final = 3_600  #: seconds; the largest picture takes minutes on a CPU


class NotAgain(ImpastoError):
    """The picture cannot be drawn again here; the text says why."""

    code = "not-again"


@dataclass(frozen=True)
class Difference:
    """Between two pictures, in 255ths of a channel."""

    most: int
    mean: float


@dataclass(frozen=True)
class Materials:
    """What a picture was made from: here in files, or at a service, by digest."""

    content: Path | None
    mask: Path | None
    url: str
    key: str = field(repr=False)


def again(
    settings: Settings, picture: bytes, render: dict[str, Any], given: Materials
) -> Difference:
    """
    Draw what `render` says with this machine's engine, and compare.

    Not asked of the service: its cache would answer with the very picture in question. Raises
    `NotAgain`, and `BadRequest` for other materials than it was made from.
    """
    wanted = _wanted(render)
    stylizer = _stylizer(settings, render)
    if wanted.mask is not None and given.mask is None and not given.key:
        raise NotAgain("It has a mask: give it with --mask, or --key of a service that has it.")
    with TemporaryDirectory(prefix="impasto-") as name, Client(given.url, given.key) as client:
        folder = Path(name)
        photo = _brought(client, render["content_sha256"], given.content, folder / "content")
        options = _options(wanted)
        if wanted.mask is not None:
            mask = _brought(client, wanted.mask.digest, given.mask, folder / "mask")
            options += [f"--mask={mask}", f"--mask-feather={wanted.mask.feather!r}"]
        out = folder / f"again.{wanted.output.format.value}"
        _run(
            ["stylize", str(photo), f"--style={render['style']}", *options, f"--out={out}"],
            stylizer,
        )
        return difference(picture, out.read_bytes(), settings.limits)


def difference(one: bytes, other: bytes, limits: LimitSettings) -> Difference:
    """Raises `NotAgain` where they have not even the same size."""
    first, second = (_opened(each, limits) for each in (one, other))
    if first.size != second.size:
        raise NotAgain(f"It has {first.size} pixels; drawn again, it has {second.size}.")
    mode = "RGBA" if "A" in first.mode + second.mode else "RGB"
    width, height = first.size
    most, total = 0, 0.0
    for top in range(0, height, ROWS):  # of large pictures there are two already
        strip = (0, top, width, min(top + ROWS, height))
        gap = ImageChops.difference(*(one.crop(strip).convert(mode) for one in (first, second)))
        stat = ImageStat.Stat(gap)
        most = max(most, *(int(high) for _, high in stat.extrema))
        total += sum(stat.sum)
    return Difference(most, total / (width * height * len(mode)))


def _opened(content: bytes, limits: LimitSettings) -> ImageFile:
    """An output, also where it is an AVIF, which nobody may hand in. Raises `InvalidImage`."""
    if media_type(content) != AVIF:
        return open_picture(content, limits)
    try:
        return AvifImageFile(BytesIO(content))
    except Exception as error:  # SyntaxError, ValueError, RuntimeError, ...
        raise InvalidImage(f"the AVIF cannot be read: {error}") from error


def _wanted(render: dict[str, Any]) -> Parameters:
    try:
        wanted = Parameters.model_validate(render["parameters"])
    except (KeyError, ValidationError) as error:
        raise NotAgain("It does not say what draws it again: it is not ours.") from error
    if wanted.quality is Quality.PRINT:
        raise NotAgain("Prints are drawn again by a service with an optimizer worker only.")
    return wanted


def _stylizer(settings: Settings, render: dict[str, Any]) -> str:
    digest = render.get("stylizer_sha256")
    if digest is None:
        raise NotAgain("No stylizer drew it, so there is nothing to draw again.")
    for name, card in open_catalog(settings).stylizers.items():
        if card.digest == digest:
            return name
    raise NotAgain(f"The stylizer {digest} is not in the catalog that is installed here.")


def _brought(client: Client, digest: str, given: Path | None, path: Path) -> Path:
    picture = given.read_bytes() if given else client.asset(digest)
    if sha256(picture).hexdigest() != digest:
        whose = given or "What the service answered"
        raise BadRequest(f"{whose} is not the picture that this was made from ({digest}).")
    path.write_bytes(picture)
    return path


def _options(wanted: Parameters) -> list[str]:
    output = wanted.output
    options = [f"--strength={wanted.strength!r}", f"--keep-colour={wanted.keep_colour!r}"]
    options += [f"--quality={output.quality}", "--deterministic"]
    if wanted.variation is not None:
        options.append(f"--variation={wanted.variation}")
    if output.size is not None:
        options.append(f"--size={output.size}")
    if wanted.renditions:  # a file names the one that it is
        options.append(f"--rendition={wanted.renditions[0].model_dump_json()}")
    return options


def _run(arguments: list[str], stylizer: str) -> None:
    """Engines live in another package, which this one may not import."""
    ours = {"IMPASTO_MARKING__ENABLED": "false", "IMPASTO_ENGINE__STYLIZER": stylizer}
    answer = subprocess.run(  # noqa: S603 - our own program, by our own interpreter
        [sys.executable, "-m", "workers", *arguments],
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if answer.returncode:
        said = answer.stderr.strip().rpartition("\n")[2].removeprefix("impasto: ")
        raise NotAgain(f"It cannot be drawn here: {said}")
