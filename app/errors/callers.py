"""Who asks, how often, and twice."""

from app.errors.base import BadRequest, ClientError, Conflict, Unprocessable


class IdempotencyKeyInvalid(BadRequest):
    """An `Idempotency-Key` that is empty, too long, or not printable ASCII."""

    code = "idempotency-key-invalid"
    title = "The Idempotency-Key cannot be used"
    remedy = "Send 1 to 255 printable ASCII characters, such as a UUID."


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


class IdempotencyInFlight(Conflict):
    """The first request with this `Idempotency-Key` has not been answered yet."""

    code = "idempotency-in-flight"
    title = "The same request is under way"
    remedy = "Wait for `Retry-After`, and repeat the same request."
    retryable = True


class IdempotencyKeyReused(Unprocessable):
    """An `Idempotency-Key` of the last 24 hours, with another request."""

    code = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"
    remedy = "Use a new key for a new request."


class QuotaExceeded(ClientError):
    """More than the tenant's quota; `violated-policies` says which, `retry_after` how long."""

    status = 429
    code = "quota-exceeded"
    title = "The quota is used up"
    remedy = "Wait for `Retry-After`; `RateLimit` says what is left."
    retryable = True
    registered = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class QueueFull(QuotaExceeded):
    """More pictures of the tenant's would wait to be drawn than may."""

    code = "queue-full"
    title = "Too many of your pictures wait already"
    remedy = "Wait for `Retry-After`, or cancel what is not needed any more."


class Overloaded(ClientError):
    """More waits than we accept, of everybody's; `retry_after` is when it will be less."""

    status = 429
    code = "overloaded"
    title = "Too much work waits"
    remedy = "Wait for `Retry-After`, and repeat the same request."
    retryable = True
