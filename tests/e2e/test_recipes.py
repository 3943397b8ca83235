"""The recipes of docs/recipes, each run as its page says, against one real system."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image

from tests.e2e.system import IMPASTO, Up
from tests.vouching import vouch

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "docs" / "recipes"
#: What the museum's card says in heritage_approval.md.
LIMITS = {"valid_until": "2099-12-31", "territories": ["DE", "AT"], "channels": ["print", "web"]}


#: What brand_template.md makes of each photograph.
SHAPES = {"-square.webp": (540, 540), "-story.avif": (338, 600), "-banner.jpg": (1000, 250)}
LOOKS = ("ink", "tahiti", "hat", "mixed")


@dataclass(frozen=True)
class Cooked:
    """What a recipe printed, and the folder it left."""

    said: str
    out: Path

    def row(self, word: str, title: str = "") -> list[str]:
        """The cells behind a word, in the first table below that title that has it."""
        found = re.search(rf"^│ {re.escape(word)} +│(.*)│$", self.below(title), re.MULTILINE)
        assert found, f"no {word!r} in {self.said}"
        return [cell.strip() for cell in found[1].split("│")]

    def fact(self, word: str, title: str = "") -> str:
        [cell] = self.row(word, title)
        return cell

    def below(self, title: str) -> str:
        return self.said[self.said.index(title) :]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One system for all; the licence of its woodcuts is as limited as a museum's."""
    folder = tmp_path_factory.mktemp("recipes")
    catalog = folder / "catalog"
    shutil.copytree(ROOT / "catalog" / "styles", catalog / "styles")
    (catalog / "stylizers").symlink_to(ROOT / "catalog" / "stylizers")
    card = catalog / "styles" / "woodcut.json"
    facts = json.loads(card.read_text())
    facts["licence"] |= LIMITS
    card.write_text(json.dumps(facts))
    trusting = vouch(catalog, styles_only=True)
    environment = {"IMPASTO_CATALOG": str(catalog), **trusting}
    with Up(folder / "data", environment=environment) as running:
        yield running.wait_ready()
        running.stop()


