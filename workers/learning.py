"""A style being learned: its picture is looked at, previews are shown, its numbers are kept."""

import json
import logging
import math
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from sqlalchemy.exc import OperationalError

from app.catalog import Embedding
from app.db import intake, styles
from app.db.models import StyleVersion
from app.errors import OutputInvalid, Retryable, StyleRefused
from workers.asks import Cost
from workers.marking.notary import Sealed
from workers.materials import picture, stored
from workers.optimizer import Optimizer
from workers.program import Facts
from workers.studio import Picture, Work

log = logging.getLogger(__name__)

STYLE_SIDE: Final = 2_048  #: pixels of the picture's longer side, at most
OVERTIME: Final = 600.0  #: seconds beyond its minutes: looking first, numbers at the end


def learned(optimizer: Optimizer, work: Work, folder: Path) -> None:
    """One style, start to finish. Raises `StyleRefused` for a picture that teaches nothing."""
    optimizer.leases.stage(work.held, "decode")
    content = stored(optimizer, work, work.row.content_digest)
    decoded = optimizer.decode(content, STYLE_SIDE)
    Image.fromarray(decoded.pixels).save(folder / "style.png", compress_level=1)
    with optimizer.sessions() as session:
        version = session.get_one(StyleVersion, work.row.style_version_id)
    seconds = 60.0 * version.card["minutes"]

    def heard(facts: Facts) -> None:
        share = min(1.0, facts.get("seconds", 0.0) / seconds)
        optimizer.leases.stage(work.held, f"learn {share:.0%}")
        if facts["event"] == "preview":
            try:
                _show(optimizer, work, folder / "preview.jpg")
            except (Retryable, OperationalError) as error:  # minutes of learning are worth more
                log.warning("a preview of job %s was not shown: %s", work.held.id, error)

    answer = optimizer.run(
        work,
        "training.learn",
        _options(optimizer, version, folder),
        str(folder / "style.png"),
        heard=heard,
        seconds=seconds + OVERTIME,
        refusal=StyleRefused,
    )
    sheet = _sheet(work, folder / "preview.jpg", answer["learned"]["minutes"])
    card = json.loads((folder / "card.json").read_text("utf-8"))
    embedding = _numbers(card["embeddings"][optimizer.settings.engine.stylizer])
    work.picture = sheet
    work.also = partial(
        styles.learned,
        version_id=version.id,
        embedding=embedding,
        card=version.card | {name: card[name] for name in ("learned", "quality")},
        preview=sheet.asset.digest,
    )


def _options(optimizer: Optimizer, version: StyleVersion, folder: Path) -> dict[str, object]:
    card: dict[str, Any] = version.card
    return {
        "name": card["slug"],
        "style-version": version.version,
        "title": card["title"],
        "artist": card["artist"],
        "year": card["year"],
        "description": card["description"],
        "licence": card["licence"]["spdx"],
        "licensor": card["licence"]["licensor"],
        "evidence": card["licence"]["evidence"],
        "stylizer": optimizer.settings.engine.stylizer,
        "catalog": optimizer.settings.catalog,
        "photos": optimizer.settings.optimizer.photos,
        "preview": folder / "preview.jpg",
        "card": folder / "card.json",
        "minutes": repr(card["minutes"]),
    }


def _show(optimizer: Optimizer, work: Work, path: Path) -> None:
    """Let its owner see how it is going."""
    sheet = _sheet(work, path, 0.0)
    optimizer.storage.put(sheet.blob)
    with optimizer.sessions.begin() as session:
        if intake.add_assets(session, [sheet.asset]):
            optimizer.storage.put(sheet.blob)
        styles.preview(session, work.row.style_version_id, sheet.asset.digest)


def _sheet(work: Work, path: Path, minutes: float) -> Picture:
    content = path.read_bytes()
    with Image.open(BytesIO(content)) as image:
        width, height = image.size
    cost = Cost(batch_size=1, device_ms=60_000 * minutes, pixel_share=1.0)
    return picture(work, Sealed(content), width, height, cost, "image/jpeg")


def _numbers(entry: dict[str, Any]) -> bytes:
    """float32, little-endian. Raises `OutputInvalid` for what no stylizer should read."""
    content = Embedding.model_validate(entry).content()
    numbers = np.frombuffer(content, "<f4")
    if not np.isfinite(numbers).all() or math.prod(entry["shape"]) != len(numbers):
        raise OutputInvalid("what was learned is no embedding")
    return content
