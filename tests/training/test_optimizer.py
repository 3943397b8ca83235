"""Learning and printing through the API, by a real optimizer worker's functions and programs."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient

from app.catalog import Catalog, sync
from app.db import Sessions, style_pictures
from app.db.models import StyleVersion
from app.domain.job import Lane
from app.errors import Misconfigured
from app.images import inspect
from app.settings import Settings
from app.storage import Blob, style_picture_key
from tests.integration.conftest import Api, new_api, speaking
from tests.integration.test_api_uploads import upload_of
from tests.tickets import ListTickets
from tests.training.conftest import paint
from tests.vouching import vouch
from training.config import Config
from training.export import export
from training.train import Folders, Trainer, train
from workers.learning import learned
from workers.opening import chosen_device, open_optimizer
from workers.optimizer import Craft, Optimizer, optimize
from workers.printing import printed

TINY = "tiny-0.0.1"
CRAFTS: dict[Lane, Craft] = {Lane.LEARN: learned, Lane.PRINT: printed}
STYLE: dict[str, Any] = {
    "name": "harbour",
    "title": "The Harbour",
    "artist": "Jane Doe",
    "year": 2026,
    "licence": {"spdx": "LicenseRef-X", "licensor": "Jane Doe", "evidence": "page 3"},
    "minutes": 0.1,
}


@pytest.fixture
def api(
    config: Config,
    folders: Folders,
    sessions: Sessions,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
) -> Api:
    """An API whose catalog is a network of a moment's training."""
    train(Trainer(config, folders, "cpu", bf16=False), tmp_path / "run", every=10)
    export(tmp_path / "run" / "checkpoint.pt", folders.styles, tmp_path / "catalog")
    vouch(tmp_path / "catalog")
    catalog = Catalog(tmp_path / "catalog")
    with sessions.begin() as session:
        sync(session, catalog)
    api = new_api(sessions, redis_url, tmp_path / "assets")
    optimizer = {
        "enabled": True,
        "backbone": folders.backbones / "tiny.safetensors",
        "photos": folders.photos,
        "device": "cpu",
        "threads": 1,
    }
    settings = Settings(
        _env_file=None,
        database_url=database_url,
        broker_url=redis_url,
        secret_key="a long random text",
        public_url="http://testserver",
        storage=api.desk.settings.storage,
        catalog=tmp_path / "catalog",
        weights={"trusted_keys": [tmp_path / "house.pub"]},
        engine={"stylizer": TINY},
        optimizer=optimizer,
        governance={"four_eyes": False},  # as on a machine for one person
    )
    digest = catalog.stylizer(TINY).digest
    return replace(api, desk=replace(api.desk, settings=settings, stylizer=digest))


@pytest.fixture
def optimizer(api: Api) -> Iterator[Optimizer]:
    with open_optimizer(api.desk.settings, ListTickets()) as optimizer:
        yield optimizer


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:
    with speaking(api) as client:
        yield client


def painting(path: Path, seed: int = 0) -> bytes:
    paint(path, seed)
    return path.read_bytes()


