"""`from impasto.client import Impasto`: the same objects as `app.client`, under a name to keep."""

from app.client import *  # noqa: F403 - all that `app.client` names in `__all__`
from app.client import __all__ as __all__
