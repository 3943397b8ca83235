"""What the door refuses: with a clear code, and with nothing stored or queued."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.integration.conftest import Api
from tests.integration.test_api_uploads import announce, send, upload_of
from tests.unit.pictures import (
    animated,
    blank,
    jpeg,
    photo,
    png,
    png_bomb,
    saved,
    strip,
    webp_bomb,
)

HOSTILE = {
    "not an image": (b"hello, I am a text file", "invalid-image"),
    "empty": (b"", "invalid-image"),
    "a picture's first bytes only": (jpeg()[:20], "invalid-image"),
    "animated GIF": (animated("GIF"), "invalid-image"),
    "animated WebP": (animated("WEBP"), "invalid-image"),
    "animated PNG": (animated("PNG"), "invalid-image"),
    "AVIF, which we only write": (saved(photo(), "AVIF", speed=9), "invalid-image"),
    "1x1": (png((1, 1)), "invalid-image"),
    "PNG bomb of 50,000 x 50,000": (png_bomb(50_000), "image-too-large"),
    "200 megapixels and one row": (blank(20_000, 10_001), "image-too-large"),
    "strip of 70,000 x 10": (strip(70_000, 10), "image-too-large"),
    "strip of 20,000 x 10": (strip(20_000, 10), "invalid-image"),
    "WebP of 38 bytes that asks for much": (webp_bomb(16_000), "image-too-large"),
}


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Api:
    return shared_api


@pytest.fixture(scope="module")
def client(shared_client: TestClient) -> TestClient:
    return shared_client


@pytest.fixture
def unchanged(api: Api) -> Iterator[None]:
    """Whatever the test asks for, nothing may be left of it."""
    before, tickets = api.stored(), list(api.tickets.lanes)
    yield
    assert api.stored() == before
    assert api.tickets.lanes == tickets


def refusal(answer: Any, status: int, code: str) -> Any:
    """The problem, which must be complete and must not tell of our insides."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert {"title", "detail", "instance", "retryable"} <= problem.keys()
    for secret in ("Traceback", "/work/", "site-packages", "SELECT", "INSERT", "psycopg", "imp_"):
        assert secret not in answer.text
    return problem


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("content", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_picture_we_do_not_take_leaves_nothing(
    client: TestClient, content: bytes, code: str
) -> None:
    # The file's name and its declared type say JPEG: only its bytes count.
    files = {"content": ("holiday.jpg", content, "image/jpeg")}
    refusal(client.post("/v1/jobs", files=files, data={"style": "plain"}), 422, code)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("format", "most"), [("webp", 16383), ("avif", 16384)])
def test_an_output_that_its_format_cannot_hold_is_refused(
    client: TestClient, format: str, most: int
) -> None:
    form = {"style": "plain", "format": format}
    answer = client.post("/v1/jobs", files={"content": blank(16_400, 64)}, data=form)
    detail = refusal(answer, 422, "image-too-large")["detail"]
    assert f"no {format} has more than {most}" in detail


@pytest.mark.usefixtures("unchanged")
def test_an_avif_that_its_encoder_cannot_hold_is_refused_with_a_size_that_it_can(
    client: TestClient,
) -> None:
    """It must have all of the picture in memory, many times over; no other format does."""
    form = {"style": "plain", "format": "avif"}
    answer = client.post("/v1/jobs", files={"content": blank(4_200, 4_200)}, data=form)
    detail = refusal(answer, 422, "image-too-large")["detail"]
    assert "17,640,000 pixels; the limit of an AVIF is 16,777,216" in detail
    assert detail.endswith("Ask for output.size 4096 or less.")


