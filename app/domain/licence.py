"""What allows us to offer a style."""

from typing import Annotated

from license_expression import ExpressionError, get_spdx_licensing
from pydantic import AfterValidator

_SPDX = get_spdx_licensing()


def _is_an_expression(text: str) -> str:
    """SPDX expressions are parsed, so that `MIT or whatever` cannot slip in."""
    try:
        parsed = _SPDX.parse(text)
    except ExpressionError as error:
        raise ValueError(f"{text!r} is not an SPDX expression") from error
    unknown = [key for key in _SPDX.unknown_license_keys(parsed) if "LicenseRef-" not in key]
    if unknown:
        raise ValueError(f"SPDX knows no {', '.join(unknown)}")
    return text


Spdx = Annotated[str, AfterValidator(_is_an_expression)]
