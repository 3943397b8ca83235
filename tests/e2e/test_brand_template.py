"""The recipe docs/recipes/brand_template.py, run as its page says, against a real system."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.system import IMPASTO, Up

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "docs" / "recipes" / "brand_template.py"
SIZES = {"-square.webp": (540, 540), "-story.avif": (338, 600), "-banner.jpg": (1000, 250)}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("brand") / "data") as running:
        yield running.wait_ready()
        running.stop()


def cook(folder: Path, *pictures: str, **given: str) -> subprocess.CompletedProcess[str]:
    """As somebody does who has an address and a key, and nothing else."""
    return subprocess.run(
        [sys.executable, "-W", "error", RECIPE, *pictures],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **given},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def served(up: Up, folder: Path) -> str:
    url = f"http://127.0.0.1:{up.port}"
    done = cook(folder, IMPASTO_URL=url, IMPASTO_API_KEY=up.key)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_three_photographs_become_twelve_files_and_cost_nothing_again(
    up: Up, tmp_path: Path
) -> None:
    said = served(up, tmp_path)
    assert said.startswith("spring-brand@1 is active\n")
    assert re.search(r"^3 of 3 photographs, 12 files: 0\.\d+ USD$", said, re.MULTILINE)
    out = tmp_path / "var" / "recipes" / "brand_template"
    for name in ("astronaut", "chelsea", "coffee"):
        for ending, size in SIZES.items():
            with Image.open(out / f"{name}{ending}") as picture:
                assert picture.size == size
    with Image.open(out / "sheet.jpg") as sheet:
        assert sheet.width > 1_000
    again = served(up, tmp_path)
    assert again.startswith("spring-brand@1 is active\n")
    assert "12 files: 0.000000 USD" in again
    assert verified(up, out / "coffee-story.avif") == 0


def verified(up: Up, file: Path) -> int:
    """What a file of the recipe says of itself, and whether that holds."""
    environment = os.environ | {"IMPASTO_MARKING__DEVELOPMENT": str(up.data / "marking")}
    command = [*IMPASTO, "verify", str(file), "--trust-dev"]
    return subprocess.run(
        command, env=environment, capture_output=True, timeout=60, check=False
    ).returncode


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Set IMPASTO_URL"),
        ({"IMPASTO_URL": "http://127.0.0.1:9"}, "Set IMPASTO_API_KEY"),
        ({"IMPASTO_URL": "http://127.0.0.1:9", "IMPASTO_API_KEY": "imp_x_y"}, "brand_template:"),
    ],
    ids=["no address", "no key", "nobody there"],
)
def test_what_is_missing_is_told_in_a_sentence(
    given: dict[str, str], says: str, tmp_path: Path
) -> None:
    done = cook(tmp_path, **given)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert says in done.stderr


def test_its_page_quotes_it_word_for_word() -> None:
    page, script = RECIPE.with_suffix(".md").read_text(), RECIPE.read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    for block in blocks:
        assert block in script
    for path in re.findall(r"\]\(([^)#:]+)\)", page):
        assert (RECIPE.parent / path).exists(), path
