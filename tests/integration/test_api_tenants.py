"""Keys and tenants: every route of the document, so that a new one cannot be forgotten."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.api.keyring import SECONDS
from app.db import keys, style_moves
from app.domain.job import Lane
from app.domain.style import StyleMove, owned
from tests.integration.conftest import Api, fail, work
from tests.integration.test_api_styles import LICENCE, WORDS, learn, order
from tests.integration.test_api_uploads import announce, send, upload_of
from tests.unit.pictures import jpeg

OPEN = {
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/problems"),
    ("get", "/problems/{code}"),
    ("put", "/v1/uploads/{upload_id}/content"),  # the signed link is the key
}


@cache
def document() -> Any:
    """What we say about ourselves."""

    def nowhere(_: FastAPI) -> Any:
        raise AssertionError("only the document is wanted")

    from app.api.main import create_app

    return create_app(nowhere).openapi()


def operations() -> Iterator[tuple[str, str, Any]]:
    """Method, path and description of every operation we document."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


KEYED = [(method, path) for method, path, _ in operations() if (method, path) not in OPEN]
WITH_PLACE = [
    (method, path, operation)
    for method, path, operation in operations()
    if (method, path) not in OPEN and "{" in path
]
NAMED = [f"{method} {path}" for method, path, _ in WITH_PLACE]

#: What the first tenant has, and how its id is found. A path with another parameter fails here.
Things = dict[str, str]


def things(client: TestClient, api: Api) -> Things:
    """One of everything that a path can name, of the first tenant's."""
    upload_id = upload_of(client, jpeg())
    item = {"custom_id": "1", "input": {"upload_id": upload_id}}
    items = [item, item | {"custom_id": "2"}]
    campaign = {"name": "spring", "style": "plain", "budget_micros": 10**9, "items": items}
    job = {"style": "plain", "input": {"upload_id": upload_id}}
    done_id = client.post("/v1/jobs", json=job).json()["id"]
    work(api, amount=100)
    job_id = client.post("/v1/jobs", json=job | {"review": "all"}).json()["id"]
    lines = b'{"custom_id": 1}\n{"custom_id": 2}\n' + json.dumps(item).encode()
    kind = {"Content-Type": "application/x-ndjson"}
    options = {"options": json.dumps({"name": "list", "style": "plain"})}
    listed = client.post("/v1/campaigns", params=options, content=lines, headers=kind)
    sent = announce(client, lines, media_type="application/x-ndjson")
    send(client, sent, lines)
    return {
        "list_id": sent["id"],
        "listed_campaign_id": listed.json()["id"],
        "upload_id": upload_id,
        "job_id": job_id,
        "done_job_id": done_id,
        "campaign_id": client.post("/v1/campaigns", json=campaign).json()["id"],
        "sha256": sha256(jpeg()).hexdigest(),
        "name": own_style(client, api),
        "version": "1",
        "prefix": client.post("/v1/keys", json={"name": "shop"}).json()["prefix"],
        "preset": preset(client, "brand")["name"],
        "preset_id": preset(client, "poster")["id"],
        "erasure_id": client.post("/v1/erasures", json={"job": job_id}).json()["id"],
        **webhooks(client),
    }


def webhooks(client: TestClient) -> Things:
    """An endpoint, the same one each time: a tenant may have only so many; and a delivery."""
    found = client.get("/v1/webhook-endpoints").json()["data"]
    hook = {"url": "https://shop.example/hook"}
    endpoint = found[0] if found else client.post("/v1/webhook-endpoints", json=hook).json()
    test = client.post(f"/v1/webhook-endpoints/{endpoint['id']}/test").json()
    return {"endpoint_id": endpoint["id"], "delivery_id": test["id"]}


def preset(client: TestClient, name: str) -> dict[str, Any]:
    """The newest version of it, made where there is none that is not retired."""
    wanted = {"name": name, "style": "plain", "renditions": [{"name": "small", "width": 32}]}
    made: dict[str, Any] = client.post("/v1/presets", json=wanted).json()
    return made


def own_style(client: TestClient, api: Api) -> str:
    """A style that the first tenant alone has."""
    if client.get("/v1/styles/harbour").status_code == 404:
        order(client)
        learn(api)
    return "harbour"


