"""The trails of jobs: spans, from their claim to what became of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from app.tracing import LANE, Kind
from workers.studio import Work, Workplace


def begin(place: Workplace, works: Sequence[Work], parents: Mapping[UUID, str], since: int) -> None:
    """A span for each that was claimed, in the trace of its request, and one for the claim."""
    if not works:  # most claims find nothing, and are worth no span
        return
    claim = place.tracer.begin("claim", since=since, links=[*parents.values()])
    claim.tell({LANE: works[0].row.lane.value, "impasto.jobs": len(works)})
    claim.end()
    for work in works:
        row = work.row
        parent = parents.get(row.id)
        work.span = place.tracer.begin("job", Kind.CONSUMER, parent=parent, links=[claim])
        facts = {f"impasto.{name}": value and str(value) for name, value in work.ids.items()}
        work.span.tell({LANE: row.lane.value, "impasto.attempt": row.attempt, **facts})


@contextmanager
def followed(works: Sequence[Work]) -> Iterator[None]:
    """Their spans end with the block."""
    try:
        yield
    finally:
        for work in works:
            if work.error is not None:
                work.span.broke(work.error.code)
            work.span.end()
