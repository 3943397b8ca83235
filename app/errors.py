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
    + Overloaded               429 overloaded
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
    registered: ClassVar[str] = ""  #: the problem type, where others have one for it

    def __init__(self, detail: str = "", **extensions: Any) -> None:
        super().__init__(detail or self.title)
        self.extensions = extensions


class ClientError(ImpastoError):
    """The caller can fix it."""

    status = 400
    code = "bad-request"
    title = "The request cannot be understood"


class BadRequest(ClientError):
    """Not the syntax the route speaks: malformed JSON, a cursor of somebody's own making."""


class IdempotencyKeyInvalid(BadRequest):
    """An `Idempotency-Key` that is empty, too long, or not printable ASCII."""

    code = "idempotency-key-invalid"
    title = "The Idempotency-Key cannot be used"


class LastEventIdInvalid(BadRequest):
    """A `Last-Event-ID` that is no number, or that no event of this stream has had yet."""

    code = "last-event-id-invalid"
    title = "The stream has no such event"


class Unauthorized(ClientError):
    """No key, an unknown key or a revoked one; the three look alike on purpose."""

    status = 401
    code = "unauthorized"
    title = "A valid API key is needed"


class InsufficientScope(ClientError):
    """The key is valid, but not for this; `needed` says which scope is."""

    status = 403
    code = "insufficient-scope"
    title = "The key may not do this"


class NotFound(ClientError):
    """No such thing for this tenant; other tenants' things look exactly the same."""

    status = 404
    code = "not-found"
    title = "There is no such thing"


class MethodNotAllowed(ClientError):
    """The path is right, the verb is not; `Allow` says which are."""

    status = 405
    code = "method-not-allowed"
    title = "That method is not for this path"


class Conflict(ClientError):
    """The request is fine, the state of the thing forbids it."""

    status = 409
    code = "conflict"
    title = "The state of the thing forbids this"


class IllegalTransition(Conflict):
    """A job was asked to become what it cannot become from where it is."""

    code = "illegal-transition"
    title = "The job cannot change that way any more"


class StyleNotReady(Conflict):
    """A style was asked for something that only a learned one can do."""

    code = "style-not-ready"
    title = "The style has not been learned"


class IdempotencyInFlight(Conflict):
    """The first request with this `Idempotency-Key` has not been answered yet."""

    code = "idempotency-in-flight"
    title = "The same request is under way"
    retryable = True


class AwaitingReview(Conflict):
    """A picture that nobody gets before a reviewer approved it."""

    code = "awaiting-review"
    title = "The picture waits for a reviewer"


class OutputRejected(Conflict):
    """A picture that a reviewer refused: it is kept, and delivered to nobody."""

    code = "output-rejected"
    title = "A reviewer rejected the picture"


class StyleTransition(Conflict):
    """A style version was asked to become what it cannot become from where it is."""

    code = "illegal-style-transition"
    title = "The style cannot change that way"


class FourEyes(Conflict):
    """Who asked for the review may not be who says yes."""

    code = "four-eyes"
    title = "Somebody else has to agree"


class EndpointDisabled(Conflict):
    """Something was to be sent to a webhook endpoint to which nothing is sent."""

    code = "endpoint-disabled"
    title = "The webhook endpoint is disabled"


class TooManyEndpoints(Conflict):
    """Every event is sent to every endpoint, so a tenant may have so many and no more."""

    code = "too-many-endpoints"
    title = "There are as many webhook endpoints as a tenant may have"


class RotatedTooOften(Conflict):
    """Every secret that is still valid signs every webhook, and there are enough of them."""

    code = "rotated-too-often"
    title = "Too many old secrets are still valid"


class Erased(ClientError):
    """It was here, and its owner, or a retention period, had it erased."""

    status = 410
    code = "erased"
    title = "The picture was erased"


class BodyTooLarge(ClientError):
    """More bytes than the published limit."""

    status = 413
    code = "body-too-large"
    title = "The body is larger than the limit"


class RangeNotSatisfiable(ClientError):
    """A range that begins behind the end."""

    status = 416
    code = "range-not-satisfiable"
    title = "The picture has no such bytes"


class Unprocessable(ClientError):
    """Well formed, but it cannot be done."""

    status = 422
    code = "unprocessable"
    title = "The request cannot be carried out"


class InvalidRequest(Unprocessable):
    """Fields are missing, unknown or out of range; `errors` points at each."""

    code = "invalid-request"
    title = "Some fields are not valid"


class InvalidImage(Unprocessable):
    """Not a picture we read: wrong format, truncated, animated, too small."""

    code = "invalid-image"
    title = "The picture cannot be read"


class ImageTooLarge(Unprocessable):
    """More pixels, or a longer side, than the published limit."""

    code = "image-too-large"
    title = "The picture is larger than the limit"


class UnknownStyle(Unprocessable):
    """No style of that name, or no such version of it."""

    code = "unknown-style"
    title = "There is no such style"


class UnknownUpload(Unprocessable):
    """No such upload for this tenant, or its bytes never arrived."""

    code = "unknown-upload"
    title = "There is no such upload"


