"""The database of a system on this machine, for commands that somebody types beside it."""

from pathlib import Path

from app.errors import Misconfigured
from app.settings import Settings
from app.stack.postgres import url_of


def database_url(given: Settings, data: Path = Path("var/impasto")) -> str:
    """
    The database that was given, else that of the `impasto up` on `data`, which need not run.

    Raises Misconfigured when there is neither.
    """
    if "database_url" in given.model_fields_set:
        return given.database_url.get_secret_value()
    try:
        return url_of(data / "postgres")
    except FileNotFoundError:
        raise Misconfigured(
            f"There is no database: set DATABASE_URL, or run `impasto up` first; {data} has none."
        ) from None
