"""
Every error we raise on purpose. Status and code live on the class; one handler answers them all.

* ImpastoError
  x ClientError                the caller can fix it
    + BadRequest               400 bad-request
      - IdempotencyKeyInvalid  400 idempotency-key-invalid
      - LastEventIdInvalid     400 last-event-id-invalid
    + Unauthorized             401 unauthorized
    + InsufficientScope        403 insufficient-scope
    + NotFound                 404 not-found
    + MethodNotAllowed         405 method-not-allowed
    + Conflict                 409 conflict
      - IllegalTransition      409 illegal-transition
      - StyleNotReady          409 style-not-ready
      - AwaitingReview         409 awaiting-review
      - OutputRejected         409 output-rejected
      - EndpointDisabled       409 endpoint-disabled
      - TooManyEndpoints       409 too-many-endpoints
      - RotatedTooOften        409 rotated-too-often
      - IdempotencyInFlight    409 idempotency-in-flight
      - StyleTransition        409 illegal-style-transition
      - FourEyes               409 four-eyes
    + Erased                   410 erased
    + BodyTooLarge             413 body-too-large
    + RangeNotSatisfiable      416 range-not-satisfiable
    + Unprocessable            422 unprocessable
      - InvalidRequest         422 invalid-request
      - InvalidImage           422 invalid-image
      - ImageTooLarge          422 image-too-large
      - UnknownStyle           422 unknown-style
      - UnknownUpload          422 unknown-upload
      - SourceForbidden        422 source-forbidden
      - SourceUnreachable      422 source-unreachable
      - NotOffered             422 not-offered
      - NoStylePicture         422 no-style-picture
      - InvalidTags            422 invalid-tags
      - BudgetExceeded         422 budget-exceeded
      - IdempotencyKeyReused   422 idempotency-key-reused
      - InvalidManifest        422 invalid-manifest
      - ManifestTooLong        422 manifest-too-long
      - InvalidLine            422 invalid-line: of a manifest, as are those below
      - LineTooLong            422 line-too-long
      - NotUtf8                422 not-utf-8
      - DuplicateId            422 duplicate-custom-id
      - StyleNotLicensed       422 style-not-licensed
        . StyleSuspended       422 style-suspended
        . LicenceExpired       422 style-licence-expired
        . TerritoryNotAllowed  422 territory-not-allowed
        . ChannelNotAllowed    422 channel-not-allowed
    + Withheld                 451, with the codes of StyleNotLicensed
    + QuotaExceeded            429 quota-exceeded
  x JobFailure                 ends a job, whatever the caller does
    + DecoderCrashed           crashed-decoder
    + Quarantined              quarantined
    + OutputInvalid            model-output-invalid
    + StyleRefused             style-refused
    + PrintRefused             print-refused
    + DeadlineExceeded         deadline-exceeded
    + NotMarked                not-marked
  x Retryable                  the same work may succeed later
    + EngineBusy               engine-busy
    + StylizerElsewhere        stylizer-elsewhere
    + OptimizerBroke           optimizer-broke
    + SignerAway               signer-away
    + StorageUnavailable       storage-unavailable
    + ServiceUnavailable       503 service-unavailable
  x Misconfigured              this process cannot start; the text says what to do
    + EngineUnavailable
    + CatalogCorrupt
"""

from typing import Any, ClassVar


class ImpastoError(Exception):
    """Base class of every error we raise on purpose; its text is written for the caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something broke on our side"
    retryable: ClassVar[bool] = False
    #: What whoever meets it can do.
    remedy: ClassVar[str] = "Tell us the `request_id`; trying again may help."
    registered: ClassVar[str] = ""  #: the problem type, where others have one for it

    def __init__(self, detail: str = "", **extensions: Any) -> None:
        super().__init__(detail or self.title)
        self.extensions = extensions


class ClientError(ImpastoError):
    """The caller can fix it."""

    status = 400
    code = "bad-request"
    title = "The request cannot be understood"
    remedy = "Read `detail`, and change the request."


class BadRequest(ClientError):
    """Not the syntax the route speaks: malformed JSON, a cursor of somebody's own making."""

    remedy = "Send what the route speaks: JSON, a form, or a manifest; cursors as they came."


class IdempotencyKeyInvalid(BadRequest):
    """An `Idempotency-Key` that is empty, too long, or not printable ASCII."""

    code = "idempotency-key-invalid"
    title = "The Idempotency-Key cannot be used"
    remedy = "Send 1 to 255 printable ASCII characters, such as a UUID."


