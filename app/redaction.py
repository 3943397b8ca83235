"""What of a text may stand in a log, a trace or an error report: nothing secret or personal."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

GONE: Final = "[...]"
SHORTEST: Final = 12  #: characters of a secret that is looked for as it is: shorter ones are words
DEEPEST: Final = 20  #: structures inside each other; what lies deeper is left out

#: Each with what stays of it. Addresses of the web keep their host: pictures are named by people.
_PATTERNS: Final = tuple(
    (re.compile(pattern, re.MULTILINE), stays)
    for pattern, stays in (
        (
            r"(?i)\b((?:https?|s3)://)(?:[^\s/?#'\"<>@]*@)?([^\s/?#'\"<>,)\]]+)[/?#][^\s'\"<>]+",
            r"\1\2/" + GONE,
        ),
        (r"\b([a-zA-Z][\w+.-]*://)[^\s'\"<>@]*@", r"\1" + GONE + "@"),
        (r"\bimp_[\w-]+", "imp_" + GONE),
        (r"\bwhsec_[\w+/=-]+", "whsec_" + GONE),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", GONE),
        (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}", r"\1 " + GONE),
        (
            r"(?i)(authorization|x-api-key|cookie|password|passwd|secret|token)"
            r"(['\"]?\s*[:=]\s*(?:b?['\"])?)(?!\[\.)[^\s'\",;)}\]]+",
            r"\1\2" + GONE,
        ),
        (r"([?&][\w.%-]+=)[^\s&'\"<>]+", r"\1" + GONE),
        # Postgres quotes rows, the driver statements, pydantic what it was given.
        # Where an exception is shown by its repr, its lines are one.
        (r"(^|\\n)((?:DETAIL|CONTEXT|LINE \d+):).*$", r"\1\2 " + GONE),
        (r"(invalid input (?:syntax|value) for [^:\n]+:).*$", r"\1 " + GONE),
        (r"(^|\\n)(\[parameters:).*$", r"\1\2 " + GONE),
        (r"(input_value=).*(, input_type=)", r"\1" + GONE + r"\2"),
    )
)


class Redactor:
    """Takes out of texts what has the shape of a secret, and `secrets` wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        if self._known is not None:
            text = self._known.sub(GONE, text)
        for pattern, stays in _PATTERNS:
            text = pattern.sub(stays, text)
        return text

    def all(self, value: Any, deep: int = 0) -> Any:
        """The same of every text in a structure of dicts and lists, names of fields included."""
        if isinstance(value, str):
            return self(value)
        if deep > DEEPEST:
            return GONE
        if isinstance(value, dict):
            return {self.all(name): self.all(one, deep + 1) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.all(one, deep + 1) for one in value]
        return value


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Every secret of some settings, and the password in those that are URLs."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from secrets_of(value)
        elif isinstance(value, SecretStr) and value.get_secret_value():
            secret = value.get_secret_value()
            yield secret
            if user := re.match(r"[\w+]+://([^/]*)@", secret):
                password = user[1].partition(":")[2]
                yield from {password, unquote(password)}
