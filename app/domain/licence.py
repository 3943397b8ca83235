"""What allows us to offer a style, and whether it allows a use. Pure: `now` is an argument."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from license_expression import ExpressionError, get_spdx_licensing
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from app.domain.territories import Territory, TerritoryText
from app.errors import (
    ChannelNotAllowed,
    LicenceExpired,
    StyleNotLicensed,
    TerritoryNotAllowed,
)

_SPDX = get_spdx_licensing()
Listed = TypeVar("Listed", bound=str)


def _is_an_expression(text: str) -> str:
    """SPDX expressions are parsed, so that `MIT or whatever` cannot slip in."""
    try:
        parsed = _SPDX.parse(text)
    except ExpressionError as error:
        raise ValueError(f"{text!r} is not an SPDX expression") from error
    unknown = [key for key in _SPDX.unknown_license_keys(parsed) if "LicenseRef-" not in key]
    if unknown:
        raise ValueError(f"SPDX knows no {', '.join(unknown)}")
    return text


Spdx = Annotated[str, AfterValidator(_is_an_expression)]


class Channel(StrEnum):
    """Where a finished picture is shown."""

    WEB = "web"
    SOCIAL = "social"
    EMAIL = "email"
    PRINT = "print"
    OUTDOOR = "outdoor"
    BROADCAST = "broadcast"
    ANY = "any"  #: all of them, as if none had been named


def _split(given: Any) -> Any:
    """`DE,AT` as a list: forms and people write it so."""
    return given.split(",") if isinstance(given, str) else given


def _sorted(given: tuple[Listed, ...]) -> tuple[Listed, ...]:
    return tuple(sorted(set(given)))


def _channels(given: tuple[Channel, ...]) -> tuple[Channel, ...]:
    return () if Channel.ANY in given else _sorted(given)


def _day_begins(given: Any) -> Any:
    return _midnight(given, timedelta())


def _day_ends(given: Any) -> Any:
    return _midnight(given, timedelta(days=1))


def _midnight(given: Any, later: timedelta) -> Any:
    """A day as the moment (UTC) at which it begins, or the one at which it is over."""
    if isinstance(given, str) and len(given) == len("2027-03-31"):
        try:
            return datetime.combine(date.fromisoformat(given), time(), UTC) + later
        except OverflowError:
            raise ValueError("is too late a day") from None
    return given


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no moment that can be kept") from None


_Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
_CHANNEL = "|".join(Channel)

#: As `TerritoryText`.
ChannelText = Annotated[
    str,
    Field(pattern=f"^(?:{_CHANNEL})(?:,(?:{_CHANNEL})){{0,19}}$", examples=["web", "web,social"]),
]
_AnyTerritories = Annotated[list[Territory], Field(max_length=249)] | TerritoryText
_AnyChannels = Annotated[list[Channel], Field(max_length=20)] | ChannelText

Territories = Annotated[
    tuple[Territory, ...],
    Field(max_length=249),
    BeforeValidator(_split, json_schema_input_type=_AnyTerritories),
    AfterValidator(_sorted),
]
Channels = Annotated[
    tuple[Channel, ...],
    Field(max_length=20),
    BeforeValidator(_split, json_schema_input_type=_AnyChannels),
    AfterValidator(_channels),
]


def _nothing(given: object) -> bool:
    return not given


def _yes(given: object) -> bool:
    return given is True


class Usage(BaseModel):
    """What a caller says the pictures are for; nothing said means everywhere and everything."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    territory: Territories = Field((), exclude_if=_nothing)
    channel: Channels = Field((), exclude_if=_nothing)
    commercial: bool = Field(True, exclude_if=_yes)

    @property
    def kept(self) -> dict[str, Any] | None:
        """What is written with the work: only what was said."""
        return self.model_dump(mode="json") or None


