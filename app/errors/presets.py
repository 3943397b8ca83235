"""What can be wrong with a preset, or with what it asks for."""

from app.errors.base import Unprocessable


class UnknownPreset(Unprocessable):
    """No preset of that name, or no such version of it."""

    code = "unknown-preset"
    title = "There is no such preset"
    remedy = "Choose one of `GET /v1/presets`, or make it with `POST /v1/presets`."


class PresetRetired(Unprocessable):
    """A preset under which no new work is accepted."""

    code = "preset-retired"
    title = "The preset is retired"
    remedy = "Name a version that is active, or make a new one with `POST /v1/presets`."


class RenditionTooLarge(Unprocessable):
    """A rendition that is much larger than what it is made of, or than its format holds."""

    code = "rendition-too-large"
    title = "A rendition would be too large"
    remedy = "Send a larger photograph, or give the rendition a smaller box."
