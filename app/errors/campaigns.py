"""Campaigns: their manifests, budgets and tags, and what they are told of."""

from app.errors.base import BadRequest, Conflict, Unprocessable


class LastEventIdInvalid(BadRequest):
    """A `Last-Event-ID` that is no number, or that no event of this stream has had yet."""

    code = "last-event-id-invalid"
    title = "The stream has no such event"
    remedy = "Leave the header out: the stream then begins with the first event."


class IllegalTransition(Conflict):
    """A job was asked to become what it cannot become from where it is."""

    code = "illegal-transition"
    title = "The job cannot change that way any more"
    remedy = "Ask how the job or campaign is now: it has ended, or gone another way."


class InvalidTags(Unprocessable):
    """Tags outside of what the tenant has agreed on; `errors` points at each."""

    code = "invalid-tags"
    title = "Some tags are not among those agreed on"
    remedy = "Use keys and values that were agreed on; `errors` points at each."


class BudgetExceeded(Unprocessable):
    """The campaign's budget does not pay for the picture; what is not begun is not billed."""

    code = "budget-exceeded"
    title = "The budget does not pay for it"
    remedy = "Raise the budget, and retry what has failed."


class InvalidManifest(Unprocessable):
    """A manifest of which nothing can be used; `errors` says why of its first lines."""

    code = "invalid-manifest"
    title = "The manifest cannot be used"
    remedy = "Put right what `errors` says of its first lines."


class ManifestTooLong(Unprocessable):
    """More lines, or more outputs, than one campaign takes."""

    code = "manifest-too-long"
    title = "The manifest has more lines than a campaign takes"
    remedy = "Split it into several campaigns."


class InvalidLine(Unprocessable):
    """One line of a manifest that is not what its format or our fields ask for."""

    code = "invalid-line"
    title = "The line cannot be used"
    remedy = "Put the line right, and send it in another campaign."


class LineTooLong(Unprocessable):
    """One line of a manifest with more bytes than the published limit."""

    code = "line-too-long"
    title = "The line is longer than the limit"
    remedy = "Shorten the line; most of it is metadata."


class NotUtf8(Unprocessable):
    """One line of a manifest in another encoding than UTF-8."""

    code = "not-utf-8"
    title = "The line is not UTF-8"
    remedy = "Save the manifest as UTF-8."


class DuplicateId(Unprocessable):
    """A `custom_id` that an earlier line of the manifest has."""

    code = "duplicate-custom-id"
    title = "Another line has that custom_id"
    remedy = "Give every line a `custom_id` of its own."
