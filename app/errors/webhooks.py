"""Webhook endpoints that cannot be what is asked of them."""

from app.errors.base import Conflict


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
