"""Mixes, colours, variants and masks through the door."""

from hashlib import sha256
from io import BytesIO
from typing import Any

import httpx2
import pytest
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient

from app.db.models import Job, Style, StyleVersion
from app.domain.style import StyleStatus
from tests.integration.conftest import Api, work
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import announce, upload_of
from tests.unit.pictures import animated, jpeg, png, png_bomb

NOWHERE = "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"


@pytest.fixture(autouse=True)
def styles(api: Api) -> None:
    """Beside `plain`: `wave` in two versions, and `night`."""
    with api.desk.sessions.begin() as session:
        session.add_all([Style(slug="wave", title="Wave"), Style(slug="night", title="Night")])
        session.flush()
        for slug, version in (("wave", 1), ("wave", 2), ("night", 1)):
            session.add(
                StyleVersion(
                    slug=slug,
                    version=version,
                    stylizer_digest="a" * 64,
                    status=StyleStatus.ACTIVE,
                    embedding=b"\0" * 4,
                    card={},
                )
            )


def grey(size: tuple[int, int] = (64, 48), shade: int = 255) -> bytes:
    out = BytesIO()
    Image.new("L", size, shade).save(out, "PNG")
    return out.getvalue()


def form(client: TestClient, file: bytes | None = None, **fields: Any) -> httpx2.Response:
    """A picture, its mask as a `file`, and fields."""
    files = {"content": ("a.jpg", jpeg())}
    if file is not None:
        files["mask"] = ("mask.png", file)
    return client.post("/v1/jobs", files=files, data={"style": "plain"} | fields)


def order(client: TestClient, **changes: Any) -> httpx2.Response:
    body = {"style": "plain", "input": {"upload_id": upload_of(client, jpeg())}}
    return client.post("/v1/jobs", json=body | changes)


@pytest.mark.parametrize(
    ("asked", "shown", "shares"),
    [
        ("wave:0.6,night:0.4", "wave@2:0.6,night@1:0.4", {"wave@2": 0.6, "night@1": 0.4}),
        ("night:1, wave@1:3", "wave@1:0.75,night@1:0.25", {"wave@1": 0.75, "night@1": 0.25}),
        ("wave@1:7,wave:7", "wave@1:0.5,wave@2:0.5", {"wave@1": 0.5, "wave@2": 0.5}),
        ("night:0.2", "night@1", None),
    ],
)
def test_a_mix_is_pinned_and_its_shares_sum_to_one(
    api: Api, client: TestClient, asked: str, shown: str, shares: dict[str, float] | None
) -> None:
    job = form(client, style=asked).json()
    assert job["style"] == shown
    assert job["parameters"].get("mix") == shares
    work(api)
    finished = client.get(job["urls"]["get"]).json()
    assert finished["provenance"]["style"] == shown
    assert finished["provenance"]["parameters"] == job["parameters"]


def test_a_mix_counts_as_the_style_of_its_largest_share(api: Api, client: TestClient) -> None:
    form(client, style="night:1,wave@1:3")
    with api.desk.sessions() as session:
        version = session.scalars(
            select(StyleVersion).join(Job, Job.style_version_id == StyleVersion.id)
        ).one()
    assert (version.slug, version.version) == ("wave", 1)


def test_equal_mixes_are_equal_renders_and_others_are_not(api: Api, client: TestClient) -> None:
    for style in ("wave:3,night:1", "night:0.25, wave@2:0.75", "wave:2,night:1", "wave"):
        assert form(client, style=style).status_code == 202
    with api.desk.sessions() as session:
        one, same, other, alone = session.scalars(select(Job.render_key).order_by(Job.id)).all()
    assert one == same
    assert len({one, other, alone}) == 3


