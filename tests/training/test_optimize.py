"""A print: the picture itself is optimized, within memory, and left at any step."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tests.training.conftest import backbone_weights, draw, paint
from training.allowance import allowance
from training.data import DataError, read_picture
from training.losses import Backbone
from training.optimization import Commission, Print, Recipe, check_size, scales

ROOT = Path(__file__).parents[2]
QUICK = Recipe(first_side=24, first_steps=12, fewest_steps=4)


@pytest.fixture
def backbone() -> Backbone:
    torch.set_num_threads(1)
    return Backbone(backbone_weights())


@pytest.fixture
def content(tmp_path: Path) -> Path:
    draw(tmp_path / "content.png", 5, side=51)
    return tmp_path / "content.png"


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    paint(tmp_path / "painting.png", side=96)
    return tmp_path / "painting.png"


def commission(content: Path, painting: Path, **changes: Any) -> Commission:
    given = {"content": read_picture(content), "styles": [read_picture(painting)], "shares": [1.0]}
    return Commission(**(given | changes))


def finished(wanted: Commission, backbone: Backbone) -> tuple[Tensor, float]:
    """The picture, and its last style error."""
    work = Print(wanted, backbone, QUICK)
    seen = list(work.work())
    return work.finished(), seen[-1].style if seen else float("nan")


def test_a_print_comes_nearer_to_its_style_in_the_size_it_was_asked_for(
    content: Path, painting: Path, backbone: Backbone
) -> None:
    work = Print(commission(content, painting), backbone, QUICK)
    seen = list(work.work())
    assert seen[-1].style < seen[0].style / 2
    assert work.finished().shape == (3, 51, 51)
    assert work.finished().dtype == torch.uint8


def test_its_progress_only_grows_and_ends_at_one(
    content: Path, painting: Path, backbone: Backbone
) -> None:
    shares = [seen.share for seen in Print(commission(content, painting), backbone, QUICK).work()]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # The first scale has most of the steps and little of the pixels.
    assert shares[QUICK.first_steps - 1] < 0.55


def test_strength_nought_is_the_photograph_byte_for_byte(
    content: Path, painting: Path, backbone: Backbone
) -> None:
    picture, _ = finished(commission(content, painting, strength=0.0), backbone)
    assert torch.equal(picture, read_picture(content))


def test_more_strength_is_more_style(content: Path, painting: Path, backbone: Backbone) -> None:
    patient = replace(QUICK, first_steps=60)
    errors = []
    for strength in (0.05, 0.3, 1.0):
        work = Print(commission(content, painting, strength=strength), backbone, patient)
        errors.append(list(work.work())[-1].style)
    assert errors == sorted(errors, reverse=True)


def test_the_same_print_twice_is_the_same_bytes(
    content: Path, painting: Path, backbone: Backbone
) -> None:
    one, two = (finished(commission(content, painting), backbone)[0] for _ in range(2))
    assert torch.equal(one, two)


def test_styles_share_a_print_and_their_shares_need_not_sum_to_one(
    content: Path, painting: Path, backbone: Backbone, tmp_path: Path
) -> None:
    paint(tmp_path / "other.png", seed=9, side=80)
    styles = [read_picture(painting), read_picture(tmp_path / "other.png")]
    prints = [
        finished(commission(content, painting, styles=styles, shares=shares), backbone)[0]
        for shares in ([3.0, 1.0], [0.75, 0.25], [1.0, 3.0])
    ]
    assert torch.equal(prints[0], prints[1])
    assert not torch.equal(prints[0], prints[2])


@pytest.mark.parametrize(
    ("height", "width", "sides"),
    [(256, 300, [256]), (512, 700, [256, 512]), (1023, 2000, [256, 512, 1023]), (32, 33, [32])],
)
def test_scales_double_up_to_the_pictures_own(height: int, width: int, sides: list[int]) -> None:
    found = scales(height, width, Recipe())
    assert [min(one.height, one.width) for one in found] == sides
    assert (found[-1].height, found[-1].width) == (height, width)
    assert [one.steps for one in found] == sorted((one.steps for one in found), reverse=True)


def test_more_than_memory_holds_is_refused_with_what_would_fit() -> None:
    check_size(500, 500, 2 * 10**9)
    with pytest.raises(DataError, match=r"4000x3000 takes about 53\.3 GB .* 340,909 pixels"):
        check_size(3000, 4000, 2 * 10**9)
    check_size(3000, 4000, None)
    with pytest.raises(DataError, match="a side needs 32 pixels"):
        check_size(31, 4000, None)
    with pytest.raises(DataError, match="0 pixels would fit"):
        check_size(32, 32, 10**6)


def test_memory_is_what_is_free_here_or_left_in_the_container(tmp_path: Path) -> None:
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 < (allowance() or 0) < total
    meminfo = tmp_path / "meminfo"
    assert allowance(meminfo, tmp_path) is None
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    1000 kB\n")
    assert allowance(meminfo, tmp_path) == int(0.8 * 1_024_000)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("500000\n")
    assert allowance(meminfo, tmp_path) == int(0.8 * 1_024_000)
    (tmp_path / "memory.max").write_text("800000\n")
    (tmp_path / "memory.stat").write_text("anon 300000\ninactive_file 200000\n")
    assert allowance(meminfo, tmp_path) == 400_000  # what was only read goes when it is needed
    older = tmp_path / "memory"
    older.mkdir()
    (older / "memory.limit_in_bytes").write_text("100000\n")
    (older / "memory.usage_in_bytes").write_text("50000\n")
    assert allowance(meminfo, tmp_path) == 40_000


def command(content: Path, painting: Path, out: Path, *more: str) -> list[str]:
    program = [sys.executable, "-m", "training.optimize", str(content), f"--style={painting}"]
    return [*program, f"--out={out}", "--threads=1", "--json", *more]


def run(content: Path, painting: Path, out: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    arguments = command(content, painting, out, *more)
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def given(tmp_path: Path) -> str:
    from safetensors.torch import save_file

    save_file(backbone_weights(), tmp_path / "tiny.safetensors")
    return f"--backbone={tmp_path / 'tiny.safetensors'}"


def test_the_command_writes_a_picture_and_says_what_it_took(
    content: Path, painting: Path, tmp_path: Path, given: str
) -> None:
    out = tmp_path / "out.png"
    done = run(content, painting, out, given, "--pace=0.1")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (answer["event"], answer["steps"], answer["device"]) == ("printed", 8, "cpu")
    with Image.open(out) as image:
        assert (image.size, image.mode) == ((51, 51), "RGB")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--memory=1000000"], "pixels would fit"),
        (["--style=nowhere.png"], "nowhere.png"),
        (["--strength=1.5"], "strength"),
        (["--style=painting.png:nan"], "shares"),
        (["--stylizer=light-0.1.0"], "belong together"),
        (["--stylizer=light-0.1.0", "--embedding=nowhere.f32"], "nowhere.f32 cannot be read"),
        (["--backbone=nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_what_cannot_be_printed_is_refused_in_a_sentence(
    content: Path, painting: Path, tmp_path: Path, given: str, options: list[str], sentence: str
) -> None:
    refused = run(content, painting, tmp_path / "out.png", given, *options)
    assert refused.returncode == 2
    assert refused.stderr.startswith("impasto: ")
    assert sentence in refused.stderr
    assert not (tmp_path / "out.png").exists()


def test_a_signal_ends_it_and_leaves_nothing(
    content: Path, painting: Path, tmp_path: Path, given: str
) -> None:
    out = tmp_path / "out.png"
    process = subprocess.Popen(
        command(content, painting, out, given, "--pace=100000"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "progress"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "nothing was written" in said
    assert not out.exists()


def test_an_embedding_of_another_network_is_refused(
    content: Path, painting: Path, tmp_path: Path, given: str
) -> None:
    np.zeros(7, "<f4").tofile(tmp_path / "e.f32")
    options = ["--stylizer=light-0.1.0", f"--embedding={tmp_path / 'e.f32'}"]
    refused = run(content, painting, tmp_path / "out.png", given, *options)
    assert refused.returncode == 2
    assert "no embedding for light-0.1.0" in refused.stderr
