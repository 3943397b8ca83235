"""`impasto campaigns` and `impasto review`, against a service that answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4
from zipfile import ZipFile

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from app.cli import cli
from app.client import ServiceError
from app.domain.job import Lane
from app.errors import BadRequest
from tests.integration.conftest import Api, fail, serving, work
from tests.integration.test_api_campaigns import new_campaign


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with serving(api) as url:
        yield url


def run(api: Api, url: str, *words: str) -> Result:
    options = [f"--url={url}", f"--key={api.key}"]
    group, command, *rest = words
    return CliRunner().invoke(cli, [group, command, *options, *rest], env={"COLUMNS": "300"})


def said(api: Api, url: str, *words: str) -> str:
    answer = run(api, url, *words)
    assert answer.exit_code == 0, answer.output or answer.exception
    return answer.stdout.strip()


def test_a_campaign_is_steered_from_a_terminal(api: Api, client: TestClient, url: str) -> None:
    its_id = new_campaign(client, 3)["id"]
    assert said(api, url, "campaigns", "pause", its_id) == "spring is paused: 3 queued of 3."
    assert said(api, url, "campaigns", "resume", its_id) == "spring is running: 3 queued of 3."
    answer = said(api, url, "campaigns", "priority", "--json", its_id, "--", "-4")
    assert json.loads(answer)["priority"] == -4
    fail(api, lane=Lane.CAMPAIGN)
    again = said(api, url, "campaigns", "retry-failed", its_id)
    assert again == "spring is running: 3 queued of 3."
    ended = said(api, url, "campaigns", "cancel", its_id)
    assert ended == "spring is finished: 3 canceled of 3."
    refused = run(api, url, "campaigns", "pause", its_id)
    assert isinstance(refused.exception, ServiceError)
    assert "illegal-transition" in str(refused.exception)


def test_a_budget_is_changed_from_a_terminal(api: Api, client: TestClient, url: str) -> None:
    its_id = new_campaign(client, 2, budget_micros=1)["id"]
    said(api, url, "campaigns", "budget", its_id, "1000000")
    assert "2 queued" in said(api, url, "campaigns", "retry-failed", its_id)


def test_pictures_are_reviewed_from_a_terminal(api: Api, client: TestClient, url: str) -> None:
    campaign = new_campaign(client, 12, review="all")
    ids = work(api, amount=12, lane=Lane.CAMPAIGN)
    its_id = campaign["id"]
    table = said(api, url, "review", "list", "--campaign", its_id, "--limit", "3")
    assert str(min(ids)) in table
    assert f"{url}/v1/reviews/{min(ids)}/output" in table
    assert "... and more" in table
    assert said(api, url, "review", "approve", str(ids[0]), str(ids[1])) == "2 approved."
    query = ("--campaign", its_id, "--prefix", "1")
    assert said(api, url, "review", "reject", "--reason", "off-brand", *query, "--dry-run") in (
        "2 would be rejected.",
        "3 would be rejected.",
    )
    rejected = said(api, url, "review", "reject", "--reason", "off-brand", *query, "--json")
    count = json.loads(rejected)["count"]
    assert said(api, url, "review", "approve", "--style", "plain") == f"{10 - count} approved."
    counts = client.get(campaign["urls"]["get"]).json()["counts"]
    assert (counts["succeeded"], counts["rejected"]) == (12 - count, count)


@pytest.mark.parametrize(
    "words",
    [
        ("approve",),
        ("approve", "0196f0a4", "--style", "plain"),
        ("approve", "0196f0a4", "--dry-run"),
        ("reject", "--reason", "off-brand"),
    ],
)
def test_a_decision_on_nothing_in_particular_is_refused(api: Api, words: tuple[str, ...]) -> None:
    refused = run(api, "http://127.0.0.1:9", "review", *words)
    assert isinstance(refused.exception, BadRequest)


def test_a_campaign_is_taken_home_from_a_terminal(
    api: Api, client: TestClient, url: str, tmp_path: Path
) -> None:
    its_id = new_campaign(client, 2)["id"]
    work(api, lane=Lane.CAMPAIGN)
    said(api, url, "campaigns", "archive", its_id, f"--out={tmp_path / 'all.zip'}")
    assert ZipFile(tmp_path / "all.zip").testzip() is None
    said(
        api, url, "campaigns", "manifest", its_id, f"--out={tmp_path / 'm.jsonl'}", "--format=jsonl"
    )
    assert len((tmp_path / "m.jsonl").read_text().splitlines()) == 2
    said(api, url, "campaigns", "report", its_id, f"--out={tmp_path / 'r.html'}")
    assert "spring" in (tmp_path / "r.html").read_text()


def test_what_cannot_be_fetched_leaves_no_file(api: Api, url: str, tmp_path: Path) -> None:
    answer = run(api, url, "campaigns", "archive", str(uuid4()), f"--out={tmp_path / 'all.zip'}")
    assert isinstance(answer.exception, ServiceError)
    assert not [one for one in tmp_path.iterdir() if one.is_file()]
