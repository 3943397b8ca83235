"""Webhook endpoints and the delivery log, as a tenant has them over HTTP."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.testclient import TestClient

from app.db.endpoints import MOST, RETIRED
from app.egress import Egress
from app.settings import WebhookSettings
from app.webhooks import Sender
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_refusals import refusal
from tests.loopback import Loopback, Received, Resolver, Script, Wire, reply, serving
from workers.delivery import PostRoom, deliver

PLACE = "/v1/webhook-endpoints"
LOG = "/v1/webhook-deliveries"


@pytest.fixture
def api(api: Api) -> Api:
    """One that also sends to this machine."""
    settings = api.desk.settings.model_copy(
        update={"webhooks": WebhookSettings(allow_private=True)}
    )
    return replace(api, desk=replace(api.desk, settings=settings))


@contextmanager
def sending(api: Api, **seams: Any) -> Iterator[PostRoom]:
    """An io worker's post room on the same database."""
    with closing(Egress(**{"allow_private": True, **seams})) as egress:
        secret = api.desk.settings.secret_key.get_secret_value()
        sender = Sender(egress, timeout=5)
        room = PostRoom(api.desk.sessions, sender, secret_key=secret, slots=4, hold=60)
        yield room
        room.close()


@pytest.fixture
def post(api: Api) -> Iterator[Callable[[], None]]:
    """Sends what is due."""
    with sending(api) as room:
        yield lambda: print(deliver(room))  # noqa: T201 - pytest shows it where a test fails


@pytest.fixture
def receiving() -> Iterator[Callable[[Script], Loopback]]:
    with ExitStack() as servers:
        yield lambda script: servers.enter_context(serving(script))


def create(client: TestClient, url: str, **wanted: Any) -> dict[str, Any]:
    answer = client.post(PLACE, json={"url": url, **wanted})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{PLACE}/{made['id']}"
    return made


