"""One picture, here and now: the same decoder, engine and encoder, without any service."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.catalog import Catalog, StyleCard, open_catalog
from app.domain import mix
from app.domain.licence import check_period
from app.domain.parameters import Output, Parameters
from app.errors import InvalidRequest, UnknownStyle
from app.images import inspect, media_type
from app.planning import output_pixels
from app.settings import Settings
from app.sources import naming_the_mask
from workers.asks import Cost, Stylized
from workers.batcher import Batcher
from workers.batches import Budget
from workers.codec.child import Decoded
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.codec.strips import Decode, Strips, in_memory
from workers.easel import Brush, Painted, brush, open_easel
from workers.engines import open_engine
from workers.engines.base import Engine
from workers.finish import SOFTENED, Shape, Veil
from workers.frames import Drawing
from workers.marking.mark import Mark, StyleFacts, style_text
from workers.marking.notary import has_credentials, open_notary
from workers.stylebook import mixed
from workers.tiling import Box
from workers.variation import varied

Progress: TypeAlias = Callable[[int, int], None]  #: tiles done, of how many


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
    seen: Progress = lambda done, amount: None,
) -> Made:
    """
    Draw `picture` in `style`, one or a mix, and write it to `out`; where `mask` is white, it stays.

    If `parameters` have a rendition, that is written instead. `seen` hears how many tiles of how
    many are done, if the picture is large. Raises `UnknownStyle`, `StyleNotLicensed` outside the
    time of a licence, and what the API raises for a picture or a mask that it refuses.
    """
    catalog, limits = open_catalog(settings), settings.limits
    embedding = embedding_of(catalog, style, settings.engine.stylizer)
    content = picture.read_bytes()
    header = inspect(content, limits)
    pixels = output_pixels(limits, parameters, header.width, header.height)
    width, height = parameters.output_size(header.width, header.height)
    strips = Strips(limits, settings.worker.scratch)
    engine = open_engine(settings.engine, catalog)
    with DecodePool(1, in_memory(limits)) as decoders:
        decode = strips.reducing(decoders.decode)
        veil = _veil(decode, mask, (height, width), parameters)
        strokes = brush(varied(embedding, parameters.variation), parameters, veil)
        if pixels > limits.whole_pixels:
            painted = _in_tiles(settings, engine, strips, content, strokes, parameters, seen)
        else:
            decoded = decode(content, parameters.output.size)
            painted = _whole(engine, decoded, strokes, parameters.output)
    engine.close()
    drawn, output = painted.content, parameters.output
    if parameters.renditions and painted.drawn is not None:
        framed = Drawing(painted.drawn.pixels, painted.drawn.alpha).framed(parameters.renditions[0])
        output, (height, width) = parameters.renditions[0].output, framed.pixels.shape[:2]
        drawn = encode(framed.pixels, framed.alpha, output)
    finished = _marked(settings, catalog, content, style, parameters, drawn, output)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(finished)
    return Made(width, height, len(finished), round(painted.cost.own_ms, 3))


def _whole(engine: Engine, decoded: Decoded, strokes: Brush, output: Output) -> Painted:
    strength = np.array([strokes.strength], np.float32)
    start = perf_counter()
    drawn = engine.stylize(decoded.pixels[None], strokes.style[None], strength)[0]
    cost = Cost(1, 1000 * (perf_counter() - start), 1.0)
    height, width = drawn.shape[:2]
    finished = strokes.finish(drawn, decoded.pixels, Box(0, 0, width, height))
    return Painted(encode(finished, decoded.alpha, output), cost, Decoded(finished, decoded.alpha))


def _in_tiles(
    settings: Settings,
    engine: Engine,
    strips: Strips,
    content: bytes,
    strokes: Brush,
    parameters: Parameters,
    seen: Progress,
) -> Painted:
    pixels = settings.engine.batch_pixels
    batcher = Batcher(engine, budget=Budget(settings.engine.max_batch, pixels))
    easel = open_easel(settings, strips, engine, batcher.submit)
    output, keep = parameters.output, bool(parameters.renditions)

    def told(done: int, amount: int, _: Stylized) -> None:
        seen(done, amount)

    with batcher, easel.open(content, output.size) as sheet:
        return easel.draw(sheet, strokes, output, told, keep=keep)


def _marked(
    settings: Settings,
    catalog: Catalog,
    content: bytes,
    style: str,
    parameters: Parameters,
    drawn: bytes,
    output: Output,
) -> bytes:
    """The file as a worker would give it out."""
    notary = open_notary(settings.marking)
    if notary is None:
        return drawn
    shares = _shares(style)
    cards = [_version(catalog, name, settings.engine.stylizer) for name in shares]
    facts = tuple(StyleFacts.of(card.pin, card.public()) for card in cards)
    kept = notary.keeps_incoming and has_credentials(content)
    mark = Mark(
        media_type=output.format.media_type,
        style=style_text(facts, shares if len(shares) > 1 else None),
        styles=facts,
        stylizer=_digest(settings, catalog),
        content=sha256(content).hexdigest(),
        content_type=media_type(content),
        parameters=parameters,
    )
    with notary:
        return notary.mark(drawn, mark, content if kept else None).content


def _digest(settings: Settings, catalog: Catalog) -> str | None:
    """Of the network that drew it; the null engine has none."""
    engine = settings.engine
    return None if engine.kind == "null" else catalog.stylizer(engine.stylizer).digest


def _veil(decode: Decode, mask: Path | None, shape: Shape, parameters: Parameters) -> Veil | None:
    if mask is None or parameters.mask is None:
        return None
    with naming_the_mask():
        decoded = decode(mask.read_bytes(), min(max(shape), SOFTENED))
    return Veil(decoded.pixels, shape, parameters.mask.feather)


def embedding_of(catalog: Catalog, style: str, stylizer: str) -> NDArray[np.float32]:
    """
    float32 [K] of a style in the catalog's files, the newest version unless it names one, or of
    a mix.

    Raises `UnknownStyle`, and `InvalidRequest` for a mix that is none.
    """
    shares = _shares(style)
    versions = {name: _version(catalog, name, stylizer) for name in shares}
    numbers = [
        np.frombuffer(one.embeddings[stylizer].content(), "<f4") for one in versions.values()
    ]
    return mixed(numbers, list(shares.values()))


def _shares(style: str) -> mix.Mix:
    try:
        return mix.settled(mix.parse(style))
    except ValueError as error:
        raise InvalidRequest(f"style: {error}.") from error


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
    newest = max(found, key=lambda card: card.version)
    check_period(newest.licence, f"{slug}@{newest.version}", datetime.now(UTC))
    return newest
