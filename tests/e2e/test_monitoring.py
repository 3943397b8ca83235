"""Every panel of every dashboard shows something, by a real Prometheus that scrapes a real run."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import yaml

from app.stack import kept
from tests.e2e.system import Up, until
from tests.loopback import reply, serving
from tests.unit.test_monitoring import BOARDS, MONITORING

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="Debian's prometheus is not there")


@contextmanager
def scraping(directory: Path, ports: list[int]) -> Iterator[str]:
    """A Prometheus that looks once a second: its URL."""
    port = kept.port(directory / "prometheus-port")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(MONITORING / "rules.yaml")],
        "scrape_configs": [
            {
                "job_name": "impasto",
                "static_configs": [{"targets": [f"127.0.0.1:{one}" for one in ports]}],
            }
        ],
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    options = [
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (directory / "prometheus.log").open("w") as log:
        process = subprocess.Popen([str(PROMETHEUS), *options], stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def shown(prometheus: str, expression: str) -> list[Any]:
    answer = httpx2.get(f"{prometheus}/api/v1/query", params={"query": expression})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"]["result"])


def work(up: Up, receiver: str) -> None:
    """What leaves a trace in every panel: a picture, a webhook, a job that fails."""
    item = {"custom_id": "1", "input": {"upload_id": str(uuid4())}}
    campaign = {
        "name": "spring",
        "style": "great-wave",
        "items": [item],
        "webhook": {"url": receiver, "events": ["campaign.completed"]},
    }
    headers = {"Authorization": f"Bearer {up.key}"}
    url = f"http://127.0.0.1:{up.port}/v1/campaigns"
    answer = httpx2.post(url, json=campaign, headers=headers)
    assert answer.status_code == 202, answer.text
    up.draw()


def panels() -> Iterator[tuple[str, str]]:
    """Every query of every dashboard, and where it is shown."""
    for board in BOARDS:
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{board.stem}: {panel['title']}: {target['expr']}", target["expr"]


def test_no_panel_is_empty(tmp_path: Path) -> None:
    first = kept.port(tmp_path / "metrics-port")
    up = Up(
        tmp_path / "data",
        options=["--no-flower", "--metrics", str(first)],
        environment={"IMPASTO_WEBHOOKS__ALLOW_PRIVATE": "true"},
    )
    with (
        serving(lambda _: [reply(204)]) as receiver,
        scraping(tmp_path, [first, first + 1, first + 3]) as prometheus,
        up,
    ):
        up.wait_ready()
        until(lambda: len(shown(prometheus, "up == 1")) == 3)
        work(up, receiver.url)
        for name, expression in panels():
            until(partial(shown, prometheus, expression), seconds=30, what=name)
        firing = shown(prometheus, 'ALERTS{alertstate="firing", severity="page"}')
        assert {one["metric"]["alertname"] for one in firing} <= {"ImpastoJobsFail"}
