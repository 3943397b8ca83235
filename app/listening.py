"""Which addresses webhooks may go to, as far as it can be said before anything is sent."""

from contextlib import suppress
from typing import Final

from app.addresses import check_url, resolve
from app.errors import SourceUnreachable
from app.submission import Desk

PATIENCE: Final = 2.0  #: seconds for a look-up whose answer is only advice


def check_receiver(desk: Desk, url: str) -> None:
    """
    Raise `SourceForbidden` for a URL that no webhook would be sent to.

    A name without an address may get one later, and one that leads elsewhere later is looked up
    again for every connection: this only tells early what is wrong already.
    """
    allow_private = desk.settings.webhooks.allow_private
    parsed = check_url(url, allow_private=allow_private)
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    with suppress(SourceUnreachable):
        resolve(
            parsed.raw_host.decode("ascii"),
            port,
            allow_private=allow_private,
            timeout=PATIENCE,
            lookup=desk.lookup,
        )