class LastEventIdInvalid(BadRequest):
    """A `Last-Event-ID` that is no number, or that no event of this stream has had yet."""

    code = "last-event-id-invalid"
    title = "The stream has no such event"
    remedy = "Leave the header out: the stream then begins with the first event."


class Unauthorized(ClientError):
    """No key, an unknown key or a revoked one; the three look alike on purpose."""

    status = 401
    code = "unauthorized"
    title = "A valid API key is needed"
    remedy = (
        "Send a key that is valid: `Authorization: Bearer imp_...`. Of a link: ask for a new one."
    )


class InsufficientScope(ClientError):
    """The key is valid, but not for this; `needed` says which scope is."""

    status = 403
    code = "insufficient-scope"
    title = "The key may not do this"
    remedy = "Use a key with the scope that `needed` names, or have one made."


class NotFound(ClientError):
    """No such thing for this tenant; other tenants' things look exactly the same."""

    status = 404
    code = "not-found"
    title = "There is no such thing"
    remedy = "Look for it in its listing; a key sees its own tenant's things only."


class MethodNotAllowed(ClientError):
    """The path is right, the verb is not; `Allow` says which are."""

    status = 405
    code = "method-not-allowed"
    title = "That method is not for this path"
    remedy = "Use one of the methods in `Allow`."


class Conflict(ClientError):
    """The request is fine, the state of the thing forbids it."""

    status = 409
    code = "conflict"
    title = "The state of the thing forbids this"
    remedy = "Ask how the thing is now, and decide anew."


class IllegalTransition(Conflict):
    """A job was asked to become what it cannot become from where it is."""

    code = "illegal-transition"
    title = "The job cannot change that way any more"
    remedy = "Ask how the job or campaign is now: it has ended, or gone another way."


class StyleNotReady(Conflict):
    """A style was asked for something that only a learned one can do."""

    code = "style-not-ready"
    title = "The style has not been learned"
    remedy = "Wait until its job has ended."


class IdempotencyInFlight(Conflict):
    """The first request with this `Idempotency-Key` has not been answered yet."""

    code = "idempotency-in-flight"
    title = "The same request is under way"
    remedy = "Wait for `Retry-After`, and repeat the same request."
    retryable = True


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


class EndpointDisabled(Conflict):
    """Something was to be sent to a webhook endpoint to which nothing is sent."""

    code = "endpoint-disabled"
    title = "The webhook endpoint is disabled"
    remedy = "Enable it: `PATCH` it with `enabled: true`."


class TooManyEndpoints(Conflict):
    """Every event is sent to every endpoint, so a tenant may have so many and no more."""

    code = "too-many-endpoints"
    title = "There are as many webhook endpoints as a tenant may have"
    remedy = "Delete one, or change one that is there."


class RotatedTooOften(Conflict):
    """Every secret that is still valid signs every webhook, and there are enough of them."""

    code = "rotated-too-often"
    title = "Too many old secrets are still valid"
    remedy = "Wait until an old secret has ended, or end all with `overlap_seconds: 0`."


class Erased(ClientError):
    """It was here, and its owner, or a retention period, had it erased."""

    status = 410
    code = "erased"
    title = "The picture was erased"
    remedy = "Nothing: what is erased does not come back."


class BodyTooLarge(ClientError):
    """More bytes than the published limit."""

    status = 413
    code = "body-too-large"
    title = "The body is larger than the limit"
    remedy = "Send no more than `limit` bytes; upload first what is large, or split it."


class RangeNotSatisfiable(ClientError):
    """A range that begins behind the end."""

    status = 416
    code = "range-not-satisfiable"
    title = "The picture has no such bytes"
    remedy = "Ask for a range within the size that `Content-Range` says."


class Unprocessable(ClientError):
    """Well formed, but it cannot be done."""

    status = 422
    code = "unprocessable"
    title = "The request cannot be carried out"
    remedy = "Read `detail`, and change what is asked for."


class InvalidRequest(Unprocessable):
    """Fields are missing, unknown or out of range; `errors` points at each."""

    code = "invalid-request"
    title = "Some fields are not valid"
    remedy = "Put right what `errors` points at."


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


