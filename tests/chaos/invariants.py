"""
What must be true when everything has come to rest, whatever happened before.

Each invariant is read from the tables, the stored files, the receiver's log and the client's
journal, and answers with findings: sentences about what is not as promised. I1 to I8 are those
of the issue; the ledger and the campaigns' counts are ours.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.storage import asset_key
from tests.chaos.findings import Evidence, Finding
from tests.chaos.journal import Reply
from tests.chaos.pictures import alike, colour


def accepted_work_is_there(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I1: every 202 has its rows, every row a request, and all ended as they should."""
    labels = _made(session)
    for asked in evidence.journal.of(Reply.ACCEPTED):
        there = labels.get(asked.label, 0)
        if there < asked.jobs:
            yield Finding("I1", f"{asked.label} was accepted with {asked.jobs} jobs, {there} exist")
    for label in labels.keys() - evidence.journal.asked.keys():
        yield Finding("I1", f"{labels[label]} jobs are there that nobody asked for ({label})")
    for asked in evidence.journal.of(Reply.REFUSED):
        if asked.label in labels:
            yield Finding("I1", f"{asked.label} was refused ({asked.said}) and yet is there")
    yield from _wrong_ends(evidence, session)


def _wrong_ends(evidence: Evidence, session: Session) -> Iterator[Finding]:
    ended = "SELECT id, status, error_code, error_detail, metadata->>'mark' AS mark FROM jobs"
    for row in _rows(session, f"{ended} WHERE status NOT IN ('queued', 'running', 'in_review')"):
        allowed = evidence.journal.ends.get(row.mark or "", {"succeeded"})
        end = row.error_code if row.status == "failed" else row.status
        if end not in allowed:
            why = f" ({row.error_detail})" if row.error_detail else ""
            yield Finding("I1", f"job {row.id} ended as {end}{why}, not as {_either(allowed)}")


