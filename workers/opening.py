"""What workers that make pictures open at their start and close at their end."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from time import monotonic, sleep

from sqlalchemy.exc import OperationalError

from app import software
from app.bell import Bell
from app.catalog import open_catalog
from app.db import Sessions, open_database, paces, rate_cards
from app.errors import Misconfigured, ServiceUnavailable
from app.queue import Tickets
from app.settings import MarkingSettings, RateCard, Settings, WorkerSettings
from app.storage import open_storage
from app.tracing import OFF, Tracer
from workers import hardware, program
from workers.batcher import Batcher, Leave
from workers.batches import Budget
from workers.capbook import cap_book
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.codec.strips import Strips, in_memory
from workers.easel import open_easel
from workers.engines import open_engine
from workers.engines.base import Engine
from workers.fitness import Fitness
from workers.gate import Gate
from workers.hardware import identity
from workers.leases import Leases, worker_name
from workers.marking.notary import Notary, open_notary
from workers.meter import Meter
from workers.optimizer import Optimizer
from workers.pace import Pace
from workers.retirement import Retirement
from workers.studio import Studio
from workers.stylebook import Stylebook

PATIENCE = 60.0  #: seconds that a worker waits for its database at the start

log = logging.getLogger(__name__)


@contextmanager
def open_studio(
    settings: Settings, tickets: Tickets, ready: Path | None = None, tracer: Tracer = OFF
) -> Iterator[Studio]:
    """
    Everything a stylizing worker owns, opened in order, warmed up, closed in reverse.

    `ready` is the file that says it serves, to be taken away when it does not any more.
    """
    engine = open_engine(settings.engine, open_catalog(settings))
    engine.warm_up()
    worker = settings.worker
    sessions = open_database(
        settings.database_url.get_secret_value(),
        pool=worker.tickets + 2,
        idle=worker.lease_seconds,  # frozen for a lease, its jobs are others': so are its locks
    )
    _agree(sessions, settings.rate_card)
    decoders = DecodePool(worker.decoders, in_memory(settings.limits))
    strips = Strips(settings.limits, worker.scratch)
    notary = _notary(settings.marking)

    def leave(code: int, why: str) -> None:
        retirement.leave(code, why)

    batcher = _batcher(settings, engine, leave, tracer)
    name, meter = worker_name(engine.device), Meter()
    told = (sessions, name, engine.device, engine.name)
    leases = _leases(worker, sessions, batcher, partial(meter.beat, *told))
    signs = [sign for sign in (ready, worker.alive_file) if sign is not None]
    retirement = Retirement(leases, name, signs, Fitness(worker.breaks))
    with decoders, batcher, leases, notary or nullcontext():
        try:
            yield Studio(
                worker=name,
                engine=engine.name,
                device=engine.device,
                software=software(settings.commit),
                image=settings.image or None,
                hardware=hardware.model(engine.device),
                stylizer=engine.stylizer_digest,
                sessions=sessions,
                storage=open_storage(settings.storage),
                tickets=tickets,
                announce=Bell(settings.broker_url.get_secret_value()).ring,
                decode=strips.reducing(decoders.decode),
                draw=batcher.submit,
                encode=encode,
                notary=notary,
                easel=open_easel(settings, strips, engine, batcher.submit),
                stylebook=Stylebook(engine.stylizer_digest),
                leases=leases,
                gate=Gate(),
                pace=Pace(),
                judging=retirement.judging,
                worker_settings=worker,
                rate_card=settings.rate_card,
                meter=meter,
                tracer=tracer,
            )
        finally:
            leases.hand_back(by=name)
            meter.close(*told)
    engine.close()


@contextmanager
def open_optimizer(
    settings: Settings, tickets: Tickets, tracer: Tracer = OFF
) -> Iterator[Optimizer]:
    """
    Everything an optimizer worker owns. Raises `Misconfigured` where its programs could not run.
    """
    stylizer, device = _check_programs(settings), chosen_device(settings.optimizer.device)
    worker = settings.worker
    notary = _notary(settings.marking)
    url = settings.database_url.get_secret_value()
    sessions = open_database(url, pool=4, idle=worker.lease_seconds)
    decoders = DecodePool(1, in_memory(settings.limits))
    strips = Strips(settings.limits, worker.scratch)
    _agree(sessions, settings.rate_card)
    name, meter = worker_name(paces.OPTIMIZER), Meter()
    told = (sessions, name, device, paces.OPTIMIZER)
    leases = Leases(
        sessions,
        seconds=worker.lease_seconds,
        every=worker.heartbeat_seconds,
        beat=partial(meter.beat, *told),
        sign=worker.alive_file,
    )
    with decoders, leases, notary or nullcontext():
        yield Optimizer(
            worker=name,
            engine=paces.OPTIMIZER,
            device=device,
            software=software(settings.commit),
            image=settings.image or None,
            hardware=hardware.model(device),
            stylizer=stylizer,
            sessions=sessions,
            storage=open_storage(settings.storage),
            tickets=tickets,
            announce=Bell(settings.broker_url.get_secret_value()).ring,
            decode=strips.reducing(decoders.decode),
            encode=encode,
            notary=notary,
            stylebook=Stylebook(stylizer),
            leases=leases,
            worker_settings=worker,
            rate_card=settings.rate_card,
            settings=settings,
            closing=Event(),
            meter=meter,
            tracer=tracer,
        )
        meter.close(*told)


def _agree(sessions: Sessions, card: RateCard) -> None:
    """
    No picture is charged at prices that its card's name does not stand for.

    Waits a while for a database that is away. Raises `Misconfigured`, or `ServiceUnavailable`.
    """
    deadline = monotonic() + PATIENCE
    while True:
        try:
            return rate_cards.agree(sessions, card)
        except OperationalError as error:
            if monotonic() > deadline:
                raise ServiceUnavailable("The database is away, and with it the prices.") from error
            sleep(1.0)


def _check_programs(settings: Settings) -> str:
    """The digest of the network that styles are learned for."""
    if find_spec("torch") is None:
        raise Misconfigured(
            "An optimizer worker needs PyTorch; install it: pip install 'impasto[training]'."
        )
    for path in (settings.optimizer.backbone, settings.optimizer.photos):
        if path is not None and not path.exists():
            raise Misconfigured(f"{path} is not there; correct IMPASTO_OPTIMIZER__...")
    return open_catalog(settings).stylizer(settings.engine.stylizer).digest


def _notary(settings: MarkingSettings) -> Notary | None:
    """Who marks what comes out; an operator hears where that is less than it may seem."""
    notary = open_notary(settings)
    if notary is None:
        log.warning("outputs are not marked: IMPASTO_MARKING__ENABLED is off")
    elif notary.own_certificate:
        log.warning(
            "outputs are signed with a certificate for development, which nobody else trusts; "
            "docs/provenance.md says how to use another"
        )
    return notary


def chosen_device(name: str) -> str:
    """
    What the programs will run on: only PyTorch knows, and PyTorch lives beside.

    Raises `Misconfigured` where they could not.
    """
    if name == "cpu":
        return name
    asked = subprocess.run(  # noqa: S603 - the argv is ours
        [sys.executable, "-m", "training.device", name],
        env=program.environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        sentence = asked.stderr.strip().rpartition("\n")[2].removeprefix(program.OURS)
        raise Misconfigured(f"{sentence} (IMPASTO_OPTIMIZER__DEVICE).")
    return asked.stdout.strip()


def _batcher(settings: Settings, engine: Engine, leave: Leave, tracer: Tracer) -> Batcher:
    worker = settings.worker
    book = cap_book(
        settings.engine.cache,
        model=engine.stylizer_digest or "any",
        engine=engine.name,
        device=identity(engine.device, os.environ),
        limit=settings.engine.memory_limit,
    )
    return Batcher(
        engine,
        budget=Budget(settings.engine.max_batch, settings.engine.batch_pixels),
        sticky=settings.engine.stickiness,
        capacity=worker.tickets * worker.group,
        patience=worker.patience_seconds,
        caps=book.open(),
        leave=leave,
        tracer=tracer,
    )


def _leases(
    worker: WorkerSettings, sessions: Sessions, batcher: Batcher, beat: Callable[[], None]
) -> Leases:
    return Leases(
        sessions,
        seconds=worker.lease_seconds,
        every=worker.heartbeat_seconds,
        alive=lambda: not batcher.stalled(monotonic()),
        beat=beat,
        sign=worker.alive_file,
    )