#: What a new version of a style has gone through when a route is asked.
LIVES = {
    "submit-for-review": (),
    "activate": (),
    "suspend": (StyleMove.ACTIVATE,),
    "reinstate": (StyleMove.ACTIVATE, StyleMove.SUSPEND),
    "retire": (StyleMove.ACTIVATE,),
    "withdraw": (StyleMove.ACTIVATE,),
}


def prepare(api: Api, client: TestClient, path: str) -> None:
    """Let the newest thing come so far that the route has something to do."""
    if path.startswith("/v1/styles/{name}") and (word := path.rpartition("/")[2]) in LIVES:
        order(client)
        learn(api)
        slug = owned(api.ground.tenant_id, "harbour")
        for move in LIVES[word]:
            with api.desk.sessions.begin() as session:
                style_moves.move(session, slug, None, move, by="operator", four_eyes=False)
    if path.endswith("/retry"):
        fail(api, amount=100)
    if path.endswith("/retry-failed"):
        fail(api, amount=100, lane=Lane.CAMPAIGN)
    if "/reviews" in path:
        work(api, amount=100)


def place(path: str, its: Things) -> str:
    """The path with those ids in it."""
    unknown = set(re.findall(r"{(\w+)}", path)) - set(its)
    assert not unknown, f"{path}: say in `things` how another tenant's {unknown} is found"
    return re.sub(r"{(\w+)}", lambda match: its[match[1]], path)


def example(operation: Any) -> dict[str, Any]:
    """A body and the queries that the document says are good, as arguments of a request."""
    needed = [one for one in operation.get("parameters", []) if one.get("required")]
    moments = [one["name"] for one in needed if one["schema"].get("format") == "date-time"]
    queries = {"params": dict.fromkeys(moments, "2026-01-01T00:00:00Z")} if moments else {}
    return queries | sample_body(operation)


def sample_body(operation: Any) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is None:
        return {}
    examples = body.get("examples") or body["schema"].get("examples")
    first = next(iter(examples.values()))["value"] if isinstance(examples, dict) else examples[0]
    return {"json": first}


def test_the_document_has_routes_to_test() -> None:
    assert len(KEYED) >= 33
    assert len(WITH_PLACE) >= 18


@pytest.mark.parametrize(("method", "path", "operation"), WITH_PLACE, ids=NAMED)
def test_another_tenants_things_are_not_found(
    shared_api: Api, shared_client: TestClient, method: str, path: str, operation: Any
) -> None:
    mine = place(path, things(shared_client, shared_api))
    body = example(operation)
    prepare(shared_api, shared_client, path)
    before = shared_api.stored()
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    answer = shared_client.request(method, mine, headers=stranger, **body)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert shared_api.stored() == before
    if path == "/v1/styles/{name}/preview":  # of everybody's styles alone
        return
    if path.endswith("/events"):  # a stream that ends
        shared_client.post(mine.removesuffix("/events") + "/cancel")
    answer = shared_client.request(method, mine, **body)
    assert answer.status_code in (200, 201, 202), answer.text


ELSEWHERE: dict[str, Any] = {"custom_id": "1", "input": {"url": "https://shop.example/a.jpg"}}