def nothing_waits(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I2: nothing is queued or running, no campaign open, no delivery pending."""
    for row in _rows(
        session, "SELECT id, status, lane, attempt FROM jobs WHERE finished_at IS NULL"
    ):
        yield Finding(
            "I2", f"job {row.id} is still {row.status} in {row.lane}, attempt {row.attempt}"
        )
    for row in _rows(session, "SELECT id, total FROM campaigns WHERE finished_at IS NULL"):
        yield Finding("I2", f"campaign {row.id} of {row.total} jobs is not finished")
    for row in _rows(session, "SELECT id, attempts FROM deliveries WHERE state <> 'delivered'"):
        yield Finding("I2", f"delivery {row.id} is not out after {row.attempts} attempts")


def every_success_has_its_picture(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I3: the asset is stored, its SHA-256 is its name, it decodes, and shows what was sent in."""

    @lru_cache(None)
    def shown(tenant_id: Any, digest: str) -> tuple[float, ...] | str:
        try:
            content = evidence.storage.get(asset_key(tenant_id, digest))
        except NotFound:
            return "is not stored"
        if sha256(content).hexdigest() != digest:
            return "holds other bytes than its name says"
        try:
            return colour(content)
        except (OSError, ValueError) as error:
            return f"does not decode: {error}"

    done = "SELECT id, tenant_id, content_digest, output_digest FROM jobs WHERE status='succeeded'"
    for row in _rows(session, done):
        output = shown(row.tenant_id, row.output_digest)
        content = shown(row.tenant_id, row.content_digest)
        if isinstance(output, str):
            yield Finding("I3", f"the picture of job {row.id} {output}")
        elif not isinstance(content, str) and not alike(output, content):
            yield Finding("I3", f"job {row.id} has somebody else's picture")


def ended_is_ended(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I4: nothing happens to a job after its end but a retry, and it ends as its history says."""
    after = """
        SELECT job_id, count(*) AS lines FROM (
            SELECT job_id, status, note,
                lag(status) OVER (PARTITION BY job_id ORDER BY id) AS before
            FROM job_history
        ) AS line WHERE before IN ('succeeded', 'failed', 'canceled', 'rejected', 'expired')
            AND NOT (before IN ('failed', 'expired') AND status = 'queued'
                AND coalesce(note, '') = 'retried')
        GROUP BY job_id"""
    for row in _rows(session, after):
        yield Finding("I4", f"{row.lines} more things happened to job {row.job_id} after its end")
    apart = """
        SELECT jobs.id, jobs.status, told.status AS told FROM jobs LEFT JOIN (
            SELECT DISTINCT ON (job_id) job_id, status FROM job_history ORDER BY job_id, id DESC
        ) AS told ON job_id = jobs.id WHERE told.status IS DISTINCT FROM jobs.status"""
    for row in _rows(session, apart):
        yield Finding("I4", f"job {row.id} is {row.status}, its history says {row.told}")


def one_committed_attempt(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I5: one success a job, by who claimed that attempt; attempts strictly grow."""
    often = """
        SELECT job_id, count(*) AS times FROM job_history WHERE status = 'succeeded'
        GROUP BY job_id HAVING count(*) > 1"""
    for row in _rows(session, often):
        yield Finding("I5", f"job {row.job_id} succeeded {row.times} times")
    claims = """
        SELECT job_id, attempt, before FROM (
            SELECT job_id, attempt,
                lag(attempt, 1, 0) OVER (PARTITION BY job_id ORDER BY id) AS before
            FROM job_history WHERE status = 'running'
        ) AS claim WHERE attempt <= before"""
    for row in _rows(session, claims):
        yield Finding(
            "I5", f"attempt {row.attempt} of job {row.job_id} came after attempt {row.before}"
        )
    stolen = """
        SELECT ended.job_id, ended.attempt, ended.worker, claim.worker AS claimer
        FROM job_history AS ended LEFT JOIN job_history AS claim
            ON claim.job_id = ended.job_id AND claim.attempt = ended.attempt
            AND claim.status = 'running'
        JOIN jobs ON jobs.id = ended.job_id AND jobs.rendered_by IS NULL  -- nobody claims a copy
        WHERE ended.worker IS DISTINCT FROM claim.worker AND (ended.status = 'in_review'
            OR ended.status = 'succeeded' AND coalesce(ended.note, '') NOT LIKE 'approved%')"""
    for row in _rows(session, stolen):
        yield Finding(
            "I5",
            f"attempt {row.attempt} of job {row.job_id} was claimed by {row.claimer}"
            f" and ended by {row.worker}",
        )
    copies = """
        SELECT copy.id, copy.rendered_by FROM jobs AS copy
        LEFT JOIN jobs AS drawn ON drawn.id = copy.rendered_by AND drawn.status = 'succeeded'
            AND drawn.rendered_by IS NULL AND drawn.tenant_id = copy.tenant_id
            AND drawn.cache_key = copy.cache_key AND drawn.output_digest = copy.output_digest
        WHERE copy.status = 'succeeded' AND copy.rendered_by IS NOT NULL AND drawn.id IS NULL"""
    for row in _rows(session, copies):
        yield Finding("I5", f"job {row.id} is no copy of what {row.rendered_by} drew")
    measured = """
        SELECT jobs.id, jobs.attempt, count(inferences) AS times, max(inferences.attempt) AS other
        FROM jobs LEFT JOIN inferences ON job_id = id
        WHERE output_digest IS NOT NULL AND rendered_by IS NULL
        GROUP BY jobs.id HAVING count(inferences) <> 1 OR max(inferences.attempt) <> jobs.attempt"""
    for row in _rows(session, measured):
        yield Finding(
            "I5",
            f"job {row.id} succeeded in attempt {row.attempt}, but {row.times} were"
            f" measured, the last being {row.other}",
        )


def everything_is_told_once(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I6: one event for each end of each round, heard under an id of its own, and signed."""
    for heard in evidence.heard:
        if heard.wrong:
            yield Finding("I6", f"webhook {heard.id} to {heard.tenant_id}: {heard.wrong}")
    ids: dict[tuple[str, str], set[str]] = {}
    for heard in evidence.heard:
        ids.setdefault(heard.about, set()).add(heard.id)
    expected = _expected_events(session)
    for about, kind in expected.keys() | ids.keys():
        told, ends = len(ids.get((about, kind), ())), expected[about, kind]
        if told < ends:
            yield Finding("I6 lost", f"{kind} of {about} was so {ends} times, and told {told}")
        elif told > ends:
            yield Finding("I6 doubled", f"{kind} of {about} was told {told} times, so {ends}")


def _expected_events(session: Session) -> Counter[tuple[str, str]]:
    """How often each was so: jobs and campaigns end once in each of their rounds (ADR 14)."""
    ends = """
        SELECT id::text AS about, 'job.' || status AS type, 1 AS times FROM jobs
        WHERE webhook->'events' ? ('job.' || status) AND finished_at IS NOT NULL
        UNION ALL
        SELECT jobs.id::text, 'job.' || line.status, count(*) FROM jobs JOIN (
            SELECT job_id, status, lead(note) OVER (PARTITION BY job_id ORDER BY id) AS next
            FROM job_history
        ) AS line ON job_id = jobs.id
        WHERE next = 'retried' AND webhook->'events' ? ('job.' || line.status)
        GROUP BY jobs.id, line.status
        UNION ALL
        SELECT id::text, 'job.reviewed', 1 FROM jobs
        WHERE webhook->'events' ? 'job.reviewed' AND verdict IS NOT NULL
        UNION ALL
        SELECT id::text, 'campaign.completed', round - (finished_at IS NULL)::int FROM campaigns
        WHERE webhook->'events' ? 'campaign.completed'"""
    expected: Counter[tuple[str, str]] = Counter()
    for row in _rows(session, ends):
        expected[row.about, row.type] += row.times
    return expected


def one_request_one_result(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I7: no request made more than it asked for, however its answer was lost."""
    made = _made(session)
    for label, asked in evidence.journal.asked.items():
        if made.get(label, 0) > asked.jobs or 0 < made.get(label, 0) < asked.jobs:
            yield Finding("I7", f"{label} asked for {asked.jobs} jobs and made {made[label]}")


def nobody_starved(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """I8: no job waited while workers had nothing to do."""
    for sentence in evidence.stalls:
        yield Finding("I8", sentence)


def the_ledger_is_closed(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """Every round reserves once and releases once; the last settles its cost if it has one."""
    entries = """
        SELECT jobs.id, status, cost_micros, kinds, amounts FROM jobs LEFT JOIN (
            SELECT job_id, round, string_agg(kind, ' ' ORDER BY kind) AS kinds,
                sum(amount_micros) AS amounts FROM ledger GROUP BY job_id, round
        ) AS entry ON job_id = jobs.id AND entry.round = jobs.round
        WHERE finished_at IS NOT NULL"""
    before = """
        SELECT job_id, ledger.round, sum(amount_micros) AS amounts FROM ledger
        JOIN jobs ON jobs.id = job_id WHERE ledger.round < jobs.round
        GROUP BY job_id, ledger.round HAVING sum(amount_micros) <> 0"""
    for row in _rows(session, before):
        yield Finding("ledger", f"round {row.round} of job {row.job_id} left {row.amounts}")
    for row in _rows(session, entries):
        done = row.status in ("succeeded", "rejected")
        wanted = "release reserve settle" if done else "release reserve"
        if row.kinds != wanted:
            yield Finding("ledger", f"job {row.id} ({row.status}) has entries: {row.kinds}")
        elif row.amounts != (row.cost_micros if done else 0):
            yield Finding(
                "ledger", f"job {row.id} ({row.status}) costs {row.cost_micros}, paid {row.amounts}"
            )


def campaigns_count_right(evidence: Evidence, session: Session) -> Iterator[Finding]:
    """A campaign's counts and cost are those of its jobs."""
    apart = """
        SELECT campaigns.id, total, succeeded, failed, canceled, rejected, expired, in_review,
            counted.*, campaigns.cost_micros
        FROM campaigns JOIN (
            SELECT campaign_id, count(*) AS jobs,
                count(*) FILTER (WHERE status = 'succeeded') AS s,
                count(*) FILTER (WHERE status = 'failed') AS f,
                count(*) FILTER (WHERE status = 'canceled') AS c,
                count(*) FILTER (WHERE status = 'rejected') AS n,
                count(*) FILTER (WHERE status = 'expired') AS e,
                count(*) FILTER (WHERE status = 'in_review') AS w,
                coalesce(sum(cost_micros), 0) AS cost
            FROM jobs GROUP BY campaign_id
        ) AS counted ON campaign_id = campaigns.id
        WHERE (total, succeeded, failed, canceled, rejected, expired, in_review,
            campaigns.cost_micros) <> (jobs, s, f, c, n, e, w, cost)
    """
    for row in _rows(session, apart):
        said = f"{row.succeeded}+{row.failed}+{row.canceled} of {row.total}"
        yield Finding(
            "counts",
            f"campaign {row.id} says {said}; its jobs {row.s}+{row.f}+{row.c} of {row.jobs}",
        )


Invariant = Callable[[Evidence, Session], Iterator[Finding]]

INVARIANTS: tuple[Invariant, ...] = (
    accepted_work_is_there,
    nothing_waits,
    every_success_has_its_picture,
    ended_is_ended,
    one_committed_attempt,
    everything_is_told_once,
    one_request_one_result,
    nobody_starved,
    the_ledger_is_closed,
    campaigns_count_right,
)


def _made(session: Session) -> dict[str, int]:
    """How many jobs came of each request, by its label."""
    rows = _rows(
        session, "SELECT metadata->>'request' AS label, count(*) AS jobs FROM jobs GROUP BY 1"
    )
    return {row.label: row.jobs for row in rows}


def _rows(session: Session, statement: str) -> Sequence[Row[Any]]:
    return session.execute(text(statement)).all()


def _either(words: set[str]) -> str:
    return " or ".join(sorted(words))
