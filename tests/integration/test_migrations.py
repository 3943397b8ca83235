"""The schema goes up and down again, also with work in it."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from app.db import (
    Sessions,
    control,
    deadlines,
    deliveries,
    endpoints,
    erasures,
    expiries,
    halts,
    intake,
    jobs,
    keys,
    open_database,
    reviews,
    style_moves,
    styles,
)
from app.db.jobs import Held, Success
from app.db.migrations import downgrade, upgrade
from app.db.models import Base, ErasureKind, HaltKind
from app.domain.events import EventType
from app.domain.job import Lane
from app.domain.review import Decision, Verdict
from app.domain.scopes import Scope
from app.domain.style import StyleMove
from app.erasing import erase
from app.errors import UnknownStyle
from app.storage import LocalStorage
from tests.licensed import in_days, new_style
from tests.rows import Ground, new_asset, new_campaign, new_ground, new_jobs

ENDS = ["job.canceled"]


def test_the_migrations_make_exactly_the_tables_we_declare(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_a_filled_database_goes_down_and_up_again(empty_database_url: str, tmp_path: Path) -> None:
    upgrade(empty_database_url)
    sessions = open_database(empty_database_url)
    with sessions.begin() as session:
        ground = new_ground(session)
        new_campaign(session, ground, 20, {"url": "http://a.test/", "events": ["job.canceled"]})
        jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=5, pixels=10**9, lease=60)
        for lane in (Lane.PRINT, Lane.LEARN):
            new_jobs(session, ground, 1, lane=lane)
        its = endpoints.create(session, ground.tenant_id, url="http://e.test/", events=None)
        endpoints.test(session, endpoints.get(session, ground.tenant_id, its))
        hooked = new_jobs(session, ground, 2, webhook={"url": "http://a.test/x", "events": ENDS})
        for job_id in hooked:
            jobs.cancel(session, ground.tenant_id, job_id)
        room = deliveries.Room(most=9, strangers=9, each=9, trusted={}, busy={})
        outcomes = [
            deliveries.Outcome(row.id, row.receiver_id, False, 500, "no", None, None, 5.0, 1.0)
            for row in deliveries.claim(session, room, hold=60).rows
        ]
        deliveries.answer(session, outcomes)
        deliveries.judge(session, outcomes, patience=60)
        learning = styles.begin(
            session, ground.tenant_id, "harbour", title="Harbour", stylizer="a" * 64, card={}
        )
        assert learning.slug == f"{ground.tenant_id}/harbour"
        new_style(session, valid_until=in_days(5), territories=["DE"])
        expiries.announce(session)
        halts.halt(session, HaltKind.STYLE, "brand", by="operator:ada", reason="a question")
        style_moves.move(session, "brand", 1, StyleMove.WITHDRAW, by="operator:ada", reason="over")
        session.execute(text("UPDATE jobs SET stage = 'draw' WHERE status = 'running'"))
        keys.create(session, tenant="acme", name="narrow", scopes=[Scope.READ], days=1)
        [other] = new_jobs(session, ground, 1)
        meant = (ErasureKind.JOB, str(other))
        erasures.request(session, ground.tenant_id, *meant, by="operator")
    assert erase(sessions, LocalStorage(tmp_path)) > 1
    _steered(sessions, ground)
    sessions.kw["bind"].dispose()
    downgrade(empty_database_url, "base")
    engine = create_engine(empty_database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    upgrade(empty_database_url)
    assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()


def _steered(sessions: Sessions, ground: Ground) -> None:
    """Jobs in review, rejected, expired, and failed in two rounds, with all their events."""
    hook = {"url": "http://a.test/", "events": [kind.value for kind in EventType]}
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 5, hook)
        control.prioritise_campaign(session, ground.tenant_id, campaign_id, 10)
        rows = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=3, pixels=10**9, lease=60)
        assert {row.campaign_id for row in rows} == {campaign_id}
        session.execute(text("UPDATE jobs SET deadline_at = now() WHERE status = 'queued'"))
        assert deadlines.expire(session) >= 2
        asset = new_asset(ground, "output")
        intake.add_assets(session, [asset])
        held = [Held(row.id, row.attempt) for row in rows]
        made = [Success(one, asset.digest, 70, "{}", review=True) for one in held[:2]]
        assert len(jobs.succeed(session, made, by="w")) == 2
        no = Verdict(decision=Decision.REJECT, reason_code="off-brand")
        reviews.decide(session, ground.tenant_id, held[0].id, no, by="key:a")
        jobs.break_off(session, held[2], UnknownStyle("gone"), failures=0, by="w")
        control.retry_job(session, ground.tenant_id, held[2].id)
        [row] = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=1, pixels=10**9, lease=60)
        jobs.break_off(session, Held(row.id, 2), UnknownStyle("gone"), failures=0, by="w")


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    upgrade(empty_database_url)


def test_deliveries_on_their_way_survive_the_way_to_endpoints(empty_database_url: str) -> None:
    """Written before there were endpoints, they are sent by what knows them."""
    upgrade(empty_database_url)
    sessions = open_database(empty_database_url)
    with sessions.begin() as session:
        ground = new_ground(session)
        hook = {"url": "https://a.test/x?y", "events": ENDS}
        for job_id in new_jobs(session, ground, 3, webhook=hook):
            jobs.cancel(session, ground.tenant_id, job_id)
        session.execute(text("UPDATE deliveries SET attempted_at = now(), response_status = 500"))
    downgrade(empty_database_url, "0005-1")
    with sessions.begin() as session:
        session.execute(text("UPDATE deliveries SET response_excerpt = 'nope'"))
    sessions.kw["bind"].dispose()
    upgrade(empty_database_url)
    with sessions.begin() as session:
        room = deliveries.Room(most=9, strangers=9, each=9, trusted={}, busy={})
        rows = deliveries.claim(session, room, hold=60).rows
        assert len({row.receiver_id for row in rows}) == 1
        assert {row.tenant_id for row in rows} == {ground.tenant_id}
        excerpts = session.scalars(text("SELECT response_excerpt FROM delivery_attempts")).all()
        assert excerpts == ["nope"] * 3
    sessions.kw["bind"].dispose()