def cook(up: Up, name: str, folder: Path) -> Cooked:
    """As somebody does who has an address and a key, and nothing else."""
    environment = {
        "IMPASTO_URL": f"http://127.0.0.1:{up.port}",
        "IMPASTO_API_KEY": up.key,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", RECIPES / f"{name}.py"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Cooked(done.stdout, folder / "var" / "recipes" / name)


def micros(money: str) -> int:
    return round(float(money.split()[0]) * 1e6)


def width(sheet: Path) -> int:
    with Image.open(sheet) as opened:
        return opened.width


def test_a_season_is_priced_proved_drawn_and_handed_over(up: Up, tmp_path: Path) -> None:
    cooked = cook(up, "seasonal_batch", tmp_path)
    assert (cooked.fact("pictures"), cooked.fact("known from")) == ("12", "rate_card")
    assert micros(cooked.fact("estimate")) > 0
    assert cooked.fact("succeeded", "\nProof") == "1"
    assert cooked.fact("failed", "\nProof") == "11 budget-exceeded"
    assert "line 14 (typo-1) is invalid-line: /strength" in cooked.said
    assert [cooked.fact(word, "\nSeason") for word in ("succeeded", "failed", "refused lines")] == [
        "12",
        "0",
        "1",
    ]
    assert cooked.fact("files that verify") == "13"  # the pictures and their manifest
    cost = micros(cooked.fact("cost", "\nSeason"))
    assert 0 < cost <= micros(cooked.fact("budget", "\nSeason"))
    assert micros(cooked.fact("spring-2027")) == cost
    assert "Spring 2027" in (cooked.out / "report.html").read_text()
    assert width(cooked.out / "sheet.jpg") > 700


def test_a_changed_archive_is_noticed(up: Up, tmp_path: Path) -> None:
    archive = cook(up, "seasonal_batch", tmp_path).out / "spring-2027.zip"
    assert checking(archive).returncode == 0
    with ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    with ZipFile(archive, "w") as changed:
        for name, content in files.items():
            changed.writestr(name, content + b"!" if name == "coffee-2.webp" else content)
    refused = checking(archive)
    assert (refused.returncode, refused.stderr) == (
        1,
        "coffee-2.webp is not what was handed over\n",
    )


def checking(archive: Path) -> subprocess.CompletedProcess[str]:
    """What the recipe does with an archive, alone."""
    check = "import sys; from pathlib import Path; from seasonal_batch import checked\n"
    command = [sys.executable, "-c", f"{check}checked(Path(sys.argv[1]))", str(archive)]
    environment = {**os.environ, "PYTHONPATH": f"{RECIPES}:{ROOT}"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_adverts_come_in_every_look_and_strength_with_a_price_each(up: Up, tmp_path: Path) -> None:
    cooked = cook(up, "ad_variants", tmp_path)
    costs = [int(cell) for look in LOOKS for cell in cooked.row(look)]
    assert len(costs) == 12
    assert min(costs) > 0
    total = re.search(r"^12 of 12 variants: (\S+) USD$", cooked.said, re.MULTILINE)
    assert total is not None
    assert micros(total[1]) == sum(costs)
    names = {f"{look}-{strength}.jpg" for look in LOOKS for strength in (30, 60, 100)}
    assert {path.name for path in cooked.out.iterdir()} == {*names, "sheet.jpg"}
    assert width(cooked.out / "sheet.jpg") > 700


def test_a_template_gives_four_signed_files_of_each_photograph(up: Up, tmp_path: Path) -> None:
    cooked = cook(up, "brand_template", tmp_path)
    assert cooked.said.startswith("spring-brand@1 is active\n")
    total = re.search(r"^4 of 4 photographs, 16 files: (\S+) USD$", cooked.said, re.MULTILINE)
    assert total is not None
    assert micros(total[1]) > 0
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        assert verified(up, cooked.out / f"{name}.jpg") == 0
        for ending, size in SHAPES.items():
            with Image.open(cooked.out / f"{name}{ending}") as picture:
                assert picture.size == size
            assert verified(up, cooked.out / f"{name}{ending}") == 0
    assert width(cooked.out / "sheet.jpg") > 700
    again = cook(up, "brand_template", tmp_path)
    assert again.said.startswith("spring-brand@1 is active\n")  # the same again is no version
    assert "16 files: 0.000000 USD" in again.said


def test_a_filter_is_drawn_once_and_costs_nothing_after(up: Up, tmp_path: Path) -> None:
    before = up.get("/v1/cache?days=1")
    cooked = cook(up, "social_filter", tmp_path)
    answers, cost, *waits = cooked.row("drawn now")
    assert (answers, micros(cost) > 0) == ("8", True)
    there, nothing, *shorter = cooked.row("there already")
    assert (there, micros(nothing)) == ("56", 0)
    assert all(re.fullmatch(r"\d+ ms", wait) for wait in [*waits, *shorter])
    assert cooked.fact("hits here") == "56 of 64, 87.5%"
    assert cooked.fact("sent twice, done once") == "8 of 8"
    after = up.get("/v1/cache?days=1")
    assert after["succeeded"] - before["succeeded"] == 64  # the same taps again made no jobs
    assert after["cached"] - before["cached"] == 56
    assert width(cooked.out / "sheet.jpg") > 500


def test_nothing_of_a_museum_is_let_out_before_its_curator_says_yes(up: Up, tmp_path: Path) -> None:
    cooked = cook(up, "heritage_approval", tmp_path)
    assert cooked.fact("version") == "woodcut@1"
    assert cooked.fact("territories") == "AT, DE"
    assert cooked.fact("a poster in the US") == "territory-not-allowed"
    for name in ("astronaut", "chelsea", "coffee"):
        assert re.search(f"^{name}: awaiting-review, succeeded, [0-9,]+ bytes$", cooked.said, re.M)
    assert "\nrocket: awaiting-review, rejected, output-rejected\n" in cooked.said
    assert (cooked.fact("approved"), cooked.fact("rejected")) == ("3", "1")
    approved = sorted((cooked.out / "approved").iterdir())
    assert [path.stem for path in approved] == ["astronaut", "chelsea", "coffee"]
    for path in approved:
        origin = cooked.fact(path.name)
        assert origin == "our photograph, woodcut@1 (active), signed"
    [key] = [one for one in up.get("/v1/keys")["data"] if one["name"] == "curator"]
    assert (key["scopes"], key["state"]) == (["review"], "revoked")
    [rejected] = up.get("/v1/jobs?status=rejected")["data"]
    assert rejected["review"]["by"] == f"key:{key['prefix']}"
    assert rejected["review"]["note"] == "There were no rockets then."
    assert verified(up, cooked.out / "approved" / "coffee.jpg") == 0


def verified(up: Up, file: Path) -> int:
    """The exit code of the page's last command."""
    environment = os.environ | {"IMPASTO_MARKING__DEVELOPMENT": str(up.data / "marking")}
    command = [*IMPASTO, "verify", str(file), "--trust-dev"]
    return subprocess.run(
        command, env=environment, capture_output=True, timeout=60, check=False
    ).returncode


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "impasto up"),
        ({"IMPASTO_API_KEY": "imp_x_y"}, "nowhere.jpg"),
    ],
    ids=["no key", "no such picture"],
)
def test_what_is_missing_is_told_in_a_sentence(
    given: dict[str, str], says: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, RECIPES / "ad_variants.py", "nowhere.jpg"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert says in done.stdout