@pytest.mark.parametrize(("content", "code"), HOSTILE.values(), ids=HOSTILE)
def test_an_upload_we_do_not_take_leaves_nothing(
    api: Api, client: TestClient, content: bytes, code: str
) -> None:
    upload = announce(client, content, bytes=max(1, len(content)))
    before = api.stored()
    refusal(send(client, upload, content), 422, code)
    assert api.stored() == before
    body = {"style": "plain", "input": {"upload_id": upload["id"]}}
    refusal(client.post("/v1/jobs", json=body), 422, "unknown-upload")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/a.jpg",
        "http://127.0.0.1/a.jpg",
        "http://127.1/a.jpg",
        "http://0x7f.1/a.jpg",
        "http://2130706433/a.jpg",
        "http://0177.0.0.1/a.jpg",
        "http://[::1]/a.jpg",
        "http://[::ffff:127.0.0.1]/a.jpg",
        "http://10.0.0.8/a.jpg",
        "http://192.168.1.1/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://a.localhost/a.jpg",
        "http://user:word@shop.example/a.jpg",
        "http://shop.example:22/a.jpg",
        "file:///etc/passwd",
        "gopher://shop.example/a.jpg",
        "https://",
        "nonsense",
    ],
)
def test_an_address_we_do_not_open_is_refused(client: TestClient, url: str) -> None:
    body: dict[str, Any] = {"style": "plain", "input": {"url": url}}
    refusal(client.post("/v1/jobs", json=body), 422, "source-forbidden")
    hook = {
        "style": "plain",
        "input": {"url": "https://shop.example/a.jpg"},
        "webhook": {"url": url},
    }
    problem = refusal(client.post("/v1/jobs", json=hook), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == "/webhook/url"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("style", ["nobody", "plain@2", "plain@0", "Plain", "plain@1; DROP TABLE"])
def test_an_unknown_style_is_refused(client: TestClient, style: str) -> None:
    answer = client.post("/v1/jobs", files={"content": jpeg()}, data={"style": style})
    refusal(answer, 422, "unknown-style")
    item = {"custom_id": "1", "input": {"url": "https://shop.example/a.jpg"}}
    for body in (
        {"name": "c", "style": style, "items": [item]},
        {"name": "c", "style": "plain", "items": [item | {"style": style}]},
    ):
        refusal(client.post("/v1/campaigns", json=body), 422, "unknown-style")


GOOD: dict[str, Any] = {"style": "plain", "input": {"url": "https://shop.example/a.jpg"}}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"strength": 1.01}, "/strength"),
        ({"strength": -0.1}, "/strength"),
        ({"strength": "much"}, "/strength"),
        ({"style": ""}, "/style"),
        ({"style": "x" * 256}, "/style"),
        ({"style": "pl\x00ain"}, "/style"),
        ({"style": None}, "/style"),
        ({"output": {"format": "gif"}}, "/output/format"),
        ({"output": {"quality": 0}}, "/output/quality"),
        ({"output": {"size": 10**9}}, "/output/size"),
        ({"output": {"size": 31}}, "/output/size"),
        ({"input": {}}, "/input"),
        ({"input": {"upload_id": "x"}}, "/input/upload_id"),
        ({"input": {"url": "https://shop.example/\x00"}}, "/input/url"),
        (
            {"input": GOOD["input"] | {"upload_id": "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"}},
            "/input",
        ),
        ({"metadata": {"key": "a\x00b"}}, "/metadata"),
        ({"metadata": {"a\x00b": 1}}, "/metadata"),
        ({"metadata": {"key": "x" * 5_000_00}}, "/metadata"),
        ({"metadata": []}, "/metadata"),
        ({"webhook": {"url": "https://shop.example/\x00"}}, "/webhook/url"),
        ({"webhook": {"url": "https://shop.example", "events": []}}, "/webhook/events"),
        ({"webhook": {"url": "https://shop.example", "events": ["job.x"]}}, "/webhook/events/0"),
        ({"strenght": 0.5}, "/strenght"),
        ({"a/b~c": 0.5}, "/a~1b~0c"),
    ],
)
def test_a_field_that_is_not_valid_is_pointed_at(
    client: TestClient, changes: dict[str, Any], pointer: str
) -> None:
    problem = refusal(client.post("/v1/jobs", json=GOOD | changes), 422, "invalid-request")
    assert pointer in [reason["pointer"] for reason in problem["errors"]]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"strength": "NaN"}, "/strength"),
        ({"strength": "inf"}, "/strength"),
        ({"quality": "101"}, "/quality"),
        ({"format": "tiff"}, "/format"),
        ({"metadata": "{"}, "/metadata"),
        ({"metadata": '{"a": NaN}'}, "/metadata"),
        ({"metadata": '{"a": "\\ud800"}'}, "/metadata"),
        ({"metadata": '{"a": "\\u0000"}'}, "/metadata"),
        ({"metadata": "[" * 100_0 + "]" * 100_0}, "/metadata"),
        ({"webhook": "https://shop.example"}, "/webhook"),
        (
            {"webhook": '{"url": "https://a.example"}', "webhook_url": "https://b.example"},
            "/webhook_url",
        ),
        ({"style": "a\x00b"}, "/style"),
        ({"surprise": "1"}, "/surprise"),
    ],
)
def test_a_field_of_the_form_is_pointed_at_by_its_name(
    client: TestClient, fields: dict[str, str], pointer: str
) -> None:
    answer = client.post("/v1/jobs", files={"content": jpeg()}, data={"style": "plain"} | fields)
    problem = refusal(answer, 422, "invalid-request")
    assert pointer in [reason["pointer"] for reason in problem["errors"]]


