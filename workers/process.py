"""What happens when a worker process starts and stops."""

import gc
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Semaphore
from time import monotonic

from celery import Celery, signals

from app.bell import Bell
from app.catalog import Catalog
from app.db import jobs, open_database
from app.domain.ids import new_id
from app.domain.job import Lane
from app.queue import CeleryTickets, QueueName, open_queue
from app.settings import Settings
from app.storage import open_storage
from workers import tasks

IO_THREADS = 16  #: senders and fetchers wait on networks, mostly


def run_stylizing(settings: Settings, ready: Path | None) -> None:
    """Serve tickets until SIGTERM; running groups finish first."""
    celery = open_queue(settings)
    with _studio(settings, celery) as stylize:
        tasks.add_stylizing(celery, stylize)
        name = f"stylize-{settings.engine.device}"
        _serve(celery, QueueName.STYLIZE, name, threads=settings.worker.tickets, ready=ready)


def run_io(settings: Settings, ready: Path | None, *, beat: bool) -> None:
    """Bring pictures in, send webhooks out, sweep; with `beat`, also say when to sweep."""
    from app.egress import Egress
    from app.fetch import Fetcher
    from app.webhooks import Sender
    from workers.delivery import PostRoom, deliver
    from workers.fetching import Porter, fetch
    from workers.sweep import sweep

    celery = open_queue(settings)
    tickets = CeleryTickets(celery)
    sessions = open_database(settings.database_url.get_secret_value(), pool=IO_THREADS)
    hooks = settings.webhooks
    out = Egress(allow_private=hooks.allow_private, connections=hooks.slots)
    room = PostRoom(
        sessions=sessions,
        sender=Sender(out, timeout=hooks.timeout),
        secret_key=settings.secret_key.get_secret_value(),
        slots=Semaphore(hooks.slots),
        hold=hooks.timeout + 2,  # to write down what came back
    )
    fetcher = Fetcher(
        Egress(allow_private=settings.allow_private_sources, connections=IO_THREADS),
        settings.limits,
    )
    porter = Porter(
        worker=worker_name("io"),
        settings=settings,
        sessions=sessions,
        storage=open_storage(settings.storage),
        tickets=tickets,
        fetch=fetcher.fetch,
    )
    tasks.add_io(
        celery,
        fetch=partial(fetch, porter),
        deliver=partial(deliver, room),
        sweep=partial(sweep, sessions, tickets, tickets.waiting),
    )
    _serve(celery, QueueName.IO, "io", threads=IO_THREADS, ready=ready, beat=beat)


def worker_name(kind: str) -> str:
    """Names one process in leases and history; a restarted one is somebody else."""
    return f"{kind}@{socket.gethostname()}:{os.getpid()}:{str(new_id())[-6:]}"


@contextmanager
def _studio(settings: Settings, celery: Celery) -> Iterator[Callable[[Lane], dict[str, int]]]:
    """Everything a stylizing worker owns, opened in order, warmed up, closed in reverse."""
    from workers.batcher import Batcher
    from workers.codec.encode import encode
    from workers.codec.pool import DecodePool
    from workers.engines import open_engine
    from workers.gate import Gate
    from workers.leases import Leases
    from workers.pace import Pace
    from workers.pipeline import stylize
    from workers.studio import Studio
    from workers.stylebook import Stylebook

    engine = open_engine(settings.engine, Catalog(settings.catalog))
    engine.warm_up()
    worker = settings.worker
    sessions = open_database(settings.database_url.get_secret_value(), pool=worker.tickets + 2)
    decoders = DecodePool(worker.decoders, settings.limits)
    batcher = Batcher(
        engine,
        max_batch=settings.engine.max_batch,
        max_batch_pixels=settings.engine.batch_pixels,
        capacity=worker.tickets * worker.group,
        patience=worker.patience_seconds,
    )
    leases = Leases(
        sessions,
        seconds=worker.lease_seconds,
        every=worker.heartbeat_seconds,
        alive=lambda: not batcher.stalled(monotonic()),
    )
    name = worker_name(engine.device)
    with decoders, batcher, leases:
        try:
            yield partial(
                stylize,
                Studio(
                    worker=name,
                    engine=engine.name,
                    device=engine.device,
                    stylizer=engine.stylizer_digest,
                    sessions=sessions,
                    storage=open_storage(settings.storage),
                    tickets=CeleryTickets(celery),
                    announce=Bell(settings.broker_url.get_secret_value()).ring,
                    decode=lambda content, size: decoders.decode(content, size=size),
                    draw=batcher.submit,
                    encode=encode,
                    stylebook=Stylebook(engine.stylizer_digest),
                    leases=leases,
                    gate=Gate(),
                    pace=Pace(),
                    worker_settings=worker,
                    rate_card=settings.rate_card,
                ),
            )
        finally:
            # A stop that could not wait for them: others need not wait for their leases.
            with sessions.begin() as session:
                jobs.hand_back(session, leases.held(), by=name)
    engine.close()


def _serve(
    celery: Celery,
    queue: QueueName,
    name: str,
    *,
    threads: int,
    ready: Path | None,
    beat: bool = False,
) -> None:
    """Run Celery's worker in this process; never a forked pool: the engine does not survive it."""
    if ready is not None:
        signals.worker_ready.connect(lambda **_: ready.touch(), weak=False)
        signals.worker_shutting_down.connect(lambda **_: ready.unlink(missing_ok=True), weak=False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    worker = celery.Worker(
        hostname=f"{name}@{socket.gethostname()}",
        pool="threads",
        concurrency=threads,
        queues=[queue.value],
        beat=beat,
        scheduler="celery.beat:Scheduler",  # in memory: two lines of settings need no file
        without_gossip=True,
        without_mingle=True,
        loglevel="WARNING",
    )
    gc.collect()
    gc.freeze()  # what is here now stays: looking through it again took a twentieth of a job's CPU
    worker.start()
