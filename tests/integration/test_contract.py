"""
Whether we do what our OpenAPI document says, asked by schemathesis: every operation, with what it
allows and with what it does not.

`make contract` asks for longer, and follows links from one operation to the next.
"""

import os
from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

from tests.contract.stock import stock
from tests.contract.trial import tried
from tests.integration.conftest import Api

LONG = bool(os.environ.get("IMPASTO_CONTRACT_LONG"))
ROUND = "600"  #: seconds after which a long trial begins nothing more
SOMEWHERE = "93.184.216.34"


def test_every_operation_keeps_to_the_document(
    api: Api, client: TestClient, tmp_path: Path
) -> None:
    how, options = ("long", ["--max-time", ROUND]) if LONG else ("quick", [])
    options += os.environ.get("IMPASTO_CONTRACT_OPTIONS", "").split()
    desk = replace(api.desk, lookup=lambda host, port: [SOMEWHERE])  # no names of the network's
    its = stock(api, client)
    done = tried(replace(api, desk=desk), its, tmp_path, how, *options, seconds=840)
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "No issues found" in done.stdout
