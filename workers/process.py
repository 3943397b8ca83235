"""What happens when a worker process starts and stops."""

import gc
import os
import socket
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from celery import Celery, signals

from app import metrics, telemetry
from app.db import Sessions, open_database
from app.domain.job import Lane
from app.orphans import Tidiness
from app.queue import CeleryTickets, QueueName, Tickets, open_queue
from app.settings import Settings
from app.storage import open_storage
from app.tracing import Tracer
from workers import tasks
from workers.duty import Duty
from workers.gate import Gate
from workers.hardware import identity
from workers.leases import Leases, worker_name
from workers.meter import Meter

if TYPE_CHECKING:
    from workers.delivery import PostRoom
    from workers.fetching import Porter

IO_THREADS = 16  #: senders and fetchers wait on networks, mostly


def run_stylizing(settings: Settings, ready: Path | None) -> None:
    """Serve tickets until SIGTERM; running groups finish first."""
    tracer = telemetry.start(settings, "worker")
    from workers.opening import open_studio  # numpy is nothing for an io worker to carry
    from workers.pipeline import stylize

    celery = open_queue(settings)
    with (
        closing(tracer),
        open_studio(settings, CeleryTickets(celery, tracer), ready, tracer) as studio,
    ):
        tasks.add_stylizing(celery, partial(stylize, studio))
        name = f"stylize-{settings.engine.device}"
        threads = settings.worker.tickets
        told = identity(studio.device, os.environ)
        serve = partial(_serve, settings, celery, QueueName.STYLIZE, name, meter=studio.meter)
        serve(threads=threads, ready=ready, told=told)


def run_optimizing(settings: Settings, ready: Path | None) -> None:
    """Print and learn until SIGTERM; what is under way is given back."""
    tracer = telemetry.start(settings, "optimizer")
    from workers.learning import learned
    from workers.opening import open_optimizer
    from workers.optimizer import optimize
    from workers.printing import printed

    celery = open_queue(settings)
    crafts = {Lane.PRINT: printed, Lane.LEARN: learned}
    with (
        closing(tracer),
        open_optimizer(settings, CeleryTickets(celery, tracer), tracer) as optimizer,
    ):
        tasks.add_optimizing(celery, partial(optimize, optimizer, crafts))
        ending = optimizer.closing
        signals.worker_shutting_down.connect(lambda **_: ending.set(), weak=False)
        meter, queue = optimizer.meter, QueueName.OPTIMIZE
        _serve(settings, celery, queue, "optimize", threads=1, ready=ready, meter=meter)


def run_beat(settings: Settings) -> None:
    """Only say when to sweep."""
    telemetry.start(settings, "beat")
    signals.setup_logging.connect(_leave_logs, weak=False)
    open_queue(settings).Beat(scheduler_cls="celery.beat:Scheduler", quiet=True).run()


def run_io(settings: Settings, ready: Path | None, *, beat: bool) -> None:
    """Bring pictures in, send webhooks out, sweep; with `beat`, also say when to sweep."""
    tracer = telemetry.start(settings, "io")
    from workers.delivery import deliver
    from workers.fetching import fetch
    from workers.sweep import sweep

    celery = open_queue(settings)
    tickets = CeleryTickets(celery, tracer)
    worker = settings.worker
    url = settings.database_url.get_secret_value()
    sessions = open_database(url, pool=IO_THREADS, idle=worker.lease_seconds)
    leases = Leases(
        sessions,
        seconds=worker.lease_seconds,
        every=worker.heartbeat_seconds,
        sign=worker.alive_file,
    )
    porter = _porter(settings, sessions, tickets, leases, tracer)
    room = _post_room(settings, sessions, tracer)
    tidiness = Tidiness(every=worker.tidy_seconds, older=worker.orphan_seconds)
    signals.worker_shutting_down.connect(lambda **_: room.closing.set(), weak=False)
    tasks.add_io(
        celery,
        fetch=partial(fetch, porter),
        deliver=partial(deliver, room),
        sweep=partial(sweep, sessions, tickets, tickets.waiting, porter.storage, tidiness),
    )
    with closing(tracer), leases:
        try:
            threads = IO_THREADS
            _serve(settings, celery, QueueName.IO, "io", threads=threads, ready=ready, beat=beat)
        finally:
            leases.hand_back(by=porter.worker)
            room.close()


def _porter(
    settings: Settings, sessions: Sessions, tickets: Tickets, leases: Leases, tracer: Tracer
) -> "Porter":
    from app.egress import Egress
    from app.fetch import Fetcher
    from workers.fetching import Porter

    out = Egress(allow_private=settings.allow_private_sources)
    return Porter(
        worker=worker_name("io"),
        settings=settings,
        sessions=sessions,
        storage=open_storage(settings.storage),
        tickets=tickets,
        fetch=Fetcher(out, settings.limits, settings.buckets).fetch,
        leases=leases,
        gate=Gate(),
        tracer=tracer,
    )


def _post_room(settings: Settings, sessions: Sessions, tracer: Tracer) -> "PostRoom":
    from app.egress import Egress
    from app.webhooks import Sender
    from workers.delivery import PostRoom

    hooks = settings.webhooks
    out = Egress(allow_private=hooks.allow_private)
    return PostRoom(
        sessions,
        Sender(out, timeout=hooks.timeout),
        secret_key=settings.secret_key.get_secret_value(),
        slots=hooks.slots,
        hold=hooks.timeout + 2,  # to write down what came back
        tracer=tracer,
    )


def _serve(
    settings: Settings,
    celery: Celery,
    queue: QueueName,
    name: str,
    *,
    threads: int,
    ready: Path | None,
    beat: bool = False,
    meter: Meter | None = None,
    told: str = "",
) -> None:
    """Run Celery's worker in this process; never a forked pool: the engine does not survive it."""
    signals.worker_ready.connect(_say_how_long, weak=False)
    if ready is not None:
        signals.worker_ready.connect(lambda **_: ready.write_text(told), weak=False)
        signals.worker_shutting_down.connect(lambda **_: ready.unlink(missing_ok=True), weak=False)
    metrics.serve(settings)
    signals.setup_logging.connect(_leave_logs, weak=False)
    worker = celery.Worker(
        hostname=f"{name}@{socket.gethostname()}",
        pool="threads",
        concurrency=threads,
        queues=[queue.value],
        beat=beat,
        scheduler="celery.beat:Scheduler",  # in memory: two lines of settings need no file
        without_gossip=True,
        without_mingle=True,
        quiet=True,  # no banner: lines are for programs, too
    )
    if meter is not None:
        meter.listen(Duty(worker, queue))
    gc.collect()
    gc.freeze()  # what is here now stays: looking through it again took a twentieth of a job's CPU
    worker.start()


def _leave_logs(**_: object) -> None:
    """Celery sets up no handlers, and lets stdout be, where somebody else says that he does."""


def _say_how_long(**_: object) -> None:
    """The cold start: from the process's birth, imports and all, until it serves."""
    birth = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    metrics.started.set(up - birth / os.sysconf("SC_CLK_TCK"))