#: Fields of bodies that name a thing: how a stranger names the first tenant's, and what it hears.
#: A field that is new and looks like a name of something fails `test_every_field_...` below.
FIELDS: dict[tuple[str, str], tuple[Callable[[Things], Any], int, str]] = {
    ("post /v1/jobs", "/input/upload_id"): (
        lambda its: {"style": "plain", "input": {"upload_id": its["upload_id"]}},
        *(422, "unknown-upload"),
    ),
    ("post /v1/jobs", "/mask/upload_id"): (
        lambda its: {
            "style": "plain",
            "input": {"url": "https://shop.example/a.jpg"},
            "mask": {"upload_id": its["upload_id"]},
        },
        *(422, "unknown-upload"),
    ),
    ("post /v1/jobs", "/style"): (
        lambda its: {"style": its["name"], "input": {"url": "https://shop.example/a.jpg"}},
        *(422, "unknown-style"),
    ),
    ("post /v1/campaigns", "/style"): (
        lambda its: {"name": "x", "style": its["name"], "items": [ELSEWHERE]},
        *(422, "unknown-style"),
    ),
    ("post /v1/jobs", "/preset"): (
        lambda its: {"preset": its["preset"], "input": {"url": "https://shop.example/a.jpg"}},
        *(422, "unknown-preset"),
    ),
    ("post /v1/campaigns", "/preset"): (
        lambda its: {"name": "x", "preset": f"{its['preset']}@1", "items": [ELSEWHERE]},
        *(422, "unknown-preset"),
    ),
    ("post /v1/campaigns", "/items/preset"): (
        lambda its: {
            "name": "x",
            "style": "plain",
            "items": [ELSEWHERE | {"preset": its["preset"]}],
        },
        *(422, "unknown-preset"),
    ),
    ("post /v1/estimates", "/preset"): (
        lambda its: {"preset": its["preset"], "count": 3},
        *(422, "unknown-preset"),
    ),
    ("post /v1/estimates", "/items/preset"): (
        lambda its: {"style": "plain", "items": [ELSEWHERE | {"preset": its["preset"]}]},
        *(422, "unknown-preset"),
    ),
    ("post /v1/presets", "/style"): (
        lambda its: {"name": "x", "style": its["name"], "renditions": [{"name": "a"}]},
        *(422, "unknown-style"),
    ),
    ("post /v1/campaigns", "/items/style"): (
        lambda its: {"name": "x", "style": "plain", "items": [ELSEWHERE | {"style": its["name"]}]},
        *(422, "unknown-style"),
    ),
    ("post /v1/campaigns", "/mask/upload_id"): (
        lambda its: {
            "name": "x",
            "style": "plain",
            "items": [ELSEWHERE],
            "mask": {"upload_id": its["upload_id"]},
        },
        *(422, "unknown-upload"),
    ),
    ("post /v1/campaigns", "/variants/style"): (
        lambda its: {
            "name": "x",
            "style": "plain",
            "items": [ELSEWHERE],
            "variants": [{"suffix": "a", "style": its["name"]}],
        },
        *(422, "unknown-style"),
    ),
    ("post /v1/campaigns", "/items/variants/style"): (
        lambda its: {
            "name": "x",
            "style": "plain",
            "items": [ELSEWHERE | {"variants": [{"custom_id": "1", "style": its["name"]}]}],
        },
        *(422, "unknown-style"),
    ),
    ("post /v1/campaigns", "/manifest/upload_id"): (
        lambda its: {"name": "x", "style": "plain", "manifest": {"upload_id": its["list_id"]}},
        *(422, "unknown-upload"),
    ),
    ("post /v1/estimates", "/variants/style"): (
        lambda its: {
            "style": "plain",
            "items": [ELSEWHERE],
            "megapixels": 1,
            "variants": [{"suffix": "a", "style": its["name"]}],
        },
        *(422, "unknown-style"),
    ),
    ("post /v1/estimates", "/items/variants/style"): (
        lambda its: {
            "style": "plain",
            "items": [ELSEWHERE | {"variants": [{"custom_id": "1", "style": its["name"]}]}],
            "megapixels": 1,
        },
        *(422, "unknown-style"),
    ),
    ("post /v1/estimates", "/style"): (
        lambda its: {"style": its["name"], "count": 3},
        *(422, "unknown-style"),
    ),
    ("post /v1/estimates", "/items/style"): (
        lambda its: {"style": "plain", "items": [ELSEWHERE | {"style": its["name"]}]},
        *(422, "unknown-style"),
    ),
    ("post /v1/estimates", "/input/upload_id"): (
        lambda its: {"style": "plain", "input": {"upload_id": its["upload_id"]}},
        *(422, "unknown-upload"),
    ),
    ("post /v1/estimates", "/mask/upload_id"): (
        lambda its: {
            "style": "plain",
            "megapixels": 1,
            "input": {"url": "https://shop.example/a.jpg"},
            "mask": {"upload_id": its["upload_id"]},
        },
        *(422, "unknown-upload"),
    ),
    ("post /v1/styles", "/picture/upload_id"): (
        lambda its: {**WORDS, "licence": LICENCE, "picture": {"upload_id": its["upload_id"]}},
        *(422, "unknown-upload"),
    ),
    ("post /v1/erasures", "/asset"): (lambda its: {"asset": its["sha256"]}, 404, "not-found"),
    ("post /v1/erasures", "/job"): (lambda its: {"job": its["job_id"]}, 404, "not-found"),
    ("post /v1/erasures", "/campaign"): (
        lambda its: {"campaign": its["campaign_id"]},
        *(404, "not-found"),
    ),
}

