"""How a process tells of itself: set up once, at its start, before anything can go wrong."""

from app import logs, sentry
from app.redaction import Redactor, secrets_of
from app.settings import Settings
from app.tracing import Tracer, open_tracer


def start(settings: Settings, service: str) -> Tracer:
    """
    Lines on stderr from here on; errors and spans to where the settings say.

    `service` is which of our processes this is. Raises `Misconfigured` for what is asked for and
    not installed.
    """
    redact = Redactor(secrets_of(settings))
    logs.configure(settings.log, redact)
    sentry.start(settings.sentry, service, redact)
    return open_tracer(settings.tracing, service, redact)
