"""The cards beside the weights: what a stylizer or a style is, whose it is, how it was made."""

import base64
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from training.config import Config
from training.data import DataError
from training.model import kmac_per_pixel

SOURCES = Path(__file__).parent / "sources.toml"
STYLE_VERSION = 1


def read_sources() -> dict[str, Any]:
    """Origins and licences of everything that was trained on."""
    return tomllib.loads(SOURCES.read_text(encoding="utf-8"))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Sorted and indented, so that equal content is equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    write_whole(path, (text + "\n").encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write beside and rename, so that whoever is killed leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def sha256(content: bytes) -> str:
    """The digest by which files are known, in hex."""
    return hashlib.sha256(content).hexdigest()


def training_record(saved: dict[str, Any], config: Config, commit: str) -> dict[str, Any]:
    """How a checkpoint came to be."""
    sources = read_sources()
    known = sources["backbones"]
    backbones = sorted({name for stage in config.stages for name in stage.backbones})
    return {
        "backbones": {name: known.get(name, {"origin": "not recorded"}) for name in backbones},
        "config": config.to_dict(),
        "data": sources["photographs"],
        "final_losses": {name: round(loss, 4) for name, loss in saved["losses"].items()},
        "git_commit": commit,
        "minutes": round(saved["seconds"] / 60, 1),
        "pictures_seen": saved["pictures_seen"],
        "steps": saved["step"],
        "styles": ["identity", *config.styles],
    }


def model_card(config: Config, model: bytes, facts: dict[str, Any]) -> dict[str, Any]:
    """What model.json says; `facts` holds what only the export knows."""
    return {
        "name": config.name,
        "version": config.version,
        "digest": sha256(model),
        "bytes": len(model),
        "embedding_size": config.shape.embedding_size,
        "kmac_per_pixel": round(kmac_per_pixel(config.shape), 2),
        **facts,
    }


def style_card(slug: str, picture: Path | None) -> dict[str, Any]:
    """A style without its embeddings; `picture` is what it was learned from."""
    source = read_sources()["styles"][slug]
    image: dict[str, Any] = {"file_name": None, "sha256": None, "origin": source["origin"]}
    if picture is not None:
        image |= {"file_name": picture.name, "sha256": sha256(picture.read_bytes())}
    return {
        "slug": slug,
        "version": STYLE_VERSION,
        **{key: source[key] for key in ("title", "artist", "year", "description")},
        "licence": {key: source[key] for key in ("spdx", "licensor", "evidence")},
        "style_image": image,
    }


def embedding_entry(embedding: Tensor) -> dict[str, Any]:
    """An embedding [K] as JSON can carry it: little-endian float32."""
    array = embedding.detach().cpu().numpy().astype("<f4")
    coded = base64.b64encode(array.tobytes()).decode("ascii")
    return {"base64": coded, "dtype": "float32", "shape": list(array.shape)}


def write_style(path: Path, card: dict[str, Any], stylizer: str, embedding: Tensor) -> None:
    """Write a style card, keeping what other stylizers put there."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    others = {name: known[name] for name in ("baselines", "preview") if name in known}
    embeddings = known.get("embeddings", {}) | {stylizer: embedding_entry(embedding)}
    write_json(path, {**card, **others, "embeddings": embeddings})


@dataclass(frozen=True)
class Words:
    """What somebody who brings a style says of it."""

    slug: str
    version: int
    title: str
    artist: str
    year: int
    description: str
    spdx: str
    licensor: str
    evidence: str

    @property
    def file_name(self) -> str:
        """Where its card lies in `styles`; the first version needs no number."""
        return f"{self.slug}.json" if self.version == 1 else f"{self.slug}@{self.version}.json"


def check_free(catalog: Path, words: Words) -> Path:
    """Where the card will lie; raises DataError where it does, for versions never change."""
    path = catalog / "styles" / words.file_name
    if path.exists():
        raise DataError(
            f"there is a style {words.slug}@{words.version} already, and versions never change; "
            "--style-version makes another one"
        )
    return path


def learned_card(
    words: Words, picture: Path, stylizer: str, embedding: Tensor, how: dict[str, Any]
) -> dict[str, Any]:
    """The card of a style learned from one picture; `how` holds `learned` and `quality`."""
    return {
        "slug": words.slug,
        "version": words.version,
        "title": words.title,
        "artist": words.artist,
        "year": words.year,
        "description": words.description,
        "licence": {
            "spdx": words.spdx,
            "licensor": words.licensor,
            "evidence": words.evidence,
        },
        "style_image": {
            "file_name": picture.name,
            "sha256": sha256(picture.read_bytes()),
            "origin": "Given by whoever had the style learned; not kept.",
        },
        "embeddings": {stylizer: embedding_entry(embedding)},
        **how,
    }