class Terms(BaseModel):
    """
    The limits of a licence. Empty lists and missing dates are no limits.

    Written only where there are some: cards from before they came stay what they were.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    valid_from: Annotated[_Moment | None, BeforeValidator(_day_begins)] = Field(
        None, exclude_if=_nothing, description="A day, from its first moment (UTC), or a moment."
    )
    valid_until: Annotated[_Moment | None, BeforeValidator(_day_ends)] = Field(
        None, exclude_if=_nothing, description="A day, to its last moment (UTC), or a moment."
    )
    territories: Territories = Field(
        (), exclude_if=_nothing, description="ISO 3166-1 alpha-2; none: everywhere."
    )
    channels: Channels = Field((), exclude_if=_nothing, description="None, or `any`: all.")
    tenants: Annotated[tuple[str, ...], Field(max_length=1_000)] = Field(
        (), exclude_if=_nothing, description="Who may use a style of everybody's; none: all."
    )
    commercial_use: bool = Field(True, exclude_if=_yes)
    ai_use: bool = Field(
        True, exclude_if=_yes, description="Whether the picture may be learned from."
    )
    notes: str = Field("", exclude_if=_nothing, max_length=2_000)

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "Terms":
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError("valid_from must come before valid_until")
        return self

    @property
    def limited(self) -> bool:
        """Whether it depends on when or where a picture is shown."""
        return bool(self.valid_until or self.territories)


class Licence(Terms):
    """What allows us to offer a style."""

    model_config = ConfigDict(extra="allow")

    spdx: Spdx
    licensor: str
    evidence: str

    @model_validator(mode="after")
    def _means_what_its_names_say(self) -> "Licence":
        for key in _SPDX.license_keys(self.spdx):
            words = key.upper().split("-")
            if "ND" in words:
                raise ValueError(f"{key} allows no derived works, and pictures in a style are some")
            if "NC" in words and self.commercial_use:
                raise ValueError(f"{key} allows no commercial use: say commercial_use: false")
        return self


def terms_of(card: dict[str, Any]) -> Terms:
    """The limits that a style's card names; one without a licence has none."""
    return Terms.model_validate(card.get("licence") or {})


def check_period(terms: Terms, name: str, now: datetime) -> None:
    """Raises `StyleNotLicensed` before the licence begins, `LicenceExpired` once it has ended."""
    if terms.valid_from and now < terms.valid_from:
        raise StyleNotLicensed(f"{name} is licensed from {terms.valid_from:%Y-%m-%d %H:%M} UTC on.")
    if terms.valid_until and now >= terms.valid_until:
        ended = f"{terms.valid_until:%Y-%m-%d %H:%M} UTC"
        raise LicenceExpired(f"The licence of {name} ended at {ended}; choose another style.")


def check_usage(terms: Terms, name: str, usage: Usage) -> None:
    """Raises `TerritoryNotAllowed`, `ChannelNotAllowed` or `StyleNotLicensed`."""
    _within(TerritoryNotAllowed, "territory", name, usage.territory, terms.territories)
    _within(ChannelNotAllowed, "channel", name, usage.channel, terms.channels)
    if usage.commercial and not terms.commercial_use:
        raise StyleNotLicensed(
            f"{name} is licensed for use that is not commercial; if yours is not, say"
            " commercial: false."
        )


def check_tenant(terms: Terms, name: str, tenant: str) -> None:
    """Raises `StyleNotLicensed` for a tenant that the licence does not name."""
    if terms.tenants and tenant not in terms.tenants:
        raise StyleNotLicensed(f"{name} is licensed to others; choose another style.")


def check_learnable(licence: Licence, now: datetime) -> None:
    """Whether a style may be learned under it. Raises `StyleNotLicensed` or `LicenceExpired`."""
    if not licence.ai_use:
        raise StyleNotLicensed("Its licence (ai_use: false) does not let the picture be learned.")
    check_period(licence.model_copy(update={"valid_from": None}), "The picture", now)


def _within(
    refusal: type[StyleNotLicensed],
    word: str,
    name: str,
    asked: Sequence[str],
    allowed: Sequence[str],
) -> None:
    if not allowed or (asked and set(asked) <= set(allowed)):
        return
    such = ", ".join(allowed)
    if not asked:
        raise refusal(f"{name} is licensed for {such} only: say {word} in the request.")
    beyond = ", ".join(sorted(set(asked) - set(allowed)))
    raise refusal(f"{name} is licensed for {such}, not for {beyond}.")
