"""Parts that are away, for now or until somebody sets them up."""

from app.errors.base import ImpastoError


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


class DeviceMemory(Retryable):
    """The picture does not fit this worker's device, or the device is lost; another may do."""

    code = "device-memory"
    title = "No device had the memory for the picture"
    remedy = "Try again with a smaller `size`."


class WorkerUnfit(Retryable):
    """One job after the other broke at this worker, which ended itself; another may do."""

    code = "worker-unfit"
    title = "The worker was taken out of service"


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


class WeightsUntrusted(Misconfigured):
    """Nobody whom this process trusts vouches for weights that it was to load."""

    code = "weights-untrusted"


class CatalogCorrupt(Misconfigured):
    """A catalog file does not match its digest or its schema."""

    code = "catalog-corrupt"
