"""Campaigns by manifest: what is taken, what is refused, and that one line's fault is its own."""

import json
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.manifest import LONGEST_LINE
from app.settings import LimitSettings
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_uploads import announce, send, upload_of
from tests.tickets import ListTickets
from tests.unit.pictures import jpeg

OPTIONS = {"name": "spring", "style": "plain"}
CSV, JSONL = "text/csv", "application/x-ndjson"


def post(client: TestClient, body: bytes, kind: str = CSV, **options: Any) -> Any:
    """The answer to a manifest that is the body itself."""
    query = {"options": json.dumps(OPTIONS | options)}
    headers = {"content-type": kind}
    return client.post("/v1/campaigns", params=query, content=body, headers=headers)


def accepted(answer: Any) -> Any:
    assert answer.status_code == 202, answer.text
    return answer.json()


def jsonl(*lines: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def item(custom_id: Any, upload_id: str, **more: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "input": {"upload_id": upload_id}, **more}


def errors_of(client: TestClient, campaign: Any) -> list[tuple[int, str | None, str]]:
    rows = client.get(campaign["urls"]["manifest_errors"]).json()["data"]
    return [(row["line"], row["custom_id"], row["code"]) for row in rows]


def names(client: TestClient, campaign: Any) -> list[str]:
    rows = client.get(campaign["urls"]["items"], params={"limit": 200}).json()["data"]
    return [row["custom_id"] for row in rows]


@pytest.fixture
def api(shared_api: Api) -> Api:
    """One for all of these tests: they look at what they added."""
    assert isinstance(shared_api.tickets, ListTickets)
    shared_api.tickets.lanes.clear()
    return shared_api


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    return shared_client


@pytest.fixture
def upload(client: TestClient) -> str:
    return upload_of(client, jpeg())


class TestTheWaysIn:
    def test_jsonl_is_a_body(self, api: Api, client: TestClient, upload: str) -> None:
        lines = [item("1", upload), item("2", upload, strength=0.5, metadata={"page": 3})]
        campaign = accepted(post(client, jsonl(*lines), JSONL))
        assert campaign["counts"]["total"] == campaign["counts"]["queued"] == 2
        assert campaign["counts"]["refused"] == 0
        rows = client.get(campaign["urls"]["items"]).json()["data"]
        assert [row["custom_id"] for row in rows] == ["1", "2"]
        assert rows[1]["parameters"]["strength"] == 0.5
        assert rows[1]["metadata"] == {"page": 3}
        assert api.tickets.lanes == ["campaign"]

    def test_csv_is_a_body(self, client: TestClient, upload: str) -> None:
        body = (
            "custom_id,upload_id,style,strength,keep_colour,variation,metadata.page\r\n"
            f"1,{upload},plain@1,0.25,0.5,7,3\r\n"
            f"2,{upload},,,,,\r\n"
        )
        campaign = accepted(post(client, body.encode(), strength=0.75))
        rows = client.get(campaign["urls"]["items"]).json()["data"]
        first, second = rows[0]["parameters"], rows[1]["parameters"]
        assert (first["strength"], first["keep_colour"], first["variation"]) == (0.25, 0.5, 7)
        assert second["strength"] == 0.75
        assert [row["metadata"] for row in rows] == [{"page": "3"}, {}]

    @pytest.mark.parametrize("kind", ["application/octet-stream", "text/csv"])
    def test_a_form_brings_a_file(self, client: TestClient, upload: str, kind: str) -> None:
        body = f"custom_id,upload_id\n1,{upload}\n".encode()
        answer = client.post(
            "/v1/campaigns",
            data={"campaign": json.dumps(OPTIONS)},
            files={"manifest": ("Frühling.CSV", body, kind)},
        )
        assert accepted(answer)["counts"]["total"] == 1

    def test_an_upload_is_a_manifest_of_any_size(
        self, api: Api, client: TestClient, upload: str
    ) -> None:
        body = jsonl(*(item(str(number), upload) for number in range(1_500)))
        sent = announce(client, body, media_type=JSONL)
        assert sent["received"] is False
        waiting = {**OPTIONS, "manifest": {"upload_id": sent["id"]}}
        refused(client.post("/v1/campaigns", json=waiting), 422, "unknown-upload")
        assert send(client, sent, body).status_code == 204
        campaign = accepted(client.post("/v1/campaigns", json=waiting))
        assert campaign["counts"]["total"] == 1_500
        # Chunks keep the order of the lines.
        assert names(client, campaign) == [str(number) for number in range(200)]

    def test_a_manifest_is_no_picture_and_a_picture_no_manifest(
        self, client: TestClient, upload: str
    ) -> None:
        body = jsonl(item("1", upload))
        sent = announce(client, body, media_type=JSONL)
        assert send(client, sent, body).status_code == 204
        as_picture = {"style": "plain", "input": {"upload_id": sent["id"]}}
        refused(client.post("/v1/jobs", json=as_picture), 422, "unknown-upload")
        as_manifest = {**OPTIONS, "manifest": {"upload_id": upload}}
        refused(client.post("/v1/campaigns", json=as_manifest), 422, "unknown-upload")

    def test_another_tenants_manifest_is_not_there(
        self, api: Api, client: TestClient, upload: str
    ) -> None:
        body = jsonl(item("1", upload))
        sent = announce(client, body, media_type=JSONL)
        send(client, sent, body)
        wanted = {**OPTIONS, "manifest": {"upload_id": sent["id"]}}
        stranger = {"Authorization": f"Bearer {api.stranger}"}
        answer = client.post("/v1/campaigns", json=wanted, headers=stranger)
        refused(answer, 422, "unknown-upload")

    def test_other_bytes_than_the_announced_manifest_are_refused(self, client: TestClient) -> None:
        sent = announce(client, b"custom_id,url\n", media_type=CSV)
        refused(send(client, sent, b"custom_id,uri\n"), 422, "invalid-request")

    def test_an_announced_manifest_has_its_own_limit(self, api: Api, client: TestClient) -> None:
        limit = api.desk.settings.limits.manifest_bytes
        about = {"sha256": "a" * 64, "bytes": limit + 1, "media_type": CSV}
        refused(client.post("/v1/uploads", json=about), 413, "body-too-large")

    def test_a_repeated_manifest_makes_one_campaign(
        self, api: Api, client: TestClient, upload: str
    ) -> None:
        query, key = {"options": json.dumps(OPTIONS)}, {"idempotency-key": "spring"}
        headers = {"content-type": JSONL, **key}
        body = jsonl(*(item(str(number), upload) for number in range(1_200)))
        about: dict[str, Any] = {"params": query, "content": body, "headers": headers}
        before = api.stored()["jobs"]
        first = accepted(client.post("/v1/campaigns", **about))
        again = client.post("/v1/campaigns", **about)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["id"] == first["id"]
        assert api.stored()["jobs"] == before + 1_200


def refused(answer: Any, status: int, code: str) -> Any:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


class TestOneBadLineFailsAlone:
    """Every line that cannot be used is told with its number; the others become jobs."""

    def test_each_with_its_reason(self, client: TestClient, upload: str) -> None:
        lines = [
            json.dumps(item("good", upload)).encode(),
            b"{not json",
            json.dumps(item("bad", upload, strength=2)).encode(),
            json.dumps({"custom_id": "nowhere"}).encode(),
            b'{"custom_id": "latin-\xe9", "input": {}}',
            json.dumps(item("good", upload)).encode(),
            b"",
            json.dumps(item("styled", upload, style="nobody")).encode(),
            json.dumps(item("lost", "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e")).encode(),
            json.dumps({"custom_id": "home", "input": {"url": "http://localhost/"}}).encode(),
            json.dumps(item("a\x00b", upload)).encode(),
            b'{"custom_id": "\\ud800", "input": {}}',
            b'["custom_id"]',
            json.dumps(item("", upload)).encode(),
            json.dumps(item("misspelt", upload, strenght=1)).encode(),
            json.dumps(item("last", upload)).encode(),
        ]
        campaign = accepted(post(client, b"\n".join(lines), JSONL))
        assert names(client, campaign) == ["good", "last"]
        assert errors_of(client, campaign) == [
            (2, None, "invalid-line"),
            (3, "bad", "invalid-line"),
            (4, "nowhere", "invalid-line"),
            (5, None, "not-utf-8"),
            (6, "good", "duplicate-custom-id"),
            (8, "styled", "unknown-style"),
            (9, "lost", "unknown-upload"),
            (10, "home", "source-forbidden"),
            (11, "a\N{REPLACEMENT CHARACTER}b", "invalid-line"),
            (12, None, "invalid-line"),
            (13, None, "invalid-line"),
            (14, None, "invalid-line"),
            (15, "misspelt", "invalid-line"),
        ]
        counts = campaign["counts"]
        assert (counts["total"], counts["queued"], counts["refused"]) == (2, 2, 13)
        assert counts["failed"] == 0

    def test_a_duplicate_names_the_line_that_was_first(
        self, client: TestClient, upload: str
    ) -> None:
        body = jsonl(*(item("one", upload) for _ in range(3)))
        campaign = accepted(post(client, body, JSONL))
        rows = client.get(campaign["urls"]["manifest_errors"]).json()["data"]
        assert [row["line"] for row in rows] == [2, 3]
        assert rows[1]["detail"] == "Line 1 has the custom_id 'one' already."

    @pytest.mark.parametrize("kind", [JSONL, CSV])
    def test_a_line_of_ten_megabytes(
        self, api: Api, client: TestClient, upload: str, kind: str
    ) -> None:
        long = b'{"custom_id": "' + b"x" * (10 * 2**20) + b'"}\n'
        if kind == JSONL:
            lines = [jsonl(item("1", upload)), long, jsonl(item("2", upload))]
        else:
            rows = (f"{number},{upload}\n".encode() for number in (1, 2))
            lines = [b"custom_id,upload_id\n", next(rows), long, next(rows)]
        body = b"".join(lines)
        refused(post(client, body, kind), 413, "body-too-large")  # the door of these tests
        settings = api.desk.settings.model_copy(update={"limits": LimitSettings()})
        with speaking(replace(api, desk=replace(api.desk, settings=settings))) as caller:
            campaign = accepted(post(caller, body, kind))
        assert names(client, campaign) == ["1", "2"]
        assert errors_of(client, campaign) == [(len(lines) - 1, None, "line-too-long")]

    def test_the_longest_line_that_is_read(self, client: TestClient, upload: str) -> None:
        padded = jsonl(item("1", upload)).rstrip().ljust(LONGEST_LINE) + b"\r\n"
        campaign = accepted(post(client, padded + b" " + padded, JSONL))
        assert errors_of(client, campaign) == [(2, None, "line-too-long")]

    def test_csv_as_spreadsheets_write_it(self, client: TestClient, upload: str) -> None:
        lines = [
            "custom_id;upload_id;metadata.titel",
            f'"1";{upload};"Blau;\r\nhell"',
            f"2;{upload};é",
        ]
        body = "\r\n".join(lines).encode()
        campaign = accepted(post(client, b"\xef\xbb\xbf" + body))
        rows = client.get(campaign["urls"]["items"]).json()["data"]
        titles = [row["metadata"]["titel"] for row in rows]
        assert titles == ["Blau;\r\nhell", "é"]

    def test_a_mark_before_jsonl_is_no_part_of_it(self, client: TestClient, upload: str) -> None:
        body = b"\xef\xbb\xbf" + jsonl(item("1", upload)).replace(b"\n", b"\r\n")
        assert accepted(post(client, body, JSONL))["counts"]["total"] == 1

    def test_csv_lines_that_break_its_rules(self, client: TestClient, upload: str) -> None:
        lines = [
            b"custom_id,upload_id,strength",
            f"1,{upload},".encode(),
            f"2,{upload},0.5,more".encode(),
            f'3,{upload},"0.5'.encode(),  # never closed: no line behind it is lost
            f"4,{upload},0.5".encode(),
            b"Stra\xdfe," + upload.encode() + b",",
            f'6,"{upload}"x,'.encode(),
            b",,",
            f"7,{upload},much".encode(),
            f"8\x00,{upload},".encode(),
            f"9,{upload}".encode(),
            f",{upload},".encode(),
            b"10,,",
        ]
        campaign = accepted(post(client, b"\n".join(lines)))
        assert names(client, campaign) == ["1", "4", "9"]
        assert errors_of(client, campaign) == [
            (3, None, "invalid-line"),
            (4, None, "invalid-line"),
            (6, "Stra?e", "not-utf-8"),
            (7, None, "invalid-line"),
            (9, "7", "invalid-line"),
            (10, "8\N{REPLACEMENT CHARACTER}", "invalid-line"),
            (12, None, "invalid-line"),
            (13, "10", "invalid-line"),
        ]

    def test_quoted_lines_count_as_the_lines_they_take(
        self, client: TestClient, upload: str
    ) -> None:
        body = f'custom_id,upload_id,metadata.a\n1,{upload},"x\ny\nz"\n2,{upload},,\n'
        campaign = accepted(post(client, body.encode()))
        assert errors_of(client, campaign) == [(5, None, "invalid-line")]

    def test_unicode_stays_what_it_is(self, client: TestClient, upload: str) -> None:
        wanted = ["Müller-Straße", "写真.jpg", "🎨", "e\N{COMBINING ACUTE ACCENT}", "a,b", 'q"q']
        campaign = accepted(post(client, jsonl(*(item(name, upload) for name in wanted)), JSONL))
        assert names(client, campaign) == wanted

    def test_errors_come_in_pages(self, client: TestClient, upload: str) -> None:
        body = jsonl(item("1", upload)) + b"x\n" * 5
        campaign = accepted(post(client, body, JSONL))
        lines: list[int] = []
        address = f"{campaign['urls']['manifest_errors']}?limit=2"
        while address:
            answer = client.get(address)
            lines += [row["line"] for row in answer.json()["data"]]
            address = str(answer.links["next"]["url"]) if "next" in answer.links else ""
        assert lines == [2, 3, 4, 5, 6]
        other = client.get(campaign["urls"]["items"], params={"limit": 1}).json()
        tampered = {"cursor": other["next_cursor"] or "AAAA"}
        place = campaign["urls"]["manifest_errors"]
        refused(client.get(place, params=tampered), 400, "bad-request")

    def test_too_many_styles_are_not_looked_up(self, client: TestClient, upload: str) -> None:
        lines = [item(str(number), upload, style=f"style-{number}") for number in range(600)]
        campaign = accepted(post(client, jsonl(item("good", upload), *lines), JSONL))
        assert campaign["counts"]["total"] == 1
        rows = client.get(campaign["urls"]["manifest_errors"], params={"limit": 1_000}).json()
        codes = [row["code"] for row in rows["data"]]
        assert (codes.count("unknown-style"), codes.count("invalid-line")) == (499, 101)


class TestTheWholeIsRefused:
    """Where no line is good, or all of them are concerned; nothing is kept then."""

    @pytest.mark.parametrize(
        ("body", "kind", "words"),
        [
            (b"", CSV, "empty"),
            (b"", JSONL, "empty"),
            (b"\xef\xbb\xbf", JSONL, "empty"),
            (b"\n\r\n\n", JSONL, "empty"),
            (b"\n\n", CSV, "empty"),
            (b"custom_id,url\n", CSV, "empty"),
            (b"custom_id,url,colour\n1,http://a.example/,red\n", CSV, "'colour'"),
            (b"custom_id,url,url\n", CSV, "twice"),
            (b"custom_id,style\n1,plain\n", CSV, "upload_id"),
            (b"url\nhttp://a.example/\n", CSV, "custom_id"),
            (b"custom_id,\xff\n", CSV, "header"),
            (b'custom_id,"url\n', CSV, "header"),
            ("custom_id,url\n".encode("utf-16"), CSV, "UTF-16"),
            ("{}\n".encode("utf-16"), JSONL, "UTF-16"),
            (b"{}\n{}\n", JSONL, "Line 1: "),
            (b"custom_id,url\rone,http://a.example/\r", CSV, ""),
            (b"x" * 2 * LONGEST_LINE, CSV, "header"),
            (b"\xff\xd8\xff\xe0picture\n\x00\x01", JSONL, "Line 1: "),
        ],
    )
    def test_a_manifest_of_no_use(
        self, api: Api, client: TestClient, body: bytes, kind: str, words: str
    ) -> None:
        before = api.stored()
        problem = refused(post(client, body, kind), 422, "invalid-manifest")
        assert words in problem["detail"]
        assert api.stored() == before
        assert api.tickets.lanes == []

    def test_the_reasons_of_its_first_lines_are_told(self, client: TestClient) -> None:
        problem = refused(post(client, b"x\n" * 80, JSONL), 422, "invalid-manifest")
        assert len(problem["errors"]) == 50
        assert problem["errors"][1]["pointer"] == "/lines/2"

    def test_more_lines_than_a_campaign_takes(
        self, api: Api, client: TestClient, upload: str
    ) -> None:
        before = api.stored()
        body = jsonl(item("1", upload)) + b"x\n" * 49_999
        accepted(post(client, body, JSONL))
        problem = refused(post(client, body + b"x\n", JSONL), 422, "manifest-too-long")
        assert problem["limit"] == 50_000
        assert api.stored()["campaigns"] == before["campaigns"] + 1

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"style": "nobody"}, "unknown-style"),
            ({"webhook": {"url": "http://localhost/"}}, "invalid-request"),
            ({"strength": 7}, "invalid-request"),
            ({"items": []}, "invalid-request"),
            ({"mask": {"upload_id": "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"}}, "unknown-upload"),
        ],
    )
    def test_what_concerns_all_lines(
        self, api: Api, client: TestClient, upload: str, options: dict[str, Any], code: str
    ) -> None:
        before = api.stored()
        body = jsonl(item("1", upload))
        refused(post(client, body, JSONL, **options), 422, code)
        assert api.stored() == before

    def test_without_options_nothing_is_known_of_it(self, client: TestClient) -> None:
        for query in ({}, {"options": "{"}):
            answer = client.post(
                "/v1/campaigns", params=query, content=b"{}", headers={"content-type": JSONL}
            )
            refused(answer, 400, "bad-request")

    @pytest.mark.parametrize(
        ("fields", "files", "pointer"),
        [
            ({"campaign": json.dumps(OPTIONS)}, {}, "/manifest"),
            ({}, {"manifest": ("a.csv", b"x")}, "/campaign"),
            ({"campaign": json.dumps(OPTIONS)}, {"manifest": ("a.xlsx", b"PK")}, "/manifest"),
        ],
    )
    def test_a_form_that_lacks_a_part(
        self, client: TestClient, fields: dict[str, str], files: Any, pointer: str
    ) -> None:
        files = files or {"other": ("a.csv", b"x")}
        problem = refused(
            client.post("/v1/campaigns", data=fields, files=files), 422, "invalid-request"
        )
        assert problem["errors"][0]["pointer"] == pointer

    def test_items_or_a_manifest_and_not_both(self, client: TestClient, upload: str) -> None:
        both = {**OPTIONS, "items": [item("1", upload)], "manifest": {"upload_id": upload}}
        for body in (OPTIONS, both, {**OPTIONS, "manifest": {}}):
            refused(client.post("/v1/campaigns", json=body), 422, "invalid-request")

    def test_another_media_type_is_told_what_would_do(self, client: TestClient) -> None:
        answer = client.post(
            "/v1/campaigns", content=b"<a/>", headers={"content-type": "application/xml"}
        )
        assert "text/csv" in refused(answer, 400, "bad-request")["detail"]


