"""What `impasto styles learn` refuses before a minute is spent, with or without PyTorch."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.catalog import Catalog
from app.cli import cli
from app.cli.styles import check_new
from app.errors import CatalogCorrupt, Misconfigured
from app.settings import CATALOG
from tests.unit.pictures import png

WORDS = {
    "name": "sunrise",
    "title": "Impression, Sunrise",
    "artist": "Claude Monet",
    "year": "1872",
    "licence": "LicenseRef-PublicDomain",
    "licensor": "none: public domain",
    "evidence": "The artist died in 1926.",
}


def learn(picture: Path, **other: str) -> Result:
    words = {**WORDS, **other}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in words.items()]
    return CliRunner().invoke(cli, ["styles", "learn", str(picture), *options])


def words_of(answer: Result) -> str:
    """What was said, as one line however wide the terminal is."""
    return " ".join(answer.stderr.split())


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    path = tmp_path / "painting.png"
    path.write_bytes(png((320, 300)))
    return path


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b"a letter to my brother" * 20, "not a picture"),
        (b"\xff\xd8\xff" + b"nothing of it" * 20, "the JPEG header cannot be read"),
        (png((640, 255)), "no side may be shorter than 256"),
        (b"GIF89a" + bytes(40), "this is a GIF"),
    ],
    ids=["empty", "text", "corrupt", "tiny", "gif"],
)
def test_what_is_no_style_picture_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(content)
    answer = learn(path)
    assert answer.exit_code == 2
    assert sentence in words_of(answer)
    assert "picture.jpg" in words_of(answer)


def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (16_000, 16_000)).save(path)
    answer = learn(path)
    assert answer.exit_code == 2
    assert "256,000,000" in words_of(answer)


def test_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert learn(tmp_path / "nowhere.jpg").exit_code == 2


@pytest.mark.parametrize(
    ("word", "value", "sentence"),
    [
        ("licence", "(MIT", "not an SPDX expression"),
        ("licence", "Beer-1.0", "SPDX knows no Beer-1.0"),
        ("evidence", " ", "evidence must not be empty"),
        ("name", "Sun Rise", "slug"),
    ],
)
def test_words_that_no_catalog_takes_are_refused(
    painting: Path, word: str, value: str, sentence: str
) -> None:
    answer = learn(painting, **{word: value})
    assert answer.exit_code == 2
    assert sentence in words_of(answer)


def test_a_version_that_exists_never_changes(painting: Path) -> None:
    answer = learn(painting, name="great-wave")
    assert answer.exit_code == 2
    assert "great-wave@1" in words_of(answer)
    assert "--style-version 2" in words_of(answer)


def test_the_next_version_is_free() -> None:
    check_new(Catalog(CATALOG), next(iter(Catalog(CATALOG).stylizers)), "great-wave", 2)


def test_a_stylizer_that_is_not_there_is_named() -> None:
    with pytest.raises(CatalogCorrupt, match="heavy-9"):
        check_new(Catalog(CATALOG), "heavy-9", "sunrise", 1)


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed here")
def test_without_pytorch_the_extra_is_named(painting: Path) -> None:
    answer = learn(painting)
    assert isinstance(answer.exception, Misconfigured)
    assert "impasto[training]" in str(answer.exception)


def test_the_listing_needs_a_key() -> None:
    answer = CliRunner().invoke(cli, ["styles"], env={"IMPASTO_API_KEY": ""})
    assert answer.exit_code == 2
    assert "--key" in words_of(answer)
