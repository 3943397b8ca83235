"""Pictures that operators give to the store, so that prints can be painted by them."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from app.catalog import Catalog, sync
from app.db import Sessions, style_pictures, styles
from app.errors import NoStylePicture
from tests.e2e.system import IMPASTO
from tests.integration.test_catalog import NOBODY, write_catalog
from tests.unit.pictures import png

PICTURE = png((300, 260))


@pytest.fixture
def environment(sessions: Sessions, database_url: str, tmp_path: Path) -> dict[str, str]:
    """A database whose only style was learned from `PICTURE`, and an empty store."""
    image = {"sha256": sha256(PICTURE).hexdigest(), "file_name": "painting.png"}
    with sessions.begin() as session:
        sync(session, Catalog(write_catalog(tmp_path / "catalog", style_image=image)))
    store = {"IMPASTO_STORAGE__KIND": "local", "IMPASTO_STORAGE__ROOT": str(tmp_path / "assets")}
    return {**os.environ, "DATABASE_URL": database_url, **store}


def pictures(environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*IMPASTO, "styles", "pictures", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_picture_is_known_by_its_digest_whatever_it_is_called(
    environment: dict[str, str], sessions: Sessions, tmp_path: Path
) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "a holiday.txt").write_text("nothing to do with it")
    with sessions() as session:
        look = styles.resolve(session, ["plain"], stylizer="", tenant_id=NOBODY)["plain"]
        with pytest.raises(NoStylePicture, match="plain@1"):
            style_pictures.check(session, look.parts)
    assert "Still without a picture: plain" in pictures(environment, folder).stdout

    (folder / "whatever.bin").write_bytes(PICTURE)
    for _ in range(2):
        given = pictures(environment, folder)
        assert given.returncode == 0, given.stderr
    with sessions() as session:
        style_pictures.check(session, look.parts)
    [stored] = (tmp_path / "assets" / "styles").rglob(sha256(PICTURE).hexdigest())
    assert stored.read_bytes() == PICTURE


def test_a_folder_that_is_not_there_is_refused(environment: dict[str, str]) -> None:
    assert pictures(environment, Path("nowhere")).returncode == 2