class UnknownStyle(Unprocessable):
    """No style of that name, or no such version of it."""

    code = "unknown-style"
    title = "There is no such style"
    remedy = "Choose one of `GET /v1/styles`, in a version that is active."


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


class NotOffered(Unprocessable):
    """Work for an optimizer worker, where none is deployed."""

    code = "not-offered"
    title = "This service does not offer that"
    remedy = "Ask the operator, or ask without it."


class NoStylePicture(Unprocessable):
    """A print in a style whose picture nobody gave to the store."""

    code = "no-style-picture"
    title = "Prints need the style's picture, which is not here"
    remedy = "Choose another style, or `quality: standard`."


class IdempotencyKeyReused(Unprocessable):
    """An `Idempotency-Key` of the last 24 hours, with another request."""

    code = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"
    remedy = "Use a new key for a new request."


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


class QuotaExceeded(ClientError):
    """More than the tenant's quota; `violated-policies` says which, `retry_after` how long."""

    status = 429
    code = "quota-exceeded"
    title = "The quota is used up"
    remedy = "Wait for `Retry-After`; `RateLimit` says what is left."
    retryable = True
    registered = "https://iana.org/assignments/http-problem-types#quota-exceeded"


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


class JobFailure(ImpastoError):
    """Ends a job for good; trying again would end the same way."""

    remedy = "Do not retry: it would end the same way."


class DecoderCrashed(JobFailure):
    """The picture killed, starved or outran the process that decoded it."""

    code = "crashed-decoder"
    title = "The picture broke its decoder"
    remedy = "Save the picture anew with another program, and hand it in again."


class Quarantined(JobFailure):
    """The picture's attempts kept killing whole workers; it is set aside."""

    code = "quarantined"
    title = "The picture was set aside after its attempts killed workers"
    remedy = "Save the picture anew with another program; tell the operator."


class OutputInvalid(JobFailure):
    """The engine answered with another shape, another count, or nothing usable."""

    code = "model-output-invalid"
    title = "The stylizer gave no usable picture"
    remedy = "Retry the job once; tell the operator if it fails again."


class StyleRefused(JobFailure):
    """A picture that teaches nothing: flat, or only noise."""

    code = "style-refused"
    title = "No style can be learned from the picture"
    remedy = "Learn from a picture with more in it."


class PrintRefused(JobFailure):
    """More than the worker's memory holds, or a style that it cannot paint by."""

    code = "print-refused"
    title = "The picture cannot be printed"
    remedy = "Ask for a smaller print, or for another style."


class DeadlineExceeded(JobFailure):
    """The job still waited when its deadline came; it was not begun, and not billed."""

    code = "deadline-exceeded"
    title = "The work had not begun by its deadline"
    remedy = "Retry the job, or give it more time with `cancel_after`."


class NotMarked(JobFailure):
    """The finished picture cannot be signed; without its marks it is not given out."""

    code = "not-marked"
    title = "The picture could not be marked as what it is"
    remedy = "Save the picture anew without its metadata; tell the operator."


class Retryable(ImpastoError):
    """The same work may succeed later, without anybody changing anything."""

    status = 503
    code = "try-again"
    title = "Try again later"
    remedy = "Wait for `Retry-After`; it is tried again."
    retryable = True


class EngineBusy(Retryable):
    """The batcher takes no more items."""

    code = "engine-busy"


class StylizerElsewhere(Retryable):
    """The job's style belongs to a stylizer that this worker does not run."""

    code = "stylizer-elsewhere"


class OptimizerBroke(Retryable):
    """What learns and prints ended without an answer; the worker's log says more."""

    code = "optimizer-broke"


class SignerAway(Retryable):
    """Nobody signs for now, or what was signed does not read back as it should."""

    code = "signer-away"
    title = "Outputs cannot be signed for now"


class StorageUnavailable(Retryable):
    """The object store did not answer, or refused for now."""

    code = "storage-unavailable"


class ServiceUnavailable(Retryable):
    """A part that a request needs (database, queue) is away."""

    code = "service-unavailable"


class Misconfigured(ImpastoError):
    """This process cannot start; the text says what to do about it."""

    code = "misconfigured"
    remedy = "Read its text: it is for the operator."


class EngineUnavailable(Misconfigured):
    """The model or the execution provider that was asked for is not to be had."""

    code = "engine-unavailable"


class CatalogCorrupt(Misconfigured):
    """A catalog file does not match its digest or its schema."""

    code = "catalog-corrupt"
