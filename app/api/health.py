"""Whether this process lives, and whether it could do its work now."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from fastapi import APIRouter
from sqlalchemy import text

from app.api.deps import TheDesk, TheListener
from app.api.problems import documented
from app.api.schemas import Health
from app.errors import ServiceUnavailable
from app.submission import Desk

log = logging.getLogger(__name__)

SECONDS: Final = 2.0  #: until a part that does not answer counts as away
PARTS: Final = 8  #: checks at once, apart from the threads that serve requests

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Whether the process answers at all")
async def live() -> Health:
    """Touches nothing: a process whose database is away must not be killed for it."""
    return Health()


@router.get(
    "/readyz",
    summary="Whether requests can be served",
    responses=documented(ServiceUnavailable),
)
async def ready(desk: TheDesk, listener: TheListener) -> Health:
    """Database, Redis and storage, each asked now; the problem names those that are away."""
    threads = anyio.CapacityLimiter(PARTS)  # its own: busy requests must not look like an outage

    def in_thread(check: Callable[[], None]) -> Awaitable[None]:
        return anyio.to_thread.run_sync(check, abandon_on_cancel=True, limiter=threads)

    away: list[str] = []
    async with anyio.create_task_group() as checks:
        checks.start_soon(_look, "database", in_thread(lambda: _ask_database(desk)), away)
        checks.start_soon(_look, "queue", listener.check(), away)
        checks.start_soon(_look, "storage", in_thread(desk.storage.check), away)
    if away:
        raise ServiceUnavailable(f"Away: {', '.join(sorted(away))}.", parts=sorted(away))
    return Health()


async def _look(part: str, check: Awaitable[None], away: list[str]) -> None:
    try:
        with anyio.fail_after(SECONDS):
            await check
    except Exception as error:  # whatever it is, the part is not there
        log.warning("not ready: %s: %s", part, error)
        away.append(part)


def _ask_database(desk: Desk) -> None:
    with desk.sessions() as session:
        session.execute(text("SELECT 1"))
