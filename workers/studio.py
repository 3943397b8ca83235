"""What a worker owns that makes pictures, and one job on its way through it."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.db import Sessions, budgets, events
from app.db.intake import NewAsset
from app.db.jobs import Held
from app.domain.parameters import Output, Parameters
from app.domain.prices import Usage
from app.errors import ImpastoError
from app.logs import about, ids_of
from app.queue import Tickets
from app.settings import RateCard, WorkerSettings
from app.storage import Blob, Storage, asset_key
from app.tracing import NOWHERE, OFF, Span, Tracer
from workers.asks import Cost, Item, Stylized
from workers.codec import cpu
from workers.codec.child import Decoded
from workers.codec.strips import Sheet
from workers.easel import Brush, Easel
from workers.finish import Pixels, finish
from workers.gate import Gate
from workers.leases import Leases
from workers.marking.notary import Notary, Sealed
from workers.meter import Meter
from workers.pace import Pace
from workers.shares import Tally
from workers.stylebook import Stylebook
from workers.till import Till
from workers.warnings import sample, warnings

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """What every worker owns that makes pictures; made once at its start, passed to tickets."""

    worker: str  #: names this process in leases and history
    engine: str
    device: str
    software: str  #: version and commit of what runs here
    image: str | None = None  #: digest of the container it runs in
    hardware: str | None = None  #: what its device is
    stylizer: str | None  #: digest of its network; None serves every style (the null engine)
    sessions: Sessions
    storage: Storage
    tickets: Tickets
    announce: Callable[[Sequence[UUID]], None]  #: tells who waits that these changed
    decode: Callable[[bytes, int | None], Decoded]
    encode: Callable[[Any, Any, Output], bytes]
    notary: Notary | None  #: marks what comes out; None leaves it as it is
    stylebook: Stylebook
    leases: Leases
    worker_settings: WorkerSettings
    rate_card: RateCard
    meter: Meter = field(default_factory=Meter)
    tally: Tally = field(default_factory=Tally)
    till: Till = field(default_factory=Till)
    tracer: Tracer = OFF


def unjudged(_: Sequence["Work"]) -> AbstractContextManager[None]:
    """Nobody minds how jobs end: for tests of everything else."""
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Studio(Workplace):
    """A stylizing worker's: it draws with an engine."""

    draw: Callable[[Item], "Future[Stylized]"]
    easel: Easel  #: for pictures too large for it
    gate: Gate
    pace: Pace
    judging: Callable[[Sequence["Work"]], AbstractContextManager[None]] = unjudged


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished file, an asset to be."""

    asset: NewAsset
    content: bytes
    sealed: Sealed

    @property
    def signatures(self) -> int:
        """Made on the way; each is charged."""
        return int(self.sealed.label is not None)

    @property
    def blob(self) -> Blob:
        """What to store."""
        key = asset_key(self.asset.tenant_id, self.asset.digest)
        return Blob(key, self.content, self.asset.media_type)


@dataclass(frozen=True, slots=True)
class Picture(Finished):
    """A finished output, measured on its way."""

    cost: Cost


@dataclass
class Work:
    """One claimed job on its way through the stages."""

    row: Row[Any]
    held: Held
    foreseen_ms: float = 0.0  #: of its device, when it was claimed
    timings: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0  #: of this worker's threads and decoders, not of its engine
    alpha: Any = None
    content: Any = None  #: the photograph's pixels, where the finish needs them
    keep: Any = None  #: what its mask keeps of it
    seen: Any = None  #: a sample of the photograph, to tell whether anything was done to it
    warnings: tuple[str, ...] = ()
    credentials: str | None = None  #: its media type, if it may carry Content Credentials
    drawing: "Future[Stylized] | None" = None
    commission: tuple[Sheet, Brush] | None = None  #: instead of a drawing, for a large picture
    picture: Picture | None = None
    renditions: dict[str, Finished] = field(default_factory=dict)  #: by name, in order
    renditions_ms: float = 0.0  #: of CPU, for them alone
    error: ImpastoError | None = None
    span: Span = NOWHERE
    also: Callable[[Session], None] | None = None  #: written in the transaction of its success

    @property
    def ids(self) -> dict[str, Any]:
        """Whom lines about it name."""
        return ids_of(self.row)

    @property
    def usage(self) -> Usage:
        """What its picture is charged for, with all that was made of it."""
        its = self.renditions.values()
        return self.drawn_usage + Usage(
            cpu_ms=self.renditions_ms,
            stored_bytes=sum(one.asset.bytes for one in its),
            signatures=sum(one.signatures for one in its),
        )

    @property
    def drawn_usage(self) -> Usage:
        """The part of the picture alone: what the cost model learns from."""
        if self.picture is None:
            return Usage()
        return Usage(
            device_ms=self.picture.cost.own_ms,
            cpu_ms=max(0.0, 1000 * self.cpu_seconds - self.renditions_ms),
            stored_bytes=self.picture.asset.bytes,
            signatures=self.picture.signatures,
        )

    @property
    def files(self) -> list[Finished]:
        """All that is to be stored of it."""
        return [] if self.picture is None else [self.picture, *self.renditions.values()]

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters.model_validate(self.row.parameters)

    def finished(self, drawn: Pixels) -> Pixels:
        """The drawing with what was asked for beyond it; the photograph is let go."""
        content, keep, self.content, self.keep = self.content, self.keep, None, None
        if content is not None:
            drawn = finish(drawn, content, keep, self.parameters)
        self.warnings = warnings(sample(drawn), self.seen, strength=self.parameters.strength)
        return drawn


def changed(ended: Sequence[Row[Any]]) -> list[UUID]:
    """Jobs that ended, and their campaigns, each once: whom to ring for."""
    return [row.id for row in ended] + list({row.campaign_id for row in ended if row.campaign_id})


def tell(place: Workplace, ended: Sequence[Row[Any]], session: Session) -> None:
    """
    After the commit: wake who waits for jobs that ended before they were begun.

    And the post, if it has to go, and workers for what a budget has room for by now.
    """
    place.announce(changed(ended))
    if events.written(session):
        place.tickets.deliver()
    for lane in budgets.let_in(session):
        place.tickets.work(lane)


def attempt(place: Workplace, work: Work, step: Callable[[], None]) -> None:
    """One step of one job; what breaks stays with the job, whatever it is."""
    if work.error is not None or place.leases.lost(work.held):
        return
    try:
        with cpu.measured() as spent, about(**work.ids), place.tracer.amid([work.span]):
            step()
    except ImpastoError as error:
        work.error = error
    except Exception as error:
        log.exception("job %s broke", work.held.id, extra=work.ids)
        work.error = ImpastoError(f"{type(error).__name__} in the worker")
    work.cpu_seconds += spent.seconds
