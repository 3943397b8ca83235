"""The life of a job. Pure: no database, no queue, no clock."""

from enum import StrEnum
from typing import Final


class JobStatus(StrEnum):
    """Where a job is; every change goes through `app.db.moves.move`."""

    QUEUED = "queued"  #: accepted and stored; a worker may claim it
    RUNNING = "running"  #: claimed by one worker, under one attempt number
    IN_REVIEW = "in_review"  #: the output asset exists; nobody gets it before it is approved
    SUCCEEDED = "succeeded"  #: the output asset exists
    FAILED = "failed"  #: refused or out of attempts; `error_code` says which
    CANCELED = "canceled"  #: the caller withdrew it before it finished
    REJECTED = "rejected"  #: a reviewer refused its output, which stays where it is, unseen
    EXPIRED = "expired"  #: it still waited when its deadline came; nothing was billed

    @property
    def final(self) -> bool:
        """Whether it has ended; a job that ended may still be retried, which is a new round."""
        return self in FINAL

    @property
    def open(self) -> bool:
        """Whether the machine still has to do something for it: a reviewer is no machine."""
        return self in (JobStatus.QUEUED, JobStatus.RUNNING)


Q, R, W, S, F, C, N, E = JobStatus  # W: waits for a reviewer, N: who said no

TRANSITIONS: Final[dict[JobStatus, frozenset[JobStatus]]] = {
    Q: frozenset({R, S, W, F, C, E}),  # to S or W: its picture was drawn before
    R: frozenset({S, W, F, C, Q}),  # back to QUEUED: a retry, or a rescue of a lost worker
    W: frozenset({S, N}),
    S: frozenset(),
    F: frozenset({Q}),  # a new round of the same job, asked for by its owner
    C: frozenset(),
    N: frozenset(),
    E: frozenset({Q}),
}

FINAL: Final = (S, F, C, N, E)
RETRYABLE: Final = (F, E)  #: ended without an output, and not by their owner's wish
SHOWING: Final = (W, S, N)  #: these have an output


def sources(target: JobStatus) -> frozenset[JobStatus]:
    """The statuses from which `target` may be reached."""
    return frozenset(status for status, targets in TRANSITIONS.items() if target in targets)


class Lane(StrEnum):
    """Jobs that may share a claim. A ticket names one; the row says which a job waits in."""

    INTERACTIVE = "interactive"  #: somebody is waiting for this one picture
    CAMPAIGN = "campaign"  #: bulk; claimed only when nothing interactive waits
    FETCH = "fetch"  #: its picture is still behind a URL; the io worker gets it
    SOLO = "solo"  #: a worker died holding it; it runs with few others, then alone
    PRINT = "print"  #: the picture itself is optimized, for minutes; an optimizer worker does it
    LEARN = "learn"  #: its content is a style to be learned; an optimizer worker does it

    @property
    def slow(self) -> bool:
        """Whether an optimizer worker serves it, one job at a time."""
        return self in (Lane.PRINT, Lane.LEARN)

    @property
    def lonely(self) -> bool:
        """Whether its jobs run one by one anyway: a lost one stays in it."""
        return self.slow or self is Lane.FETCH


MAX_FAILURES: Final = 5  #: broken attempts (storage away, engine busy) before a job fails
SUSPECTS: Final = 16  #: jobs lost with their worker that run together once, and with nobody else
MAX_SOLO_CRASHES: Final = 3  #: workers killed by a job running alone before it is quarantined


def after_failure(failures: int, *, retryable: bool) -> JobStatus:
    """Where a running job goes when its attempt breaks for the `failures`-th time."""
    return Q if retryable and failures < MAX_FAILURES else F


def backoff(failures: int) -> float:
    """Seconds a job rests after its `failures`-th broken attempt: 1, 2, 4 ... at most 60."""
    return float(min(60, 2 ** (failures - 1)))
