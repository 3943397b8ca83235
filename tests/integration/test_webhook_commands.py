"""`impasto webhooks`, as somebody types it, against a server that listens."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.client import ServiceError
from app.errors import InvalidRequest
from tests.integration.conftest import Api, serving

Impasto = Callable[..., str]


@pytest.fixture
def impasto(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Impasto]:
    """Types `impasto webhooks ...` and answers with what it prints."""
    with serving(api) as url:
        monkeypatch.setenv("IMPASTO_API_KEY", api.key)
        monkeypatch.setenv("IMPASTO_PUBLIC_URL", url)

        def run(*words: str) -> str:
            answer = CliRunner().invoke(cli, ["webhooks", *words], catch_exceptions=False)
            assert answer.exit_code == 0, answer.output
            return answer.stdout

        yield run


def test_an_endpoint_from_its_making_to_its_end(impasto: Impasto) -> None:
    def show(*words: str) -> Any:
        return json.loads(impasto(*words, "--json"))

    made = show(
        *("endpoints", "create", "https://shop.example/hooks", "--v1a"),
        *("--event", "job.failed", "--event", "campaign.completed"),
    )
    its = made["id"]
    assert made["events"] == ["campaign.completed", "job.failed"]
    assert made["secret"].startswith("whsec_")
    assert made["public_key"].startswith("whpk_")
    rotated = show("endpoints", "rotate", its)
    assert rotated["old"][0]["secret"] == made["secret"]
    assert rotated["secret"] in impasto("endpoints", "rotate", its, "--overlap", "60")
    sent = show("endpoints", "test", its)
    assert "endpoint.test" in impasto("deliveries", "--endpoint", its, "--state", "pending")
    assert json.loads(impasto("delivery", sent["id"]))["payload"]["type"] == "endpoint.test"
    assert "disabled" in impasto("endpoints", "disable", its)
    [listed] = show("endpoints", "list")
    assert (listed["enabled"], listed["disabled_because"]) == (False, "asked")
    assert "enabled" in impasto("endpoints", "enable", its)
    assert its[:8] in impasto("endpoints", "list")
    [failed] = show("deliveries", "--state", "failed")
    assert failed["id"] == sent["id"]
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    again = ("replay", "--endpoint", its, "--since", since, "--state", "failed")
    assert impasto(*again, "--dry-run") == "1 would be sent again.\n"
    assert impasto(*again) == "1 on the way again.\n"
    assert impasto("replay", "--delivery", sent["id"]) == "1 on the way again.\n"
    assert "hears no more" in impasto("endpoints", "delete", its)
    assert show("endpoints", "list") == []


def test_what_makes_no_sense_is_said(impasto: Impasto) -> None:
    for words in ([], ["--endpoint", "0" * 32], ["--since", "2026-11-22"]):
        with pytest.raises(InvalidRequest, match="--endpoint with --since"):
            impasto("replay", *words)
    with pytest.raises(ServiceError, match="source-forbidden"):
        impasto("endpoints", "create", "http://127.0.0.1/")
    with pytest.raises(ServiceError, match="not-found"):
        impasto("endpoints", "delete", "0" * 32)
