"""How a worker ends that cannot be trusted any more: unready first, its jobs given back."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Timer
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from app import exits
from app.errors import DeviceMemory, ImpastoError, OutputInvalid, WorkerUnfit
from workers.fitness import Fitness
from workers.leases import Leases
from workers.studio import Work

PATIENCE: Final = 5.0  #: seconds for giving jobs back; after that the sweep does

log = logging.getLogger(__name__)


class Retirement:
    """
    Watches how jobs end, and ends the process when too many in a row broke. Any thread may call.

    `signs` are the files whose being there says that it is ready and alive.
    """

    def __init__(
        self,
        leases: Leases,
        worker: str,
        signs: Sequence[Path],
        fitness: Fitness,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._leases, self._worker, self._signs = leases, worker, signs
        self._fitness, self._end = fitness, end
        self._lock = Lock()
        self._left = False

    @contextmanager
    def judging(self, works: Sequence[Work]) -> Iterator[None]:
        """
        Around writing down what became of a group; leaves afterwards if we are unfit.

        Then what broke is told as `WorkerUnfit`: tried again elsewhere, and counted, so that
        pictures that break every worker come to an end, too.
        """
        with self._lock:
            for work in works:
                if work.picture is not None:
                    self._fitness.drew()
                elif may_be_ours(work.error):
                    self._fitness.broke(work.held.id)
            fit = self._fitness.fit
        if not fit:
            for work in works:
                if may_be_ours(work.error):
                    work.error = WorkerUnfit(f"The worker went after this: {work.error}")
        yield
        if not fit:
            self.leave(exits.UNFIT, "one job after the other broke")

    def leave(self, code: int, why: str) -> None:
        """Take this process out, whatever its other threads are at."""
        with self._lock:
            if self._left:
                return
            self._left = True
        log.critical("this worker ends itself with %d (%s): %s", code, exits.WORDS[code], why)
        for sign in self._signs:
            sign.unlink(missing_ok=True)
        late = Timer(PATIENCE, self._end, [code])
        late.daemon = True
        late.start()
        try:
            self._leases.hand_back(by=self._worker)
        except SQLAlchemyError as error:  # the sweep will find them
            log.warning("jobs were not given back: %s", error)
        late.cancel()
        self._end(code)


def may_be_ours(error: ImpastoError | None) -> bool:
    """Whether the fault may lie with this worker: not with the picture, nor with what all share."""
    return isinstance(error, OutputInvalid | DeviceMemory) or type(error) is ImpastoError
