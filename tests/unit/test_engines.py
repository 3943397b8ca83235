"""One contract, every engine; and what a model must be before it is loaded."""

import json
import os
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
import pytest
from onnxruntime import get_available_providers

from app.catalog import Catalog
from app.errors import CatalogCorrupt, EngineUnavailable
from app.settings import CATALOG, EngineSettings
from tests.unit import networks
from workers.engines import open_engine
from workers.engines.base import Embeddings, Engine, Pictures
from workers.engines.null import NullEngine
from workers.engines.options import NAMES, Lane, Provider, Wishes
from workers.engines.ort import OrtEngine


def load(folder: Path, network: bytes | None = None, *, provider: Provider = "cpu") -> OrtEngine:
    model = folder / "model.onnx"
    model.write_bytes(network or networks.blend())
    wishes = Wishes(provider=provider, threads=1)
    return OrtEngine(model, sha256(model.read_bytes()).hexdigest(), wishes)


@pytest.fixture(params=["null", "onnxruntime-cpu"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return NullEngine() if request.param == "null" else load(tmp_path)


def noise(*shape: int) -> Pictures:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def styles(amount: int) -> Embeddings:
    return np.random.default_rng(8).uniform(0, 255, (amount, 3)).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (7, 33, 50, 3), (2, 64, 48, 3)])
def test_an_answer_has_the_shape_of_the_question(
    engine: Engine, shape: tuple[int, int, int, int]
) -> None:
    stylized = engine.stylize(noise(*shape), styles(shape[0]), np.ones(shape[0], np.float32))
    assert stylized.shape == shape
    assert stylized.dtype == np.uint8


def test_without_strength_the_picture_stays(engine: Engine) -> None:
    content = noise(3, 40, 32, 3)
    stylized = engine.stylize(content, styles(3), np.zeros(3, np.float32))
    np.testing.assert_array_equal(stylized, content)
    assert not np.shares_memory(stylized, content)


def test_an_answer_goes_into_the_array_that_is_given(engine: Engine) -> None:
    content, style, strength = noise(2, 32, 40, 3), styles(2), np.full(2, 0.4, np.float32)
    expected = engine.stylize(content, style, strength)
    out = np.zeros_like(content)
    assert engine.stylize(content, style, strength, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_every_engine_says_what_and_where_it_is(engine: Engine) -> None:
    engine.warm_up()
    assert engine.name in ("null", "onnxruntime-cpu")
    assert engine.device == "cpu:0"
    assert engine.stylizer_digest is None or len(engine.stylizer_digest) == 64
    engine.close()


def test_the_null_engine_takes_the_time_it_is_told() -> None:
    start = perf_counter()
    NullEngine(device_ms=20).stylize(noise(1, 32, 32, 3), styles(1), np.ones(1, np.float32))
    assert perf_counter() - start >= 0.02


def test_every_picture_of_a_batch_gets_its_own_style(tmp_path: Path) -> None:
    content, style = noise(4, 32, 48, 3), styles(4)
    strength = np.array([0, 0.25, 0.5, 1], np.float32)
    share = strength[:, None, None, None]
    mixed = content * (1 - share) + style[:, None, None] * share
    stylized = load(tmp_path).stylize(content, style, strength).astype(np.float32)
    assert np.abs(stylized - mixed).max() <= 0.51


def test_a_batch_is_what_its_pictures_are_alone(tmp_path: Path) -> None:
    engine = load(tmp_path)
    content, style, strength = noise(5, 32, 32, 3), styles(5), np.full(5, 0.6, np.float32)
    together = engine.stylize(content, style, strength)
    for row in range(5):
        part = slice(row, row + 1)
        alone = engine.stylize(content[part], style[part], strength[part])
        np.testing.assert_array_equal(together[row], alone[0])


def test_a_model_with_another_digest_is_not_loaded(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(networks.blend())
    with pytest.raises(
        CatalogCorrupt, match=r"model\.onnx has digest .* its card says 000000000000"
    ):
        OrtEngine(model, "0" * 64)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"nowhere\.onnx"):
        OrtEngine(tmp_path / "nowhere.onnx", "0" * 64)


def test_what_is_no_network_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="does not load on CPUExecutionProvider"):
        load(tmp_path, b"not a network")


@pytest.mark.parametrize("network", [networks.blend(output="picture"), networks.blend(style="K")])
def test_a_network_with_another_contract_is_not_loaded(tmp_path: Path, network: bytes) -> None:
    with pytest.raises(CatalogCorrupt, match=r"stylizer does not|how long a style is"):
        load(tmp_path, network)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_missing_provider_is_refused_not_replaced(tmp_path: Path, provider: Provider) -> None:
    if NAMES[provider] in get_available_providers():
        pytest.skip(f"this machine has {provider}")
    with pytest.raises(EngineUnavailable, match="set IMPASTO_ENGINE__PROVIDER=cpu"):
        load(tmp_path, provider=provider)


def test_pictures_of_all_sizes_leave_no_memory_behind(tmp_path: Path) -> None:
    engine = load(tmp_path)
    sizes = np.random.default_rng(3).integers(32, 400, (400, 2))

    def draw() -> int:
        for height, width in sizes:
            engine.stylize(noise(1, height, width, 3), styles(1), np.ones(1, np.float32))
        return int(psutil.Process(os.getpid()).memory_info().rss)

    first = draw()
    assert draw() - first < 8 * 2**20


