"""What the tenant has when its API is tried: whatever the document's examples name, and more."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from app.api.examples import ID, LIST_ID, MANIFESTS
from app.db import style_moves
from app.db.models import Style, StyleVersion, Upload
from app.domain.job import Lane
from app.domain.style import StyleMove, StyleStatus, owned
from tests.integration.conftest import Api, fail, work
from tests.integration.test_api_styles import PAINTING, learn, order
from tests.integration.test_api_tenants import LIVES, things
from tests.integration.test_api_uploads import announce, send, upload_of
from tests.unit.pictures import png

#: What there is, by the parameter, or the place in a body, that names it.
Names = dict[str, list[Any]]
#: The same by operation; under the empty name, for all that have none of their own.
Stock = dict[str, Names]

EACH = 6  #: things for an operation that can be done to each once
OUTPUT = png((64, 48), compress_level=1)  #: what `work` draws
JOB = {"style": "plain", "input": {"upload_id": ID}}


def stock(api: Api, client: TestClient) -> Stock:
    """Fill the first tenant's shelves; answers with what can be named."""
    with api.desk.sessions.begin() as session:
        for slug in ("great-wave", "starry-night"):
            _style(session, slug)
    _rename(api, upload_of(client, PAINTING), ID)
    _rename(api, _manifest(client), LIST_ID)
    its = things(client, api)
    done: Stock = dict(_of_styles(api, client)) | dict(_of_work(api, client))
    done["GET /v1/styles/{name}/preview"] = {"path.name": ["great-wave"]}
    everywhere: Names = {
        "path.job_id": [_job(client), its["done_job_id"]],
        "path.campaign_id": [_campaign(client), its["listed_campaign_id"]],
        "path.sha256": [its["sha256"], sha256(OUTPUT).hexdigest()],
        "path.name": [its["name"], "great-wave"],
        "path.version": [1],
        "path.code": ["not-found"],
        "header.prefer": ["wait=0", "respond-async"],  # longer ones have tests of their own
        "body.style": ["plain", "great-wave@3", "great-wave:0.6,starry-night:0.4"],
        "body.items[*].style": ["plain", "starry-night"],
        "body.manifest.upload_id": [LIST_ID],
    }
    for name in ("prefix", "erasure_id", "endpoint_id", "delivery_id"):
        everywhere[f"path.{name}"] = [its[name]]
    for place in ("input", "mask", "picture", "items[*].input", "items[*].mask"):
        everywhere[f"body.{place}.upload_id"] = [ID]
    return {"": everywhere} | done


def _of_styles(api: Api, client: TestClient) -> Iterator[tuple[str, Names]]:
    """For each move a style of its own that can make it."""
    for move, before in LIVES.items():
        name = f"for-{move}"
        order(client, name=name)
        learn(api)
        for step in before:
            _move(api, name, step)
        yield f"POST /v1/styles/{{name}}/{move}", {"path.name": [name]}


def _of_work(api: Api, client: TestClient) -> Iterator[tuple[str, Names]]:
    """For everything that is done to jobs and campaigns, some that it can be done to."""
    for operation in ("POST /v1/reviews/{job_id}", "GET /v1/reviews/{job_id}/output"):
        yield operation, {"path.job_id": [_job(client, review="all") for _ in range(EACH)]}
    work(api, amount=1_000)
    retried = "POST /v1/jobs/{job_id}/retry"
    yield retried, {"path.job_id": [_job(client) for _ in range(EACH)]}
    fail(api, amount=1_000)
    finished = _campaign(client)
    work(api, amount=1_000, lane=Lane.CAMPAIGN)
    retried = "POST /v1/campaigns/{campaign_id}/retry-failed"
    yield retried, {"path.campaign_id": [_campaign(client) for _ in range(EACH)]}
    fail(api, amount=1_000, lane=Lane.CAMPAIGN)
    for word in ("archive", "manifest", "report", "events", "items"):
        yield f"GET /v1/campaigns/{{campaign_id}}/{word}", {"path.campaign_id": [finished]}
    for word in ("cancel", "priority"):
        jobs = [_job(client) for _ in range(EACH)]
        yield f"POST /v1/jobs/{{job_id}}/{word}", {"path.job_id": jobs}
    for word in ("cancel", "pause", "resume", "priority", "budget"):
        campaigns = [_campaign(client) for _ in range(EACH)]
        yield f"POST /v1/campaigns/{{campaign_id}}/{word}", {"path.campaign_id": campaigns}


def _job(client: TestClient, **more: Any) -> str:
    return str(client.post("/v1/jobs", json=JOB | more).json()["id"])


def _campaign(client: TestClient) -> str:
    items = [{"custom_id": str(number), "input": JOB["input"]} for number in range(2)]
    wanted = {"name": "spring", "style": "plain", "items": items}
    return str(client.post("/v1/campaigns", json=wanted).json()["id"])


def _manifest(client: TestClient) -> str:
    lines = MANIFESTS["application/x-ndjson"].encode()
    sent = announce(client, lines, media_type="application/x-ndjson")
    send(client, sent, lines)
    return str(sent["id"])


def _style(session: Session, slug: str) -> None:
    """Everybody's, in the versions that the examples name, with the preview of the catalog."""
    session.add(Style(slug=slug, title=slug))
    session.flush()
    session.add_all(
        StyleVersion(
            slug=slug,
            version=version,
            stylizer_digest="a" * 64,
            status=StyleStatus.ACTIVE,
            embedding=bytes(4),
            card={"preview": {"file": f"{slug}.jpg"}},
        )
        for version in (1, 2, 3)
    )


def _move(api: Api, name: str, move: StyleMove) -> None:
    slug = owned(api.ground.tenant_id, name)
    with api.desk.sessions.begin() as session:
        style_moves.move(session, slug, None, move, by="operator", four_eyes=False)


def _rename(api: Api, upload_id: str, name: str) -> None:
    """Let an upload have the id that the examples of the document name."""
    with api.desk.sessions.begin() as session:
        its = update(Upload).where(Upload.id == UUID(upload_id))
        session.execute(its.values(id=UUID(name)))
