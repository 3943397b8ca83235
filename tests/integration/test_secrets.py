"""What is secret is in no output, message, problem, address or traceback of ours."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exc
from typing import Protocol

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.cli import main
from app.settings import Settings, settings
from app.signing import sign, webhook_secret
from app.webhooks import Keys
from tests.integration.conftest import Api

SECRET = "hunter2"  # in many places, with what makes URLs stumble behind it
TAKEN = f"postgresql://me:{SECRET}@127.0.0.1:1/db"


class Told(Protocol):
    """Runs a command of ours; all that it tells on either stream, and how it ends."""

    def __call__(self, *command: str, **environment: str) -> str: ...


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Told]:
    def run(*command: str, **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["impasto", *command])
        settings.cache_clear()
        ended = ""
        try:
            main()
        except BaseException:  # whatever would end the process is part of what it tells
            ended = format_exc()
        return "".join((*capfd.readouterr(), ended))

    monkeypatch.chdir(tmp_path)
    yield run
    settings.cache_clear()


def test_the_configuration_is_shown_without_secrets(said: Told) -> None:
    shown = said(
        "config",
        DATABASE_URL=TAKEN,
        BROKER_URL=f"redis://:{SECRET}@127.0.0.1:1/0",
        FLOWER_BASIC_AUTH=f"ops:{SECRET}",
        IMPASTO_SECRET_KEY=SECRET,
        IMPASTO_LINK_KEY=SECRET,
        IMPASTO_MARKING__SIGNER_TOKEN=SECRET,
        IMPASTO_MARKING__SIGNER_URL=f"https://me:{SECRET}@signer.example/",
        IMPASTO_MARKING__TIMESTAMP_URL=f"https://me:{SECRET}@time.example/",
        IMPASTO_CDN_URL=f"https://me:{SECRET}@cdn.example",
        AWS_SECRET_ACCESS_KEY=SECRET,
    )
    assert (
        json.loads(shown.rpartition("}")[0] + "}")["marking"]["signer_url"]
        == "https://**********@signer.example/"
    )
    assert SECRET not in shown


@pytest.mark.parametrize(
    "environment",
    [
        {"DATABASE_URL": TAKEN},
        {"DATABASE_URL": f"postgresql://me:it@{SECRET}@127.0.0.1:1/db"},
        {"DATABASE_URL": f"postgresql://me:{SECRET}/it@127.0.0.1:1/db"},
        {"DATABASE_URL": SECRET},
        {"BROKER_URL": f"redis://:{SECRET}#it@127.0.0.1:1/0"},
        {"IMPASTO_MARKING": f'{{"signer_token": "{SECRET}"'},
        {"IMPASTO_MARKING": f'{{"signer_token": ["{SECRET}"]}}'},
        {"IMPASTO_MARKING": SECRET},
        {"IMPASTO_MARKING__SIGNER_URL": f"https://me:{SECRET}@signer.example:port/"},
    ],
)
def test_a_command_that_fails_tells_no_secret(said: Told, environment: dict[str, str]) -> None:
    text = said("migrate", **environment)
    assert text.strip()
    assert SECRET not in text


def test_what_does_not_fit_the_settings_is_a_sentence(said: Told) -> None:
    text = said("config", DATABASE_URL=f"postgresql://me:it@{SECRET}@h/db")
    assert "SystemExit: 1" in text
    assert "DATABASE_URL: Value error, no URL; in a password, @ is %40" in text


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("database_url", "postgresql://me:a@b@h/db"),
        ("broker_url", "redis://:a/b@h/0"),
        ("broker_url", "redis://:a#b@h"),
    ],
)
def test_a_password_that_was_not_escaped_is_refused_before_a_driver_tells_it(
    name: str, url: str
) -> None:
    with pytest.raises(ValidationError, match="%40") as raised:
        Settings.model_validate({name: url})
    assert "input_value" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["postgresql://h/db", "postgresql:///db?host=/run/pg", "postgresql://me:a%40b@h:1/db"]
)
def test_what_is_a_url_is_taken(url: str) -> None:
    ours = Settings(_env_file=None, database_url=url)
    assert ours.database_url.get_secret_value().endswith(url.partition("://")[2])


def test_what_holds_secrets_does_not_show_them() -> None:
    ours = Settings(
        _env_file=None,
        database_url=TAKEN,
        secret_key=SECRET,
        marking={"signer_token": SECRET, "signer_url": f"https://me:{SECRET}@signer.example"},
    )
    assert SECRET not in repr(ours) + str(ours) + ours.model_dump_json(exclude={"marking"})
    assert SECRET not in repr(Keys((SECRET,)))


def test_addresses_are_signed_with_keys_that_they_do_not_hold(client: TestClient, api: Api) -> None:
    upload = client.post(
        "/v1/uploads", json={"media_type": "image/jpeg", "bytes": 4, "sha256": "0" * 64}
    )
    key = api.desk.settings.secret_key.get_secret_value()
    assert key not in upload.text
    signed = sign("/assets/x.jpg", secret=key, expires=4102444800)
    assert signed
    assert key not in signed
    assert key not in webhook_secret(key, api.ground.tenant_id, 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/jobs", {"url": f"http://10.0.0.1/a.jpg?X-Amz-Signature={SECRET}", "style": "plain"}),
        ("/v1/jobs", {"url": f"http://me:{SECRET}@example.com/a.jpg", "style": "plain"}),
        ("/v1/jobs", {"url": f"ftp://example.com/a?sig={SECRET}", "style": "plain"}),
        ("/v1/jobs", {"url": [f"http://example.com/?sig={SECRET}"], "style": "plain"}),
        (
            "/v1/webhook-endpoints",
            {"url": f"https://me:{SECRET}@example.com/hook", "events": ["job.succeeded"]},
        ),
    ],
)
def test_a_problem_does_not_repeat_what_may_be_secret(
    client: TestClient, path: str, body: dict[str, object]
) -> None:
    answer = client.post(path, json=body)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert SECRET not in answer.text + str(answer.headers)


def test_a_key_that_is_wrong_is_not_repeated(client: TestClient) -> None:
    wrong = {"Authorization": f"Bearer imp_{SECRET}"}
    answer = client.get("/v1/jobs", headers=wrong)
    assert answer.status_code == 401
    assert SECRET not in answer.text + str(answer.headers)