class SourceForbidden(Unprocessable):
    """A URL that we will not open: private address, odd port, redirect, credentials."""

    code = "source-forbidden"
    title = "That address is not one we fetch from"


class SourceUnreachable(Unprocessable):
    """A URL that did not answer with a picture in time."""

    code = "source-unreachable"
    title = "The picture could not be fetched"


class NotOffered(Unprocessable):
    """Work for an optimizer worker, where none is deployed."""

    code = "not-offered"
    title = "This service does not offer that"


class NoStylePicture(Unprocessable):
    """A print in a style whose picture nobody gave to the store."""

    code = "no-style-picture"
    title = "Prints need the style's picture, which is not here"


class IdempotencyKeyReused(Unprocessable):
    """An `Idempotency-Key` of the last 24 hours, with another request."""

    code = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"


class InvalidTags(Unprocessable):
    """Tags outside of what the tenant has agreed on; `errors` points at each."""

    code = "invalid-tags"
    title = "Some tags are not among those agreed on"


class BudgetExceeded(Unprocessable):
    """The campaign's budget does not pay for the picture; what is not begun is not billed."""

    code = "budget-exceeded"
    title = "The budget does not pay for it"


class StyleNotLicensed(Unprocessable):
    """The terms of a style do not let this caller do this: withdrawn, not yet begun, not theirs."""

    code = "style-not-licensed"
    title = "The style's licence does not allow this"


class StyleSuspended(StyleNotLicensed):
    """Whoever answers for the style has stopped it, for now or until it is retired."""

    code = "style-suspended"
    title = "The style is suspended"


class LicenceExpired(StyleNotLicensed):
    """The licence of a style has ended."""

    code = "style-licence-expired"
    title = "The style's licence has expired"


class TerritoryNotAllowed(StyleNotLicensed):
    """Outside the countries that the licence names, or nobody said where."""

    code = "territory-not-allowed"
    title = "The style's licence does not reach there"


class ChannelNotAllowed(StyleNotLicensed):
    """A channel that the licence does not name, or nobody said which."""

    code = "channel-not-allowed"
    title = "The style's licence does not cover that channel"


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
    retryable = True
    registered = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class Overloaded(ClientError):
    """More waits than we accept, of everybody's; `retry_after` is when it will be less."""

    status = 429
    code = "overloaded"
    title = "Too much work waits"
    retryable = True


class InvalidManifest(Unprocessable):
    """A manifest of which nothing can be used; `errors` says why of its first lines."""

    code = "invalid-manifest"
    title = "The manifest cannot be used"


class ManifestTooLong(Unprocessable):
    """More lines, or more outputs, than one campaign takes."""

    code = "manifest-too-long"
    title = "The manifest has more lines than a campaign takes"


class InvalidLine(Unprocessable):
    """One line of a manifest that is not what its format or our fields ask for."""

    code = "invalid-line"
    title = "The line cannot be used"


class LineTooLong(Unprocessable):
    """One line of a manifest with more bytes than the published limit."""

    code = "line-too-long"
    title = "The line is longer than the limit"


class NotUtf8(Unprocessable):
    """One line of a manifest in another encoding than UTF-8."""

    code = "not-utf-8"
    title = "The line is not UTF-8"


class DuplicateId(Unprocessable):
    """A `custom_id` that an earlier line of the manifest has."""

    code = "duplicate-custom-id"
    title = "Another line has that custom_id"


class JobFailure(ImpastoError):
    """Ends a job for good; trying again would end the same way."""


class DecoderCrashed(JobFailure):
    """The picture killed, starved or outran the process that decoded it."""

    code = "crashed-decoder"
    title = "The picture broke its decoder"


class Quarantined(JobFailure):
    """The picture's attempts kept killing whole workers; it is set aside."""

    code = "quarantined"
    title = "The picture was set aside after its attempts killed workers"


class OutputInvalid(JobFailure):
    """The engine answered with another shape, another count, or nothing usable."""

    code = "model-output-invalid"
    title = "The stylizer gave no usable picture"


class StyleRefused(JobFailure):
    """A picture that teaches nothing: flat, or only noise."""

    code = "style-refused"
    title = "No style can be learned from the picture"


class PrintRefused(JobFailure):
    """More than the worker's memory holds, or a style that it cannot paint by."""

    code = "print-refused"
    title = "The picture cannot be printed"


class DeadlineExceeded(JobFailure):
    """The job still waited when its deadline came; it was not begun, and not billed."""

    code = "deadline-exceeded"
    title = "The work had not begun by its deadline"


class NotMarked(JobFailure):
    """The finished picture cannot be signed; without its marks it is not given out."""

    code = "not-marked"
    title = "The picture could not be marked as what it is"


class Retryable(ImpastoError):
    """The same work may succeed later, without anybody changing anything."""

    status = 503
    code = "try-again"
    title = "Try again later"
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


class EngineUnavailable(Misconfigured):
    """The model or the execution provider that was asked for is not to be had."""

    code = "engine-unavailable"


class CatalogCorrupt(Misconfigured):
    """A catalog file does not match its digest or its schema."""

    code = "catalog-corrupt"
