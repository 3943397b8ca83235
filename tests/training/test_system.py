"""The whole system with an optimizer worker, as somebody types it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from PIL import Image
from safetensors.torch import save_file

from app.client import Client
from tests.e2e.system import IMPASTO, Up, until
from tests.training.conftest import backbone_weights, draw, paint

WORDS = ["--title=The Harbour", "--artist=Jane Doe", "--year=2026", "--licence=LicenseRef-X"]
WORDS += ["--licensor=Jane Doe", "--evidence=page 3"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Stylizing workers draw nothing; the optimizer worker and its programs are real."""
    folder = tmp_path_factory.mktemp("system")
    save_file(backbone_weights(), folder / "tiny.safetensors")
    environment = {
        "IMPASTO_OPTIMIZER__BACKBONE": str(folder / "tiny.safetensors"),
        "IMPASTO_OPTIMIZER__THREADS": "1",
    }
    with Up(folder / "data", ["--no-flower", "--optimizer"], environment) as up:
        yield up.wait_ready()


def impasto(system: Up, *arguments: str) -> "subprocess.CompletedProcess[str]":
    ours = {
        "IMPASTO_API_KEY": system.key,
        "IMPASTO_PUBLIC_URL": f"http://127.0.0.1:{system.port}",
    }
    return subprocess.run(
        [*IMPASTO, *arguments],
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def learn(system: Up, tmp_path: Path, name: str, *more: str) -> "subprocess.CompletedProcess[str]":
    paint(tmp_path / "painting.png")
    picture = str(tmp_path / "painting.png")
    return impasto(system, "styles", "submit", picture, f"--name={name}", *WORDS, *more)


def test_a_style_is_submitted_made_active_and_printed_in(system: Up, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    options = ["--minutes=0.2", "--activate", f"--preview={sheet}", "--json"]
    learned = learn(system, tmp_path, "harbour", *options)
    assert learned.returncode == 0, learned.stderr
    style = json.loads(learned.stdout)
    assert (style["pinned"], style["status"]) == ("harbour@1", "active")
    with Image.open(sheet) as page:
        assert page.format == "JPEG"
    photos, prints = tmp_path / "photos", tmp_path / "prints"
    photos.mkdir()
    draw(photos / "one.png", 1, side=40)
    options = ["--style=harbour", "--print", f"--out={prints}", "--json"]
    printed = impasto(system, "submit", str(photos), *options)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["parameters"]["quality"] == "print"
    [path] = prints.iterdir()
    with Image.open(path) as image:
        assert image.size == (40, 40)


def programs(system: Up) -> list[psutil.Process]:
    """The PyTorch programs that run now."""
    return [one for one in system.family() if "training.learn" in " ".join(_argv(one))]


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it ended while we looked
        return []


def begin(system: Up, tmp_path: Path, name: str) -> "tuple[subprocess.Popen[str], Any]":
    """Somebody who watches a style being learned, once its program runs."""
    paint(tmp_path / "painting.png")
    picture = str(tmp_path / "painting.png")
    url = f"--url=http://127.0.0.1:{system.port}"
    options = [f"--name={name}", *WORDS, "--minutes=0.4", f"--key={system.key}", url, "--json"]
    watching = subprocess.Popen(
        [*IMPASTO, "styles", "submit", picture, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: programs(system), 60)
    return watching, system.get(f"/v1/styles/{name}")["versions"][0]


def test_a_killed_optimizer_worker_takes_its_program_along_and_the_style_is_learned_all_the_same(
    system: Up, tmp_path: Path
) -> None:
    watching, _ = begin(system, tmp_path, "quay")
    [program] = programs(system)
    worker = program.parent()
    assert worker is not None
    worker.send_signal(signal.SIGKILL)
    until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE, 20)
    told, said = watching.communicate(timeout=170)
    assert watching.returncode == 0, said
    assert json.loads(told)["status"] == "draft"


def test_canceling_the_job_ends_the_program_within_seconds(system: Up, tmp_path: Path) -> None:
    watching, style = begin(system, tmp_path, "pier")
    with Client(f"http://127.0.0.1:{system.port}", system.key) as client:
        client.post(f"{style['job']}/cancel")
    until(lambda: not programs(system), 20)
    told, _ = watching.communicate(timeout=30)
    assert watching.returncode == 1
    assert json.loads(told)["status"] == "canceled"


def test_a_name_of_the_catalog_is_refused_in_a_sentence(system: Up, tmp_path: Path) -> None:
    refused = learn(system, tmp_path, "great-wave")
    assert refused.returncode == 1
    assert "everybody has" in " ".join(refused.stderr.split())
