"""Prices in whole millionths whose sums are right, however little a picture takes."""

from threading import Lock
from typing import Final
from uuid import UUID

from app.domain.prices import Usage, exactly
from app.settings import RateCard

TENANTS: Final = 10_000


class Till:
    """
    Rounds each picture and carries the rest to the tenant's next one.

    A picture of half a millisecond on a fast device costs a fraction of a millionth: rounded
    each by itself, a campaign's sum would be off by half of it. Any thread may call.
    """

    def __init__(self) -> None:
        self._rest: dict[UUID, float] = {}
        self._lock = Lock()

    def price(self, card: RateCard, tenant_id: UUID, usage: Usage) -> int:
        """What to charge for one picture."""
        with self._lock:
            exact = exactly(card, usage) + self._rest.get(tenant_id, 0.0)
            whole = max(0, round(exact))
            if len(self._rest) >= TENANTS:
                self._rest.clear()
            self._rest[tenant_id] = exact - whole
        return whole
