"""What people type, in processes of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from app.cli import cli

DEADLINE = 180


def impasto(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "photograph.png"
    Image.linear_gradient("L").resize((161, 97)).convert("RGB").save(path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        *("up", "migrate", "keys", "submit", "status", "styles", "costs", "demo", "webhooks"),
        *("config", "tenants", "audit", "erase"),
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    answer = CliRunner().invoke(cli, [command, "--help"])
    assert answer.exit_code == 0
    assert "Usage" in answer.stdout


@pytest.mark.parametrize("command", ["api", "worker", "optimizer", "stylize"])
def test_commands_of_other_packages_explain_themselves_too(command: str) -> None:
    answer = impasto(command, "--help")
    assert answer.returncode == 0
    assert "usage" in answer.stdout.lower()


def test_one_picture_needs_no_service(photograph: Path, tmp_path: Path) -> None:
    out = tmp_path / "painted.webp"
    answer = impasto("stylize", str(photograph), "--style", "great-wave", "-o", str(out), "--json")
    assert answer.returncode == 0, answer.stderr
    made = json.loads(answer.stdout)
    with Image.open(out) as painted:
        assert (painted.format, painted.size) == ("WEBP", (161, 97))
    assert (made["width"], made["height"]) == (161, 97)


def test_strength_zero_gives_the_photograph_back(photograph: Path, tmp_path: Path) -> None:
    out = tmp_path / "same.png"
    answer = impasto(
        "stylize", str(photograph), "--style", "scream", "--strength", "0", "-o", str(out)
    )
    assert answer.returncode == 0, answer.stderr
    with Image.open(out) as same, Image.open(photograph) as original:
        pairs = zip(same.tobytes(), original.tobytes(), strict=True)
        difference = [abs(one - other) for one, other in pairs]
    assert sum(difference) / len(difference) < 24


def test_every_control_works_without_a_service(photograph: Path, tmp_path: Path) -> None:
    mask, out = tmp_path / "mask.png", tmp_path / "painted.png"
    grey = Image.new("L", (40, 40), 0)
    grey.paste(255, (0, 0, 20, 40))
    grey.save(mask)
    controls = ["--style", "great-wave:3,scream:1", "--variation", "7", "--keep-colour", "0.5"]
    controls += ["--mask", str(mask), "--mask-feather", "0.01", "--deterministic"]
    answer = impasto("stylize", str(photograph), *controls, "-o", str(out))
    assert answer.returncode == 0, answer.stderr
    with Image.open(out) as painted, Image.open(photograph) as original:
        left, right = (0, 0, 70, 97), (91, 0, 161, 97)
        assert painted.crop(left).tobytes() == original.crop(left).tobytes()
        assert painted.crop(right).tobytes() != original.crop(right).tobytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--style", "nobody", "-o", "a.jpg"], "great-wave"),
        (["--style", "great-wave:0.5,nobody:0.5", "-o", "a.jpg"], "'nobody'"),
        (["--style", "great-wave:-1,scream:2", "-o", "a.jpg"], "above 0"),
        (["--style", "great-wave", "-o", "a.tiff"], ".webp"),
    ],
)
def test_a_mistake_is_answered_with_what_would_do(
    photograph: Path, arguments: list[str], words: str
) -> None:
    answer = impasto("stylize", str(photograph), *arguments)
    assert answer.returncode == 1
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_broken_picture_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff" + b"nothing of it" * 20)
    answer = impasto("stylize", str(path), "--style", "scream", "-o", str(tmp_path / "a.jpg"))
    assert answer.returncode == 1
    assert answer.stderr.startswith("impasto: ")


def test_no_service_is_a_sentence(tmp_path: Path) -> None:
    answer = impasto("styles", "--key", "imp_x_y", "--url", "http://127.0.0.1:9")
    assert answer.returncode == 1
    assert "127.0.0.1:9" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_demo_sends_everything_and_verifies_its_webhook(
    photograph: Path, tmp_path: Path
) -> None:
    out = tmp_path / "demo"
    answer = impasto("demo", str(photograph), "--out", str(out), "--size", "128")
    assert answer.returncode == 0, answer.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["jobs"] == report["succeeded"] == len(report["assets"]) >= 4
    assert report["webhook_verified"] is True
    assert report["failed"] == 0
    assert {"wall_s", "images_per_s", "p50_ms", "p95_ms", "mean_batch"} <= report.keys()
    with Image.open(out / "contact-sheet.jpg") as sheet:
        assert sheet.width > sheet.height > 100
