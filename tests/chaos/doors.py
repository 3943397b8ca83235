"""Ways in: the API over HTTP, and the same desk behind it where HTTP adds nothing to a fault."""

import http.client
import json
from typing import Any, Protocol
from uuid import UUID

from kombu.exceptions import KombuError
from sqlalchemy.exc import SQLAlchemyError

from app.domain.requests import CampaignRequest, JobOptions
from app.errors import ClientError, ImpastoError
from app.submission import Desk, accept_campaign, accept_picture
from tests.chaos.journal import Asked, Reply

SECONDS = 60.0  #: a client's patience


class Door(Protocol):
    """Where a client brings work; every answer is written into what it asked."""

    def campaign(self, asked: Asked, request: CampaignRequest) -> None:
        """Ask for a campaign."""
        ...

    def picture(self, asked: Asked, options: JobOptions, content: bytes) -> None:
        """Ask for one picture."""
        ...


class DeskDoor:
    """Calls what the API calls; an exception stands for a 5xx or a lost answer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def campaign(self, asked: Asked, request: CampaignRequest) -> None:
        with noted(asked):
            asked.id = accept_campaign(self._desk, asked.tenant_id, request)

    def picture(self, asked: Asked, options: JobOptions, content: bytes) -> None:
        with noted(asked):
            asked.id = accept_picture(self._desk, asked.tenant_id, options, content)


class noted:
    """What an accepting call raised, as a client would have seen it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: Any
    ) -> bool:
        if error is None:
            self._asked.reply = Reply.ACCEPTED
            return True
        self._asked.said = f"{type(error).__name__}: {error}"
        if isinstance(error, ClientError):
            self._asked.reply = Reply.REFUSED
        return isinstance(error, ImpastoError | SQLAlchemyError | KombuError | OSError)


class HttpDoor:
    """The API itself; `ports` are its processes, asked in turn, and skipped when not listening."""

    def __init__(self, ports: list[int], keys: dict[UUID, str]) -> None:
        self._ports, self._keys = ports, keys
        self._turn = 0
        self.refused_connections = 0
        self.server_errors: list[str] = []

    def campaign(self, asked: Asked, request: CampaignRequest) -> None:
        body = request.model_dump_json(exclude_defaults=True).encode()
        self._post(asked, "/v1/campaigns", body, "application/json")

    def picture(self, asked: Asked, options: JobOptions, content: bytes) -> None:
        given = options.model_dump(mode="json", exclude_defaults=True)
        boundary = "a-line-no-picture-holds"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            f"{value if isinstance(value, str) else json.dumps(value)}\r\n".encode()
            for name, value in given.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="p.jpg"'
            "\r\nContent-Type: image/jpeg\r\n\r\n".encode()
            + content
            + f"\r\n--{boundary}--\r\n".encode()
        )
        kind = f"multipart/form-data; boundary={boundary}"
        self._post(asked, "/v1/jobs", b"".join(parts), kind)

    def _post(self, asked: Asked, path: str, body: bytes, kind: str) -> None:
        for _ in range(1_000):
            self._turn += 1
            port = self._ports[self._turn % len(self._ports)]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
            try:
                connection.connect()
            except OSError:
                self.refused_connections += 1  # nothing was sent: any client tries the next one
                connection.close()
                continue
            try:
                headers = {
                    "Content-Type": kind,
                    "Authorization": f"Bearer {self._keys[asked.tenant_id]}",
                }
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                self._note(asked, answer.status, answer.read())
            except (OSError, http.client.HTTPException) as error:
                asked.said = f"{type(error).__name__}: {error}"
                self.server_errors.append(asked.said)
            finally:
                connection.close()
            return
        raise AssertionError("no API process ever listened")

    def _note(self, asked: Asked, status: int, body: bytes) -> None:
        if status in (200, 202):  # 200: it is done already
            asked.reply, asked.id = Reply.ACCEPTED, UUID(json.loads(body)["id"])
            return
        asked.said = f"{status} {body[:300].decode(errors='replace')}"
        if status < 500:
            asked.reply = Reply.REFUSED
        else:
            self.server_errors.append(asked.said)