def flat() -> bytes:
    out = BytesIO()
    Image.new("RGB", (300, 300), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


def order(client: TestClient, picture: bytes) -> Any:
    upload = {"upload_id": upload_of(client, picture)}
    answer = client.post("/v1/styles", json=STYLE | {"picture": upload})
    assert answer.status_code == 202, answer.text
    return answer.json()


def photograph() -> bytes:
    ramp = np.linspace(0, 255, 61 * 47 * 3).reshape(47, 61, 3).astype(np.uint8)
    out = BytesIO()
    Image.fromarray(ramp).save(out, "PNG")
    return out.getvalue()


def test_a_style_is_learned_and_then_printed_in(
    api: Api, optimizer: Optimizer, client: TestClient, tmp_path: Path
) -> None:
    style = order(client, painting(tmp_path / "painting.png"))
    assert optimize(optimizer, CRAFTS, Lane.LEARN)["succeeded"] == 1

    [version] = client.get("/v1/styles/harbour").json()["versions"]
    assert version["status"] == "draft"
    assert version["card"]["learned"]["start"] in {"great-wave", "scream"}
    assert version["card"]["quality"]["content"] > 0
    digest = sha256((tmp_path / "painting.png").read_bytes()).hexdigest()
    assert version["card"]["style_image"]["sha256"] == digest
    with Image.open(BytesIO(client.get(version["preview_url"]).content)) as sheet:
        assert sheet.format == "JPEG"
    job = client.get(style["job"]).json()
    assert job["cost"]["micros"] > 20
    assert job["timings"]["device"] > 0

    client.post("/v1/styles/harbour/activate")
    files = {"content": ("a.png", photograph())}
    data = {"style": "harbour", "print": "true", "format": "png"}
    asked = client.post("/v1/jobs", files=files, data=data).json()
    assert optimize(optimizer, CRAFTS, Lane.PRINT)["succeeded"] == 1
    done = client.get(f"/v1/jobs/{asked['id']}").json()
    assert (done["provenance"]["engine"], done["provenance"]["device"]) == ("optimizer", "cpu")
    content = client.get(done["output"]["url"]).content
    with Image.open(BytesIO(content)) as image:
        assert image.size == (61, 47)
        assert not np.array_equal(np.asarray(image), np.asarray(Image.open(BytesIO(photograph()))))


def test_controls_hold_for_prints_too(
    api: Api, optimizer: Optimizer, client: TestClient, tmp_path: Path
) -> None:
    order(client, painting(tmp_path / "painting.png"))
    optimize(optimizer, CRAFTS, Lane.LEARN)
    client.post("/v1/styles/harbour/activate")
    kept = Image.new("L", (61, 47), 255)
    mask = BytesIO()
    kept.save(mask, "PNG")
    files = {"content": ("a.png", photograph()), "mask": ("m.png", mask.getvalue())}
    data = {"style": "harbour", "print": "true", "format": "png", "variation": "7"}
    asked = client.post("/v1/jobs", files=files, data=data).json()
    optimize(optimizer, CRAFTS, Lane.PRINT)
    done = client.get(f"/v1/jobs/{asked['id']}").json()
    assert done["status"] == "succeeded", done["error"]
    content = client.get(done["output"]["url"]).content
    with Image.open(BytesIO(content)) as image, Image.open(BytesIO(photograph())) as given:
        assert np.array_equal(np.asarray(image), np.asarray(given))


def test_a_mix_of_everybodys_styles_is_printed_by_the_pictures_that_an_operator_gave(
    api: Api, optimizer: Optimizer, client: TestClient, folders: Folders
) -> None:
    with api.desk.sessions.begin() as session:
        wanted = style_pictures.wanted(session)
        assert set(wanted.values()) == {"great-wave", "scream"}
        for path in folders.styles.iterdir():
            content = path.read_bytes()
            digest = sha256(content).hexdigest()
            blob = Blob(style_picture_key(None, digest), content, "image/png")
            api.desk.storage.put(blob)
            header = inspect(content, api.desk.settings.limits)
            style_pictures.add(session, digest, header, len(content))
        assert style_pictures.wanted(session) == {}
    files = {"content": ("a.png", photograph())}
    data = {"style": "great-wave:2,scream:1", "print": "true"}
    asked = client.post("/v1/jobs", files=files, data=data).json()
    optimize(optimizer, CRAFTS, Lane.PRINT)
    assert client.get(f"/v1/jobs/{asked['id']}").json()["status"] == "succeeded"


def test_a_picture_that_teaches_nothing_fails_with_a_sentence(
    api: Api, optimizer: Optimizer, client: TestClient
) -> None:
    order(client, flat())
    assert optimize(optimizer, CRAFTS, Lane.LEARN)["broken"] == 1
    [version] = client.get("/v1/styles/harbour").json()["versions"]
    assert (version["status"], version["error"]["code"]) == ("failed", "style-refused")
    assert "flat" in version["error"]["detail"]
    with api.desk.sessions() as session:
        statement = select(StyleVersion.embedding).where(StyleVersion.slug.contains("/"))
        assert session.scalars(statement).all() == [None]


def test_a_broken_picture_fails_before_anything_is_learned(
    api: Api, optimizer: Optimizer, client: TestClient, tmp_path: Path
) -> None:
    content = painting(tmp_path / "painting.png")
    order(client, content[: len(content) // 2])
    optimize(optimizer, CRAFTS, Lane.LEARN)
    [version] = client.get("/v1/styles/harbour").json()["versions"]
    assert (version["status"], version["error"]["code"]) == ("failed", "invalid-image")


def test_a_print_larger_than_memory_is_refused(
    api: Api, optimizer: Optimizer, client: TestClient, tmp_path: Path
) -> None:
    order(client, painting(tmp_path / "painting.png"))
    optimize(optimizer, CRAFTS, Lane.LEARN)
    client.post("/v1/styles/harbour/activate")
    files = {"content": ("a.png", photograph())}
    data = {"style": "harbour", "print": "true"}
    asked = client.post("/v1/jobs", files=files, data=data).json()
    optimize(scarce(optimizer), CRAFTS, Lane.PRINT)
    done = client.get(f"/v1/jobs/{asked['id']}").json()
    assert (done["status"], done["error"]["code"]) == ("failed", "print-refused")
    assert "pixels would fit" in done["error"]["detail"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_a_worker_says_what_it_runs_on_and_does_not_start_on_a_gpu_that_is_not_there() -> None:
    assert chosen_device("auto") == chosen_device("cpu") == "cpu"
    with pytest.raises(Misconfigured, match=r"cuda:7 is not .*IMPASTO_OPTIMIZER__DEVICE"):
        chosen_device("cuda:7")


def scarce(optimizer: Optimizer) -> Optimizer:
    """The same worker with a megabyte for prints."""
    its = optimizer.settings.optimizer.model_copy(update={"print_bytes": 1_000_000})
    settings = optimizer.settings.model_copy(update={"optimizer": its})
    return replace(optimizer, settings=settings)
