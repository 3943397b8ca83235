"""Our rules as JSON Schema says them, where pydantic cannot know what a validator asks for."""

from typing import Any, Final

#: What `storable` asks for, as far as a schema can say it.
STORABLE: Final[dict[str, Any]] = {"pattern": "^[^\\u0000]*$"}
#: An address as whoever opens it wants it; which ones are opened, no schema can say.
WEB: Final[dict[str, Any]] = {"pattern": "^https?://[^\\u0000]*$"}


def one_of(**types: str) -> dict[str, Any]:
    """Exactly one of these fields is there, and not null; by name, its JSON type."""
    return {
        "oneOf": [
            {"required": [name], "properties": {name: {"type": kind}}}
            for name, kind in types.items()
        ]
    }


def any_of(**types: str) -> dict[str, Any]:
    """At least one of these fields is there, and not null; by name, its JSON type."""
    return {"anyOf": one_of(**types)["oneOf"]}


def never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema where null cannot be written, as in queries, headers and forms."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
    rest = {word: said for word, said in schema.items() if word != "anyOf"}
    return {**kinds[0], **rest} if len(kinds) == 1 else {**rest, "anyOf": kinds}
