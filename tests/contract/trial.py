"""Schemathesis as a process of its own, and what it is told of the API that it tries."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.contract.stock import Stock
from tests.integration.conftest import Api, serving

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
PLAIN: Final = str.maketrans(".[]*", "----")
FOUND: Final = 0.8  #: how often something is named that is there


def tried(
    api: Api, stock: Stock, directory: Path, how: str, *options: str, seconds: float
) -> "subprocess.CompletedProcess[str]":
    """What `st run` says of an API with that stock; `how` is `quick` or `long`."""
    config = directory / "schemathesis.toml"
    bearer = f"headers = {{Authorization = {json.dumps(f'Bearer {api.key}')}}}"
    parts = [(HERE / f"{name}.toml").read_text() for name in ("schemathesis", how)]
    config.write_text("\n".join([bearer, *parts, *_stocked(stock)]))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    with serving(api) as url:
        return subprocess.run(
            [*command, f"{url}/openapi.json", "--no-color", "--warnings", "off", *options],
            env=os.environ
            | {
                "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
                "PYTHONPATH": str(ROOT),
                "IMPASTO_CONTRACT_KEY": api.key,
                "IMPASTO_CONTRACT_TENANT": str(api.ground.tenant_id),
                "IMPASTO_CONTRACT_SECRET": api.desk.settings.secret_key.get_secret_value(),
            },
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )


def _stocked(stock: Stock) -> list[str]:
    """Where parameters and bodies find what is there, as TOML."""
    lists, uses = [], []
    for number, (operation, names) in enumerate(stock.items()):
        uses += [f"[[operations]]\ninclude-name = {json.dumps(operation)}"] if operation else []
        uses += ["[operations.parameters]" if operation else "[parameters]"]
        for place, values in names.items():
            name = f"{number}-{place.translate(PLAIN)}"
            lists.append(f"[dictionaries.{name}]\nvalues = {json.dumps(values)}")
            uses.append(f'"{place}" = {{dictionary = "{name}", probability = {FOUND}}}')
    return [*lists, *uses]
