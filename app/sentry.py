"""What broke, told to Sentry: where, and as what, but nothing of whom. Off without a DSN."""

import logging
from typing import Any, Final

import app
from app import logs
from app.errors import Misconfigured
from app.redaction import Redactor
from app.settings import SentrySettings

#: Parts of a report that hold what callers sent, or that nobody needs.
_LEFT_OUT: Final = ("request", "user", "extra", "breadcrumbs", "modules")


def start(settings: SentrySettings, service: str, redact: Redactor) -> None:
    """
    Errors that are logged go there, too, each as one event.

    Raises `Misconfigured` where the library is not installed.
    """
    dsn = settings.dsn.get_secret_value()
    if not dsn:
        return
    try:
        import sentry_sdk
        from sentry_sdk.integrations.atexit import AtexitIntegration
        from sentry_sdk.integrations.dedupe import DedupeIntegration
        from sentry_sdk.integrations.logging import LoggingIntegration
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"IMPASTO_SENTRY__DSN is set, and {error.name} is not installed: "
            "pip install 'impasto[sentry]'."
        ) from error

    def scrubbed(event: Any, hint: dict[str, Any]) -> Any:
        kept = {name: part for name, part in event.items() if name not in _LEFT_OUT}
        record = hint.get("log_record")
        known = {} if record is None else logs.fields(record)
        return redact.all(kept | {"tags": {"service": service} | known})

    sentry_sdk.init(
        dsn=dsn,
        environment=settings.environment,
        release=f"impasto@{app.__version__}",
        default_integrations=False,  # they read requests, arguments and environments
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR, sentry_logs_level=None),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        before_send=scrubbed,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_client_reports=False,
        auto_session_tracking=False,
    )
