"""Tags: what work is charged to. Kept with it as it was submitted, and never changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from app.errors import InvalidTags

MAX_TAGS: Final = 10
MAX_BYTES: Final = 255


def _short(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError("must be valid Unicode") from error
    if not 1 <= size <= MAX_BYTES:
        raise ValueError(f"must have 1 to {MAX_BYTES} bytes of UTF-8, and has {size}")
    if not text.isprintable():
        raise ValueError("must not hold control characters")
    return text


TagKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
TagValue = Annotated[
    str,
    AfterValidator(_short),
    Field(
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_BYTES,
            "pattern": r"^[^\x00-\x1f\x7f]*$",
        }
    ),
]
Tags = Annotated[
    dict[TagKey, TagValue],
    Field(
        max_length=MAX_TAGS,
        description="What the work is charged to; `GET /v1/costs` groups by it. Keys of"
        f" `[a-z0-9_]`, values of up to {MAX_BYTES} bytes. They never change.",
        examples=[{"cost_center": "4200", "brand": "acme"}],
        json_schema_extra={"additionalProperties": False},
    ),
]


_ONE: Final[TypeAdapter[dict[str, str]]] = TypeAdapter(Tags)


@dataclass(frozen=True)
class TagRules:
    """The tags that a tenant has agreed on; without any, it may use what it likes."""

    words: Mapping[str, frozenset[str] | None]  #: values by key; None: any
    required: frozenset[str] = frozenset()

    @staticmethod
    def check_words(key: str, words: Iterable[str]) -> None:
        """What the rules themselves may hold. Raises `InvalidTags`."""
        for word in words:
            try:
                _ONE.validate_python({key: word})
            except ValidationError as error:
                raise InvalidTags(f"{key}: {word!r} {error.errors()[0]['msg']}.") from error

    def check(self, tags: Mapping[str, str]) -> None:
        """Raises `InvalidTags`, with a reason for each."""
        reasons = [*self._unknown(tags), *self._missing(tags)]
        if len(tags) > MAX_TAGS:
            reasons.append(("", f"has {len(tags)} tags with those of its campaign, not {MAX_TAGS}"))
        if reasons:
            errors = [{"pointer": f"/tags{place}", "detail": text} for place, text in reasons]
            raise InvalidTags(f"tags{reasons[0][0]}: {reasons[0][1]}.", errors=errors)

    def _unknown(self, tags: Mapping[str, str]) -> list[tuple[str, str]]:
        if not self.words:
            return []
        reasons = []
        for key, value in tags.items():
            allowed = self.words.get(key, frozenset())
            if key not in self.words:
                keys = ", ".join(sorted(self.words))
                reasons.append((f"/{key}", f"is no key of yours; they are {keys}"))
            elif allowed is not None and value not in allowed:
                reasons.append((f"/{key}", f"{value!r} is none of its values"))
        return reasons

    def _missing(self, tags: Mapping[str, str]) -> list[tuple[str, str]]:
        return [(f"/{key}", "is required") for key in sorted(self.required - tags.keys())]
