"""What the environment says, and what holds when it says nothing."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import (
    EngineSettings,
    LocalStorageSettings,
    OptimizerSettings,
    S3StorageSettings,
    Settings,
)


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No environment, and no .env of the directory we stand in."""
    for name in ("DATABASE_URL", "BROKER_URL", "IMPASTO_STORAGE__KIND", "IMPASTO_STORAGE__ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_directory_is_the_store_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_STORAGE__ROOT", "/srv/pictures")
    assert Settings().storage == LocalStorageSettings(root=Path("/srv/pictures"))
    monkeypatch.setenv("IMPASTO_STORAGE__KIND", "s3")
    monkeypatch.delenv("IMPASTO_STORAGE__ROOT")
    monkeypatch.setenv("IMPASTO_STORAGE__BUCKET", "pictures")
    assert isinstance(Settings().storage, S3StorageSettings)


def test_a_store_of_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_STORAGE__KIND", "tape")
    with pytest.raises(ValidationError, match="tape"):
        Settings()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgres_means_our_driver(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://me@host/db")
    assert Settings().database_url.get_secret_value() == "postgresql+psycopg2://me@host/db"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden@host/db")
    assert "hidden" not in repr(Settings()) + Settings().model_dump_json()


@pytest.mark.parametrize(
    ("engine", "pixels"),
    [
        (EngineSettings(), 2**17),
        (EngineSettings(provider="cuda"), 2**22),
        (EngineSettings(kind="null"), 2**22),
        (EngineSettings(max_batch_pixels=7), 7),
    ],
)
def test_a_batch_is_as_large_as_suits_the_device(engine: EngineSettings, pixels: int) -> None:
    assert engine.batch_pixels == pixels


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:0 --json", ""])
def test_an_optimizer_runs_on_a_cpu_or_on_a_gpu_by_number(device: str) -> None:
    assert OptimizerSettings(device="cuda:1").device == "cuda:1"
    with pytest.raises(ValidationError, match="device"):
        OptimizerSettings(device=device)
