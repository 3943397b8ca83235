"""How many pictures a tenant got, and how many of them had been drawn before: kept, not counted."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import CTE, Insert, Uuid, bindparam, func, insert, select, text
from sqlalchemy.orm import Session

from app.db.models import Tally

MOST: Final = 10_000  #: rows that one sweep folds


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much of some finished work was there already."""

    succeeded: int
    cached: int

    @property
    def share(self) -> float | None:
        """None where nothing was finished."""
        return self.cached / self.succeeded if self.succeeded else None


def adding(moved: CTE) -> Insert:
    """What a move to success adds; a part of its statement."""
    today = func.timezone("UTC", func.now()).cast(Tally.day.type)
    cached = func.count(moved.c.rendered_by)
    sums = select(moved.c.tenant_id, today, func.count(), cached).group_by(moved.c.tenant_id)
    return insert(Tally).from_select(["tenant_id", "day", "succeeded", "cached"], sums)


def ratio(session: Session, tenant_id: UUID, *, days: int) -> Ratio:
    """Of a tenant, over the last so many days: today's, in UTC, and those before."""
    return Ratio(*session.execute(_RATIO, {"tenant_id": tenant_id, "days": days}).one())


def fold(session: Session) -> None:
    """Add up what came since the last time: one row a day is what stays."""
    session.execute(_FOLD, {"most": MOST})


_RATIO = text("""
SELECT coalesce(sum(succeeded), 0), coalesce(sum(cached), 0) FROM tallies
WHERE tenant_id = :tenant_id AND day > CAST(now() AT TIME ZONE 'UTC' AS date) - :days
""").bindparams(bindparam("tenant_id", type_=Uuid))

#: Two at once take different rows, and the days in the same order.
_FOLD = text("""
WITH loose AS (
    DELETE FROM tallies WHERE id IN (
        SELECT id FROM tallies WHERE NOT folded ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    ) RETURNING tenant_id, day, succeeded, cached
)
INSERT INTO tallies (tenant_id, day, succeeded, cached, folded)
SELECT tenant_id, day, sum(succeeded), sum(cached), true FROM loose
GROUP BY tenant_id, day ORDER BY tenant_id, day
ON CONFLICT (tenant_id, day) WHERE folded DO UPDATE
    SET succeeded = tallies.succeeded + excluded.succeeded,
        cached = tallies.cached + excluded.cached
""")
