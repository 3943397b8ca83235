"""How work is to be treated, whatever the picture: how soon, until when, and who looks at it."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LONGEST: Final = 30 * 24 * 3600  #: seconds that work may wait for its deadline
DURATION: Final = r"^[1-9][0-9]{0,8}[smhd]?$"
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


def seconds(text: object) -> object:
    """`10m`, `2h`, `1d` or `600` as seconds. Raises `ValueError` for other texts."""
    if not isinstance(text, str):
        return text
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("must be seconds or a duration such as 600, 10m, 2h or 1d")
    return int(match[1]) * _SECONDS[match[2]]


#: Seconds from now until which work must have begun, or is not wanted any more.
CancelAfter = Annotated[
    Annotated[int, Field(strict=True, ge=1, le=LONGEST)] | None,
    BeforeValidator(
        seconds,
        json_schema_input_type=Annotated[int, Field(ge=1, le=LONGEST)]
        | Annotated[str, Field(pattern=DURATION)]
        | None,
    ),
    Field(
        description="Work that still waits after so long expires and is not billed: seconds, or"
        " `10m`, `2h`, `1d`. As `Cancel-After`, the header.",
        examples=["10m", 600],
    ),
]

Priority = Annotated[
    int,
    Field(
        ge=-10,
        le=10,
        description="Before (up to 10) or after (down to -10) what else of yours waits.",
    ),
]


@dataclass(frozen=True, slots=True)
class Review:
    """Which outputs a person must approve before they are delivered."""

    share: float  #: 0..1, of all outputs
    on_warning: bool = False

    @classmethod
    def parse(cls, text: str) -> "Review":
        """`all`, `sample:2%` or `on-warning`. Raises `ValueError` for anything else."""
        if text == "all":
            return cls(1.0)
        if text == "on-warning":
            return cls(0.0, on_warning=True)
        match = re.fullmatch(r"sample:([0-9]{1,3}(?:\.[0-9]{1,4})?)%", text)
        if match is None or not 0 < float(match[1]) <= 100:
            raise ValueError("must be all, on-warning, or a share above 0 such as sample:2%")
        return cls(float(match[1]) / 100)

    def wants(self, job_id: UUID, warnings: object = ()) -> bool:
        """Whether this job's output is to be looked at; a sample is the same at every attempt."""
        if self.on_warning:
            return bool(warnings)
        drawn = int.from_bytes(sha256(job_id.bytes).digest()[:8], "big") / 2**64
        return drawn < self.share


_RULES: Final = (
    r"^(?:all|on-warning|sample:(?:100|[1-9][0-9]?(?:\.[0-9]{1,4})?|0\.[0-9]{0,3}[1-9])%)$"
)


def _parsed(text: str) -> str:
    Review.parse(text)
    return text


ReviewRule = Annotated[
    Annotated[
        str,
        Field(max_length=16, json_schema_extra={"pattern": _RULES}),
        AfterValidator(_parsed),
    ]
    | None,
    Field(
        description="`all`, `sample:2%` or `on-warning`: these outputs wait for a reviewer's yes.",
        examples=["all", "sample:2%", "on-warning"],
    ),
]


class Terms(BaseModel):
    """What is agreed for all the work of one request."""

    model_config = ConfigDict(frozen=True)

    cancel_after: int | None = None  #: seconds
    priority: int = 0
    review: str | None = None


PLAIN: Final = Terms()
