"""What schemathesis is told of our formats, and of what no schema can say."""

import os
import re
from hashlib import sha256
from time import time
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

from app.api.examples import ID, LIST_ID
from app.api.idempotency import named
from app.errors import IdempotencyKeyInvalid
from app.signing import sign
from tests.integration.test_api_styles import PAINTING
from tests.unit.pictures import png

#: Codes that well-formed requests may be refused with: a schema says how things are written, and
#: not which there are, who may do what, or what a picture shows.
UNSAYABLE: Final = {
    # No such thing.
    *(
        "unknown-style",
        "unknown-preset",
        "preset-retired",
        "unknown-upload",
        "erased",
        "last-event-id-invalid",
        "range-not-satisfiable",
    ),
    # Not by these terms, or not by this service as it is set up.
    *("style-not-licensed", "style-suspended", "style-licence-expired", "territory-not-allowed"),
    *("channel-not-allowed", "invalid-tags", "budget-exceeded", "not-offered", "no-style-picture"),
    # Where an address leads, and how large something may be here, is a setting.
    *("source-forbidden", "body-too-large"),
    # What is inside of a file.
    *("invalid-image", "image-too-large", "invalid-manifest", "rendition-too-large"),
    # Sent before, with something else.
    "idempotency-key-reused",
}

#: Of `bad-request` and `invalid-request` only these: by what the caller reads, why not in a schema.
UNSAYABLE_WORDS: Final = {
    r"That is not a cursor of this listing": "a cursor is sealed",
    r"since must be before until": "two fields compared",
    r"a moment of this service is from 1970": "years in which zones would overflow",
    r"in the query's `options`": "a query that one media type needs",
    r"the last byte comes before the first": "numbers in a text compared",
    r"/licence: Value error, valid_from must come before valid_until": "two fields compared",
    r"custom_id .* is there twice": "items compared",
    r"two variants have the same suffix": "items compared",
    r"two renditions are ": "renditions compared",
    r"(cover|pad) needs width and height": "a box that goes with another field",
    r"a rendition has at most": "a product of two fields",
    r"The preset .* has no style: name one": "what a preset says",
    r"is there twice; give it one share": "parts of a text compared",
    r"has less than 0\.0001 of the whole": "shares are scaled",
    r"SPDX knows no |is not an SPDX expression": "a list of 700 licences with a grammar",
    r"/metadata.*: Value error, must ": "sizes are counted over all of it",
    r"/tags/.*: Value error, must ": "sizes are counted in bytes",
    r"[Cc]ancel.[Aa]fter: Input should be less than or equal to 2592000": "a pattern cannot count",
    r"webhook.url: ": "where an address leads",
    r"These are not the bytes that were announced": "a digest",
}
_WORDS: Final = re.compile("|".join(UNSAYABLE_WORDS))

PICTURES = st.sampled_from([PAINTING, png(), PAINTING[:200], b"GIF89a", b""])
LINES = st.sampled_from(
    [
        b'{"custom_id": "1", "input": {"url": "https://shop.example/a.jpg"}}\n',
        b"custom_id,url\n1,https://shop.example/a.jpg\n",
        b"\xef\xbb\xbfcustom_id,url\r\n1,https://shop.example/a.jpg\r\n",
        b"",
    ]
)
for kind in ("image/jpeg", "image/png", "image/webp"):
    schemathesis.openapi.media_type(kind, PICTURES | st.binary(max_size=200))
schemathesis.openapi.format("binary", PICTURES | LINES)

Case = schemathesis.Case[Any]

SIGNED: Final = "PUT /v1/uploads/{upload_id}/content"
_used: set[str] = set()


@schemathesis.serializer("application/x-ndjson", "text/csv")
def lines(_: schemathesis.SerializationContext, value: Any) -> Any:
    """A manifest as it was made up, whatever that is."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: Case) -> bool:
    """Who revokes or exchanges the key in hand would be told 401 from then on."""
    mine = os.environ["IMPASTO_CONTRACT_KEY"][4:12]
    return case.path_parameters.get("prefix") != mine


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: Case, __: Any) -> None:
    """
    Nothing comes twice or in two places: every other answer would tell of that alone.
    """
    key = case.headers.get("Idempotency-Key")
    if isinstance(key, str) and _well_formed(key):
        if key in _used:
            case.headers["Idempotency-Key"] = f'"{uuid4()}"'
        _used.add(key)
    if isinstance(case.body, dict):
        if "cancel_after" in case.body:
            case.headers.pop("cancel-after", None)
        case.query.pop("options", None)  # goes with a manifest
        for one in (case.body, *_items(case.body)):
            _one_source(one)
        its = case.body.get("manifest")
        if isinstance(its, dict) and its.get("upload_id") == LIST_ID:
            its.pop("s3_prefix", None)
    if case.operation.label == SIGNED and case.meta and case.meta.generation.mode.is_positive:
        case.path_parameters, case.query = _signed(case.query.get("kind", "picture"))


@schemathesis.hook
def filter_failure(
    _: schemathesis.HookContext,
    failure: Failure,
    case: Case,
    response: schemathesis.Response,
) -> bool:
    """Whether it is one: not, where what was well formed was refused for what no schema says."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    if problem["code"] in ("bad-request", "invalid-request"):
        return not _WORDS.search(problem["detail"])
    return problem["code"] not in UNSAYABLE


def _items(body: dict[str, Any]) -> list[Any]:
    items = body.get("items")
    return items if isinstance(items, list) else []


def _one_source(part: Any) -> None:
    """Where an id of ours came beside the address that was made up."""
    its = part.get("input") if isinstance(part, dict) else None
    if isinstance(its, dict) and its.get("upload_id") == ID:
        its.pop("url", None)


def _signed(kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the link of an upload of ours holds, as `POST /v1/uploads` hands it out."""
    its = f"owner={os.environ['IMPASTO_CONTRACT_TENANT']}&sha256={sha256(PAINTING).hexdigest()}"
    if kind != "picture":
        its += f"&kind={kind}"
    secret, expires = os.environ["IMPASTO_CONTRACT_SECRET"], int(time()) + 3600
    signed = sign(f"/v1/uploads/{ID}/content?{its}", secret=secret, expires=expires)
    return {"upload_id": ID}, dict(parse_qsl(f"{its}&{signed}"))


def _well_formed(key: str) -> bool:
    try:
        named(key)
    except IdempotencyKeyInvalid:
        return False
    return True
