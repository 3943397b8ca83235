"""Accepting a manifest: lines by the thousand in one transaction, at the pace of the database."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import cache, manifests, presets
from app.db.intake import NewJob
from app.db.manifests import NewRefusal
from app.db.moves import settle_budget
from app.db.styles import Look
from app.domain.job import Lane
from app.domain.presets import Pinned, Presets
from app.domain.requests import CampaignItem, CampaignOptions
from app.errors import ClientError, DuplicateId, InvalidLine, InvalidManifest, ManifestTooLong
from app.manifest import MAX_LINES, Entry, Line, Refused, shown
from app.sources import Sources
from app.submission import (
    Desk,
    Opened,
    open_campaign,
    plan_items,
    queue_items,
    tell_accepted,
    wake,
)

CHUNK: Final = 1_000  #: outputs, about, that one statement writes
MAX_STYLES: Final = 500  #: different ones in one manifest: each is looked up by itself
MAX_PRESETS: Final = 100
FEW_PRESETS: Final = InvalidLine(f"One manifest names at most {MAX_PRESETS} different presets.")
LONGEST_DETAIL: Final = 500  #: characters
SHOWN: Final = 50  #: reasons in the answer that refuses the whole


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A line with the outputs that it asks for."""

    number: int
    custom_id: str
    outputs: list[CampaignItem]


Read: TypeAlias = Unfolded | Refused
Planned: TypeAlias = tuple[list[NewJob], list[NewRefusal]]


def accept_manifest(
    desk: Desk, tenant_id: UUID, request: CampaignOptions, entries: Iterable[Entry]
) -> UUID:
    """
    Queue the outputs of every line that can be used, in one transaction; keep why of the others.

    While Postgres writes a chunk, the next one is read and planned. Raises `InvalidManifest`
    where no line can be used, `ManifestTooLong`, and what concerns them all as
    `accept_campaign` does.
    """
    with desk.sessions.begin() as session:
        request = presets.known(session, tenant_id, [request.preset]).options(request)
        looks = desk.looks(session, tenant_id, [request.look], request.quality, request.usage)
        mask = desk.sources(session, tenant_id, [], [request.mask]).mask(request.mask)
        look = looks[request.look]
        opened = open_campaign(desk, session, tenant_id, request, look, mask, MAX_LINES)
        intake = _Intake(desk, session, request, opened, looks)
        intake.take(entries)
        intake.close()
        desk.admission.admit(session, tenant_id, intake.accepted)
        tell_accepted(desk, session, opened.campaign)
    wake(desk, session, intake.lanes, intake.accepted)
    return opened.campaign.id


