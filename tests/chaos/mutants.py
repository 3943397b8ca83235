"""Copies of our source with one safeguard taken out, to see whether anybody would notice."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.rig import ROOT

SOURCE = ("app", "workers", "migrations", "catalog", "tests")


@dataclass(frozen=True)
class Edit:
    """One text that is replaced by another, as often as it is there: at least once."""

    path: str
    old: str
    new: str


def mutate(directory: Path, *edits: Edit) -> Path:
    """
    A copy of the source tree with these edits.

    Fails when a text is not found: a safeguard that was rewritten must be taken out anew.
    """
    for name in SOURCE:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        file = directory / edit.path
        text = file.read_text()
        assert edit.old in text, f"{edit.path} no longer holds: {edit.old}"
        file.write_text(text.replace(edit.old, edit.new))
    return directory


NO_FENCE = (
    Edit(
        "app/db/jobs.py",
        "return Job.id == new.c.id, Job.attempt == new.c.attempt, running",
        "return Job.id == new.c.id, running",
    ),
)

#: River's bug of 2026, in our words: rescue whatever was once claimed, whatever became of it.
NO_STATE_GUARD = (
    Edit(
        "app/db/lost.py",
        "lost = and_(Job.status == JobStatus.RUNNING, Job.lease_until < func.now())",
        "lost = Job.attempt > 0",
    ),
    Edit(
        "app/db/moves.py", ".where(Job.status.in_(sorted(sources(to))), *where)", ".where(*where)"
    ),
)

TICKETS_BEFORE_COMMIT = (
    Edit(
        "app/submission.py",
        "admit(session, tenant_id, 1)\n    wake(desk, session, [job.lane], 1)\n",
        "admit(session, tenant_id, 1)\n        wake(desk, session, [job.lane], 1)\n",
    ),
    Edit("workers/sweep.py", "for lane in lanes:", "for lane in lanes[:0]:"),
)

TOLD_BEFORE_SENT = (
    Edit(
        "workers/delivery.py",
        "    return room.sender.send(",
        "    with room.sessions.begin() as session:\n"
        "        deliveries.answer(session, [Sent(row, Answer(204), 0.0).outcome])\n"
        "    return room.sender.send(",
    ),
)
