"""Whether anything is new, asked for many at once: one look at the database for all who wait."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.api.validators import (
    Headers,
    campaign_ahead,
    campaign_headers,
    job_ahead,
    job_headers,
)
from app.db import states
from app.db.hotline import Hotline
from app.outlook import Waiting
from app.submission import Desk

REST: Final = 0.1  #: seconds between two looks; who comes meanwhile is in the next one


class Kind(StrEnum):
    """What may be asked about, as its path has it."""

    JOBS = "jobs"
    CAMPAIGNS = "campaigns"


class Thing(NamedTuple):
    """One of those, and whose it must be."""

    kind: Kind
    id: UUID
    tenant_id: UUID


Found = Mapping[Thing, Headers]


class Polls:
    """
    Lives on the event loop: no lock. The first who asks is answered at once.

    Ten thousand who ask once a minute cost ten looks a second, not one for each of them.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._asked: list[tuple[Thing, asyncio.Future[Headers | None]]] = []
        self._line = Hotline(desk.sessions)
        self._task: asyncio.Task[None] | None = None

    async def headers(self, thing: Thing) -> Headers | None:
        """Those that an answer about it would have now; None where there is no such thing."""
        answer: asyncio.Future[Headers | None] = asyncio.get_running_loop().create_future()
        self._asked.append((thing, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._serve())
        return await answer

    async def close(self) -> None:
        """Wait for the last look."""
        if self._task is not None:
            await self._task
        await run_in_threadpool(self._line.close)

    async def _serve(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            try:
                found = await run_in_threadpool(self._look, {thing for thing, _ in asked})
            except Exception as error:  # theirs, who asked
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for thing, answer in asked:
                    if not answer.done():  # somebody hung up
                        answer.set_result(found.get(thing))
            await asyncio.sleep(REST)
        self._task = None

    def _look(self, things: Collection[Thing]) -> Found:
        ids = {kind: [thing.id for thing in things if thing.kind is kind] for kind in Kind}

        def look(session: Session) -> Found:
            jobs = self._jobs(session, ids[Kind.JOBS])
            return dict(chain(jobs, self._campaigns(session, ids[Kind.CAMPAIGNS])))

        return self._line.ask(look)

    def _jobs(self, session: Session, ids: Sequence[UUID]) -> Iterator[tuple[Thing, Headers]]:
        for its in states.jobs(session, ids) if ids else ():
            left = self._left(session, job_ahead(its))
            yield (
                Thing(Kind.JOBS, its.id, its.tenant_id),
                job_headers(self._desk.settings, its, left),
            )

    def _campaigns(self, session: Session, ids: Sequence[UUID]) -> Iterator[tuple[Thing, Headers]]:
        for its in states.campaigns(session, ids) if ids else ():
            left = self._left(session, campaign_ahead(its))
            yield Thing(Kind.CAMPAIGNS, its.id, its.tenant_id), campaign_headers(its, left)

    def _left(self, session: Session, waiting: Waiting | None) -> int | None:
        if waiting is None:
            return None
        return self._desk.outlook.at_least(session, self._desk.settings, waiting)
