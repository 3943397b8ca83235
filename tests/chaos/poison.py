"""Pictures that kill decoders or workers, among others that do not."""

from time import time

from tests.chaos.pictures import picture
from tests.chaos.poison_worker import deadly_picture
from tests.chaos.stage import Stage
from tests.chaos.waiting import until
from tests.unit.fragile_decoder import marked

#: What each kind of poison looks like, by the mark it is submitted under.
POISON = {
    "decoder-killed": marked(picture(7), "SIGKILL"),
    "decoder-segfault": marked(picture(8), "SIGSEGV"),
    "decoder-spins": marked(picture(9), "SPIN"),
    "decoder-hoards": marked(picture(10), "HOARD"),
    "decoder-starves": marked(picture(11), "STARVE"),
    "worker-killed-1": deadly_picture(64),
    "worker-killed-2": deadly_picture(80),
}


def poison(on: Stage) -> None:
    """13: campaigns in which some pictures kill their decoders, and some kill their workers."""
    on.rig.journal.ends |= {
        mark: {"crashed-decoder" if mark.startswith("decoder") else "quarantined"}
        for mark in POISON
    }
    share = on.jobs // on.rounds
    start = time()
    on.client.many(share, marks={5 + 3 * n: mark for n, mark in enumerate(POISON)})
    for _ in range(on.rounds - 1):
        on.client.many(share)
    on.faults = len(POISON)
    until(lambda: not on.rig.unfinished(), 300, "everything has ended", every=0.2)
    done = on.rig.scalar(
        "SELECT extract(epoch FROM max(finished_at))::float FROM jobs WHERE status = 'succeeded'"
    )
    on.mates_seconds = done - start
    on.ends = on.rig.rows(
        "SELECT metadata->>'mark' AS mark, coalesce(error_code, status) AS end,"
        " (SELECT count(*) FROM job_history AS told WHERE job_id = jobs.id"
        " AND told.status = 'running') AS attempts FROM jobs WHERE metadata ? 'mark' ORDER BY 1"
    )
