"""The Celery tasks. Nothing here but names and one call each; the rows hold everything else."""

from collections.abc import Callable

from celery import Celery

from app.domain.job import Lane
from app.queue import Task

Answer = dict[str, int]


def add_stylizing(celery: Celery, stylize: Callable[[Lane], Answer]) -> None:
    """What a stylizing worker does with a ticket."""

    @celery.task(name=Task.STYLIZE)
    def _stylize(lane: str) -> Answer:
        return stylize(Lane(lane))


def add_optimizing(celery: Celery, optimize: Callable[[Lane], Answer]) -> None:
    """What an optimizer worker does with a ticket; a ticket lost with its worker is not missed."""

    # Acknowledged at once: minutes later it would long have been delivered again.
    @celery.task(name=Task.OPTIMIZE, acks_late=False)
    def _optimize(lane: str) -> Answer:
        return optimize(Lane(lane))


def add_io(
    celery: Celery,
    *,
    fetch: Callable[[], Answer],
    deliver: Callable[[], Answer],
    sweep: Callable[[], Answer],
) -> None:
    """What an io worker does: bring pictures in, send webhooks out, repair."""

    @celery.task(name=Task.FETCH)
    def _fetch(lane: str) -> Answer:
        return fetch() if Lane(lane) is Lane.FETCH else {}

    @celery.task(name=Task.DELIVER)
    def _deliver() -> Answer:
        return deliver()

    @celery.task(name=Task.SWEEP)
    def _sweep() -> Answer:
        return sweep()
