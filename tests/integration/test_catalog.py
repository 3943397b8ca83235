"""Styles from files: checked on the way in, immutable once in."""

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.catalog import Catalog, sync
from app.db import Sessions, styles
from app.db.models import Style, StyleVersion, Stylizer
from app.domain.style import StyleStatus
from app.errors import CatalogCorrupt, InvalidRequest, UnknownStyle
from app.settings import CATALOG

NOBODY = UUID(int=0)


def write_catalog(root: Path, **style: Any) -> Path:
    """A catalog with one stylizer of two numbers and one style."""
    model = root / "stylizers" / "tiny-1.0.0"
    model.mkdir(parents=True, exist_ok=True)
    (model / "model.onnx").write_bytes(b"not needed")
    card = {
        "name": "tiny",
        "version": "1.0.0",
        "digest": sha256(b"not needed").hexdigest(),
        "embedding_size": 2,
    }
    (model / "model.json").write_text(json.dumps(card))
    numbers = {"dtype": "float32", "shape": [2], "base64": b64encode(bytes(8)).decode()}
    plain: dict[str, Any] = {
        "slug": "plain",
        "version": 1,
        "title": "Plain",
        "licence": {"spdx": "CC0-1.0", "licensor": "us", "evidence": "ours"},
        "embeddings": {"tiny-1.0.0": numbers},
    }
    (root / "styles").mkdir(exist_ok=True)
    (root / "styles" / "plain.json").write_text(json.dumps(plain | style))
    return root


def test_the_catalog_we_ship_is_sound() -> None:
    catalog = Catalog(CATALOG)
    for name, card in catalog.stylizers.items():
        assert sha256(catalog.model(name).read_bytes()).hexdigest() == card.digest
    assert len(catalog.styles) >= 5


def test_a_catalog_can_be_written_twice(sessions: Sessions, tmp_path: Path) -> None:
    catalog = Catalog(write_catalog(tmp_path))
    for _ in range(2):
        with sessions.begin() as session:
            sync(session, catalog)
    with sessions() as session:
        assert len(styles.listing(session, NOBODY)) == 1


def test_a_version_never_changes_its_numbers(sessions: Sessions, tmp_path: Path) -> None:
    with sessions.begin() as session:
        sync(session, Catalog(write_catalog(tmp_path)))
    other = {"dtype": "float32", "shape": [2], "base64": b64encode(b"\1" * 8).decode()}
    changed = Catalog(write_catalog(tmp_path, embeddings={"tiny-1.0.0": other}))
    with pytest.raises(CatalogCorrupt, match="new version"), sessions.begin() as session:
        sync(session, changed)


def test_a_version_never_changes_its_terms(sessions: Sessions, tmp_path: Path) -> None:
    terms: dict[str, Any] = {"spdx": "CC0-1.0", "licensor": "us", "evidence": "ours"}
    limited = terms | {"territories": ["DE"], "valid_until": "2099-12-31"}
    for licence in (limited, limited | {"evidence": "ours, said better"}):
        with sessions.begin() as session:
            sync(session, Catalog(write_catalog(tmp_path, licence=licence)))
    with sessions() as session:
        [row] = styles.listing(session, NOBODY)
    assert row.valid_until.isoformat() == "2100-01-01T00:00:00+00:00"
    for licence in (terms, limited | {"territories": ["DE", "AT"]}):
        changed = Catalog(write_catalog(tmp_path, licence=licence))
        refused = pytest.raises(CatalogCorrupt, match="licence needs a new version")
        with refused, sessions.begin() as session:
            sync(session, changed)


def test_the_newest_version_answers_to_the_plain_name(sessions: Sessions, tmp_path: Path) -> None:
    for version in (1, 2):
        with sessions.begin() as session:
            sync(session, Catalog(write_catalog(tmp_path, version=version)))
    with sessions() as session:
        found = styles.resolve(session, ["plain", "plain@1"], stylizer="", tenant_id=NOBODY)
    assert (found["plain"].version.version, found["plain@1"].version.version) == (2, 1)


def test_styles_of_different_stylizers_make_no_mix(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for slug, digest in (("plain", "a" * 64), ("other", "b" * 64)):
            about = {"digest": digest, "name": slug, "version": "1", "embedding_size": 1}
            session.add_all([Stylizer(**about, card={}), Style(slug=slug, title=slug)])
            session.flush()
            numbers = {"embedding": b"\0" * 4, "card": {}, "status": StyleStatus.ACTIVE}
            session.add(StyleVersion(slug=slug, version=1, stylizer_digest=digest, **numbers))
    with sessions() as session:
        with pytest.raises(InvalidRequest, match="different stylizers; mix styles of one"):
            styles.resolve(session, ["plain:1,other:1"], stylizer="", tenant_id=NOBODY)
        with pytest.raises(UnknownStyle, match="other"):
            styles.resolve(session, ["plain:1,other:1"], stylizer="a" * 64, tenant_id=NOBODY)
        with pytest.raises(InvalidRequest, match="name a style"):
            styles.resolve(session, [""], stylizer="", tenant_id=NOBODY)


@pytest.mark.parametrize("name", ["nobody", "plain@9", "plain@0", "Plain", "plain@1; DROP"])
def test_a_style_that_is_not_there_is_refused(
    sessions: Sessions, tmp_path: Path, name: str
) -> None:
    with sessions.begin() as session:
        sync(session, Catalog(write_catalog(tmp_path)))
    with sessions() as session, pytest.raises(UnknownStyle):
        styles.resolve(session, [name], stylizer="", tenant_id=NOBODY)


@pytest.mark.parametrize(
    "change",
    [
        {"slug": "../plain"},
        {"version": 0},
        {"licence": {"spdx": "MIT or so", "licensor": "us", "evidence": "ours"}},
        {"licence": {"spdx": "CC0-1.0"}},
        {"embeddings": {"tiny-1.0.0": {"dtype": "float32", "shape": [3], "base64": "AAAA"}}},
        {"embeddings": {"tiny-1.0.0": {"dtype": "float32", "shape": [2], "base64": "!!"}}},
        {"embeddings": {"huge-1.0.0": {"dtype": "float32", "shape": [2], "base64": "AAAA"}}},
    ],
)
def test_a_card_with_anything_odd_names_its_file(tmp_path: Path, change: dict[str, Any]) -> None:
    write_catalog(tmp_path, **change)
    with pytest.raises(CatalogCorrupt):
        Catalog(tmp_path)


def test_a_preview_that_is_gone_or_another_names_its_file(tmp_path: Path) -> None:
    preview = {"file": "plain.jpg", "sha256": sha256(b"a picture").hexdigest()}
    write_catalog(tmp_path, preview=preview)
    path = tmp_path / "styles" / "plain.jpg"
    with pytest.raises(CatalogCorrupt, match=r"plain\.jpg"):
        Catalog(tmp_path)
    path.write_bytes(b"a picture")
    [style] = Catalog(tmp_path).styles
    assert Catalog(tmp_path).preview(style) == path
    path.write_bytes(b"another")
    with pytest.raises(CatalogCorrupt, match=r"plain\.jpg"):
        Catalog(tmp_path)
    write_catalog(tmp_path, preview=preview | {"file": "../plain.jpg"})
    with pytest.raises(CatalogCorrupt, match="file"):
        Catalog(tmp_path)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CatalogCorrupt, match="IMPASTO_CATALOG"):
        Catalog(tmp_path)
