"""Numbers and truths as the caller's JSON says them, and nothing that could be meant by it."""

from typing import Any, cast

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

_EXACT = ("int", "float", "bool")


def _whole(given: object) -> object:
    """JSON does not know whether 2 is written as 2.0."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _exact(schema: Any) -> Any:
    """The schema, but for numbers and truths of other types; what others share stays theirs."""
    if isinstance(schema, list):
        return [_exact(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _exact(part) for name, part in schema.items()}
    if parts.get("type") not in _EXACT:
        return parts
    strict = cast(CoreSchema, {"strict": True, **parts})
    return no_info_before_validator_function(_whole, strict) if parts["type"] == "int" else strict


class Exact(BaseModel):
    """
    Refuses `1` for true, `true` for 1 and `"0.5"` for 0.5: as OpenAPI tells of the fields.

    A form and a CSV have only texts: who reads those validates with `strict=False`.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cast(CoreSchema, _exact(handler(source)))