@pytest.mark.usefixtures("unchanged")
def test_a_form_without_a_picture_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/jobs", files={"style": (None, "plain")})
    problem = refusal(answer, 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == "/content"
    text = client.post("/v1/jobs", files={"style": (None, "plain"), "content": (None, "text")})
    refusal(text, 422, "invalid-request")


@pytest.mark.usefixtures("unchanged")
def test_a_form_with_a_field_twice_is_refused(client: TestClient) -> None:
    fields: list[tuple[str, Any]] = [
        ("style", (None, "plain")),
        ("style", (None, "wave")),
        ("content", jpeg()),
    ]
    refusal(client.post("/v1/jobs", files=fields), 422, "invalid-request")


BROKEN = {
    "open bracket": b'{"style": ',
    "nothing": b"",
    "not a number": b'{"strength": NaN}',
    "infinity": b'{"strength": Infinity}',
    "half a surrogate pair": b'{"style": "\\ud800", "input": {}}',
    "half a surrogate pair as a name": b'{"\\udfff": 1}',
    "a tower": b'{"metadata": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "not UTF-8": b'{"style": "\xff"}',
    "an endless number": b'{"strength": ' + b"9" * 10_000 + b"}",
    "a trailing comma": b'{"style": "plain",}',
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/campaigns", "/v1/uploads"])
def test_what_is_not_json_is_refused(client: TestClient, path: str, body: bytes) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    refusal(answer, answer.status_code, answer.json()["code"])
    if body:
        assert answer.json()["code"] == "bad-request"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", "[[]]"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/campaigns", "/v1/uploads"])
def test_json_of_another_shape_is_refused(client: TestClient, path: str, body: str) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    refusal(answer, 422, "invalid-request")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"{}"),
        ("", b"{}"),
        ("application/x-www-form-urlencoded", b"style=plain"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"not what it says"),
    ],
)
def test_a_body_of_another_kind_is_refused(client: TestClient, kind: str, body: bytes) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    refusal(answer, answer.status_code, answer.json()["code"])


@pytest.mark.usefixtures("unchanged")
def test_a_field_of_the_form_that_is_too_long_is_refused(client: TestClient) -> None:
    fields = {"style": "plain", "metadata": json.dumps({"a": "x" * 500_000})}
    answer = client.post("/v1/jobs", files={"content": jpeg()}, data=fields)
    refusal(answer, 400, "bad-request")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"sha256": "A" * 64}, 422, "invalid-request"),
        ({"sha256": "a" * 63}, 422, "invalid-request"),
        ({"sha256": "a" * 64 + "\n"}, 422, "invalid-request"),
        ({"bytes": 0}, 422, "invalid-request"),
        ({"bytes": -1}, 422, "invalid-request"),
        ({"bytes": 2**20 + 1}, 413, "body-too-large"),
        ({"bytes": 10**30}, 413, "body-too-large"),
        ({"media_type": "image/gif"}, 422, "invalid-request"),
        ({"media_type": "image/jpeg\r\nx: y"}, 422, "invalid-request"),
        ({"name": "holiday.jpg"}, 422, "invalid-request"),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_an_announcement_of_something_odd_is_refused(
    client: TestClient, changes: dict[str, Any], status: int, code: str
) -> None:
    body = {"sha256": "a" * 64, "bytes": 100, "media_type": "image/jpeg"} | changes
    refusal(client.post("/v1/uploads", json=body), status, code)


