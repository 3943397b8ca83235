"""Whom an alert reaches, and beside which it keeps quiet."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_chart import helm
from tests.unit.test_monitoring import MONITORING, RULES

CONFIG: dict[str, Any] = yaml.safe_load((MONITORING / "alertmanager.yaml").read_text())
AMTOOL = shutil.which("amtool")
ALERTS = {
    rule["alert"]: {"alertname": rule["alert"], **rule["labels"]}
    for group in RULES["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def matches(matchers: list[str], labels: dict[str, str]) -> bool:
    """As Alertmanager reads them: all must hold, an absent label is an empty one."""
    for matcher in matchers:
        read = re.fullmatch(r'(\w+)(=~|!=|=)"([^"]*)"', matcher)
        assert read, matcher
        name, how, wanted = read.groups()
        value = labels.get(name, "")
        if how == "=~":
            holds = re.fullmatch(wanted, value) is not None
        else:
            holds = (value == wanted) == (how == "=")
        if not holds:
            return False
    return True


def receiver(labels: dict[str, str]) -> str:
    [*found] = [one for one in CONFIG["route"]["routes"] if matches(one["matchers"], labels)]
    name: str = (found or [CONFIG["route"]])[0]["receiver"]
    return name


def quiet(alert: str, beside: str) -> bool:
    """Whether an alert is not told while another fires."""
    source, target = ALERTS[beside], ALERTS[alert]
    return any(
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], target)
        and all(source.get(name, "") == target.get(name, "") for name in rule["equal"])
        for rule in CONFIG["inhibit_rules"]
    )


@pytest.mark.parametrize("alert", ALERTS)
def test_pages_wake_and_tickets_do_not(alert: str) -> None:
    assert receiver(ALERTS[alert]) == ALERTS[alert]["severity"]


def test_every_receiver_is_there_and_has_its_secret_in_a_file() -> None:
    assert {one["name"] for one in CONFIG["receivers"]} == {"page", "ticket"}
    secrets = re.findall(r"\w*(?:url|key|token|password)(?:_file)?:", yaml.safe_dump(CONFIG))
    assert secrets
    assert all(name.endswith("_file:") for name in secrets)


def test_pages_are_told_sooner_and_oftener_than_tickets() -> None:
    [page] = CONFIG["route"]["routes"]
    assert (page["group_wait"], CONFIG["route"]["group_wait"]) == ("15s", "5m")
    assert (page["repeat_interval"], CONFIG["route"]["repeat_interval"]) == ("1h", "24h")
    assert "about" in page["group_by"]


@pytest.mark.parametrize("alert", [name for name in ALERTS if name != "ImpastoDatabaseAway"])
def test_without_a_database_only_that_is_told(alert: str) -> None:
    assert quiet(alert, beside="ImpastoDatabaseAway")
    assert not quiet("ImpastoDatabaseAway", beside=alert)


@pytest.mark.parametrize(
    ("alert", "beside"),
    [
        ("ImpastoNothingMoves", "ImpastoNoWorkers"),
        ("ImpastoInteractiveWaits", "ImpastoNoWorkers"),
        ("ImpastoNothingMoves", "ImpastoNotSwept"),
        ("ImpastoApiErrorsSlowly", "ImpastoApiErrors"),
        ("ImpastoJobsFailSlowly", "ImpastoJobsFail"),
        ("ImpastoInteractiveSlow", "ImpastoInteractiveWaits"),
    ],
)
def test_what_follows_keeps_quiet_beside_its_cause(alert: str, beside: str) -> None:
    assert quiet(alert, beside)
    assert not quiet(beside, alert)


def test_no_page_is_silenced_by_a_ticket_and_none_by_itself() -> None:
    for alert, labels in ALERTS.items():
        assert not quiet(alert, beside=alert)
        for other, its in ALERTS.items():
            if (labels["severity"], its["severity"]) == ("page", "ticket"):
                assert not quiet(alert, beside=other)


def test_an_inhibition_names_alerts_that_there_are() -> None:
    for rule in CONFIG["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            for name in re.findall(r"Impasto\w+", matcher):
                assert name in ALERTS, name


@pytest.mark.skipif(AMTOOL is None, reason="amtool comes with Debian's prometheus-alertmanager")
def test_alertmanager_agrees() -> None:
    path = str(MONITORING / "alertmanager.yaml")
    done = subprocess.run(
        [str(AMTOOL), "check-config", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for labels in ALERTS.values():
        pairs = [f"{name}={value}" for name, value in labels.items()]
        routed = subprocess.run(
            [str(AMTOOL), "config", "routes", "test", "--config.file", path, *pairs],
            capture_output=True,
            text=True,
            check=True,
        )
        assert routed.stdout.strip() == labels["severity"]


def rendered(alertmanager: dict[str, Any], runbooks: str = "") -> list[dict[str, Any]]:
    values = {
        "secrets": {"existing": "ours"},
        "marking": {"development": True},
        "flower": {"enabled": False},
        "metrics": {
            "rules": {"enabled": True, "runbooks": runbooks},
            "alertmanager": {"enabled": True, **alertmanager},
        },
    }
    done = helm(values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def configured(parts: list[dict[str, Any]]) -> dict[str, Any]:
    [one] = [part for part in parts if part["metadata"]["name"] == "imp-alertmanager"]
    config: dict[str, Any] = yaml.safe_load(one["data"]["alertmanager.yml"])
    return config


def test_the_chart_brings_it() -> None:
    assert configured(rendered({})) == CONFIG


def test_the_chart_takes_receivers_of_ones_own() -> None:
    its = [
        {"name": name, "webhook_configs": [{"url": f"http://hooks/{name}"}]}
        for name in ("page", "ticket")
    ]
    assert configured(rendered({"receivers": its})) == CONFIG | {"receivers": its}


def test_alerts_of_the_chart_lead_to_where_runbooks_are_served() -> None:
    parts = rendered({}, "https://docs.example.com/runbooks/")
    [rules] = [one for one in parts if one["kind"] == "PrometheusRule"]
    alerts = rules["spec"]["groups"][1]["rules"]
    for alert in alerts:
        url = alert["annotations"]["runbook_url"]
        assert re.fullmatch(r"https://docs\.example\.com/runbooks/f\d\d-[a-z-]+\.md", url)
        assert (Path(__file__).parents[2] / "docs" / "runbooks" / url.rsplit("/")[-1]).exists()
