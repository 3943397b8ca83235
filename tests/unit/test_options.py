"""What execution providers are told; nothing here needs them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog import Catalog
from app.errors import EngineUnavailable, Misconfigured
from app.settings import CATALOG, EngineSettings
from workers.building import built
from workers.engines.options import (
    NAMES,
    Lane,
    Versions,
    Wishes,
    engine_folder,
    needed,
    providers,
    session_entries,
)

HOT = Lane(512, 384, 4)
CUDA, TENSORRT = Wishes(provider="cuda"), Wishes(provider="tensorrt", cache=Path("/cache"))
HERE = Versions(ort="1.31.1", tensorrt="101303", sm="90")

lanes = st.builds(Lane, st.integers(32, 9999), st.integers(32, 9999), st.integers(1, 64))


def on_tensorrt(wishes: Wishes = TENSORRT, lane: Lane = HOT) -> dict[str, str]:
    name, options = providers(wishes, lane=lane, digest="d", embedding=1603, versions=HERE)[0]
    assert name == NAMES["tensorrt"]
    return options


@given(lanes)
def test_a_lane_is_read_as_it_is_written(lane: Lane) -> None:
    assert Lane.parse(str(lane)) == lane


@pytest.mark.parametrize("text", ["", "512", "512x", "ax2", "31x64", "64x64x0", "1x2x3x4", "-1x64"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="no shape"):
        Lane.parse(text)


def test_a_cpu_needs_no_options() -> None:
    assert providers(Wishes()) == providers(Wishes(), lane=HOT) == [("CPUExecutionProvider", {})]
    assert "session.use_env_allocators" not in session_entries(Wishes())
    assert session_entries(Wishes(memory_limit=2**30))["session.use_env_allocators"] == "1"


def test_any_shape_is_searched_for_by_heuristics_and_never_recorded() -> None:
    [(name, options)] = providers(CUDA)
    assert name == NAMES["cuda"]
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options["arena_extend_strategy"] == "kNextPowerOfTwo"
    assert options["enable_cuda_graph"] == "0"
    assert "gpu_mem_limit" not in options


def test_a_hot_lane_is_searched_for_thoroughly_and_recorded() -> None:
    [(_, options)] = providers(CUDA, lane=HOT)
    assert options["cudnn_conv_algo_search"] == "EXHAUSTIVE"
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert options["enable_cuda_graph"] == "1"
    [(_, plain)] = providers(replace(CUDA, graphs=False, search="HEURISTIC"), lane=HOT)
    assert plain["enable_cuda_graph"] == "0"
    assert plain["cudnn_conv_algo_search"] == "HEURISTIC"


def test_limits_device_and_precision_reach_the_provider() -> None:
    wishes = replace(CUDA, memory_limit=6 * 2**30, device=3, precision="half")
    [(_, options)] = providers(wishes)
    assert options["gpu_mem_limit"] == str(6 * 2**30)
    assert options["device_id"] == "3"
    assert options["prefer_nhwc"] == "1"
    assert options["use_tf32"] == "0"
    assert on_tensorrt(replace(TENSORRT, precision="half"))["trt_fp16_enable"] == "1"
    assert on_tensorrt()["trt_fp16_enable"] == "0"


def test_a_gpu_session_never_falls_back_to_the_cpu() -> None:
    assert session_entries(CUDA)["session.disable_cpu_ep_fallback"] == "1"
    assert session_entries(TENSORRT)["session.disable_cpu_ep_fallback"] == "1"


def test_tensorrt_draws_hot_lanes_and_cuda_the_rest() -> None:
    assert needed(TENSORRT) == [NAMES["tensorrt"], NAMES["cuda"]]
    assert [name for name, _ in providers(TENSORRT)] == [NAMES["cuda"]]
    options = on_tensorrt()
    shapes = "content:4x512x384x3,style:4x1603,strength:4"
    assert {options[f"trt_profile_{end}_shapes"] for end in ("min", "opt", "max")} == {shapes}
    assert options["trt_engine_cache_path"].startswith("/cache/tensorrt/512x384x4-sm90-")
    assert options["trt_timing_cache_path"] == "/cache/tensorrt/timing-sm90-trt101303"
    with pytest.raises(Misconfigured, match="versions"):
        providers(TENSORRT, lane=HOT)


def test_an_engine_is_kept_for_exactly_what_it_was_built_for() -> None:
    others = [
        engine_folder(TENSORRT, HOT, "d", HERE),
        engine_folder(TENSORRT, HOT, "e", HERE),
        engine_folder(TENSORRT, Lane(512, 384, 8), "d", HERE),
        engine_folder(replace(TENSORRT, precision="half"), HOT, "d", HERE),
        *(
            engine_folder(TENSORRT, HOT, "d", replace(HERE, **{name: "0"}))
            for name in ("ort", "tensorrt", "sm")
        ),
    ]
    assert len(set(others)) == len(others)
    assert engine_folder(TENSORRT, HOT, "d", HERE) == others[0]


def test_options_are_words() -> None:
    for wishes in (CUDA, TENSORRT):
        for lane in (None, HOT):
            for _, options in providers(wishes, lane=lane, digest="d", embedding=3, versions=HERE):
                assert all(isinstance(value, str) for value in options.values())


def test_there_is_nothing_to_build_for_a_cpu() -> None:
    assert "Nothing to build" in next(built(EngineSettings(), Catalog(CATALOG), ["light-0.3.0"]))
    assert "null" in next(built(EngineSettings(kind="null"), Catalog(CATALOG), []))


def test_building_for_a_gpu_that_is_not_there_says_so() -> None:
    with pytest.raises(Misconfigured, match="--shape"):
        list(built(EngineSettings(provider="cuda"), Catalog(CATALOG), ["light-0.3.0"]))
    hot = EngineSettings(provider="tensorrt", hot=("512x512x8",))
    with pytest.raises(EngineUnavailable):
        list(built(hot.model_copy(update={"device": 99}), Catalog(CATALOG), ["light-0.3.0"]))