def get(client: TestClient, path: str, **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def do(client: TestClient, path: str, body: Any = None, **query: Any) -> Any:
    answer = client.post(path, json=body, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def make_due(api: Api) -> None:
    """Time passes."""
    with api.desk.sessions.begin() as session:
        session.execute(text("UPDATE deliveries SET due_at = now() WHERE state = 'pending'"))


def fine(_: Received) -> list[bytes]:
    return [reply(204)]


def test_an_endpoint_is_made_found_changed_and_deleted(client: TestClient) -> None:
    made = create(client, "https://shop.example/hooks", events=["job.failed"], description="Shop")
    assert (made["enabled"], made["circuit"], made["signatures"]) == (True, "closed", ["v1"])
    path = f"{PLACE}/{made['id']}"
    assert get(client, path) == made
    assert get(client, PLACE)["data"] == [made]
    change = {"events": None, "url": "https://shop.example/new", "signatures": ["v1", "v1a"]}
    changed = client.patch(path, json=change).json()
    assert changed == {**made, **change}
    assert client.patch(path, json={}).json() == changed
    assert client.delete(path).json()["disabled_because"] == "deleted"
    refusal(client.get(path), 404, "not-found")
    refusal(client.delete(path), 404, "not-found")
    assert get(client, PLACE)["data"] == []


def test_a_test_event_arrives_signed_and_its_log_tells_all(
    api: Api,
    client: TestClient,
    receiving: Callable[[Script], Loopback],
    post: Callable[[], None],
) -> None:
    receiver = receiving(lambda _: [reply(200, b"thanks")])
    endpoint = create(client, f"{receiver.url}/hooks", events=["campaign.completed"])
    sent = do(client, f"{PLACE}/{endpoint['id']}/test")
    assert (sent["state"], sent["event"], sent["attempts"]) == ("pending", "endpoint.test", 0)
    assert api.tickets.deliveries == 1
    post()
    [seen] = receiver.received
    secret = client.get(f"{PLACE}/{endpoint['id']}/secret")
    assert secret.headers["cache-control"] == "no-store"
    body = Webhook(secret.json()["secret"]).verify(seen.body, seen.headers)
    assert body["data"]["endpoint_id"] == endpoint["id"]
    log = get(client, f"{LOG}/{sent['id']}")
    assert (log["state"], log["response_status"]) == ("delivered", 200)
    assert log["payload"] == body
    assert log["event_id"] == seen.headers["webhook-id"]
    [attempt] = log["log"]
    assert (attempt["response_excerpt"], attempt["error"]) == ("thanks", None)
    assert attempt["duration_ms"] > 0


def test_two_endpoints_and_the_tenant_have_three_secrets(client: TestClient) -> None:
    secrets = {client.get("/v1/webhook-secret").json()["secret"]}
    for name in ("a", "b"):
        endpoint = create(client, f"https://{name}.example/")
        secrets.add(get(client, f"{PLACE}/{endpoint['id']}/secret")["secret"])
    assert len(secrets) == 3


def test_every_attempt_is_in_the_log_and_a_replay_begins_anew(
    api: Api,
    client: TestClient,
    receiving: Callable[[Script], Loopback],
    post: Callable[[], None],
) -> None:
    answers = [reply(500, b"no\0pe"), reply(503, b"x" * 9_000), b"nonsense", *[reply(204)] * 2]
    receiver = receiving(lambda _: [answers.pop(0)])
    endpoint = create(client, receiver.url)
    sent = do(client, f"{PLACE}/{endpoint['id']}/test")
    for _ in range(4):
        post()
        make_due(api)
    log = get(client, f"{LOG}/{sent['id']}")
    assert [one["response_status"] for one in log["log"]] == [500, 503, None, 204]
    assert log["log"][0]["response_excerpt"] == "nope"
    assert len(log["log"][1]["response_excerpt"]) == 2_048
    assert log["log"][2]["error"]["code"] == "source-unreachable"
    assert (log["attempts"], log["state"]) == (4, "delivered")
    again = do(client, f"{LOG}/{sent['id']}/replay")
    assert (again["state"], again["attempts"]) == ("pending", 0)
    post()
    log = get(client, f"{LOG}/{sent['id']}")
    assert (log["attempts"], len(log["log"]), log["state"]) == (1, 5, "delivered")
    assert len({seen.headers["webhook-id"] for seen in receiver.received}) == 1


def test_a_rotated_secret_signs_beside_the_new_one_for_a_day(
    api: Api,
    client: TestClient,
    receiving: Callable[[Script], Loopback],
    post: Callable[[], None],
) -> None:
    receiver = receiving(fine)
    path = f"{PLACE}/{create(client, receiver.url)['id']}"
    old = get(client, f"{path}/secret")["secret"]
    do(client, f"{path}/rotate-secret")
    secrets = get(client, f"{path}/secret")
    assert secrets["secret"] != old
    [kept] = secrets["old"]
    left = datetime.fromisoformat(kept["until"]) - datetime.now(UTC)
    assert kept["secret"] == old
    assert timedelta(hours=23, minutes=59) < left <= timedelta(days=1)
    do(client, f"{path}/test")
    post()
    [seen] = receiver.received
    assert len(seen.headers["webhook-signature"].split(" ")) == 2
    for secret in (old, secrets["secret"]):
        Webhook(secret).verify(seen.body, seen.headers)
    with api.desk.sessions.begin() as session:  # a day passes
        session.execute(
            text("""UPDATE webhook_endpoints SET retired = '{"1": "2026-01-01T00:00:00+00:00"}'""")
        )
    assert get(client, f"{path}/secret")["old"] == []
    do(client, f"{path}/test")
    post()
    late = receiver.received[-1]
    Webhook(secrets["secret"]).verify(late.body, late.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(late.body, late.headers)


def test_a_leaked_secret_ends_at_once_and_there_are_never_too_many(client: TestClient) -> None:
    path = f"{PLACE}/{create(client, 'https://shop.example/')['id']}"
    for _ in range(RETIRED):
        do(client, f"{path}/rotate-secret", {"overlap_seconds": 60})
    assert len(get(client, f"{path}/secret")["old"]) == RETIRED
    refusal(client.post(f"{path}/rotate-secret"), 409, "rotated-too-often")
    do(client, f"{path}/rotate-secret", {"overlap_seconds": 0})
    assert get(client, f"{path}/secret")["old"] == []
    for wrong in (-1, 86_401, "soon"):
        answer = client.post(f"{path}/rotate-secret", json={"overlap_seconds": wrong})
        refusal(answer, 422, "invalid-request")


def test_ed25519_signatures_verify_with_the_public_key_also_after_a_rotation(
    client: TestClient, receiving: Callable[[Script], Loopback], post: Callable[[], None]
) -> None:
    receiver = receiving(fine)
    path = f"{PLACE}/{create(client, receiver.url, signatures=['v1a', 'v1'])['id']}"
    before = get(client, f"{path}/secret")
    do(client, f"{path}/rotate-secret")
    after = get(client, f"{path}/secret")
    assert after["old"][0]["public_key"] == before["public_key"] != after["public_key"]
    do(client, f"{path}/test")
    post()
    [seen] = receiver.received
    Webhook(before["secret"]).verify(seen.body, seen.headers)
    kinds = [one.split(",") for one in seen.headers["webhook-signature"].split(" ")]
    assert [kind for kind, _ in kinds] == ["v1", "v1", "v1a", "v1a"]
    content = b"%s.%s.%s" % (
        seen.headers["webhook-id"].encode(),
        seen.headers["webhook-timestamp"].encode(),
        seen.body,
    )
    signatures = [b64decode(one) for kind, one in kinds if kind == "v1a"]
    for shown, signature in zip((after, before), signatures, strict=True):
        raw = b64decode(shown["public_key"].removeprefix("whpk_"))
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, content)


def test_an_endpoint_that_is_gone_is_disabled_and_the_others_hear_of_it(
    api: Api,
    client: TestClient,
    receiving: Callable[[Script], Loopback],
    post: Callable[[], None],
) -> None:
    gone, well, deaf = receiving(lambda _: [reply(410)]), receiving(fine), receiving(fine)
    endpoint = create(client, gone.url)
    create(client, well.url, events=["endpoint.disabled"])
    create(client, deaf.url, events=["job.failed"])
    path = f"{PLACE}/{endpoint['id']}"
    deliveries = [do(client, f"{path}/test") for _ in range(9)]
    post()
    shown = get(client, path)
    assert (shown["enabled"], shown["disabled_because"]) == (False, "gone")
    states = {get(client, f"{LOG}/{one['id']}")["state"] for one in deliveries}
    assert states == {"failed"}, "also those that were never sent"
    [seen] = well.received
    assert b'"because":"gone"' in seen.body
    assert endpoint["id"].encode() in seen.body
    assert deaf.received == []
    refusal(client.post(f"{path}/test"), 409, "endpoint-disabled")
    refusal(client.post(f"{LOG}/{deliveries[0]['id']}/replay"), 409, "endpoint-disabled")
    range_ = client.post(f"{path}/replay", params={"since": "2026-01-01T00:00:00Z"})
    refusal(range_, 409, "endpoint-disabled")
    again = client.patch(path, json={"enabled": True}).json()
    assert (again["enabled"], again["disabled_because"], again["disabled_at"]) == (True, None, None)


def test_five_days_of_failures_disable_and_one_success_forgives(
    api: Api,
    client: TestClient,
    receiving: Callable[[Script], Loopback],
    post: Callable[[], None],
) -> None:
    answers = [reply(500), reply(204), reply(500), reply(500)]
    receiver = receiving(lambda _: [answers.pop(0)])
    path = f"{PLACE}/{create(client, receiver.url)['id']}"

    def age(days: float) -> None:
        with api.desk.sessions.begin() as session:
            session.execute(
                text("UPDATE circuits SET failing_since = now() - make_interval(secs => :s)"),
                {"s": days * 86_400},
            )

    do(client, f"{path}/test")
    post()
    assert get(client, path)["failing_since"] is not None
    age(6)
    make_due(api)
    post()
    assert (get(client, path)["failing_since"], get(client, path)["enabled"]) == (None, True)
    do(client, f"{path}/test")
    post()
    assert get(client, path)["enabled"], "it failed for no time at all"
    age(5.01)
    make_due(api)
    post()
    shown = get(client, path)
    assert (shown["enabled"], shown["disabled_because"]) == (False, "failing")
    again = client.patch(path, json={"enabled": True}).json()
    assert (again["failing_since"], again["circuit"]) == (None, "closed")


def test_disabling_gives_up_what_waits_and_replays_bring_it_back(
    api: Api,
    client: TestClient,
    receiving: Callable[[Script], Loopback],
    post: Callable[[], None],
) -> None:
    receiver = receiving(fine)
    path = f"{PLACE}/{create(client, receiver.url)['id']}"
    do(client, f"{path}/test")
    post()
    do(client, f"{path}/test")
    assert client.patch(path, json={"enabled": False}).json()["disabled_because"] == "asked"
    post()
    assert len(receiver.received) == 1
    client.patch(path, json={"enabled": True})
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for query, count in (
        ({}, 2),
        ({"state": "failed"}, 1),
        ({"state": "delivered"}, 1),
        ({"until": since}, 0),
    ):
        counted = do(client, f"{path}/replay", since=since, dry_run=True, **query)
        assert counted == {"count": count, "dry_run": True}
    post()
    assert len(receiver.received) == 1, "a dry run sends nothing"
    assert do(client, f"{path}/replay", since=since) == {"count": 2, "dry_run": False}
    assert do(client, f"{path}/replay", since=since)["count"] == 0, "they are on their way"
    post()
    assert len(receiver.received) == 3


def test_a_changed_address_takes_what_waits_along(
    api: Api,
    client: TestClient,
    receiving: Callable[[Script], Loopback],
    post: Callable[[], None],
) -> None:
    old, new = receiving(lambda _: [reply(500)]), receiving(fine)
    path = f"{PLACE}/{create(client, old.url)['id']}"
    do(client, f"{path}/test")
    post()
    client.patch(path, json={"url": new.url})
    make_due(api)
    post()
    assert (len(old.received), len(new.received)) == (1, 1)


def test_the_log_is_read_in_pages_and_by_what_is_wanted(
    api: Api, client: TestClient, post: Callable[[], None]
) -> None:
    endpoint, other = (create(client, f"https://{name}.example/") for name in ("a", "b"))
    client.patch(f"{PLACE}/{other['id']}", json={"enabled": False})
    item = {"input": {"url": "https://shop.example/1.jpg"}}
    items = [{"custom_id": str(number), **item} for number in range(3)]
    campaign = client.post("/v1/campaigns", json={"name": "c", "style": "plain", "items": items})
    campaign_id = campaign.json()["id"]
    client.post(f"/v1/campaigns/{campaign_id}/cancel")
    do(client, f"{PLACE}/{endpoint['id']}/test")
    names: list[str] = []
    address = f"{LOG}?limit=2"
    while address:
        answer = client.get(address)
        names += [one["event"] for one in answer.json()["data"]]
        address = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert names == ["endpoint.test", "campaign.completed", *["job.canceled"] * 3]
    jobs = [one["job_id"] for one in get(client, LOG, event="job.canceled")["data"]]
    assert len(get(client, LOG, job_id=jobs[0])["data"]) == 1
    assert len(get(client, LOG, campaign_id=campaign_id)["data"]) == 4
    assert get(client, LOG, state="delivered")["data"] == []
    assert len(get(client, f"{PLACE}/{endpoint['id']}/deliveries")["data"]) == 5
    assert get(client, f"{PLACE}/{other['id']}/deliveries")["data"] == []
    cursor = get(client, LOG, limit=1)["next_cursor"]
    of_other = client.get(f"{PLACE}/{other['id']}/deliveries", params={"cursor": cursor})
    refusal(of_other, 400, "bad-request")
    refusal(client.get(LOG, params={"state": "lost"}), 422, "invalid-request")
    refusal(client.get(LOG, params={"event": "job.x"}), 422, "invalid-request")


def test_there_are_so_many_endpoints_and_no_more(client: TestClient) -> None:
    made = [create(client, f"https://shop.example/{number}") for number in range(MOST)]
    refusal(client.post(PLACE, json={"url": "https://shop.example/"}), 409, "too-many-endpoints")
    client.delete(f"{PLACE}/{made[0]['id']}")
    create(client, "https://shop.example/")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "https://shop.example/\x00"}, "/url"),
        ({"url": "https://shop.example/" + "a" * 2_048}, "/url"),
        ({"url": "https://shop.example", "events": []}, "/events"),
        ({"url": "https://shop.example", "events": ["job.x"]}, "/events/0"),
        ({"url": "https://shop.example", "signatures": ["v1a"]}, ""),
        ({"url": "https://shop.example", "signatures": ["v2"]}, "/signatures/0"),
        ({"url": "https://shop.example", "description": "x" * 501}, "/description"),
        ({"url": "https://shop.example", "secret": "whsec_mine"}, "/secret"),
    ],
)
def test_an_endpoint_that_makes_no_sense_is_refused(
    client: TestClient, body: dict[str, Any], pointer: str
) -> None:
    problem = refusal(client.post(PLACE, json=body), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == pointer
    path = f"{PLACE}/{create(client, 'https://shop.example')['id']}"
    if body:
        refusal(client.patch(path, json=body), 422, "invalid-request")
    for name in ("url", "enabled", "signatures", "description"):
        refusal(client.patch(path, json={name: None}), 422, "invalid-request")


def test_replays_ask_for_a_moment_with_its_zone(client: TestClient) -> None:
    path = f"{PLACE}/{create(client, 'https://shop.example')['id']}/replay"
    for since in (None, "yesterday", "2026-11-22T12:00:00", "9" * 30):
        query = {} if since is None else {"since": since}
        refusal(client.post(path, params=query), 422, "invalid-request")


@contextmanager
def guarded(api: Api, resolver: Resolver) -> Iterator[TestClient]:
    """The API as it is by default, in a world where this resolver answers."""
    settings = api.desk.settings.model_copy(update={"webhooks": WebhookSettings()})
    desk = replace(api.desk, settings=settings, lookup=resolver)
    with speaking(replace(api, desk=desk)) as client:
        yield client


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/hooks",
        "http://localhost/hooks",
        "http://2130706433/hooks",
        "http://[::ffff:127.0.0.1]/hooks",
        "http://169.254.169.254/latest/meta-data",
        "https://user:word@shop.example/hooks",
        "https://shop.example:8443/hooks",
        "file:///etc/passwd",
    ],
)
def test_an_address_inside_is_refused_when_it_is_named(api: Api, url: str) -> None:
    resolver = Resolver(["93.184.216.34"])
    with guarded(api, resolver) as client:
        refusal(client.post(PLACE, json={"url": url}), 422, "source-forbidden")
        path = f"{PLACE}/{create(client, 'https://shop.example/')['id']}"
        refusal(client.patch(path, json={"url": url}), 422, "source-forbidden")
        assert get(client, path)["url"] == "https://shop.example/"


