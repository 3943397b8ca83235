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
      - UnknownPreset          422 unknown-preset
      - PresetRetired          422 preset-retired
      - RenditionTooLarge      422 rendition-too-large
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
      - QueueFull              429 queue-full
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
    + DeviceMemory             device-memory
    + WorkerUnfit              worker-unfit
    + StylizerElsewhere        stylizer-elsewhere
    + OptimizerBroke           optimizer-broke
    + SignerAway               signer-away
    + StorageUnavailable       storage-unavailable
    + ServiceUnavailable       503 service-unavailable
  x Misconfigured              this process cannot start; the text says what to do
    + EngineUnavailable
    + CatalogCorrupt
    + WeightsUntrusted
"""

from app.errors.base import (
    BadRequest,
    BodyTooLarge,
    ClientError,
    Conflict,
    ImpastoError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    NotOffered,
    Unprocessable,
)
from app.errors.callers import (
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InsufficientScope,
    Overloaded,
    QueueFull,
    QuotaExceeded,
    Unauthorized,
)
from app.errors.campaigns import (
    BudgetExceeded,
    DuplicateId,
    IllegalTransition,
    InvalidLine,
    InvalidManifest,
    InvalidTags,
    LastEventIdInvalid,
    LineTooLong,
    ManifestTooLong,
    NotUtf8,
)
from app.errors.jobs import (
    DeadlineExceeded,
    DecoderCrashed,
    JobFailure,
    NotMarked,
    OutputInvalid,
    PrintRefused,
    Quarantined,
    StyleRefused,
)
from app.errors.pictures import (
    AwaitingReview,
    Erased,
    ImageTooLarge,
    InvalidImage,
    OutputRejected,
    RangeNotSatisfiable,
    SourceForbidden,
    SourceUnreachable,
    UnknownUpload,
)
from app.errors.presets import PresetRetired, RenditionTooLarge, UnknownPreset
from app.errors.service import (
    CatalogCorrupt,
    DeviceMemory,
    EngineBusy,
    EngineUnavailable,
    Misconfigured,
    OptimizerBroke,
    Retryable,
    ServiceUnavailable,
    SignerAway,
    StorageUnavailable,
    StylizerElsewhere,
    WeightsUntrusted,
    WorkerUnfit,
)
from app.errors.styles import (
    ChannelNotAllowed,
    ChannelWithheld,
    ExpiredWithheld,
    FourEyes,
    LicenceExpired,
    NoStylePicture,
    NotLicensedWithheld,
    StyleNotLicensed,
    StyleNotReady,
    StyleSuspended,
    StyleTransition,
    SuspendedWithheld,
    TerritoryNotAllowed,
    TerritoryWithheld,
    UnknownStyle,
    Withheld,
)
from app.errors.webhooks import EndpointDisabled, RotatedTooOften, TooManyEndpoints

__all__ = [
    "AwaitingReview",
    "BadRequest",
    "BodyTooLarge",
    "BudgetExceeded",
    "CatalogCorrupt",
    "ChannelNotAllowed",
    "ChannelWithheld",
    "ClientError",
    "Conflict",
    "DeadlineExceeded",
    "DecoderCrashed",
    "DeviceMemory",
    "DuplicateId",
    "EndpointDisabled",
    "EngineBusy",
    "EngineUnavailable",
    "Erased",
    "ExpiredWithheld",
    "FourEyes",
    "IdempotencyInFlight",
    "IdempotencyKeyInvalid",
    "IdempotencyKeyReused",
    "IllegalTransition",
    "ImageTooLarge",
    "ImpastoError",
    "InsufficientScope",
    "InvalidImage",
    "InvalidLine",
    "InvalidManifest",
    "InvalidRequest",
    "InvalidTags",
    "JobFailure",
    "LastEventIdInvalid",
    "LicenceExpired",
    "LineTooLong",
    "ManifestTooLong",
    "MethodNotAllowed",
    "Misconfigured",
    "NoStylePicture",
    "NotFound",
    "NotLicensedWithheld",
    "NotMarked",
    "NotOffered",
    "NotUtf8",
    "OptimizerBroke",
    "OutputInvalid",
    "OutputRejected",
    "Overloaded",
    "PresetRetired",
    "PrintRefused",
    "Quarantined",
    "QueueFull",
    "QuotaExceeded",
    "RangeNotSatisfiable",
    "RenditionTooLarge",
    "Retryable",
    "RotatedTooOften",
    "ServiceUnavailable",
    "SignerAway",
    "SourceForbidden",
    "SourceUnreachable",
    "StorageUnavailable",
    "StyleNotLicensed",
    "StyleNotReady",
    "StyleRefused",
    "StyleSuspended",
    "StyleTransition",
    "StylizerElsewhere",
    "SuspendedWithheld",
    "TerritoryNotAllowed",
    "TerritoryWithheld",
    "TooManyEndpoints",
    "Unauthorized",
    "UnknownPreset",
    "UnknownStyle",
    "UnknownUpload",
    "Unprocessable",
    "WeightsUntrusted",
    "Withheld",
    "WorkerUnfit",
]
