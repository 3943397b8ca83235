"""What operators type about styles, against a database with work in it."""

import json
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from app.cli import cli
from app.domain.job import Lane
from app.settings import settings
from tests.integration.conftest import Api, work
from tests.integration.test_api_licences import campaign, hand_in
from tests.integration.test_api_refusals import refusal
from tests.licensed import new_style


@pytest.fixture(autouse=True)
def _beside(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    yield
    settings.cache_clear()


def styles(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["styles", *arguments])


def test_an_operator_takes_a_style_of_everybodys_back(api: Api, client: TestClient) -> None:
    with api.desk.sessions.begin() as session:
        new_style(session)
    campaign(client, ["brand", "plain", "plain:3,brand:1"])
    work(api, amount=3, lane=Lane.CAMPAIGN)
    url = client.get("/v1/jobs?limit=1").json()["data"][0]["output"]["url"]
    # Everything has the same bytes here: as long as one of its styles is open, so are they.
    assert client.get(url).status_code == 200

    stopped = styles("withdraw", "brand@1", "--reason", "contract over", "--operator", "ada")
    assert stopped.exit_code == 0, stopped.output
    assert "2 pictures are affected" in stopped.stdout
    refusal(hand_in(client), 422, "style-not-licensed")

    listed = styles("affected", "brand@1", "--json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(row["tenant"], row["campaign"], row["custom_id"]) for row in rows] == [
        ("one", "spring", "0"),
        ("one", "spring", "2"),
    ]
    assert rows[1]["mix"] == {"plain@1": 0.75, "brand@1": 0.25}
    assert "spring" in styles("affected", "brand@1").stdout

    [kept] = json.loads(styles("history", "brand@1", "--json").stdout)
    assert (kept["move"], kept["by"], kept["reason"]) == (
        "withdraw",
        "operator:ada",
        "contract over",
    )
    assert "contract over" in styles("history", "brand@1").stdout


def test_an_operator_stops_a_style_and_lets_it_go_on(api: Api, client: TestClient) -> None:
    assert styles("suspend", "plain@1", "--reason", "a question").exit_code == 0
    refusal(hand_in(client, "plain"), 422, "style-suspended")
    assert styles("reinstate", "plain@1", "--reason", "answered").exit_code == 0
    assert hand_in(client, "plain").status_code == 202
    assert styles("retire", "plain@1", "--reason", "old").exit_code == 0
    refusal(hand_in(client, "plain"), 422, "unknown-style")


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("pinned", "said"),
    [
        ("plain", "names no version"),
        ("plain@0", "names no version"),
        ("Plain@1", "names no version"),
        ("plain@1; DROP TABLE jobs", "names no version"),
        ("nobody@1", "no such"),
        ("plain@2", "no such"),
    ],
)
@pytest.mark.parametrize("command", ["suspend", "withdraw", "affected"])
def test_a_version_that_is_none_is_a_sentence(command: str, pinned: str, said: str) -> None:
    reason = () if command == "affected" else ("--reason", "because")
    answer = styles(command, pinned, *reason)
    assert answer.exit_code == 1
    assert said in str(answer.exception)


@pytest.mark.usefixtures("api")
def test_who_stops_a_style_says_why() -> None:
    assert styles("suspend", "plain@1").exit_code == 2
    answer = styles("suspend", "plain@1", "--reason", " ")
    assert "say why" in str(answer.exception)
