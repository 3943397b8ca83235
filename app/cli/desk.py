"""What commands that write to the database share: where it is, and who is typing."""

from getpass import getuser

from app.db import Sessions, audit, open_database
from app.settings import settings
from app.stack.found import beside


def database() -> Sessions:
    """The database that was named, or the one of the `impasto up` in this directory."""
    return open_database(beside(settings()).database_url.get_secret_value(), pool=1)


def operator() -> str:
    """How the audit log names whoever is typing: `operator:NAME`, as far as the system knows."""
    try:
        return f"{audit.OPERATOR}:{getuser()}"
    except (OSError, KeyError):  # a container's user need not have a name
        return audit.OPERATOR
