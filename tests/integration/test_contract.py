"""
Whether we do what our OpenAPI document says, asked by schemathesis: every operation, with what it
allows and with what it does not.

`make contract` asks for longer, and follows links from one operation to the next.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Api, serving, work

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("IMPASTO_CONTRACT_LONG"))
EXAMPLES, SECONDS = (60, 900) if LONG else (2, 240)
PHASES = "examples,coverage,fuzzing" + (",stateful" if LONG else "")

#: Not asked: whether all is accepted that is well formed. An id that nothing has, the cursor of
#: another list, a span that ends before it begins, a key sent twice: forms that say nothing.
LEFT_OUT = "positive_data_acceptance"


@pytest.fixture
def filled(api: Api) -> Api:
    """Something is there to be found."""
    work(api)
    return api


def test_every_operation_keeps_to_the_document(filled: Api, tmp_path: Path) -> None:
    with serving(filled) as url:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json"),
                *("--header", f"Authorization: Bearer {filled.key}"),
                *("--exclude-checks", LEFT_OUT, "--phases", PHASES, "--seed", "1"),
                *("--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-shrink"),
                *("--request-timeout", "30", "--warnings", "off"),
            ],
            env=os.environ
            | {"SCHEMATHESIS_HOOKS": "tests.contract_hooks", "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "generated" in done.stdout