class _Intake:
    """One manifest on its way into one campaign."""

    def __init__(
        self,
        desk: Desk,
        session: Session,
        request: CampaignOptions,
        opened: Opened,
        looks: dict[str, Look],
    ) -> None:
        self._desk, self._session = desk, session
        self._request, self._opened, self._campaign = request, opened, opened.campaign
        self._looks: dict[str, Look] = dict(looks)
        self._unknown: dict[str, ClientError] = {}
        self._presets: dict[str, Pinned | ClientError] = {}
        self._reasons: list[NewRefusal] = []  #: the first of them
        self._refused = 0
        self._shared: list[UUID] = []  #: jobs whose picture may have been drawn before
        self._singly = request.terms.review is not None
        self.accepted = 0
        self.lanes: set[Lane] = set()

    def take(self, entries: Iterable[Entry]) -> None:
        """
        Read, look up, plan, write: the session is used by one of two threads at a time.

        What the database is asked before planning waits for the chunk that is being written;
        reading and planning do not.
        """
        with ThreadPoolExecutor(1, "insert") as writer:
            written: Future[None] | None = None
            planned: Planned | None = None
            for chunk in _chunks(_unfolded(self._request, entries)):
                _wait(written)
                chunk = self._with_presets(chunk)
                sources = self._look_up(chunk)
                written = writer.submit(self._write, planned) if planned else None
                planned = self._plan(chunk, sources)
            _wait(written)
            if planned:
                self._write(planned)

    def close(self) -> None:
        """The campaign as large as it came out. Raises `InvalidManifest` if that is nothing."""
        if not self.accepted:
            raise self._nothing()
        self._campaign.total, self._campaign.refused = self.accepted, self._refused
        self._session.flush()
        for start in range(0, len(self._shared), CHUNK):
            chunk = self._shared[start : start + CHUNK]
            cache.settle(self._session, chunk, singly=self._singly)
        settle_budget(self._session, self._campaign)

    def _nothing(self) -> InvalidManifest:
        if not self._refused:
            return InvalidManifest("The manifest is empty.")
        errors = [
            {"pointer": f"/lines/{one.line}", "detail": one.detail, "code": one.code}
            for one in self._reasons
        ]
        first = self._reasons[0]
        return InvalidManifest(
            f"Not one line can be used. Line {first.line}: {first.detail}", errors=errors
        )

    def _with_presets(self, chunk: list[Read]) -> list[Read]:
        """The lines with what their own presets say; those whose preset there is not, refused."""
        lines = [line for line in chunk if isinstance(line, Unfolded)]
        wishes = {output.preset for line in lines for output in line.outputs if output.preset}
        if not wishes:
            return chunk
        room = MAX_PRESETS - len(self._presets)
        new = sorted(wishes - self._presets.keys())
        self._presets |= dict.fromkeys(new[room:], FEW_PRESETS)
        found, missing = presets.find(self._session, self._campaign.tenant_id, new[:room])
        self._presets |= {**found, **missing}
        return [self._templated(line) if isinstance(line, Unfolded) else line for line in chunk]

    def _templated(self, line: Unfolded) -> Read:
        its = {
            output.preset: self._presets[output.preset] for output in line.outputs if output.preset
        }
        known = {wish: found for wish, found in its.items() if isinstance(found, Pinned)}
        for error in its.values():
            if isinstance(error, ClientError):
                return Refused(line.number, line.custom_id, error)
        outputs = list(map(Presets(known).item, line.outputs))
        return Unfolded(line.number, line.custom_id, outputs)

    def _look_up(self, chunk: Sequence[Read]) -> Sources:
        outputs = [
            output for line in chunk if isinstance(line, Unfolded) for output in line.outputs
        ]
        wishes = {output.style for output in outputs if output.style}
        self._resolve(sorted(wishes - self._looks.keys() - self._unknown.keys()))
        return self._desk.sources(
            self._session,
            self._campaign.tenant_id,
            [output.input for output in outputs],
            [output.mask for output in outputs],
        )

    def _resolve(self, wishes: list[str]) -> None:
        """What these styles are; together if all are known, for that is one round of queries."""
        room = MAX_STYLES - len(self._looks) - len(self._unknown)
        few = InvalidLine(f"One manifest names at most {MAX_STYLES} different styles.")
        self._unknown |= dict.fromkeys(wishes[room:], few)
        with suppress(ClientError):
            self._looks |= self._resolved(wishes[:room])
            return
        for wish in wishes[:room]:
            try:
                self._looks |= self._resolved([wish])
            except ClientError as error:
                self._unknown[wish] = error

    def _resolved(self, wishes: list[str]) -> dict[str, Look]:
        if not wishes:
            return {}
        tenant_id, asked = self._campaign.tenant_id, self._request
        return self._desk.looks(self._session, tenant_id, wishes, asked.quality, asked.usage)

    def _plan(self, chunk: Sequence[Read], sources: Sources) -> Planned:
        """The jobs of the lines that can be used; of a line with one bad output, none."""
        lines = [line for line in chunk if isinstance(line, Unfolded)]
        wrong = {line.number: _refusal(line) for line in chunk if isinstance(line, Refused)}
        styled = []
        for line in lines:
            if error := self._style_error(line):
                wrong[line.number] = _refusal(Refused(line.number, line.custom_id, error))
            else:
                styled.append(line)
        outputs = [output for line in styled for output in line.outputs]
        jobs, refused = plan_items(
            self._desk, self._request, outputs, self._looks, sources, self._opened
        )
        reasons = {job_id: why for why, ids in refused.items() for job_id in ids}
        good: list[NewJob] = []
        each = iter(jobs)
        for line in styled:
            its = [next(each) for _ in line.outputs]
            if why := next((reasons[job.id] for job in its if job.id in reasons), None):
                wrong[line.number] = _new_refusal(line.number, line.custom_id, *why)
            else:
                good += its
        return good, list(wrong.values())

    def _foresee(self) -> None:
        """Raises `QuotaExceeded` for a manifest that will not be admitted: its rest is not read."""
        its = self._campaign
        self._desk.admission.foresee(self._session, its.tenant_id, self.accepted, without=its.id)

    def _style_error(self, line: Unfolded) -> ClientError | None:
        if not self._unknown:
            return None
        wishes = (output.style for output in line.outputs if output.style)
        return next((self._unknown[wish] for wish in wishes if wish in self._unknown), None)

    def _write(self, planned: Planned) -> None:
        jobs, refusals = planned
        self._refused += len(refusals)
        self._reasons += refusals[: SHOWN - len(self._reasons)]
        manifests.add_refusals(self._session, self._campaign.id, refusals)
        if jobs:
            self.accepted += len(jobs)
            self._foresee()
            queued = queue_items(self._desk, self._session, self._request, self._opened, jobs)
            shared = [job for job in queued if job.cache_key is not None]
            self._shared += [job.id for job in shared]
            self._singly = self._singly or any(map(cache.framed, shared))
            self.lanes |= {job.lane for job in queued if not job.unfunded}


