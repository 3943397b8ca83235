"""API keys of one's own tenant, for a key that may administer it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel

from app.client.transport import Client

KEYS = "/v1/keys"


class Key(BaseModel):
    """An API key; `key`, its secret, is there only where it was made."""

    prefix: str
    name: str
    scopes: list[str]
    state: str
    expires_at: datetime | None
    key: str | None = None


class Keys:
    """Who may do what."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, name: str, scopes: Sequence[str], *, days: int | None = None) -> Key:
        """
        A new key, for `days` or for good. `scopes`: read, submit, review, admin.

        Its secret is None where the answer that had it was lost on the way: rotate it.
        """
        wanted = {"name": name, "scopes": list(scopes), "days": days}
        return Key.model_validate(self._client.post(KEYS, wanted))

    def list(self) -> Iterator[Key]:
        """Oldest first, those that open nothing any more included."""
        return map(Key.model_validate, self._client.get(KEYS)["data"])

    def revoke(self, prefix: str) -> Key:
        """It opens nothing any more, within a second."""
        return Key.model_validate(self._client.delete(f"{KEYS}/{prefix}"))