#: Fields that look like names of things and are none, or are tried by a test of their own.
TRIED_ELSEWHERE = {
    ("post /v1/uploads", "/sha256"),  # test_equal_bytes_of_two_tenants_stay_apart
    ("post /v1/campaigns", "/items/custom_id"),  # the caller's own word
    ("post /v1/campaigns", "/items/variants/custom_id"),
    ("post /v1/estimates", "/items/variants/custom_id"),
    ("put /v1/tenant/retention", "/jobs"),  # days
    # A bad item fails alone: test_a_campaign_cannot_use_another_tenants_uploads.
    ("post /v1/campaigns", "/items/input/upload_id"),
    ("post /v1/campaigns", "/items/mask/upload_id"),
    # Told as objections, which cost nothing: test_an_estimate_cannot_use_another_tenants_uploads.
    ("post /v1/estimates", "/items/custom_id"),
    # Found in vain: test_a_review_finds_nothing_of_another_tenants.
    ("post /v1/reviews", "/query/campaign_id"),
    ("post /v1/reviews", "/query/style"),
    ("post /v1/estimates", "/items/input/upload_id"),
    ("post /v1/estimates", "/items/mask/upload_id"),
}
NAMES_A_THING = re.compile(
    r"(?!.*(webhook|output))(.*_ids?|.*_?(sha256|digest)|style|asset|job|campaign|prefix|preset)s?"
)