def test_a_name_that_leads_inside_is_refused_when_it_is_named(api: Api) -> None:
    with guarded(api, Resolver(["93.184.216.34", "10.0.0.7"])) as client:
        answer = client.post(PLACE, json={"url": "https://shop.example/"})
        refusal(answer, 422, "source-forbidden")


def test_a_name_without_an_address_yet_is_taken(api: Api) -> None:
    with guarded(api, Resolver([])) as client:
        create(client, "https://soon.example/")


def test_a_name_that_leads_inside_later_is_never_dialled(api: Api) -> None:
    rebinding = Resolver(["93.184.216.34"], ["127.0.0.1"])
    with serving(fine) as receiver, guarded(api, rebinding) as client:
        wire = Wire(receiver.port)
        endpoint = create(client, "http://shop.example/")
        assert rebinding.asked == [("shop.example", 80)]
        sent = do(client, f"{PLACE}/{endpoint['id']}/test")
        with sending(api, allow_private=False, lookup=rebinding, dial=wire) as room:
            assert deliver(room) == {"sent": 1, "delivered": 0}
        assert (wire.dialled, receiver.received) == ([], [])
        [attempt] = get(client, f"{LOG}/{sent['id']}")["log"]
        assert attempt["error"]["code"] == "source-forbidden"
        assert (attempt["response_status"], attempt["response_excerpt"]) == (None, None)
