"""A webhook receiver for trying things out: it verifies what arrives and keeps it."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self

from app.client import WebhookInvalid, verify_webhook

LARGEST = 64 * 1024


class Receiver:
    """Listens on a free loopback port; `secret` may be set once it is known."""

    def __init__(self) -> None:
        self.secret: str | None = None
        self.verified: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self._changed = Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(LARGEST, int(self.headers.get("content-length", 0))))
                self.send_response(204 if receiver.accept(body, dict(self.headers)) else 401)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """The demo has a voice of its own."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/webhooks"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def accept(self, body: bytes, headers: dict[str, str]) -> bool:
        """Verify one webhook as any user of our client would."""
        with self._changed:
            try:
                event = verify_webhook(headers, body, self.secret or "whsec_")
            except WebhookInvalid as error:
                self.refused.append(str(error))
                return False
            self.verified.append(event)
            self._changed.notify_all()
            return True

    def wait_for(self, kind: str, seconds: float) -> dict[str, Any] | None:
        """The first verified event of that type, or None after so many seconds."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.verified if event["type"] == kind), None)

        with self._changed:
            return self._changed.wait_for(found, seconds)