def fields(document: Any, schema: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a body, however deep."""
    if reference := schema.get("$ref"):
        yield from fields(
            document, document["components"]["schemas"][reference.rpartition("/")[2]], pointer
        )
    for kind in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(kind, []):
            yield from fields(document, one, pointer)
    if "items" in schema:
        yield from fields(document, schema["items"], pointer)
    for name, inner in schema.get("properties", {}).items():
        yield f"{pointer}/{name}", inner
        yield from fields(document, inner, f"{pointer}/{name}")


def naming() -> Iterator[tuple[str, str]]:
    """Operations and their fields that name a thing."""
    whole = document()
    for method, path, operation in operations():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        for pointer, schema in fields(whole, body["schema"]) if body else ():
            formats = [one.get("format") for one in [schema, *schema.get("anyOf", [])]]
            if "uuid" in formats or NAMES_A_THING.fullmatch(pointer.rpartition("/")[2]):
                yield f"{method} {path}", pointer


def test_every_field_that_names_a_thing_is_tried() -> None:
    known = set(FIELDS) | TRIED_ELSEWHERE
    assert set(naming()) - known == set(), "say in FIELDS what a stranger hears"
    assert known - set(naming()) == set(), "these fields are gone"


@pytest.mark.parametrize("field", FIELDS, ids=" ".join)
def test_another_tenants_things_cannot_be_named_in_a_body(
    shared_api: Api, shared_client: TestClient, field: tuple[str, str]
) -> None:
    body, status, code = FIELDS[field]
    its = things(shared_client, shared_api)
    before = shared_api.stored()
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    method, _, path = field[0].partition(" ")
    answer = shared_client.request(method, path, json=body(its), headers=stranger)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert shared_api.stored() == before


def test_a_campaign_cannot_use_another_tenants_uploads(
    shared_api: Api, shared_client: TestClient
) -> None:
    its = things(shared_client, shared_api)
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    mine = {"custom_id": "1", "input": {"upload_id": its["upload_id"]}}
    masked = {**ELSEWHERE, "custom_id": "2", "mask": {"upload_id": its["upload_id"]}}
    body = {"name": "x", "style": "plain", "items": [mine, masked]}
    made = shared_client.post("/v1/campaigns", json=body, headers=stranger).json()
    page = shared_client.get(made["urls"]["items"], headers=stranger).json()
    assert [item["error"]["code"] for item in page["data"]] == ["unknown-upload"] * 2


def test_an_estimate_cannot_use_another_tenants_uploads(
    shared_api: Api, shared_client: TestClient
) -> None:
    its = things(shared_client, shared_api)
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    mine = {"custom_id": "1", "input": {"upload_id": its["upload_id"]}}
    masked = {**ELSEWHERE, "custom_id": "2", "mask": {"upload_id": its["upload_id"]}}
    body = {"style": "plain", "items": [mine, masked], "megapixels": 1}
    found = shared_client.post("/v1/estimates", json=body, headers=stranger).json()
    told = [(one["code"], one["jobs"]) for one in found["objections"]]
    assert {code for code, _ in told} == {"unknown-upload"}
    assert sum(jobs for _, jobs in told) == 2


@pytest.mark.parametrize(("word", "thing"), [("campaign_id", "campaign_id"), ("style", "name")])
def test_a_review_finds_nothing_of_another_tenants(
    shared_api: Api, shared_client: TestClient, word: str, thing: str
) -> None:
    its = things(shared_client, shared_api)
    work(shared_api, amount=100)
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    query = {word: its[thing]}
    page = shared_client.get("/v1/reviews", params=query, headers=stranger)
    assert page.json()["data"] == []
    verdict = {"decision": "approve", "query": query}
    before = shared_api.stored()
    answer = shared_client.post("/v1/reviews", json=verdict, headers=stranger)
    assert answer.json()["count"] == 0
    assert shared_api.stored() == before


def test_deliveries_of_another_tenants_work_are_not_found(
    shared_api: Api, shared_client: TestClient
) -> None:
    its = things(shared_client, shared_api)
    work(shared_api, amount=10_000, lane=Lane.CAMPAIGN)
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    for word in ("campaign_id", "job_id"):
        its_own = its["done_job_id"] if word == "job_id" else its[word]
        asked: dict[str, Any] = {"params": {word: its_own}}
        assert shared_client.get("/v1/webhook-deliveries", **asked).json()["data"]
        theirs = shared_client.get("/v1/webhook-deliveries", headers=stranger, **asked)
        assert theirs.json()["data"] == []


#: Listings that may show others of the first tenant's first, and what they are asked for.
LISTED = {"/v1/costs": "?group_by=job", "/v1/reviews": "?"}

#: Queries that name nothing.
PLAIN = {
    "options",  # of a campaign, the fields of its body
    *("error", "days", "territory", "limit", "status", "format", "version", "group_by"),
    *("since", "until", "warning"),
    *("campaign_id", "custom_id_prefix", "style"),  # test_a_review_finds_nothing_of_another_...
    *(
        "state",
        "event",
        "job_id",
        "dry_run",
    ),  # test_deliveries_of_another_tenants_work_are_not_found
    *("name", "rendition"),  # test_a_preset_is_its_tenants_alone, and of the job in the path
    *("owner", "expires", "signature", "sha256", "kind"),  # of a link, under its signature
}


def test_every_query_is_known() -> None:
    for method, path, operation in operations():
        queries = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        unknown = queries - PLAIN - {"cursor"}
        assert not unknown, f"{method} {path}: may {unknown} name another tenant's things?"


PAGED = [
    path
    for _, path, operation in operations()
    if any(one["name"] == "cursor" for one in operation.get("parameters", []))
]


def second_page(api: Api, client: TestClient, path: str) -> tuple[str, str]:
    """A listing of the first tenant's that has one, and the cursor that leads there."""
    for _ in range(2):
        its = things(client, api)
    prepare(api, client, path)
    if path.endswith("/manifest-errors"):
        its["campaign_id"] = its["listed_campaign_id"]
    mine = place(path, its | ({"name": "plain"} if path.startswith("/v1/styles/") else {}))
    mine += LISTED.get(mine, "?")
    cursor = client.get(f"{mine}&limit=1").json()["next_cursor"]
    assert cursor, f"{path}: let `things` make two, so that there is a second page"
    return mine, cursor


@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_opens_nothing_of_another_tenants(
    shared_api: Api, shared_client: TestClient, path: str
) -> None:
    mine, cursor = second_page(shared_api, shared_client, path)
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    answer = shared_client.get(f"{mine}&cursor={quote(cursor)}", headers=stranger)
    hidden = "{" in path and not path.startswith("/v1/styles/")
    assert answer.status_code == (404 if hidden else 400), answer.text


@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_with_one_bit_changed_opens_nothing(
    shared_api: Api, shared_client: TestClient, path: str
) -> None:
    mine, whole = second_page(shared_api, shared_client, path)
    cursor = urlsafe_b64decode(whole)
    for place in (0, len(cursor) // 2, len(cursor) - 1):
        bent = bytearray(cursor)
        bent[place] ^= 1
        answer = shared_client.get(f"{mine}&cursor={quote(urlsafe_b64encode(bent))}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request"), place


@pytest.mark.parametrize(("method", "path"), KEYED)
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer imp_x_y"},
        {"Authorization": "Bearer \xff"},
        {"Authorization": "Basic dXNlcjp3b3Jk"},
        {"Authorization": "", "X-API-Key": "imp_x_y"},
    ],
    ids=["none", "empty", "unknown", "not ASCII", "another scheme", "unknown in X-API-Key"],
)
def test_no_route_opens_without_a_key(
    shared_client: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    address = path.replace("{sha256}", "a" * 64)
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    # No key, no word about the body: not even that it is broken.
    answer = shared_client.request(method, address, headers=sent, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_key_may_come_in_either_header(shared_api: Api, shared_client: TestClient) -> None:
    headers = {"Authorization": "", "X-API-Key": shared_api.key}
    assert shared_client.get("/v1/jobs", headers=headers).status_code == 200
    headers = {"Authorization": f"bearer  {shared_api.key} "}
    assert shared_client.get("/v1/jobs", headers=headers).status_code == 200


def test_a_revoked_key_opens_nothing_within_a_second(api: Api, client: TestClient) -> None:
    assert client.get("/v1/jobs").status_code == 200
    with api.desk.sessions.begin() as session:
        keys.revoke(session, api.key[4:12])
    revoked = monotonic()
    while client.get("/v1/jobs").status_code == 200:
        assert monotonic() - revoked < SECONDS + 5
    assert client.get("/v1/jobs").json()["code"] == "unauthorized"


def test_tenants_do_not_see_each_others_listings(
    shared_api: Api, shared_client: TestClient
) -> None:
    its = things(shared_client, shared_api)
    ids = [one for name, one in its.items() if name.endswith("_id") or name == "prefix"]
    work(shared_api, amount=100)
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    for _, path, operation in operations():
        if not any(one["name"] == "cursor" for one in operation.get("parameters", [])):
            continue
        if "{" in path:
            continue
        if path in LISTED:
            path += LISTED[path]
            assert shared_client.get(path).json()["data"]
            assert shared_client.get(path, headers=stranger).json()["data"] == []
            continue
        mine, theirs = shared_client.get(path).text, shared_client.get(path, headers=stranger).text
        assert any(one in mine for one in ids), path
        assert not any(one in theirs for one in ids), path


def test_equal_bytes_of_two_tenants_stay_apart(shared_api: Api, shared_client: TestClient) -> None:
    upload_of(shared_client, jpeg((80, 60)))
    shared_client.headers["Authorization"], mine = (
        f"Bearer {shared_api.stranger}",
        shared_client.headers["Authorization"],
    )
    try:
        assert announce(shared_client, jpeg((80, 60)))["received"] is False
    finally:
        shared_client.headers["Authorization"] = mine


def test_webhook_secrets_differ_between_tenants(shared_api: Api, shared_client: TestClient) -> None:
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    mine = shared_client.get("/v1/webhook-secret")
    theirs = shared_client.get("/v1/webhook-secret", headers=stranger)
    assert mine.json()["secret"] != theirs.json()["secret"]
    assert mine.json()["secret"].startswith("whsec_")
    assert mine.headers["cache-control"] == "no-store"


def test_a_signed_link_belongs_to_one_tenant(api: Api, client: TestClient) -> None:
    client.post("/v1/jobs", files={"content": jpeg()}, data={"style": "plain"})
    [job_id] = work(api)
    url = client.get(f"/v1/jobs/{job_id}").json()["output"]["url"]
    nobody = {"Authorization": ""}
    assert client.get(url, headers=nobody).status_code == 200
    other = url.replace(str(api.ground.tenant_id), str(job_id))
    assert client.get(other, headers=nobody).status_code == 401