ITEM: dict[str, Any] = {"custom_id": "1", "input": {"url": "https://shop.example/a.jpg"}}
CAMPAIGN: dict[str, Any] = {"name": "spring", "style": "plain", "items": [ITEM]}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "changes",
    [
        {"items": []},
        {"items": [ITEM, ITEM]},
        {"items": [ITEM | {"custom_id": str(number)} for number in range(1_001)]},
        {"items": [ITEM | {"custom_id": ""}]},
        {"items": [ITEM | {"custom_id": "x" * 256}]},
        {"items": [ITEM | {"custom_id": "a\x00b"}]},
        {"items": [ITEM | {"strength": 2}]},
        {"items": [ITEM | {"metadata": {"a": "b\x00"}}]},
        {"items": [ITEM | {"surprise": 1}]},
        {"name": ""},
        {"name": "a\x00b"},
        {"metadata": {"a": "x" * 500_000}},
        {"webhook": {"url": "http://127.0.0.1/"}},
        {"surprise": 1},
    ],
)
def test_a_campaign_that_is_not_valid_is_refused(
    client: TestClient, changes: dict[str, Any]
) -> None:
    answer = client.post("/v1/campaigns", json=CAMPAIGN | changes)
    problem = refusal(answer, 422, "invalid-request")
    assert problem["errors"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/jobs", {"strength": "0.5"}, "/strength"),
        ("/v1/jobs", {"strength": True}, "/strength"),
        ("/v1/jobs", {"deterministic": 1}, "/deterministic"),
        ("/v1/jobs", {"commercial": "false"}, "/commercial"),
        ("/v1/jobs", {"priority": "5"}, "/priority"),
        ("/v1/jobs", {"priority": True}, "/priority"),
        ("/v1/jobs", {"priority": 1.5}, "/priority"),
        ("/v1/jobs", {"output": {"size": "64"}}, "/output/size"),
        ("/v1/reviews", {"decision": "approve", "query": {"style": "x"}, "dry_run": 0}, "/dry_run"),
        ("/v1/webhook-endpoints", {"url": "https://a.example/", "enabled": 0}, "/enabled"),
        ("/v1/keys", {"name": "x", "days": True}, "/days"),
        ("/v1/keys", {"name": "x", "days": "30"}, "/days"),
    ],
)
def test_a_number_or_a_truth_of_another_type_is_pointed_at(
    client: TestClient, path: str, body: dict[str, Any], pointer: str
) -> None:
    """`0` for false made a dry run of what was none, and the other way round."""
    if path == "/v1/jobs":
        body = {"style": "plain", "input": {"url": "https://a.example/"}} | body
    problem = refusal(client.post(path, json=body), 422, "invalid-request")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_whole_number_may_be_written_with_a_point(client: TestClient) -> None:
    wanted = {"style": "plain", "priority": 2.0, "input": {"url": "https://a.example/"}}
    answer = client.post("/v1/jobs", json=wanted)
    assert (answer.status_code, answer.json()["priority"]) == (202, 2)


@pytest.mark.usefixtures("unchanged")
def test_options_beside_a_body_that_is_no_manifest_are_refused(client: TestClient) -> None:
    query = {"options": '{"name": "x", "style": "plain"}'}
    problem = refusal(
        client.post("/v1/campaigns", params=query, json=CAMPAIGN), 422, "invalid-request"
    )
    assert problem["errors"][0]["pointer"] == "/options"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "cursor",
    ["", "x", "AAAA", "A" * 32, "A" * 100, "A" * 101, "\x00", "'; --", "é", "A" * 31 + "="],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/campaigns"])
def test_a_cursor_of_somebodys_own_making_is_refused(
    client: TestClient, path: str, cursor: str
) -> None:
    answer = client.get(path, params={"cursor": cursor})
    assert answer.status_code in (400, 422)
    refusal(answer, answer.status_code, answer.json()["code"])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=-1", "status=x"])
def test_a_listing_with_odd_wishes_is_refused(client: TestClient, query: str) -> None:
    problem = refusal(client.get(f"/v1/jobs?{query}"), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == "/" + query.partition("=")[0]


def test_one_bad_item_does_not_harm_the_others(api: Api, client: TestClient) -> None:
    upload_id = upload_of(client, jpeg())
    inputs: list[dict[str, str]] = [
        {"upload_id": upload_id},
        {"upload_id": "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"},
        {"url": "http://169.254.169.254/"},
        {"url": "https://shop.example/a.jpg"},
    ]
    items = [{"custom_id": str(number), "input": one} for number, one in enumerate(inputs)]
    answer = client.post("/v1/campaigns", json=CAMPAIGN | {"items": items})
    assert answer.status_code == 202
    campaign = answer.json()
    assert campaign["counts"] | {"total": 4} == campaign["counts"]
    assert (campaign["counts"]["failed"], campaign["counts"]["queued"]) == (2, 2)
    page = client.get(campaign["urls"]["items"]).json()
    codes = [item["error"] and item["error"]["code"] for item in page["data"]]
    assert codes == [None, "unknown-upload", "source-forbidden", None]
    assert [item["lane"] for item in page["data"]][::3] == ["campaign", "fetch"]


def test_another_tenants_upload_cannot_be_used(api: Api, client: TestClient) -> None:
    upload_id = upload_of(client, jpeg())
    body = {"style": "plain", "input": {"upload_id": upload_id}}
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    before = api.stored()
    refusal(client.post("/v1/jobs", json=body, headers=stranger), 422, "unknown-upload")
    assert api.stored() == before
