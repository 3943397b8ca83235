"""One picture, here and now: the same decoder, engine and encoder, without any service."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.catalog import Catalog, StyleCard
from app.domain import mix
from app.domain.parameters import Parameters
from app.errors import InvalidRequest, UnknownStyle
from app.images import inspect
from app.settings import Settings
from app.sources import naming_the_mask
from app.submission import output_pixels
from workers.codec.child import Decoded
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.engines import open_engine
from workers.finish import Keep, Veil, finish
from workers.stylebook import mixed
from workers.variation import varied


@dataclass(frozen=True)
class Made:
    """What became of the picture, and how long the engine took."""

    width: int
    height: int
    bytes: int
    engine_ms: float


def stylize(
    settings: Settings,
    picture: Path,
    style: str,
    parameters: Parameters,
    out: Path,
    mask: Path | None = None,
) -> Made:
    """
    Draw `picture` in `style`, one or a mix, and write it to `out`; where `mask` is white, it stays.

    Raises `UnknownStyle`, and what the API raises for a picture or a mask that it refuses.
    """
    catalog = Catalog(settings.catalog)
    embedding = embedding_of(catalog, style, settings.engine.stylizer)
    decoded, keep = _decoded(settings, picture, mask, parameters)
    engine = open_engine(settings.engine, catalog)
    start = perf_counter()
    drawn = engine.stylize(
        decoded.pixels[None],
        varied(embedding, parameters.variation)[None],
        np.array([parameters.strength], np.float32),
    )[0]
    engine_ms = 1000 * (perf_counter() - start)
    engine.close()
    finished = finish(drawn, decoded.pixels, keep, parameters)
    written = encode(finished, decoded.alpha, parameters.output)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(written)
    height, width = drawn.shape[:2]
    return Made(width, height, len(written), round(engine_ms, 3))


def _decoded(
    settings: Settings, picture: Path, mask: Path | None, parameters: Parameters
) -> tuple[Decoded, Keep | None]:
    content = picture.read_bytes()
    header = inspect(content, settings.limits)
    output_pixels(settings.limits, parameters, header.width, header.height)
    with DecodePool(1, settings.limits) as decoders:
        decoded = decoders.decode(content, size=parameters.output.size)
        if mask is None or parameters.mask is None:
            return decoded, None
        with naming_the_mask():
            its = decoders.decode(mask.read_bytes(), size=max(decoded.pixels.shape))
    return decoded, Veil(its.pixels, decoded.pixels.shape[:2], parameters.mask.feather).whole


def embedding_of(catalog: Catalog, style: str, stylizer: str) -> NDArray[np.float32]:
    """
    float32 [K] of a style in the catalog's files, the newest version unless it names one, or of
    a mix.

    Raises `UnknownStyle`, and `InvalidRequest` for a mix that is none.
    """
    try:
        shares = mix.settled(mix.parse(style))
    except ValueError as error:
        raise InvalidRequest(f"style: {error}.") from error
    versions = {name: _version(catalog, name, stylizer) for name in shares}
    numbers = [
        np.frombuffer(one.embeddings[stylizer].content(), "<f4") for one in versions.values()
    ]
    return mixed(numbers, list(shares.values()))


def _version(catalog: Catalog, name: str, stylizer: str) -> StyleCard:
    slug, _, version = name.partition("@")
    found = [
        card
        for card in catalog.styles
        if card.slug == slug and stylizer in card.embeddings and version in ("", str(card.version))
    ]
    if not found:
        known = ", ".join(sorted(card.slug for card in catalog.styles))
        raise UnknownStyle(f"There is no style {name!r} for {stylizer}, only {known}.")
    return max(found, key=lambda card: card.version)