@pytest.mark.parametrize(
    ("style", "code", "words"),
    [
        ("wave:0.5,nobody:0.5", "unknown-style", "nobody"),
        ("wave:0.5,night@9:0.5", "unknown-style", "night@9"),
        ("wave:0.5,Night:0.5", "unknown-style", "Night"),
        ("wave:-0.5,night:1.5", "invalid-request", "above 0"),
        ("wave:0,night:1", "invalid-request", "above 0"),
        ("wave,night", "invalid-request", "say how much"),
        ("wave:0.5,wave:0.5", "invalid-request", "twice"),
        ("wave:0.5,wave@2:0.5", "invalid-request", "same version"),
        (",".join(f"wave@{n}:1" for n in range(1, 10)), "invalid-request", "at most 8"),
        ("wave:lots,night:1", "invalid-request", "not a number"),
    ],
)
def test_a_mix_that_is_none_is_refused(
    api: Api, client: TestClient, style: str, code: str, words: str
) -> None:
    before = api.stored()
    problem = refusal(form(client, style=style), 422, code)
    assert words in problem["detail"]
    if code == "invalid-request":
        assert problem["errors"][0]["pointer"] == "/style"
    assert api.stored() == before


def test_every_control_of_the_form_reaches_the_job(api: Api, client: TestClient) -> None:
    answer = form(
        client,
        grey(),
        keep_colour="0.5",
        variation="4294967295",
        deterministic="true",
        mask_feather="0.1",
    )
    assert answer.status_code == 202, answer.text
    digest = sha256(grey()).hexdigest()
    controls = {
        "keep_colour": 0.5,
        "variation": 2**32 - 1,
        "deterministic": True,
        "mask": {"digest": digest, "feather": 0.1},
    }
    assert answer.json()["parameters"].items() >= controls.items()
    assert client.get(f"/v1/assets/{digest}").content == grey()
    assert client.get(f"/v1/assets/{sha256(jpeg()).hexdigest()}").content == jpeg()


def test_every_control_in_json_reaches_the_job(client: TestClient) -> None:
    mask = {"upload_id": upload_of(client, grey())}
    answer = order(client, keep_colour=1, variation=0, deterministic=True, mask=mask)
    assert answer.status_code == 202, answer.text
    controls = {
        "keep_colour": 1.0,
        "variation": 0,
        "deterministic": True,
        "mask": {"digest": sha256(grey()).hexdigest(), "feather": 0.02},
    }
    assert answer.json()["parameters"].items() >= controls.items()


def test_what_nobody_asked_for_is_not_shown(client: TestClient) -> None:
    assert set(form(client).json()["parameters"]) == {"strength", "output"}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"keep_colour": 1.01}, "/keep_colour"),
        ({"keep_colour": -0.01}, "/keep_colour"),
        ({"keep_colour": "much"}, "/keep_colour"),
        ({"variation": -1}, "/variation"),
        ({"variation": 2**32}, "/variation"),
        ({"variation": 0.5}, "/variation"),
        ({"deterministic": "perhaps"}, "/deterministic"),
        ({"mask": {"upload_id": NOWHERE, "feather": 0.26}}, "/mask/feather"),
        ({"mask": {"upload_id": NOWHERE, "feather": -0.1}}, "/mask/feather"),
        ({"mask": {"upload_id": "x"}}, "/mask/upload_id"),
        ({"mask": {"url": "https://shop.example/mask.png"}}, "/mask/upload_id"),
        ({"mask": NOWHERE}, "/mask"),
    ],
)
def test_a_control_out_of_range_is_pointed_at(
    client: TestClient, changes: dict[str, Any], pointer: str
) -> None:
    problem = refusal(order(client, **changes), 422, "invalid-request")
    assert pointer in [reason["pointer"] for reason in problem["errors"]]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"keep_colour": "NaN"}, "/keep_colour"),
        ({"variation": "4294967296"}, "/variation"),
        ({"mask_feather": "0.3"}, "/mask_feather"),
        ({"mask": "text"}, "/mask"),
    ],
)
def test_a_control_of_the_form_out_of_range_is_pointed_at(
    client: TestClient, fields: dict[str, Any], pointer: str
) -> None:
    problem = refusal(form(client, **fields), 422, "invalid-request")
    assert pointer in [reason["pointer"] for reason in problem["errors"]]


