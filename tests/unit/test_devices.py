"""Which devices a fleet takes, from what `nvidia-smi -L` says; no GPU here."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import EngineUnavailable, Misconfigured
from app.settings import EngineSettings
from app.stack.devices import Device, chosen, listed, named, on_cores, visible
from workers import cuda, hardware

A, B = "GPU-6a4c1f0e-7d52-4c9b-9a39-0d8f5e1b2c3d", "GPU-6b000000-0000-0000-0000-000000000001"
M, N = "MIG-11111111-2222-3333-4444-555555555555", "MIG-99999999-2222-3333-4444-555555555555"
TWO = f"""GPU 0: NVIDIA H100 80GB HBM3 (UUID: {A})
GPU 1: NVIDIA H100 80GB HBM3 (UUID: {B})
"""
CUT = f"""GPU 0: NVIDIA H100 80GB HBM3 (UUID: {A})
  MIG 3g.40gb     Device  0: (UUID: {M})
  MIG 3g.40gb     Device  1: (UUID: {N})
GPU 1: NVIDIA H100 80GB HBM3 (UUID: {B})
"""
ON_GPUS = EngineSettings(provider="cuda")


def driver(folder: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n[ $1 = -L ] || exit 9\ncat <<'END'\n{told}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_every_gpu_is_found_and_parts_instead_of_what_is_cut_up() -> None:
    assert listed(TWO) == [A, B]
    assert listed(CUT) == [M, N, B]
    assert listed("No devices found.\n") == []


def test_a_fleet_takes_what_it_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(tmp_path, monkeypatch, TWO)
    assert chosen(None, ON_GPUS, {}) == [Device(A), Device(B)]
    assert chosen(None, ON_GPUS, {"CUDA_VISIBLE_DEVICES": "1"}) == [Device(B)]
    assert chosen(f"{B},{A}", ON_GPUS, {}) == [Device(B), Device(A)]


def test_a_worker_is_pinned_before_it_exists() -> None:
    assert Device(A).environment["CUDA_VISIBLE_DEVICES"] == A
    assert Device(A).number == 0
    cpu = Device("cpu:3", threads=2)
    assert cpu.environment["CUDA_VISIBLE_DEVICES"] == ""
    assert cpu.environment["IMPASTO_ENGINE__THREADS"] == "2"
    assert cpu.number == 3


@given(st.permutations([A, B, M]), st.sets(st.integers(0, 2), min_size=1))
def test_visible_numbers_and_uuids_mean_the_same(found: list[str], numbers: set[int]) -> None:
    wanted = [Device(found[number]) for number in numbers]
    assert visible(found, ",".join(map(str, numbers))) == wanted
    assert visible(found, ",".join(found[number] for number in numbers)) == wanted


@pytest.mark.parametrize(
    "asked", ["GPU-6", "GPU-ffff", "0", "", A + "," + A, "GPU-6a4c," + A, "cuda:0"]
)
def test_what_is_not_one_gpu_each_is_refused(asked: str) -> None:
    with pytest.raises(Misconfigured):
        named(asked.split(","), [A, B])


def test_the_beginning_of_a_uuid_will_do() -> None:
    assert named(["GPU-6a4c"], [A, B]) == [Device(A)]


@given(st.integers(1, 64), st.integers(1, 64))
def test_cpu_workers_share_the_cores(amount: int, cores: int) -> None:
    workers = on_cores(amount, cores)
    assert [its.name for its in workers] == [f"cpu:{number}" for number in range(amount)]
    assert sum(its.threads for its in workers) <= max(cores, amount)
    assert all(its.threads >= 1 for its in workers)


def test_cpu_workers_by_name_and_by_setting() -> None:
    assert len(chosen("cpu:3", ON_GPUS, {})) == 3
    assert chosen(None, EngineSettings(threads=1), {})
    for asked in ("cpu:0", "cpu:x", "cpu:999"):
        with pytest.raises(Misconfigured, match="cpu:N"):
            chosen(asked, ON_GPUS, {})


def test_gpus_for_an_engine_on_the_cpu_are_refused() -> None:
    with pytest.raises(Misconfigured, match="IMPASTO_ENGINE__PROVIDER=cuda"):
        chosen(A, EngineSettings(), {})


def test_no_driver_and_no_gpu_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match="CUDA_VISIBLE_DEVICES is empty"):
        visible([A], "")
    driver(tmp_path, monkeypatch, "No devices found.\n")
    with pytest.raises(Misconfigured, match="--devices cpu:1"):
        chosen(None, ON_GPUS, {})
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(Misconfigured, match="nvidia-smi -L"):
        chosen(None, ON_GPUS, {})


def test_a_worker_without_the_gpu_it_is_meant_for_does_not_start() -> None:
    try:
        has = cuda.uuid(0)
    except EngineUnavailable:
        has = None
    with pytest.raises(EngineUnavailable):
        hardware.expected(N if has != N else M, {})
    hardware.expected("cpu:0", {})


def test_uuids_are_compared_without_their_kind() -> None:
    assert cuda.same(A, "MIG-" + A.removeprefix("GPU-").upper())
    assert not cuda.same(A, B)


def test_a_pinned_worker_is_known_by_its_uuid() -> None:
    assert hardware.identity("cuda:0", {"CUDA_VISIBLE_DEVICES": A}) == A
    assert hardware.identity("cuda:1", {"CUDA_VISIBLE_DEVICES": A}) == "cuda:1"
    assert hardware.identity("cuda:0", {}) == "cuda:0"
    assert hardware.identity("cpu:2", {"CUDA_VISIBLE_DEVICES": ""}) == "cpu:2"
