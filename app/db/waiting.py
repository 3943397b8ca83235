"""How much of a tenant's waits or is being drawn; counted in turns, so that none is overlooked."""

from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, Uuid, bindparam, text
from sqlalchemy.orm import Session

#: What is accepted and has neither ended nor come to a reviewer. Campaigns know that of themselves,
#: so that 50,000 jobs cost no more than one; one that is being accepted is left out of it.
_CAMPAIGNS: Final = """
SELECT coalesce(sum(total - in_review - succeeded - failed - canceled - rejected - expired), 0)
FROM campaigns
WHERE tenant_id = :tenant_id AND finished_at IS NULL AND id IS DISTINCT FROM :without
"""
_SINGLES: Final = """
SELECT count(*) FROM jobs
WHERE tenant_id = :tenant_id AND campaign_id IS NULL AND status IN ('queued', 'running')
"""
_ALL: Final = f"SELECT ({_CAMPAIGNS}) + ({_SINGLES})"


def campaigns(session: Session, tenant_id: UUID, *, without: UUID | None = None) -> int:
    """Those of campaigns; takes no time."""
    return _asked(session, _NOW, tenant_id, without)


def singles(session: Session, tenant_id: UUID) -> int:
    """Those of no campaign; takes a third of a microsecond for each."""
    return _asked(session, _ROWS, tenant_id)


def alone(session: Session, tenant_id: UUID) -> int:
    """All of them, once nobody else adds any; from then until this transaction ends."""
    return _asked(session, _ALONE, tenant_id)


def together(session: Session, tenant_id: UUID) -> int:
    """Those of campaigns, while others add one single each as we do, and nobody adds more."""
    return _asked(session, _TOGETHER, tenant_id)


def in_turn(session: Session, tenant_id: UUID) -> int:
    """After `together`, where every one counts: all of them, once it is our turn."""
    return _asked(session, _IN_TURN, tenant_id)


def _asked(
    session: Session, statement: TextClause, tenant_id: UUID, without: UUID | None = None
) -> int:
    about = {"tenant_id": tenant_id, "without": without, "place": str(tenant_id)}
    return int(session.scalar(statement, about) or 0)


def _typed(words: str) -> TextClause:
    ids = [name for name in ("tenant_id", "without") if f":{name}" in words]
    return text(words).bindparams(*(bindparam(name, type_=Uuid) for name in ids))


def _after(lock: str, words: str) -> TextClause:
    """Two statements in one trip: the second sees what was committed while the first waited."""
    return _typed(f"SELECT {lock}; {words}")


_PLACE: Final = "hashtextextended('waiting ' || :place, 0)"
_TURN: Final = "hashtextextended('waiting in turn ' || :place, 0)"
_NOW, _ROWS = _typed(_CAMPAIGNS), _typed(_SINGLES)
_ALONE = _after(f"pg_advisory_xact_lock({_PLACE})", _ALL)
_TOGETHER = _after(f"pg_advisory_xact_lock_shared({_PLACE})", _CAMPAIGNS)
_IN_TURN = _after(f"pg_advisory_xact_lock({_TURN})", _ALL)
