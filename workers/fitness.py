"""Whether a worker can still be trusted with jobs; pure policy."""

from uuid import UUID


class Fitness:
    """
    Unfit after `most` different jobs in a row that broke here, with nothing drawn in between.

    One job that breaks again and again counts once: it may be the job. Pictures that no worker
    could read and stores that are away for everybody do not count; that is the caller's to tell.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._broken: set[UUID] = set()

    def drew(self) -> None:
        """A job went well."""
        self._broken.clear()

    def broke(self, job: UUID) -> None:
        """A job broke, and it may have been us."""
        self._broken.add(job)

    @property
    def fit(self) -> bool:
        return len(self._broken) < self._most
