"""`Cancel-After`: the header that says how long work may wait, and the field that says the same."""

from typing import Annotated, Any, Final, TypeVar

from fastapi import Header
from pydantic import TypeAdapter, ValidationError

from app.domain.requests import JobOptions
from app.domain.terms import DURATION, CancelAfter
from app.errors import InvalidRequest

Options = TypeVar("Options", bound=JobOptions)

CancelAfterHeader = Annotated[
    str | None,
    Header(
        description="Work that still waits after so long expires and is not billed: `600` seconds,"
        " `10m`, `2h`, `1d`. Also a field of the body, `cancel_after`.",
        examples=["10m"],
        json_schema_extra={"pattern": DURATION},
    ),
]
_SECONDS: Final[TypeAdapter[int | None]] = TypeAdapter(CancelAfter)


def with_deadline(options: Options, header: str | None) -> Options:
    """What is wanted, with the header's deadline. Raises `InvalidRequest` where both differ."""
    if header is None:
        return options
    try:
        seconds = _SECONDS.validate_python(header)
    except ValidationError as error:
        raise _invalid(error.errors()[0]["msg"]) from error
    if options.cancel_after not in (None, seconds):
        raise _invalid("the header and the field `cancel_after` say different things")
    return options.model_copy(update={"cancel_after": seconds})


def _invalid(reason: str) -> InvalidRequest:
    errors: list[dict[str, Any]] = [{"pointer": "/cancel_after", "detail": reason}]
    return InvalidRequest(f"Cancel-After: {reason}.", errors=errors)
