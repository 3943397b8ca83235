"""What a worker runs on, as it tells of itself."""

from pathlib import Path

import numpy as np
import pytest

from workers import hardware


def smi(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, ends: int = 0) -> None:
    """A program of that name that answers so; the one on the path is a GPU driver's."""
    program = folder / "nvidia-smi"
    told = "\n".join(lines)
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{told}\nEND\nexit {ends}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_a_cpu_has_a_name() -> None:
    name = hardware.model("cpu:0")
    assert name
    assert name == name.strip()


def test_where_the_system_does_not_name_it_its_kind_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "none")
    assert hardware.model("cpu:0")


def test_a_gpu_is_named_with_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path, monkeypatch, *["NVIDIA H200, 570.124.06"] * 8)
    assert hardware.model("cuda:3") == "NVIDIA H200, driver 570.124.06"


def test_of_different_gpus_all_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path, monkeypatch, "NVIDIA L4, 550.1", "NVIDIA T4, 550.1", "NVIDIA L4, 550.1")
    assert hardware.model("cuda:0") == "NVIDIA L4, driver 550.1; NVIDIA T4, driver 550.1"


@pytest.mark.parametrize(("lines", "ends"), [(["No devices were found"], 0), (["oops"], 9)])
def test_a_driver_that_says_nothing_leaves_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], ends: int
) -> None:
    smi(tmp_path, monkeypatch, *lines, ends=ends)
    assert hardware.model("cuda:0") is None


def test_no_driver_leaves_it_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hardware.model("cuda:0") is None


def test_the_peak_grows_with_what_is_held() -> None:
    before = hardware.peak_bytes()
    held = np.ones(before + 2**26, np.uint8)
    assert hardware.peak_bytes() >= len(held)
