"""Hits that could not end when they were accepted: whoever claims one ends all that wait."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from app.db import ledger
from app.db.models import Campaign, Inference, Job, JobHistory
from app.domain.job import JobStatus, Lane
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_licences import offer, suspend
from tests.integration.test_api_uploads import upload_of
from tests.integration.test_cache import api  # noqa: F401 - a fixture
from tests.integration.test_pipeline import announced, decoders, studio  # noqa: F401 - fixtures
from tests.tickets import ListTickets
from tests.unit.pictures import jpeg
from workers.pipeline import stylize
from workers.studio import Studio


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:  # noqa: F811
    with speaking(api) as client:
        yield client


@pytest.fixture
def worker(api: Api, studio: Studio) -> Studio:  # noqa: F811
    """One that works for that API."""
    return replace(studio, storage=api.desk.storage)


def hand_in(client: TestClient, contents: Sequence[bytes], **options: Any) -> str:
    uploads = {content: upload_of(client, content) for content in set(contents)}
    items = [
        {"custom_id": str(number), "input": {"upload_id": uploads[content]}}
        for number, content in enumerate(contents)
    ]
    answer = client.post(
        "/v1/campaigns", json={"name": "spring", "style": "plain", "items": items, **options}
    )
    assert answer.status_code == 202, answer.text
    place: str = answer.json()["urls"]["get"]
    return place


def serve(worker: Studio) -> int:
    """Serve a ticket, and all that this brings; how many that were."""
    assert isinstance(worker.tickets, ListTickets)
    lanes, served = [Lane.CAMPAIGN], 0
    while lanes:
        stylize(worker, lanes.pop())
        lanes += worker.tickets.lanes
        worker.tickets.lanes.clear()
        served += 1
    return served


def inferences(api: Api) -> int:  # noqa: F811
    with api.desk.sessions() as session:
        return session.scalar(select(func.count()).select_from(Inference)) or 0


def test_copies_of_a_picture_end_together_once_one_of_them_is_drawn(
    api: Api,  # noqa: F811
    client: TestClient,
    worker: Studio,
    announced: list[Any],  # noqa: F811
) -> None:
    place = hand_in(client, [jpeg()] * 40)
    assert serve(worker) == 3  # one draws, one ends the others, one finds nothing
    campaign = client.get(place).json()
    assert (campaign["status"], campaign["counts"]["cached"]) == ("finished", 39)
    assert inferences(api) == 1
    with api.desk.sessions() as session:
        jobs = session.scalars(select(Job)).all()
        paid = sum(job.cost_micros or 0 for job in jobs)
        assert sum(job.cost_micros == 0 for job in jobs) == 39
        assert ledger.balance(session, api.ground.tenant_id) == paid
        said = session.scalar(select(func.count()).where(JobHistory.status == JobStatus.SUCCEEDED))
    assert said == 40
    assert {job.id for job in jobs} <= set(announced)


def test_campaigns_of_equal_pictures_at_once_are_drawn_once(
    api: Api,  # noqa: F811
    client: TestClient,
    worker: Studio,
) -> None:
    contents = [jpeg((width, 48)) for width in range(40, 60)]
    places = [hand_in(client, contents) for _ in range(3)]
    serve(worker)
    campaigns = [client.get(place).json() for place in places]
    assert [one["status"] for one in campaigns] == ["finished"] * 3
    assert sum(one["counts"]["cached"] for one in campaigns) == 40
    assert inferences(api) == 20


def test_copies_that_a_person_must_see_go_to_a_reviewer(
    api: Api,  # noqa: F811
    client: TestClient,
    worker: Studio,
) -> None:
    free = hand_in(client, [jpeg()])
    seen = hand_in(client, [jpeg()] * 12, review="all")
    serve(worker)
    assert client.get(free).json()["counts"]["succeeded"] == 1
    counts = client.get(seen).json()["counts"]
    assert (counts["in_review"], counts["cached"], inferences(api)) == (12, 12, 1)


def test_a_licence_that_lapses_before_its_copies_end_is_held(
    api: Api,  # noqa: F811
    client: TestClient,
    worker: Studio,
) -> None:
    offer(api)
    place = hand_in(client, [jpeg()] * 3, style="brand")
    stylize(worker, Lane.CAMPAIGN)
    suspend(api)
    serve(worker)
    counts = client.get(place).json()["counts"]
    assert (counts["succeeded"], counts["failed"], counts["cached"]) == (1, 2, 0)


def test_copies_of_what_a_budget_paid_for_are_not_stopped_by_it(
    api: Api,  # noqa: F811
    client: TestClient,
    worker: Studio,
) -> None:
    hand_in(client, [jpeg((65, 48))])
    with api.desk.sessions() as session:
        price = session.scalars(select(Job.reserved_micros)).one()
    place = hand_in(client, [jpeg()] * 4, budget_micros=price)
    serve(worker)
    campaign = client.get(place).json()
    assert (campaign["counts"]["succeeded"], campaign["counts"]["cached"]) == (4, 3)
    with api.desk.sessions() as session:
        its = session.scalars(select(Campaign).where(Campaign.budget_micros == price)).one()
    assert (its.unfunded, its.allotted_micros) == (0, 0)
