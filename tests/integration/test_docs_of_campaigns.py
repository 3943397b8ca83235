"""The examples of `docs/campaigns.md` and `docs/client.md`, run as they stand there."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from starlette.testclient import TestClient

from app.domain.job import Lane
from app.settings import BucketSettings
from tests.integration.conftest import Api, serving, work
from tests.integration.test_api_manifests import CSV, JSONL, accepted, names, post
from tests.unit.pictures import jpeg

DOCS = Path(__file__).resolve().parents[2] / "docs"


def examples(page: str, language: str) -> list[str]:
    """The fenced blocks of that language, with the style that tests have."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return [block.replace("great-wave", "plain") for block in blocks]


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with serving(api) as url:
        api.desk.settings.__dict__["public_url"] = url
        yield url


@pytest.fixture
def worker(api: Api) -> Iterator[None]:
    """Somebody who draws what comes."""
    over = Event()

    def draw() -> None:
        while not over.wait(0.05):
            for lane in (Lane.CAMPAIGN, Lane.INTERACTIVE):
                work(api, amount=8, lane=lane)

    thread = Thread(target=draw)
    thread.start()
    yield
    over.set()
    thread.join()


def test_the_python_examples_run(
    api: Api,
    url: str,
    worker: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IMPASTO_URL", url)
    monkeypatch.setenv("IMPASTO_API_KEY", api.key)
    monkeypatch.chdir(tmp_path)
    Path("photographs").mkdir()
    for number, name in enumerate("ab"):
        Path("photographs", f"{name}.jpg").write_bytes(jpeg((60 + number, 50)))
    blocks = examples("client.md", "python")
    assert len(blocks) == 8
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "client.md", "exec"), scope)  # noqa: S102 - our own page
    said = capsys.readouterr().out
    for words in ("2 of 2", "plain@1", "invalid-request", "no such campaign"):
        assert words in said
    made = sorted(path.name for path in Path("painted").iterdir())
    assert made == ["a.jpg", "a.jpg.webp", "b.jpg.webp"]
    received = scope["received"]
    assert callable(received)
    assert received({}, b"{}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == 401


@pytest.mark.parametrize(
    ("language", "kind", "outputs"),
    [("csv", CSV, ["4711", "4712"]), ("jsonl", JSONL, ["4711", "4712-soft", "4712-full"])],
)
def test_the_manifests_are_accepted_as_they_stand(
    client: TestClient, language: str, kind: str, outputs: list[str]
) -> None:
    [manifest] = examples("campaigns.md", language)
    campaign = accepted(post(client, manifest.encode(), kind))
    assert campaign["counts"]["refused"] == 0
    assert names(client, campaign) == outputs


def test_the_json_is_accepted_as_it_stands(client: TestClient) -> None:
    [body] = examples("campaigns.md", "json")
    campaign = accepted(client.post("/v1/campaigns", json=json.loads(body)))
    assert names(client, campaign) == ["4711-soft", "4711-full"]


def test_the_curl_command_works(api: Api, url: str, tmp_path: Path) -> None:
    [command] = examples("campaigns.md", "bash")
    (tmp_path / "products.csv").write_text(examples("campaigns.md", "csv")[0])
    environment = {**os.environ, "IMPASTO_URL": url, "IMPASTO_API_KEY": api.key}
    answer = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert json.loads(answer.stdout)["counts"]["total"] == 2


def test_the_buckets_setting_is_one() -> None:
    text = (DOCS / "campaigns.md").read_text()
    found = re.search(r"IMPASTO_BUCKETS='(.*)'", text)
    assert found is not None
    [bucket] = map(BucketSettings.model_validate, json.loads(found[1]))
    assert bucket.tenants == ("acme",)
