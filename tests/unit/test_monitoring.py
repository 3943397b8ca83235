"""Alerts and dashboards: of metrics that there are, read by Prometheus' own tool where it is."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.registry import REGISTRY

from app import gauges, metrics
from tests.unit.test_chart import helm

HERE = Path(__file__).parent
MONITORING = HERE.parents[1] / "helm" / "impasto" / "monitoring"
RULES: dict[str, Any] = yaml.safe_load((MONITORING / "rules.yaml").read_text())
BOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
PROMTOOL = shutil.which("promtool")


def exported() -> set[str]:
    """Every name a process may answer with."""
    assert metrics.requests
    counted = {
        sample.name
        for family in REGISTRY.collect()
        for sample in family.samples
        if not sample.labels
    }
    labelled = set()
    for family in REGISTRY.collect():
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        labelled |= {family.name + end for end in ends.get(family.type, ("",))}
    source = Path(gauges.__file__).read_text()
    read = set(re.findall(r'"(impasto_[a-z_]+)"', source))
    read |= {f"impasto_queue_{name}" for name in re.findall(r'\("(\w+_seconds)", "\w+", ', source)}
    return counted | labelled | read


def asked() -> dict[str, list[str]]:
    """Every expression, by who asks."""
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    found = {rule.get("record") or rule["alert"]: [rule["expr"]] for rule in rules}
    for board in BOARDS:
        for panel in json.loads(board.read_text())["panels"]:
            found[f"{board.stem}: {panel['title']}"] = [one["expr"] for one in panel["targets"]]
    return found


@pytest.mark.parametrize("name", asked())
def test_what_is_asked_for_exists(name: str) -> None:
    recorded = {
        rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule
    }
    for expression in asked()[name]:
        names = set(re.findall(r"\b(?:impasto|process)[a-zA-Z0-9_:]+", expression))
        assert names
        assert names <= exported() | recorded, names - exported() - recorded


def test_every_alert_says_whom_it_wakes_and_why() -> None:
    alerts = list(RULES["groups"][1]["rules"])
    assert len(alerts) >= 15
    for alert in alerts:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["summary"].endswith((".", "?"))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool comes with Debian's prometheus")
def test_prometheus_agrees() -> None:
    for arguments in (
        ["check", "rules", str(MONITORING / "rules.yaml")],
        ["test", "rules", "alerts.yaml"],
    ):
        done = subprocess.run([str(PROMTOOL), *arguments], cwd=HERE, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_brings_them() -> None:
    values = {
        "secrets": {"existing": "ours"},
        "marking": {"development": True},
        "flower": {"enabled": False},
        "metrics": {"rules": {"enabled": True}, "dashboards": {"enabled": True}},
    }
    done = helm(values)
    assert done.returncode == 0, done.stderr
    parts = [one for one in yaml.safe_load_all(done.stdout) if one]
    [rules] = [one for one in parts if one["kind"] == "PrometheusRule"]
    assert rules["spec"] == RULES
    boards = [one for one in parts if "dashboard" in one["metadata"]["name"]]
    assert {name for one in boards for name in one["data"]} == {path.name for path in BOARDS}
