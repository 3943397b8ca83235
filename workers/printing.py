"""A print: the picture itself is optimized, painted by the pictures its styles came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from sqlalchemy import select

from app.db import style_pictures
from app.db.models import StyleVersion
from app.db.styles import pin
from app.domain.mix import Mix
from app.errors import OutputInvalid, PrintRefused
from app.storage import style_picture_key
from workers.asks import Cost
from workers.finish import needs_content
from workers.materials import add_renditions, checked, content_of, marked, picture, style, veil
from workers.optimizer import Optimizer
from workers.program import Facts
from workers.studio import Work
from workers.warnings import sample

STYLE_SIDE: Final = 2_048  #: pixels of a style picture's longer side, at most


def printed(optimizer: Optimizer, work: Work, folder: Path) -> None:
    """One picture, start to finish. Raises `PrintRefused` for what memory does not allow."""
    parameters = work.parameters
    optimizer.leases.stage(work.held, "decode")
    content = content_of(optimizer, work)
    decoded = optimizer.decode(content, parameters.output.size)
    work.alpha, work.seen = decoded.alpha, sample(decoded.pixels)
    Image.fromarray(decoded.pixels).save(folder / "content.png", compress_level=1)
    style(optimizer, work).astype("<f4").tofile(folder / "embedding.f32")
    given = [
        f"--style={path}:{share:g}" for path, share in _style_pictures(optimizer, work, folder)
    ]
    if needs_content(parameters):
        over = veil(optimizer, work, decoded.pixels.shape[:2])
        work.content, work.keep = decoded.pixels, None if over is None else over.whole

    def heard(facts: Facts) -> None:
        if "share" in facts:
            optimizer.leases.stage(work.held, f"print {facts['share']:.0%}")

    answer = optimizer.run(
        work,
        "training.optimize",
        {
            "out": folder / "printed.png",
            "strength": repr(parameters.strength),
            "catalog": optimizer.settings.catalog,
            "stylizer": optimizer.settings.engine.stylizer,
            "embedding": folder / "embedding.f32",
            "memory": optimizer.settings.optimizer.print_bytes,
        },
        str(folder / "content.png"),
        *given,
        heard=heard,
        seconds=optimizer.settings.optimizer.print_seconds,
        refusal=PrintRefused,
    )
    _write(optimizer, work, folder / "printed.png", decoded.pixels.shape, answer)


def _write(
    optimizer: Optimizer, work: Work, path: Path, shape: tuple[int, ...], answer: Facts
) -> None:
    with Image.open(path) as image:
        drawn = np.array(image)
    if drawn.shape != shape or drawn.dtype != np.uint8:
        raise OutputInvalid(f"the print is {drawn.dtype} {list(drawn.shape)}, not {list(shape)}")
    optimizer.leases.stage(work.held, "encode")
    pixels = work.finished(drawn)
    content = optimizer.encode(pixels, work.alpha, work.parameters.output)
    cost = Cost(batch_size=1, device_ms=1000 * answer["seconds"], pixel_share=1.0)
    sealed = marked(optimizer, work, content)
    add_renditions(optimizer, work, pixels, work.alpha)
    work.picture = picture(work, sealed, shape[1], shape[0], cost)


def _style_pictures(optimizer: Optimizer, work: Work, folder: Path) -> Iterator[tuple[Path, float]]:
    """What to paint by, and in what shares; decoded where pictures of strangers are."""
    for number, (key, digest, share) in enumerate(_places(optimizer, work)):
        content = checked(optimizer.storage.get(key), digest)
        path = folder / f"style-{number}.png"
        Image.fromarray(optimizer.decode(content, STYLE_SIDE).pixels).save(path, compress_level=1)
        yield path, share


def _places(optimizer: Optimizer, work: Work) -> list[tuple[str, str, float]]:
    with optimizer.sessions() as session:
        first = session.get_one(StyleVersion, work.row.style_version_id)
        mix: Mix = work.parameters.mix or {pin(first): 1.0}
        found = []
        for name, share in mix.items():
            slug, _, number = name.rpartition("@")
            its = (StyleVersion.slug == slug, StyleVersion.version == int(number))
            same = StyleVersion.stylizer_digest == first.stylizer_digest
            version = session.scalars(select(StyleVersion).where(*its, same)).one()
            place = style_pictures.place(session, version)
            if place is None:
                raise PrintRefused("The picture of its style is no longer in the store.")
            found.append((style_picture_key(place.owner, place.digest), place.digest, share))
    return found