class TestVariants:
    def test_an_item_becomes_as_many_jobs(self, client: TestClient, upload: str) -> None:
        variants = [{"custom_id": "soft", "strength": 0.2}, {"custom_id": "hard", "variation": 3}]
        lines = [item("1", upload, keep_colour=0.5, variants=variants), item("2", upload)]
        campaign = accepted(post(client, jsonl(*lines), JSONL, strength=0.9))
        rows = client.get(campaign["urls"]["items"]).json()["data"]
        assert [row["custom_id"] for row in rows] == ["soft", "hard", "2"]
        assert [row["parameters"]["strength"] for row in rows] == [0.2, 0.9, 0.9]
        kept = [row["parameters"].get("keep_colour") for row in rows]
        assert kept == [0.5, 0.5, None]

    def test_variants_of_the_campaign_are_named_after_the_item(
        self, client: TestClient, upload: str
    ) -> None:
        variants = [{"suffix": "a", "strength": 0.1}, {"suffix": "b", "style": "plain@1"}]
        body = f"custom_id,upload_id\n1,{upload}\n2,{upload}\n".encode()
        campaign = accepted(post(client, body, variants=variants))
        assert names(client, campaign) == ["1-a", "1-b", "2-a", "2-b"]

    def test_inline_items_have_them_too(self, client: TestClient, upload: str) -> None:
        lines = [item("1", upload, variants=[{"custom_id": "x"}, {"custom_id": "y"}])]
        campaign = accepted(client.post("/v1/campaigns", json={**OPTIONS, "items": lines}))
        assert names(client, campaign) == ["x", "y"]
        assert campaign["counts"]["total"] == 2
        both = {**OPTIONS, "items": [*lines, item("x", upload)]}
        refused(client.post("/v1/campaigns", json=both), 422, "invalid-request")

    def test_names_that_clash_or_grow_too_long_are_refused(
        self, client: TestClient, upload: str
    ) -> None:
        twice = [{"custom_id": "x"}, {"custom_id": "x"}]
        lines = [
            item("1", upload),
            item("2", upload, variants=twice),
            item("3", upload, variants=[{"custom_id": "1"}]),
            item("4", upload, variants=[{"custom_id": str(n)} for n in range(21)]),
            item("5", upload, variants=[{"custom_id": "5a", "style": "nobody"}]),
        ]
        campaign = accepted(post(client, jsonl(*lines), JSONL))
        assert [code for _, _, code in errors_of(client, campaign)] == [
            "duplicate-custom-id",
            "duplicate-custom-id",
            "invalid-line",
            "unknown-style",
        ]
        long = post(client, jsonl(item("x" * 250, upload)), JSONL, variants=[{"suffix": "y" * 10}])
        refused(long, 422, "invalid-manifest")
        same = [{"suffix": "y"}, {"suffix": "y"}]
        refused(
            post(client, jsonl(item("1", upload)), JSONL, variants=same), 422, "invalid-request"
        )

    def test_variants_count_towards_the_limit(self, client: TestClient, upload: str) -> None:
        variants = [{"suffix": str(number)} for number in range(20)]
        lines = "".join(f"{number},{upload}\n" for number in range(2_501))
        body = f"custom_id,upload_id\n{lines}".encode()
        refused(post(client, body, variants=variants), 422, "manifest-too-long")
