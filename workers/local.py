"""One picture, here and now: the same decoder, engine and encoder, without any service."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.catalog import Catalog
from app.domain.parameters import Parameters
from app.errors import UnknownStyle
from app.images import inspect
from app.settings import Settings
from app.submission import output_pixels
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.engines import open_engine


@dataclass(frozen=True)
class Made:
    """What became of the picture, and how long the engine took."""

    width: int
    height: int
    bytes: int
    engine_ms: float


def stylize(
    settings: Settings, picture: Path, style: str, parameters: Parameters, out: Path
) -> Made:
    """
    Draw `picture` in `style` and write it to `out`.

    Raises `UnknownStyle`, and what the API raises for a picture that it refuses.
    """
    catalog = Catalog(settings.catalog)
    embedding = embedding_of(catalog, style, settings.engine.stylizer)
    content = picture.read_bytes()
    header = inspect(content, settings.limits)
    output_pixels(settings.limits, parameters, header.width, header.height)
    with DecodePool(1, settings.limits) as decoders:
        decoded = decoders.decode(content, size=parameters.output.size)
    engine = open_engine(settings.engine, catalog)
    strength = np.array([parameters.strength], np.float32)
    start = perf_counter()
    drawn = engine.stylize(decoded.pixels[None], embedding[None], strength)[0]
    engine_ms = 1000 * (perf_counter() - start)
    engine.close()
    written = encode(drawn, decoded.alpha, parameters.output)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(written)
    height, width = drawn.shape[:2]
    return Made(width, height, len(written), round(engine_ms, 3))


def embedding_of(catalog: Catalog, name: str, stylizer: str) -> NDArray[np.float32]:
    """float32 [K] of the newest version of a style in the catalog's files."""
    slug, _, version = name.partition("@")
    found = [
        card
        for card in catalog.styles
        if card.slug == slug and stylizer in card.embeddings and version in ("", str(card.version))
    ]
    if not found:
        known = ", ".join(sorted(card.slug for card in catalog.styles))
        raise UnknownStyle(f"There is no style {name!r} for {stylizer}, only {known}.")
    newest = max(found, key=lambda card: card.version)
    return np.frombuffer(newest.embeddings[stylizer].content(), "<f4")
