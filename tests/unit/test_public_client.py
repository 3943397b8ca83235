"""What somebody gets who installs the package only to talk to a service."""

import subprocess
import sys
from pathlib import Path

import app
import impasto

#: What docs/client.md tells them to install, and what that brings along.
NEEDED = {"httpx2", "pydantic", "standardwebhooks"}
BROUGHT = {"annotated_types", "idna", "pydantic_core", "typing_extensions", "typing_inspection"}
OURS = {"app", "impasto"}
#: What a machine's own Python may bring into every process.
THEIRS = {"sitecustomize", "usercustomize"}

SAY = """
import sys, impasto.client
found = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(*(name for name in found if not name.startswith("_")))
"""


def test_it_needs_three_packages_and_nothing_of_a_service() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SAY], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(said.stdout.split()) - BROUGHT - THEIRS == NEEDED | OURS


def test_type_checkers_see_its_types() -> None:
    for package in (impasto, app):  # without app's, everything in impasto.client was Any
        assert package.__file__ is not None
        assert Path(package.__file__).with_name("py.typed").exists()
