"""Pictures on their way in, and on their way out."""

from app.errors.base import ClientError, Conflict, Unprocessable


class AwaitingReview(Conflict):
    """A picture that nobody gets before a reviewer approved it."""

    code = "awaiting-review"
    title = "The picture waits for a reviewer"
    remedy = "Have it reviewed: `POST /v1/reviews/{job_id}`."


class OutputRejected(Conflict):
    """A picture that a reviewer refused: it is kept, and delivered to nobody."""

    code = "output-rejected"
    title = "A reviewer rejected the picture"
    remedy = "Nothing; the verdict says why. Hand the picture in again, in another way."


class Erased(ClientError):
    """It was here, and its owner, or a retention period, had it erased."""

    status = 410
    code = "erased"
    title = "The picture was erased"
    remedy = "Nothing: what is erased does not come back."


class RangeNotSatisfiable(ClientError):
    """A range that begins behind the end."""

    status = 416
    code = "range-not-satisfiable"
    title = "The picture has no such bytes"
    remedy = "Ask for a range within the size that `Content-Range` says."


class InvalidImage(Unprocessable):
    """Not a picture we read: wrong format, truncated, animated, too small."""

    code = "invalid-image"
    title = "The picture cannot be read"
    remedy = "Send a whole JPEG, PNG or WebP, not animated, and large enough."


class ImageTooLarge(Unprocessable):
    """More pixels, or a longer side, than the published limit."""

    code = "image-too-large"
    title = "The picture is larger than the limit"
    remedy = "Send a smaller picture, or ask for a smaller output."


class UnknownUpload(Unprocessable):
    """No such upload for this tenant, or its bytes never arrived."""

    code = "unknown-upload"
    title = "There is no such upload"
    remedy = "Announce it and send its bytes first; uploads expire after a day."


class SourceForbidden(Unprocessable):
    """A URL that we will not open: private address, odd port, redirect, credentials."""

    code = "source-forbidden"
    title = "That address is not one we fetch from"
    remedy = "Name a public http or https address without user name, redirects or odd ports."


class SourceUnreachable(Unprocessable):
    """A URL that did not answer with a picture in time."""

    code = "source-unreachable"
    title = "The picture could not be fetched"
    remedy = "See that the address answers 200 with the picture itself, and retry the job."
