"""How a process tells of itself: set up once, at its start, before anything can go wrong."""

from app import logs
from app.redaction import Redactor, secrets_of
from app.settings import Settings


def start(settings: Settings) -> None:
    """Lines on stderr from here on."""
    redact = Redactor(secrets_of(settings))
    logs.configure(settings.log, redact)
