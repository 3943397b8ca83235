"""Finished pictures on their way out."""

from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from tests.integration.conftest import Api, serving
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg

CONTENT = jpeg((200, 150))
PATH = f"/v1/assets/{sha256(CONTENT).hexdigest()}"


@pytest.fixture(scope="module")
def client(shared_client: TestClient) -> TestClient:
    upload_of(shared_client, CONTENT)
    return shared_client


def test_a_picture_comes_with_everything_a_cache_and_a_browser_need(client: TestClient) -> None:
    answer = client.get(PATH)
    assert answer.content == CONTENT
    headers = answer.headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["etag"] == f'"{PATH[-64:]}"'
    assert headers["cache-control"] == "private, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["content-disposition"] == f'inline; filename="{PATH[-64:][:16]}.jpg"'
    assert headers["accept-ranges"] == "bytes"


def test_a_picture_never_changes(client: TestClient) -> None:
    answer = client.get(PATH, headers={"If-None-Match": f'"x", "{PATH[-64:]}"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=-5", -5, None),
        ("bytes=100-", 100, None),
    ],
)
def test_a_part_can_be_asked_for(
    shared_api: Api, client: TestClient, wanted: str, start: int, end: int | None
) -> None:
    headers = {"Range": wanted, "Authorization": f"Bearer {shared_api.key}"}
    with serving(shared_api) as url:
        answer = httpx2.get(f"{url}{PATH}", headers=headers)
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"].endswith(f"/{len(CONTENT)}")


def test_several_parts_come_in_one_answer(client: TestClient) -> None:
    answer = client.get(PATH, headers={"Range": "bytes=0-3, 10-13"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert CONTENT[10:14] in answer.content


def test_a_part_behind_the_end_cannot_be_had(client: TestClient) -> None:
    answer = client.get(PATH, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes", "bytes=", "bytes=-", "bytes=5-1", "bytes=x-y", "a=0-1", "bytes=1-2,"],
)
def test_an_odd_range_is_refused_in_our_own_shape(client: TestClient, wanted: str) -> None:
    answer = client.get(PATH, headers={"Range": wanted})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


def test_a_signed_link_ends_and_cannot_be_bent(shared_api: Api, client: TestClient) -> None:
    from app.api.links import asset_url

    url = asset_url(shared_api.desk.settings, shared_api.ground.tenant_id, PATH[-64:])
    nobody = {"Authorization": ""}
    good = client.get(url, headers=nobody)
    assert (good.status_code, good.content) == (200, CONTENT)
    assert good.headers["cache-control"].startswith("public")
    query = parse_qs(urlsplit(url).query)
    for name, value in (
        ("expires", str(int(query["expires"][0]) + 1)),
        ("expires", "1"),
        ("expires", "9" * 500),
        ("signature", "A" * 43),
        ("signature", "é\x00"),
        ("owner", "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"),
    ):
        bent = client.get(PATH, params={**query, name: value}, headers=nobody)
        assert bent.status_code == 401, name


def test_a_cdn_may_hold_a_key_that_opens_links_and_nothing_else(
    shared_api: Api, client: TestClient
) -> None:
    from app.api.links import asset_url

    ours = shared_api.desk.settings
    apart = ours.model_copy(update={"link_key": SecretStr("the CDN's")})
    url = asset_url(apart, shared_api.ground.tenant_id, PATH[-64:])
    assert url != asset_url(ours, shared_api.ground.tenant_id, PATH[-64:])
    assert client.get(url, headers={"Authorization": ""}).status_code == 401


@pytest.mark.parametrize("digest", ["a" * 64, "A" * 64, "a" * 63, "..%2f..%2fetc", "%00"])
def test_what_is_not_there_is_not_found(client: TestClient, digest: str) -> None:
    answer = client.get(f"/v1/assets/{digest}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
