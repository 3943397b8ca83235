"""What `POST /v1/jobs` takes: JSON that says where the picture is, or a form that holds it."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from app.api.problems import invalid
from app.domain.licence import ChannelText
from app.domain.parameters import SOFT, Feather, OutputFormat, Quality
from app.domain.requests import Input, JobOptions, JobRequest, WebUrl
from app.domain.told import never_null
from app.errors import BadRequest, InvalidRequest
from app.sources import MaskFile


@dataclass(frozen=True)
class Order:
    """What is wanted of a picture, and the picture, or where it is."""

    options: JobOptions
    picture: bytes | Input
    mask: MaskFile | None = None  #: of a form; JSON names an upload among its options


class FormOptions(JobOptions):
    """A form is flat: what is said of its file `mask` stands in a field beside it."""

    mask: None = None
    mask_feather: Feather = SOFT


#: What a form says of a picture as JSON does.
_CONTROLS: Final = (
    *("preset", "style", "strength", "keep_colour", "variation", "deterministic"),
    *("cancel_after", "priority", "review", "commercial"),
)
_SCHEMAS: Final = FormOptions.model_json_schema()["properties"]

FIELD_BYTES: Final = 64 * 1024  #: of one field that is not the picture
FIELDS: Final = 24


def _text(kind: Any, description: str) -> dict[str, Any]:
    return {**TypeAdapter(kind).json_schema(), "description": description}


#: The form, for OpenAPI: what `JobOptions` holds, flat, because forms are.
FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["content"],
    "anyOf": [{"required": ["style"]}, {"required": ["preset"]}],
    "additionalProperties": False,
    "properties": {
        "content": {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP."},
        **{name: never_null(_SCHEMAS[name]) for name in _CONTROLS},
        "mask": {
            "type": "string",
            "format": "binary",
            "description": "Where the photograph stays: white keeps, black is drawn.",
        },
        "mask_feather": _SCHEMAS["mask_feather"],
        "format": {"type": "string", "enum": list(OutputFormat), "default": "jpeg"},
        "quality": {"type": "integer", "minimum": 1, "maximum": 100, "default": 90},
        "size": {"type": "integer", "minimum": 32, "maximum": 65_500},
        "print": {
            "type": "boolean",
            "default": False,
            "description": "What JSON calls `quality: print`; `quality` here is the file's.",
        },
        "territory": {"$ref": "#/components/schemas/TerritoryText"},
        "channel": _text(ChannelText, "`web`, or several: `web,social`."),
        "metadata": {**_SCHEMAS["metadata"], "description": "A JSON object."},
        "tags": {**_SCHEMAS["tags"], "description": "A JSON object of texts."},
        "webhook": {"$ref": "#/components/schemas/WebhookRequest"},
        "webhook_url": _text(WebUrl, "Instead of `webhook`."),
    },
}
_OUTPUT: Final = ("format", "quality", "size")
_JSON: Final = ("metadata", "tags", "webhook")


async def read_order(request: Request) -> Order:
    """
    The options and the picture, or where it is.

    Raises `BadRequest` for another syntax and `InvalidRequest` for what it says.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=2, max_fields=FIELDS, max_part_size=FIELD_BYTES) as form:
            return await _of_form(form)
    if kind == "application/json":
        return _of_json(await _json(request))
    raise BadRequest("Send application/json or multipart/form-data.")


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def _of_json(content: Any) -> Order:
    try:
        request = JobRequest.model_validate(content)
    except ValidationError as error:
        raise invalid(error.errors()) from error
    return Order(request, request.input)


async def _of_form(form: FormData) -> Order:
    fields = dict(form.multi_items())
    if len(fields) < len(form.multi_items()):
        raise InvalidRequest("Each field may be there once.")
    picture = await _file(fields, "content", "the picture")
    mask = await _file(fields, "mask", "the mask") if "mask" in fields else None
    options = _options(fields)
    its = None if mask is None else MaskFile(mask, options.mask_feather)
    return Order(options, picture, its)


async def _file(fields: dict[str, Any], name: str, what: str) -> bytes:
    file = fields.pop(name, None)
    if not isinstance(file, UploadFile):
        reason = {"pointer": f"/{name}", "detail": f"Send {what} as a file."}
        raise InvalidRequest(f"The field `{name}` must hold {what}.", errors=[reason])
    return await file.read()


def _options(fields: dict[str, Any]) -> FormOptions:
    for name in _JSON:
        if name in fields:
            fields[name] = _parsed(name, fields[name])
    if "webhook" not in fields and "webhook_url" in fields:
        fields["webhook"] = {"url": fields.pop("webhook_url")}
    if output := {name: fields.pop(name) for name in _OUTPUT if name in fields}:
        fields["output"] = output
    if "print" in fields:
        given = fields.pop("print")
        fields["quality"] = {"true": Quality.PRINT, "false": Quality.STANDARD}.get(given, given)
    try:
        return FormOptions.model_validate(fields, strict=False)
    except ValidationError as error:
        # The form has no `output`: its three fields stand alone, and one has its own name.
        flat = [{**reason, "loc": _flat(reason["loc"])} for reason in error.errors()]
        raise invalid(flat) from error


def _parsed(name: str, text: Any) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except (TypeError, ValueError):
        reason = {"pointer": f"/{name}", "detail": "must be JSON"}
        raise InvalidRequest(f"The field `{name}` must be JSON.", errors=[reason]) from None


def _flat(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    if place[:1] == ("quality",):
        return ("print",)
    return place[1:] if place[:1] == ("output",) else place
