"""A client with a seed: campaigns and single pictures of several tenants, as fast as they go."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Event, Thread
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import intake
from app.db.intake import NewAsset
from app.db.models import AssetKind, Upload
from app.domain.events import EventType
from app.domain.ids import new_id
from app.domain.requests import (
    CampaignItem,
    CampaignRequest,
    Input,
    JobOptions,
    WebhookRequest,
)
from app.storage import Blob, Storage, asset_key
from tests.chaos.doors import Door
from tests.chaos.journal import Asked, Journal, Reply
from tests.chaos.pictures import AMOUNT, SIDE, picture
from tests.rows import new_ground

TENANTS = 5
STYLE = "plain"
JOB_EVENTS = [EventType.JOB_SUCCEEDED, EventType.JOB_FAILED]


@dataclass(frozen=True)
class Album:
    """A tenant and its uploads, by the number of the picture."""

    tenant_id: UUID
    uploads: list[UUID]


def make_albums(
    session: Session, storage: Storage, extra: list[bytes] | None = None
) -> list[Album]:
    """Tenants with every picture uploaded; `extra` ones come behind the usual."""
    return [_album(session, storage, number, extra or []) for number in range(TENANTS)]


def _album(session: Session, storage: Storage, number: int, extra: list[bytes]) -> Album:
    tenant_id = new_ground(session, f"tenant-{number}").tenant_id
    contents = [*map(picture, range(AMOUNT)), *extra]
    digests = [sha256(content).hexdigest() for content in contents]
    storage.put(
        *(
            Blob(asset_key(tenant_id, digest), content, "image/jpeg")
            for digest, content in zip(digests, contents, strict=True)
        )
    )
    intake.add_assets(
        session,
        [
            NewAsset(tenant_id, digest, AssetKind.CONTENT, "image/jpeg", len(content), SIDE, SIDE)
            for digest, content in zip(digests, contents, strict=True)
        ],
    )
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    uploads = [
        Upload(
            id=new_id(),
            tenant_id=tenant_id,
            sha256=digest,
            digest=digest,
            media_type="image/jpeg",
            expires_at=tomorrow,
        )
        for digest in digests
    ]
    session.add_all(uploads)
    return Album(tenant_id, [upload.id for upload in uploads])


class Client:
    """Submits in a thread of its own until enough is accepted, or it is told to stop."""

    def __init__(
        self,
        door: Door,
        albums: list[Album],
        journal: Journal,
        hook: Callable[[UUID], str],
        seed: int,
    ) -> None:
        self.accepted = 0  #: jobs
        self.broke: BaseException | None = None
        self._door, self._albums, self._journal, self._hook = door, albums, journal, hook
        self._random = random.Random(seed)
        self._stopped = Event()
        self._thread: Thread | None = None

    def start(self, jobs: int, *, most: int, room: Callable[[], bool], pause: float = 0.0) -> None:
        """Get so many accepted, in requests of 1 to `most`, a new one when `room` says so."""
        self._thread = Thread(target=self._run, args=(jobs, most, room, pause), daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()

    def finish(self, seconds: float = 600) -> None:
        """Wait for the last request."""
        assert self._thread is not None
        self._thread.join(seconds)
        assert self.done, "the client is stuck"
        if self.broke is not None:
            raise self.broke

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(120)

    def _run(self, jobs: int, most: int, room: Callable[[], bool], pause: float) -> None:
        try:
            while self.accepted < jobs and not self._stopped.is_set():
                if not room():
                    self._stopped.wait(0.05)
                    continue
                left = max(2, jobs - self.accepted)
                single = self._random.random() < 0.3
                amount = 1 if single else min(left, self._random.randint(2, most))
                asked = self.one() if single else self.many(amount)
                if asked.reply is Reply.UNKNOWN:
                    self._stopped.wait(0.1)  # something is away: any client would wait a little
                if pause:
                    self._stopped.wait(self._random.expovariate(1 / pause))
        except BaseException as error:
            self.broke = error

    def one(self) -> Asked:
        """A single picture, of which every end is to be told."""
        album = self._random.choice(self._albums)
        asked = self._journal.ask(album.tenant_id, 1, campaign=False, hook=True)
        options = JobOptions(
            style=STYLE,
            metadata={"request": asked.label},
            webhook=WebhookRequest(url=self._hook(album.tenant_id), events=JOB_EVENTS),
        )
        self._door.picture(asked, options, picture(self._random.randrange(AMOUNT)))
        return self._count(asked)

    def many(self, amount: int, marks: dict[int, str] | None = None, extra: int = 0) -> Asked:
        """
        A campaign, of which the end is to be told.

        `marks` says which item shows which mark instead of a usual picture, one after another
        from the `extra` ones of the album.
        """
        album = self._random.choice(self._albums)
        asked = self._journal.ask(album.tenant_id, amount, campaign=True, hook=True)
        pictures = [self._random.randrange(AMOUNT) for _ in range(amount)]
        marked = marks or {}
        for order, place in enumerate(sorted(marked)):
            pictures[place] = AMOUNT + extra + order
        items = [
            CampaignItem(
                custom_id=f"{asked.label}/{place}",
                input=Input(upload_id=album.uploads[number]),
                metadata={"request": asked.label}
                | ({"mark": marked[place]} if place in marked else {}),
            )
            for place, number in enumerate(pictures)
        ]
        request = CampaignRequest(
            name=asked.label,
            style=STYLE,
            items=items,
            metadata={"request": asked.label},
            webhook=WebhookRequest(
                url=self._hook(album.tenant_id), events=[EventType.CAMPAIGN_COMPLETED]
            ),
        )
        self._door.campaign(asked, request)
        return self._count(asked)

    def _count(self, asked: Asked) -> Asked:
        self.accepted += asked.jobs if asked.reply is Reply.ACCEPTED else 0
        return asked
