"""What every route shares: ids, limits, health, the document, and what happens when things fail."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from pydantic import BaseModel
from sqlalchemy.orm import sessionmaker
from starlette.testclient import TestClient

from app.api.kinds import PAGE, page
from app.api.problems import catalogue
from app.api.schemas import UploadRequest
from app.db import open_database
from app.domain.endpoints import EndpointChange, EndpointRequest, RotateRequest
from app.domain.estimates import EstimateRequest
from app.domain.requests import CampaignRequest, JobRequest
from app.domain.style import StyleRequest
from app.errors import ImpastoError
from app.storage import LocalStorage
from tests.integration.conftest import Api, serving, speaking
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_tenants import operations
from tests.unit.pictures import jpeg

LIMIT = 2**20
MODELS: dict[str, type[BaseModel]] = {
    "/v1/jobs": JobRequest,
    "/v1/campaigns": CampaignRequest,
    "/v1/uploads": UploadRequest,
    "/v1/estimates": EstimateRequest,
    "/v1/styles": StyleRequest,
    "/v1/webhook-endpoints": EndpointRequest,
    "/v1/webhook-endpoints/{endpoint_id}": EndpointChange,
    "/v1/webhook-endpoints/{endpoint_id}/rotate-secret": RotateRequest,
}


def test_every_request_has_a_name(shared_client: TestClient) -> None:
    given = shared_client.get("/livez", headers={"X-Request-Id": "shop-42.a_b"})
    assert given.headers["x-request-id"] == "shop-42.a_b"
    made = [shared_client.get("/livez").headers["x-request-id"] for _ in range(2)]
    assert len(set(made)) == 2


@pytest.mark.parametrize("name", ["a b", "a\tb", "x" * 65, "<script>", "é", ""])
def test_a_name_that_may_not_stand_in_a_log_is_replaced(
    shared_client: TestClient, name: str
) -> None:
    answer = shared_client.get("/livez", headers={b"X-Request-Id": name.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 16


def test_what_the_router_refuses_has_the_same_shape(shared_client: TestClient) -> None:
    refusal(shared_client.get("/v2/jobs"), 404, "not-found")
    refusal(shared_client.get("/v1/jobs/"), 404, "not-found")
    answer = shared_client.delete("/v1/jobs")
    refusal(answer, 405, "method-not-allowed")
    assert answer.headers["allow"]


def test_what_breaks_inside_is_told_to_the_log_only(
    shared_api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(LocalStorage):
        def put(self, *blobs: Any) -> None:
            raise RuntimeError("the password is swordfish")

    desk = replace(shared_api.desk, storage=Broken(Path("/nowhere")))
    before = shared_api.stored()
    with speaking(replace(shared_api, desk=desk)) as client:
        answer = client.post("/v1/jobs", files={"content": jpeg()}, data={"style": "plain"})
    problem = refusal(answer, 500, "internal")
    assert "swordfish" not in answer.text
    assert "swordfish" in caplog.text
    assert problem["request_id"] in caplog.text
    assert shared_api.stored() == before


def test_a_database_that_is_away_is_a_503(shared_api: Api) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg2://x:swordfish@127.0.0.1:{nobody.getsockname()[1]}/x"
        desk = replace(shared_api.desk, sessions=open_database(url))
        with speaking(replace(shared_api, desk=desk)) as client:
            answer = client.get("/v1/jobs")
            poll = client.get(f"/v1/jobs/{uuid4()}", headers={"If-None-Match": '"1-1"'})
            ready = client.get("/readyz")
            alive = client.get("/livez")
    refusal(answer, 503, "service-unavailable")
    refusal(poll, 503, "service-unavailable")
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["retryable"] is True
    assert "swordfish" not in answer.text + ready.text
    assert refusal(ready, 503, "service-unavailable")["parts"] == ["database"]
    assert alive.status_code == 200


def test_readiness_names_every_part_that_is_away(shared_api: Api, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    desk = replace(shared_api.desk, storage=LocalStorage(tmp_path / "file" / "assets"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        redis = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        with speaking(replace(shared_api, desk=desk, redis_url=redis)) as client:
            problem = refusal(client.get("/readyz"), 503, "service-unavailable")
    assert problem["parts"] == ["queue", "storage"]
    assert str(tmp_path) not in json.dumps(problem)


def test_a_whole_service_is_ready(shared_client: TestClient) -> None:
    assert shared_client.get("/readyz").json() == {"status": "ok"}


def test_a_full_pool_is_a_503(shared_api: Api) -> None:
    engine = shared_api.desk.sessions.kw["bind"]
    tight = open_database(engine.url.render_as_string(hide_password=False), pool=1)
    pool = tight.kw["bind"].pool
    pool._timeout = 0.1
    desk = replace(shared_api.desk, sessions=sessionmaker(tight.kw["bind"]))
    held = [tight.kw["bind"].connect() for _ in range(2)]
    try:
        with speaking(replace(shared_api, desk=desk)) as client:
            refusal(client.get("/v1/jobs"), 503, "service-unavailable")
    finally:
        for connection in held:
            connection.close()
        tight.kw["bind"].dispose()


KINDS = ["application/json", "multipart/form-data; boundary=x", "image/jpeg", "text/plain"]


@pytest.fixture(scope="module")
def url(shared_api: Api) -> Iterator[str]:
    with serving(shared_api) as url:
        yield url


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/campaigns", "/v1/uploads"])
def test_a_body_over_the_limit_is_refused_before_it_is_read(
    shared_api: Api, url: str, path: str, kind: str
) -> None:
    before = shared_api.stored()
    headers = {"Authorization": f"Bearer {shared_api.key}", "Content-Type": kind}
    answer = said(url, path, headers | {"Content-Length": str(10**12)}, b"")
    refusal(answer, 413, "body-too-large")
    assert answer.json()["limit"] == LIMIT
    assert shared_api.stored() == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/campaigns", "/v1/uploads"])
def test_a_body_that_does_not_say_its_size_is_cut_off(
    shared_api: Api, url: str, path: str, kind: str
) -> None:
    before = shared_api.stored()
    start = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n'
    headers = {"Authorization": f"Bearer {shared_api.key}", "Content-Type": kind}
    answer = said(url, path, headers | {"Transfer-Encoding": "chunked"}, endless(start))
    if path != "/v1/uploads" and kind in ("image/jpeg", "text/plain"):
        refusal(answer, 400, "bad-request")  # by its type alone, without a look at the body
    else:
        refusal(answer, 413, "body-too-large")
    assert shared_api.stored() == before


def test_an_upload_over_the_limit_is_cut_off(
    shared_api: Api, shared_client: TestClient, url: str
) -> None:
    body = {"sha256": "a" * 64, "bytes": 100, "media_type": "image/jpeg"}
    link = urlsplit(shared_client.post("/v1/uploads", json=body).json()["url"])
    before = shared_api.stored()
    path = f"{link.path}?{link.query}"
    refusal(said(url, path, {"Content-Length": str(LIMIT + 1)}, b"", "PUT"), 413, "body-too-large")
    answer = said(url, path, {"Transfer-Encoding": "chunked"}, endless(b""), "PUT")
    refusal(answer, 413, "body-too-large")
    assert shared_api.stored() == before


def endless(start: bytes) -> bytes:
    """Chunks that go a little beyond the limit and do not end."""
    chunk = b"%x\r\n%b\r\n" % (2**16, b"x" * 2**16)
    return b"%x\r\n%b\r\n" % (len(start), start) * bool(start) + chunk * (LIMIT // 2**16 + 1)


def said(
    url: str, path: str, headers: dict[str, str], body: bytes, method: str = "POST"
) -> httpx2.Response:
    """What a server says to raw bytes, whose sender would go on but listens."""
    address = urlsplit(url)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        with connection.makefile("rb") as received:
            head = b"".join(iter(received.readline, b"\r\n")).strip()
            length = re.search(rb"content-length: (\d+)", head)
            assert length
            content = received.read(int(length[1]))
    status, *fields = head.decode().split("\r\n")
    pairs = {name: value for name, _, value in (field.partition(": ") for field in fields)}
    return httpx2.Response(int(status.split()[1]), headers=pairs, content=content)


def test_the_catalogue_knows_every_error(shared_client: TestClient) -> None:
    kinds = shared_client.get("/problems").json()
    assert {kind["code"] for kind in kinds} == set(catalogue())
    assert {"invalid-image", "quarantined", "internal"} <= set(catalogue())
    for kind in kinds:
        assert shared_client.get(kind["type"]).json() == kind
    refusal(shared_client.get("/problems/nothing"), 404, "not-found")


def test_the_page_of_problems_is_what_the_classes_say() -> None:
    assert PAGE.read_text() == page(), "python -m app.api.kinds writes it anew"


def test_every_problem_says_what_to_do() -> None:
    for code, kind in catalogue().items():
        assert kind.remedy.endswith("."), code
        assert "|" not in f"{kind.remedy}{kind.title}{kind.__doc__}", f"{code}: breaks its table"


def test_the_front_page_leads_on(shared_client: TestClient) -> None:
    places = shared_client.get("/").json()
    assert shared_client.get(places["docs"]).status_code == 200
    assert shared_client.get(places["openapi"]).status_code == 200


def test_the_document_is_complete(shared_client: TestClient) -> None:
    document = shared_client.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["HTTPBearer"]["scheme"] == "bearer"
    for method, path, operation in operations():
        where = f"{method} {path}"
        assert operation["summary"], where
        assert "default" not in operation["responses"], f"{where}: it would allow any status"
        broken = operation["responses"]["500"]["content"]
        assert list(broken) == ["application/problem+json"], where
        if path.startswith("/v1") and not path.endswith("content"):
            assert operation["security"], where
    resolve(document, document)


def resolve(document: Any, part: Any) -> None:
    """Every reference leads somewhere."""
    if isinstance(part, dict):
        if reference := part.get("$ref"):
            place = document
            for step in reference.removeprefix("#/").split("/"):
                place = place[step]
        for inner in part.values():
            resolve(document, inner)
    elif isinstance(part, list):
        for inner in part:
            resolve(document, inner)


def test_the_examples_of_the_document_are_valid() -> None:
    seen = 0
    for method, path, operation in operations():
        for kind, body in operation.get("requestBody", {}).get("content", {}).items():
            examples = body.get("examples", {}) or body["schema"].get("examples", [])
            model = MODELS.get(path)
            if kind != "application/json":
                continue
            assert examples, f"{method} {path}"
            values = examples.values() if isinstance(examples, dict) else examples
            for example in values:
                if model:
                    model.model_validate(example.get("value", example))
                    seen += 1
    assert seen >= 4


def test_problems_are_documented_with_examples() -> None:
    for method, path, operation in operations():
        for status, response in operation["responses"].items():
            for kind, content in response.get("content", {}).items():
                if kind == "application/problem+json":
                    assert content["examples"], f"{method} {path} {status}"


def test_no_error_of_ours_shares_a_code_by_accident() -> None:
    for code, kind in catalogue().items():
        for other in ImpastoError.__subclasses__():
            assert other.code != code or issubclass(other, kind) or issubclass(kind, other)
