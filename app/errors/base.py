"""What all errors have, and those that any route may answer with."""

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


class BodyTooLarge(ClientError):
    """More bytes than the published limit."""

    status = 413
    code = "body-too-large"
    title = "The body is larger than the limit"
    remedy = "Send no more than `limit` bytes; upload first what is large, or split it."


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


class NotOffered(Unprocessable):
    """Work for an optimizer worker, where none is deployed."""

    code = "not-offered"
    title = "This service does not offer that"
    remedy = "Ask the operator, or ask without it."
