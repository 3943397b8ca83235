"""What ends a job for good."""

from app.errors.base import ImpastoError


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
