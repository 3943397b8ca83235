"""What workers that make pictures open at their start and close at their end."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Event
from time import monotonic

from app.bell import Bell
from app.catalog import Catalog
from app.db import Sessions, open_database
from app.errors import Misconfigured
from app.queue import Tickets
from app.settings import Settings, WorkerSettings
from app.storage import open_storage
from workers.batcher import Batcher
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.codec.strips import Strips, in_memory
from workers.easel import open_easel
from workers.engines import open_engine
from workers.engines.base import Engine
from workers.gate import Gate
from workers.leases import Leases, worker_name
from workers.optimizer import Optimizer
from workers.pace import Pace
from workers.studio import Studio
from workers.stylebook import Stylebook


@contextmanager
def open_studio(settings: Settings, tickets: Tickets) -> Iterator[Studio]:
    """Everything a stylizing worker owns, opened in order, warmed up, closed in reverse."""
    engine = open_engine(settings.engine, Catalog(settings.catalog))
    engine.warm_up()
    worker = settings.worker
    sessions = open_database(settings.database_url.get_secret_value(), pool=worker.tickets + 2)
    decoders = DecodePool(worker.decoders, in_memory(settings.limits))
    strips = Strips(settings.limits, worker.scratch)
    batcher = _batcher(settings, engine)
    leases = _leases(worker, sessions, batcher)
    name = worker_name(engine.device)
    with decoders, batcher, leases:
        try:
            yield Studio(
                worker=name,
                engine=engine.name,
                device=engine.device,
                stylizer=engine.stylizer_digest,
                sessions=sessions,
                storage=open_storage(settings.storage),
                tickets=tickets,
                announce=Bell(settings.broker_url.get_secret_value()).ring,
                decode=strips.reducing(decoders.decode),
                draw=batcher.submit,
                encode=encode,
                easel=open_easel(settings, strips, engine, batcher.submit),
                stylebook=Stylebook(engine.stylizer_digest),
                leases=leases,
                gate=Gate(),
                pace=Pace(),
                worker_settings=worker,
                rate_card=settings.rate_card,
            )
        finally:
            leases.hand_back(by=name)
    engine.close()


@contextmanager
def open_optimizer(settings: Settings, tickets: Tickets) -> Iterator[Optimizer]:
    """
    Everything an optimizer worker owns. Raises `Misconfigured` where its programs could not run.
    """
    stylizer = _check_programs(settings)
    worker = settings.worker
    sessions = open_database(settings.database_url.get_secret_value(), pool=4)
    decoders = DecodePool(1, in_memory(settings.limits))
    strips = Strips(settings.limits, worker.scratch)
    leases = Leases(sessions, seconds=worker.lease_seconds, every=worker.heartbeat_seconds)
    with decoders, leases:
        yield Optimizer(
            worker=worker_name("optimizer"),
            engine="optimizer",
            device="cpu",
            stylizer=stylizer,
            sessions=sessions,
            storage=open_storage(settings.storage),
            tickets=tickets,
            announce=Bell(settings.broker_url.get_secret_value()).ring,
            decode=strips.reducing(decoders.decode),
            encode=encode,
            stylebook=Stylebook(stylizer),
            leases=leases,
            worker_settings=worker,
            rate_card=settings.rate_card,
            settings=settings,
            closing=Event(),
        )


def _check_programs(settings: Settings) -> str:
    """The digest of the network that styles are learned for."""
    if find_spec("torch") is None:
        raise Misconfigured(
            "An optimizer worker needs PyTorch; install it: pip install 'impasto[training]'."
        )
    for path in (settings.optimizer.backbone, settings.optimizer.photos):
        if path is not None and not path.exists():
            raise Misconfigured(f"{path} is not there; correct IMPASTO_OPTIMIZER__...")
    return Catalog(settings.catalog).stylizer(settings.engine.stylizer).digest


def _batcher(settings: Settings, engine: Engine) -> Batcher:
    worker = settings.worker
    return Batcher(
        engine,
        max_batch=settings.engine.max_batch,
        max_batch_pixels=settings.engine.batch_pixels,
        capacity=worker.tickets * worker.group,
        patience=worker.patience_seconds,
    )


def _leases(worker: WorkerSettings, sessions: Sessions, batcher: Batcher) -> Leases:
    return Leases(
        sessions,
        seconds=worker.lease_seconds,
        every=worker.heartbeat_seconds,
        alive=lambda: not batcher.stalled(monotonic()),
    )