def _unfolded(request: CampaignOptions, entries: Iterable[Entry]) -> Iterator[Read]:
    """Lines with their outputs, unless one has the name of an earlier output."""
    seen: dict[bytes, int] = {}
    for count, entry in enumerate(entries, 1):
        if count > MAX_LINES:
            raise ManifestTooLong(f"A manifest has at most {MAX_LINES:,} lines.", limit=MAX_LINES)
        yield _named(request, entry, seen) if isinstance(entry, Line) else entry
        if len(seen) > MAX_LINES:
            raise ManifestTooLong(
                f"A campaign has at most {MAX_LINES:,} outputs; line {entry.number} exceeds them.",
                limit=MAX_LINES,
            )


def _named(request: CampaignOptions, line: Line, seen: dict[bytes, int]) -> Read:
    name = line.item.custom_id
    try:
        outputs = request.outputs(line.item)
    except ValueError as error:
        return Refused(line.number, name, InvalidLine(f"/custom_id: {error}."))
    # Digests, because fifty thousand names of the longest kind would be a lot of memory.
    names = [blake2b(one.custom_id.encode(), digest_size=16).digest() for one in outputs]
    for output, digest in zip(outputs, names, strict=True):
        if digest in seen:
            taken = f"Line {seen[digest]} has the custom_id {output.custom_id!r} already."
            return Refused(line.number, name, DuplicateId(taken, first_line=seen[digest]))
    if len(set(names)) < len(names):
        twice = "Two of its variants have the same custom_id."
        return Refused(line.number, name, DuplicateId(twice, first_line=line.number))
    seen.update(dict.fromkeys(names, line.number))
    return Unfolded(line.number, name, outputs)


def _chunks(lines: Iterable[Read]) -> Iterator[list[Read]]:
    chunk: list[Read] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.outputs) if isinstance(line, Unfolded) else 1
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _refusal(refused: Refused) -> NewRefusal:
    error = refused.error
    return _new_refusal(refused.number, refused.custom_id, error.code, str(error))


def _new_refusal(line: int, custom_id: str | None, code: str, detail: str) -> NewRefusal:
    return NewRefusal(line, custom_id, code, shown(detail)[:LONGEST_DETAIL])


def _wait(written: Future[None] | None) -> None:
    if written is not None:
        written.result()
