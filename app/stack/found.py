"""The settings of a system on this machine, for commands that somebody types beside it."""

from pathlib import Path

from pydantic import SecretStr

from app.errors import Misconfigured
from app.settings import Settings
from app.stack import kept
from app.stack.postgres import EmbeddedPostgres
from app.stack.redis import EmbeddedRedis


def beside(given: Settings, data: Path = Path("var/impasto")) -> Settings:
    """
    What was given, and from the `impasto up` on `data` what was not; it need not run.

    Raises Misconfigured where a database was neither given nor made there.
    """
    if "database_url" in given.model_fields_set:
        return given
    try:
        ours = {
            "database_url": EmbeddedPostgres.url_of(data / "postgres"),
            "broker_url": EmbeddedRedis.url_of(data / "redis"),
            "secret_key": kept.secret(data / "secret-key"),
        }
    except FileNotFoundError:
        raise Misconfigured(
            f"There is no database: set DATABASE_URL, or run `impasto up` first; {data} has none."
        ) from None
    theirs = given.model_fields_set
    found = {name: SecretStr(value) for name, value in ours.items() if name not in theirs}
    return given.model_copy(update=found)