@pytest.mark.parametrize("size", [(33, 200), (640, 480), (64, 48)])
def test_a_mask_of_any_size_is_accepted(client: TestClient, size: tuple[int, int]) -> None:
    assert form(client, grey(size)).status_code == 202


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (b"hello, I am a text file", "invalid-image"),
        (b"", "invalid-image"),
        (animated("PNG"), "invalid-image"),
        (png((8, 8)), "invalid-image"),
        (png_bomb(50_000), "image-too-large"),
    ],
    ids=["text", "nothing", "animated", "tiny", "bomb"],
)
def test_a_mask_we_do_not_take_leaves_nothing(
    api: Api, client: TestClient, mask: bytes, code: str
) -> None:
    before = api.stored()
    problem = refusal(form(client, mask), 422, code)
    assert problem["detail"].startswith("mask: ")
    assert api.stored() == before
    assert api.tickets.lanes == []


def test_a_mask_that_is_not_there_is_refused_whosever_it_is(api: Api, client: TestClient) -> None:
    with TestClient(api.app, headers={"Authorization": f"Bearer {api.stranger}"}) as stranger:
        strange = upload_of(stranger, grey(shade=7))
    promised = announce(client, grey(shade=8))["id"]
    for upload_id in (NOWHERE, strange, promised):
        problem = refusal(order(client, mask={"upload_id": upload_id}), 422, "unknown-upload")
        assert problem["detail"].startswith("mask: ")


def test_an_item_may_have_a_mask_and_controls_of_its_own(client: TestClient) -> None:
    common, own = upload_of(client, grey()), upload_of(client, grey(shade=9))
    given = {"upload_id": upload_of(client, jpeg())}
    items: list[dict[str, Any]] = [
        {"custom_id": "as all"},
        {"custom_id": "own mask", "mask": {"upload_id": own, "feather": 0}},
        {"custom_id": "own look", "style": "wave:1,night:1", "keep_colour": 0, "variation": 5},
        {"custom_id": "no mask there", "mask": {"upload_id": NOWHERE}},
    ]
    body = {
        "name": "spring",
        "style": "night:1,plain:3",
        "keep_colour": 0.5,
        "mask": {"upload_id": common},
        "items": [item | {"input": given} for item in items],
    }
    answer = client.post("/v1/campaigns", json=body)
    assert answer.status_code == 202, answer.text
    campaign = answer.json()
    assert campaign["style"] == "plain@1:0.75,night@1:0.25"
    assert (campaign["counts"]["queued"], campaign["counts"]["failed"]) == (3, 1)
    jobs = client.get(campaign["urls"]["items"]).json()["data"]
    as_all, own_mask, own_look, none = (job["parameters"] for job in jobs)
    assert as_all == campaign["parameters"]
    assert as_all["mask"]["digest"] == sha256(grey()).hexdigest()
    assert own_mask["mask"] == {"digest": sha256(grey(shade=9)).hexdigest(), "feather": 0}
    assert jobs[2]["style"] == "night@1:0.5,wave@2:0.5"
    assert own_look["variation"] == 5
    assert "keep_colour" not in own_look
    assert none["mask"] == as_all["mask"]
    assert jobs[3]["error"]["code"] == "unknown-upload"
    assert jobs[3]["error"]["detail"].startswith("mask: ")


def test_a_common_mask_that_is_not_there_refuses_the_campaign(api: Api, client: TestClient) -> None:
    item = {"custom_id": "1", "input": {"upload_id": upload_of(client, jpeg())}}
    before = api.stored()
    body = {"name": "c", "style": "plain", "mask": {"upload_id": NOWHERE}, "items": [item]}
    refusal(client.post("/v1/campaigns", json=body), 422, "unknown-upload")
    assert api.stored() == before


def test_a_picture_behind_an_address_may_have_a_mask(client: TestClient) -> None:
    answer = order(
        client,
        style="wave:1,night:1",
        input={"url": "https://shop.example/a.jpg"},
        mask={"upload_id": upload_of(client, grey())},
    )
    job = answer.json()
    assert (job["lane"], job["style"]) == ("fetch", "night@1:0.5,wave@2:0.5")
    assert job["parameters"]["mask"]["digest"] == sha256(grey()).hexdigest()


def test_the_document_tells_of_mixes_and_masks(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    wanted = schemas["JobRequest"]["properties"]
    assert "scaled to sum to 1" in wanted["style"]["description"]
    assert "great-wave:0.6,starry-night:0.4" in wanted["style"]["examples"]
    assert wanted["keep_colour"]["maximum"] == 1
    assert "white" in schemas["MaskRequest"]["description"]
