"""Styles: which there are, what becomes of them, and what their licences allow."""

from app.errors.base import ClientError, Conflict, Unprocessable


class StyleNotReady(Conflict):
    """A style was asked for something that only a learned one can do."""

    code = "style-not-ready"
    title = "The style has not been learned"
    remedy = "Wait until its job has ended."


class StyleTransition(Conflict):
    """A style version was asked to become what it cannot become from where it is."""

    code = "illegal-style-transition"
    title = "The style cannot change that way"
    remedy = "Ask how the style is now; docs/licences.md says what leads where."


class FourEyes(Conflict):
    """Who asked for the review may not be who says yes."""

    code = "four-eyes"
    title = "Somebody else has to agree"
    remedy = "Let somebody else do it, with another key."


class UnknownStyle(Unprocessable):
    """No style of that name, or no such version of it."""

    code = "unknown-style"
    title = "There is no such style"
    remedy = "Choose one of `GET /v1/styles`, in a version that is active."


class NoStylePicture(Unprocessable):
    """A print in a style whose picture nobody gave to the store."""

    code = "no-style-picture"
    title = "Prints need the style's picture, which is not here"
    remedy = "Choose another style, or `quality: standard`."


class StyleNotLicensed(Unprocessable):
    """The terms of a style do not let this caller do this: withdrawn, not yet begun, not theirs."""

    code = "style-not-licensed"
    title = "The style's licence does not allow this"
    remedy = "Choose another style; docs/licences.md."


class StyleSuspended(StyleNotLicensed):
    """Whoever answers for the style has stopped it, for now or until it is retired."""

    code = "style-suspended"
    title = "The style is suspended"
    remedy = "Choose another style, or wait until it is reinstated."


class LicenceExpired(StyleNotLicensed):
    """The licence of a style has ended."""

    code = "style-licence-expired"
    title = "The style's licence has expired"
    remedy = "Choose another style, or another version of it."


class TerritoryNotAllowed(StyleNotLicensed):
    """Outside the countries that the licence names, or nobody said where."""

    code = "territory-not-allowed"
    title = "The style's licence does not reach there"
    remedy = "Say a `territory` that the licence names, or choose another style."


class ChannelNotAllowed(StyleNotLicensed):
    """A channel that the licence does not name, or nobody said which."""

    code = "channel-not-allowed"
    title = "The style's licence does not cover that channel"
    remedy = "Say a `channel` that the licence names, or choose another style."


class Withheld(ClientError):
    """A finished picture that its style's licence keeps back (RFC 7725); mixed into the reason."""

    status = 451


class NotLicensedWithheld(Withheld, StyleNotLicensed):
    """The licence of a finished picture's style was withdrawn."""


class SuspendedWithheld(Withheld, StyleSuspended):
    """The style of a finished picture is suspended."""


class ExpiredWithheld(Withheld, LicenceExpired):
    """The licence of a finished picture's style has ended."""


class TerritoryWithheld(Withheld, TerritoryNotAllowed):
    """A finished picture was asked for from where its style may not be shown."""


class ChannelWithheld(Withheld, ChannelNotAllowed):
    """A finished picture was accepted for a channel that its style does not cover."""