def test_settings_choose_the_engine(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path)
    assert open_engine(EngineSettings(kind="null"), catalog).name == "null"
    engine = open_engine(EngineSettings(stylizer="blend-1.0.0"), catalog)
    assert engine.stylizer_digest == catalog.stylizer("blend-1.0.0").digest
    engine.warm_up()


def test_an_unknown_stylizer_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CatalogCorrupt, match=r"no stylizer 'heavy', only blend-1\.0\.0"):
        open_engine(EngineSettings(stylizer="heavy"), small_catalog(tmp_path))


def test_a_precision_that_does_not_come_with_the_stylizer_is_refused(tmp_path: Path) -> None:
    asked = EngineSettings(stylizer="blend-1.0.0", precision="int8")
    with pytest.raises(EngineUnavailable, match="does not come in int8"):
        open_engine(asked, small_catalog(tmp_path))


def test_another_precision_serves_the_same_styles() -> None:
    catalog = Catalog(CATALOG)
    full = open_engine(EngineSettings(), catalog)
    half = open_engine(EngineSettings(precision="half"), catalog)
    assert (half.name, half.stylizer_digest) == ("onnxruntime-cpu-half", full.stylizer_digest)
    content = np.random.default_rng(1).integers(0, 256, (1, 40, 52, 3), dtype=np.uint8)
    style = np.ones((1, 1603), np.float32)
    one, two = (each.stylize(content, style, np.ones(1, np.float32)) for each in (full, half))
    assert np.abs(one.astype(int) - two).max() <= 8


def test_every_stylizer_we_ship_is_the_one_of_its_card() -> None:
    catalog = Catalog(CATALOG)
    for name in catalog.stylizers:
        engine = open_engine(EngineSettings(stylizer=name), catalog)
        engine.warm_up()
        assert engine.stylizer_digest == catalog.stylizer(name).digest


def test_a_shipped_stylizer_draws_a_picture_the_same_alone_and_in_company() -> None:
    catalog = Catalog(CATALOG)
    name = EngineSettings().stylizer
    engine = open_engine(EngineSettings(), catalog)
    numbers = [np.frombuffer(style.embeddings[name].content(), "<f4") for style in catalog.styles]
    style, amount = np.stack(numbers), len(numbers)
    content, strength = noise(amount, 36, 52, 3), np.linspace(0.2, 1, amount, dtype=np.float32)
    together = engine.stylize(content, style, strength).astype(int)
    for row in range(amount):
        part = slice(row, row + 1)
        alone = engine.stylize(content[part], style[part], strength[part])
        assert np.abs(together[row] - alone[0]).max() <= 1


def small_catalog(root: Path) -> Catalog:
    folder = root / "stylizers" / "blend-1.0.0"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(networks.blend())
    card = {
        "name": "blend",
        "version": "1.0.0",
        "digest": sha256(networks.blend()).hexdigest(),
        "embedding_size": networks.EMBEDDING,
    }
    (folder / "model.json").write_text(json.dumps(card))
    numbers = b64encode(np.zeros(networks.EMBEDDING, "<f4").tobytes()).decode()
    style = {
        "slug": "black",
        "version": 1,
        "title": "Black",
        "licence": {"spdx": "CC0-1.0", "licensor": "us", "evidence": "made here"},
        "embeddings": {
            "blend-1.0.0": {"dtype": "float32", "shape": [networks.EMBEDDING], "base64": numbers}
        },
    }
    (root / "styles").mkdir()
    (root / "styles" / "black.json").write_text(json.dumps(style))
    return Catalog(root)


def test_a_hot_lane_draws_what_any_other_session_does(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(networks.blend())
    digest = sha256(model.read_bytes()).hexdigest()
    hot = OrtEngine(model, digest, Wishes(threads=1), hot=[Lane(40, 32, 3)])
    hot.warm_up()
    content, style, strength = noise(3, 40, 32, 3), styles(3), np.full(3, 0.4, np.float32)
    expected = load(tmp_path).stylize(content, style, strength)
    first = hot.stylize(content, style, strength)
    hot.stylize(noise(3, 40, 32, 3)[::-1], style, strength)
    np.testing.assert_array_equal(first, expected)  # not the buffer, which was used again
    out = np.zeros_like(content)
    assert hot.stylize(content, style, strength, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(hot.stylize(content[:2], style[:2], strength[:2]), expected[:2])


def test_an_engine_that_was_opened_anew_draws_the_same(tmp_path: Path) -> None:
    catalog = Catalog(CATALOG)
    engine = open_engine(EngineSettings(threads=1, hot=("48x64x2",)), catalog)
    content, strength = noise(2, 48, 64, 3), np.ones(2, np.float32)
    style = np.ones((2, 1603), np.float32)
    before = engine.stylize(content, style, strength)
    engine.renew()
    np.testing.assert_array_equal(engine.stylize(content, style, strength), before)
    assert engine.measure(content, style, strength).shape[0] == 2


def test_tensorrt_without_hot_lanes_is_refused_with_what_to_do() -> None:
    with pytest.raises(EngineUnavailable, match="IMPASTO_ENGINE__HOT"):
        open_engine(EngineSettings(provider="tensorrt"), Catalog(CATALOG))
