"""What requests are made of: words, addresses, styles, metadata."""

import json
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field

from app.domain import mix
from app.domain.exact import Exact
from app.domain.told import STORABLE, WEB

MAX_WORD: Final = 255
MAX_METADATA_BYTES: Final = 4_096


def storable(text: str) -> str:
    """NUL and lone surrogates are JSON, but no text that Postgres keeps."""
    if "\x00" in text:
        raise ValueError("must not hold NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be valid Unicode") from error
    return text


Word = Annotated[
    str,
    Field(min_length=1, max_length=MAX_WORD, json_schema_extra=STORABLE),
    AfterValidator(storable),
]


Url = Annotated[
    str, Field(min_length=1, max_length=2_048, json_schema_extra=STORABLE), AfterValidator(storable)
]


WebUrl = Annotated[Url, Field(json_schema_extra=WEB)]


def _mixed(text: str) -> str:
    mix.parse(text)
    return text


WISHED: Final = (
    "A style, `name` or `name@version`; or up to 8 of them in shares, which are scaled to sum to 1."
    " Every name is pinned to a version when the work is accepted."
)

StyleWish = Annotated[
    str,
    Field(
        min_length=1,
        max_length=mix.MAX_STYLES * (mix.MAX_NAME + 1),
        description=WISHED,
        examples=["great-wave", "great-wave@1", "great-wave:0.6,starry-night:0.4"],
        json_schema_extra={"pattern": mix.PATTERN},
    ),
    AfterValidator(storable),
    AfterValidator(_mixed),
]


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError("must be plain JSON, without NaN or infinities") from error
    if len(storable(text)) > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} characters in all")
    if "\\u0000" in text:  # also refuses the harmless spelling of these six characters
        raise ValueError("must not hold NUL characters")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_small)]


class Request(Exact):
    """Unknown fields are refused: a misspelt option must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
