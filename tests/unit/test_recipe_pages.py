"""What a page of docs/recipes shows is what its script does."""

import re
from pathlib import Path

import pytest
from PIL import Image

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.py") if path.stem != "kit")
LARGEST = 150_000  #: bytes of a picture


def page(name: str) -> str:
    return (RECIPES / f"{name}.md").read_text()


def test_every_page_has_its_script_and_every_script_its_page() -> None:
    pages = sorted(path.stem for path in RECIPES.glob("*.md") if path.stem != "README")
    assert pages == NAMES
    for name in NAMES:
        assert f"({name}.md)" in page("README")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_quotes_its_script_word_for_word(name: str) -> None:
    script = (RECIPES / f"{name}.py").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page(name), re.DOTALL)
    assert blocks
    for block in blocks:
        assert block in script


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_pictures_that_load_quickly(name: str) -> None:
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page(name))
    assert shown
    for picture in (RECIPES / path for path in shown):
        assert picture.stat().st_size <= LARGEST
        with Image.open(picture) as opened:
            assert min(opened.size) > 200


@pytest.mark.parametrize("name", [*NAMES, "README"])
def test_a_pages_links_lead_somewhere(name: str) -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", page(name)):
        assert (RECIPES / path).exists(), path
