"""What lines look like, and what never stands in them."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, ValidationError

from app import logs
from app.redaction import Redactor, secrets_of
from app.settings import LogSettings, Settings

KEY = "imp_8h3kd92l_" + "Zx9" * 12
PERSON = "Anna Muster, born 1979"
HOOK = "whsec_" + "c2VjcmV0c2VjcmV0" * 2 + "+/=="


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """What has been written, as JSON; afterwards, logging is as it was."""
    root = logging.getLogger()
    hooks = sys.excepthook, threading.excepthook
    before, level = root.handlers[:], root.level
    stream = StringIO()
    for handler in before:
        root.removeHandler(handler)
    logs.configure(LogSettings(format="json"), Redactor(), stream)
    yield stream.getvalue
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks
    root.handlers[:] = before
    root.setLevel(level)
    for name in logs.OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_line_is_an_object_that_says_of_whom_it_is(written: Callable[[], str]) -> None:
    job, tenant = uuid4(), uuid4()
    with logs.about(job_id=job, campaign_id=None, tenant_id=tenant):
        logging.getLogger("app.anything").warning("it %s", "rains")
    line = json.loads(written())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "app.anything",
        "message": "it rains",
        "job_id": str(job),
        "tenant_id": str(tenant),
    }


def test_a_line_says_itself_of_whom_it_is_where_it_knows_better(
    written: Callable[[], str],
) -> None:
    with logs.about(job_id=UUID(int=1)):
        logging.getLogger("workers").info("x", extra={"job_id": UUID(int=2)})
    assert json.loads(written())["job_id"] == str(UUID(int=2))


def test_what_was_said_outside_a_request_is_not_told_of_it(written: Callable[[], str]) -> None:
    with logs.about(tenant_id=uuid4()), logs.about_only(request_id="abc"):
        logging.getLogger("app").info("x")
    line = json.loads(written())
    assert line["request_id"] == "abc"
    assert "tenant_id" not in line


def test_libraries_are_heard_only_where_they_warn(written: Callable[[], str]) -> None:
    logging.getLogger("celery.worker").info("task received")
    assert written() == ""


def test_a_traceback_is_told_without_what_it_quotes(written: Callable[[], str]) -> None:
    class Asked(BaseModel):
        age: int

    try:
        Asked.model_validate({"age": PERSON})
    except ValidationError:
        logging.getLogger("app").exception("broke with %s", KEY)
    line = json.loads(written())
    assert "validation error for Asked" in line["exception"]
    assert PERSON not in written()
    assert KEY not in written()


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (f"no key {KEY} here", "no key imp_[...] here"),
        ("imp_--OjcjVE_lUae-Y3yHt", "imp_[...]"),
        (f"signed with {HOOK}.", "signed with whsec_[...]."),
        ("Authorization: Bearer abcdefghijk", "Authorization: [...] [...]"),
        ("{'authorization': 'Basic b3BzOnB3'}", "{'authorization': '[...] [...]'}"),
        (
            "postgresql://me:hid/den@db:5432/impasto?x=1",
            "postgresql://[...]@db:5432/impasto?x=[...]",
        ),
        ("redis://:hidden@redis:6379/0", "redis://[...]@redis:6379/0"),
        (
            "GET https://b.example/anna-muster.jpg?X-Amz-Signature=ab12 failed",
            "GET https://b.example/[...] failed",
        ),
        ("s3://bucket/people/anna.jpg", "s3://bucket/[...]"),
        ("/v1/assets/ab12?expires=1&sig=dead", "/v1/assets/ab12?expires=[...]&sig=[...]"),
        ("host=db password=hidden user=me", "host=db password=[...] user=me"),
        ("Key.\nDETAIL:  Key (name)=(anna) exists.\n", "Key.\nDETAIL: [...]\n"),
        (r"Error('no\nDETAIL:  row (anna)\n')", r"Error('no\nDETAIL: [...]"),
        ("LINE 1: INSERT INTO x VALUES ('anna')", "LINE 1: [...]"),
        ('CONTEXT:  COPY jobs, line 1, column source: "anna"', "CONTEXT: [...]"),
        ('invalid input syntax for type uuid: "anna"', "invalid input syntax for type uuid: [...]"),
        ("AKIAIOSFODNN7EXAMPLE", "[...]"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_taken_out(text: str, stays: str) -> None:
    assert Redactor()(text) == stays


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01 10:00:00 WARNING workers.leases leases not renewed: timeout",
        "this worker ends itself with 75 (memory): out of memory with 1 picture",
        "io@host-1:4711:ab12cd listens on http://127.0.0.1:8000",
        "what? nothing of the kind",
        'File "/srv/app/x.py", line 3, in token_of',
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Redactor()(text) == text


def test_the_secrets_of_the_settings_are_known_by_heart() -> None:
    settings = Settings.model_validate(
        {
            "DATABASE_URL": "postgresql://me:p%40ss-of-the-base@db/x",
            "secret_key": "a long random text",
            "sentry": {"dsn": "https://abc123abc123@errors.example/7"},
        }
    )
    redact = Redactor(secrets_of(settings))
    text = "p@ss-of-the-base, p%40ss-of-the-base, a long random text, me"
    assert redact(text) == "[...], [...], [...], me"


def test_a_structure_is_redacted_down_to_its_names() -> None:
    given = {"extra": [{KEY: ("x", 1, None)}, f"see {KEY}"]}
    assert Redactor().all(given) == {"extra": [{"imp_[...]": ["x", 1, None]}, "see imp_[...]"]}
