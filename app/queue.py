"""Tickets: the Celery messages that say "there is work on this lane", and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final, Protocol

from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError

from app import keepalive
from app.domain.job import Lane
from app.settings import Settings
from app.tracing import LANE, OFF, Kind, Tracer

log = logging.getLogger(__name__)


class Task(StrEnum):
    """The Celery tasks, by the names that operators see in Flower."""

    STYLIZE = "impasto.stylize"  #: argument: the lane with work on it
    FETCH = "impasto.fetch"
    OPTIMIZE = "impasto.optimize"  #: argument: the lane with work on it
    DELIVER = "impasto.deliver"
    SWEEP = "impasto.sweep"


class QueueName(StrEnum):
    """The Redis lists, one for each kind of worker. Order between jobs is the table's affair."""

    STYLIZE = "stylize"
    IO = "io"
    OPTIMIZE = "optimize"


def queue_of(lane: Lane) -> QueueName:
    """Where the tickets of a lane wait."""
    if lane is Lane.FETCH:
        return QueueName.IO
    return QueueName.OPTIMIZE if lane.slow else QueueName.STYLIZE


_SERVES: Final = {
    QueueName.STYLIZE: Task.STYLIZE,
    QueueName.IO: Task.FETCH,
    QueueName.OPTIMIZE: Task.OPTIMIZE,
}


class Tickets(Protocol):
    """How everybody else asks for workers. Call it after the commit; the sweep repairs a gap."""

    def work(self, lane: Lane, tickets: int = 1) -> None:
        """There is work on this lane: wake as many claims."""
        ...

    def deliver(self) -> None:
        """There are deliveries due."""
        ...


class CeleryTickets:
    """Tickets through Celery over Redis."""

    def __init__(self, celery: Celery, tracer: Tracer = OFF) -> None:
        self._celery, self._tracer = celery, tracer

    def work(self, lane: Lane, tickets: int = 1) -> None:
        name = _SERVES[queue_of(lane)]
        with self._tracer.step("enqueue", Kind.PRODUCER) as span:
            span.tell({"messaging.destination.name": queue_of(lane).value, LANE: lane.value})
            self._send(name, lane, tickets)

    def _send(self, name: Task, lane: Lane, tickets: int) -> None:
        with _nudge(), self._celery.producer_pool.acquire(block=True, timeout=5) as producer:
            for _ in range(tickets):
                self._celery.send_task(name, args=[lane.value], producer=producer)

    def deliver(self) -> None:
        with _nudge():
            self._celery.send_task(Task.DELIVER)

    def waiting(self, queue: QueueName) -> int:
        """Tickets nobody has taken yet."""
        with self._celery.connection_for_read() as connection:
            channel: Any = connection.default_channel  # kombu types the general channel only
            return int(channel.client.llen(queue.value))


@contextmanager
def _nudge() -> Iterator[None]:
    """What was committed stays accepted when Redis is away: the sweep sends the ticket again."""
    try:
        yield
    except OperationalError as error:
        log.warning("no ticket sent, the sweep will: %s", error)


def open_queue(settings: Settings) -> Celery:
    """The Celery application; workers add the tasks, everybody else only sends."""
    celery = Celery("impasto", broker=settings.broker_url.get_secret_value())
    celery.conf.update(_conf(settings))
    return celery


def _conf(settings: Settings) -> dict[str, Any]:
    return {
        **_tickets(),
        **_connections(),
        **_stops(),
        **_queues(),
        **_beat(settings.worker.sweep_seconds),
        # Events are for Flower; one message a claim group can afford them.
        "worker_send_task_events": True,
        "task_send_sent_event": False,
        "worker_hijack_root_logger": False,
        "timezone": "UTC",
    }


def _tickets() -> dict[str, Any]:
    return {
        # Postgres holds every result: three Redis round trips a ticket instead of ten.
        "result_backend": None,
        "task_ignore_result": True,
        # A ticket taken by a worker that dies comes back. The lease would repair that, too.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # No ticket waits behind a busy worker while another is idle.
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        # JSON only: whoever can write to Redis must not be able to run code here.
        "task_serializer": "json",
        "accept_content": ["json"],
    }


def _connections() -> dict[str, Any]:
    return {
        "broker_transport_options": {
            # Longer than any ticket takes; a copy that comes too early finds nothing to claim.
            "visibility_timeout": 120,
            # kombu scans for lost tickets every 10 x 10 s unless told otherwise.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            # A half-open link is an error after seconds; kombu by itself drops it after 60 to 90.
            **keepalive.REDIS,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "health_check_interval": 25,
            # No retry_on_timeout: with it redis-py connects a lost subscription anew by itself and
            # then waits without end for a message, in the thread that serves all of the worker.
        },
        "visibility_timeout": 120,
        "broker_connection_retry_on_startup": True,
        # A lost connection must not cancel claimed work: the lease and the fence decide.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
    }


def _stops() -> dict[str, Any]:
    return {
        # On SIGTERM, running claims finish; what is not finished after this is handed back.
        "worker_soft_shutdown_timeout": 30.0,
        "worker_enable_soft_shutdown_on_idle": False,
    }


def _queues() -> dict[str, Any]:
    return {
        "task_default_queue": QueueName.STYLIZE.value,
        "task_queues": [Queue(name.value) for name in QueueName],
        "task_create_missing_queues": False,
        "task_routes": {
            Task.STYLIZE: QueueName.STYLIZE.value,
            Task.FETCH: QueueName.IO.value,
            Task.OPTIMIZE: QueueName.OPTIMIZE.value,
            Task.DELIVER: QueueName.IO.value,
            Task.SWEEP: QueueName.IO.value,
        },
    }


def _beat(every: float) -> dict[str, Any]:
    return {
        "beat_schedule": {
            "sweep": {
                "task": Task.SWEEP,
                "schedule": every,
                # Sweeps do not pile up while no io worker is there. Two machines' clocks are
                # compared here, so there is room for them to differ.
                "options": {"expires": every + 10},
            }
        }
    }
