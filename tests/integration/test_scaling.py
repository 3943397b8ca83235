"""What a fleet is scaled by: the chart's own query, against what waits and runs."""

from pathlib import Path

from sqlalchemy import text

from app.db import Sessions, jobs, paces
from app.db.paces import Report
from app.domain.job import Lane
from app.domain.pace import Pace
from tests.rows import new_ground, new_jobs
from tests.unit.test_chart import of_kind
from workers.leases import Leases

MEGAPIXEL = 1_000_000


def wanted(sessions: Sessions) -> float:
    """Device-seconds, as the autoscaler reads them."""
    [trigger] = of_kind("ScaledObject")["imp-worker-cpu"]["spec"]["triggers"]
    with sessions() as session:
        return float(session.scalars(text(trigger["metadata"]["query"])).one())


def test_nothing_waits_and_nobody_is_wanted(sessions: Sessions) -> None:
    assert wanted(sessions) == 0


def test_running_work_counts_as_much_as_waiting_work(sessions: Sessions) -> None:
    with sessions.begin() as session:
        new_jobs(session, new_ground(session), 10, pixels=MEGAPIXEL)
    before = wanted(sessions)
    with sessions.begin() as session:
        claimed = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=4, pixels=2**40, lease=60)
    assert len(claimed) == 4
    assert wanted(sessions) == before == 12.0  # at 1.2 s a megapixel, until somebody measured


def test_what_was_measured_counts(sessions: Sessions) -> None:
    told = Report(
        worker="w",
        host="h",
        device="cuda:0",
        engine="e",
        up_ms=1.0,
        used_ms=1.0,
        pictures=100,
        paces={(Lane.CAMPAIGN, False): Pace(pictures=100, x=100, xx=100, device_ms=5_000)},
    )
    with sessions.begin() as session:
        paces.write(session, told)
        new_jobs(session, new_ground(session), 20, pixels=2 * MEGAPIXEL)
    assert wanted(sessions) == 20 * 2 * 0.05


def test_what_nobody_may_draw_wakes_nobody(sessions: Sessions) -> None:
    with sessions.begin() as session:
        ground = new_ground(session)
        new_jobs(session, ground, 3, pixels=MEGAPIXEL)
        for lane in (Lane.PRINT, Lane.LEARN):
            new_jobs(session, ground, 1, lane=lane, pixels=MEGAPIXEL)
        session.execute(text("UPDATE jobs SET paused = true WHERE lane = 'campaign'"))
    assert wanted(sessions) == 0


def test_a_heartbeat_leaves_a_sign_of_life(sessions: Sessions, tmp_path: Path) -> None:
    sign = tmp_path / "alive"
    with Leases(sessions, seconds=60, every=60, sign=sign):
        assert sign.exists()
