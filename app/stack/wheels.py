"""Where the wheels that bring servers have put their programs."""

from importlib.util import find_spec
from pathlib import Path

from app.errors import Misconfigured


def program(package: str, path: str) -> Path:
    """
    A file inside an installed package, found without importing it: imports have side effects.

    Raises Misconfigured when the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured(
            f"The package that brings {Path(path).name} is not installed: `pip install"
            " 'impasto[embedded]'`, or set DATABASE_URL and BROKER_URL to servers of your own."
        )
    return Path(spec.submodule_search_locations[0]) / path
