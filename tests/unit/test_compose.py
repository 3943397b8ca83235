"""docker-compose.yml: valid by Compose's own schema, and the same parts as the chart."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.test_chart import container, pods
from workers.console import arguments

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: By their names in the chart; what else there is are servers that a cluster has elsewhere.
OURS = {
    "api": "imp-api",
    "io": "imp-io",
    "beat": "imp-beat",
    "flower": "imp-flower",
    "worker": "imp-worker-cpu",
    "worker-gpu": "imp-worker-gpu",
    "migrate": "imp-migrate-1",
}


def test_the_schema_allows_it() -> None:
    schema = json.loads(Path(__file__).with_name("compose_spec.json").read_text())
    schema["properties"]["name"] = {"type": "string"}  # came to the specification later
    jsonschema.Draft7Validator(schema).validate(COMPOSE)
    broken = COMPOSE | {"services": SERVICES | {"api": {"imagee": "impasto-api"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(broken)


def test_it_has_the_parts_of_the_chart() -> None:
    assert {name for name, _ in pods()} == set(OURS.values())
    assert set(OURS) <= set(SERVICES)


def test_they_run_the_same_commands() -> None:
    charts = {name: container(pod) for name, pod in pods()}
    for service, name in OURS.items():
        command = SERVICES[service].get("command")
        if command:
            assert charts[name]["args"] == command, service


def test_they_come_from_the_same_images() -> None:
    charts = {name: container(pod)["image"].partition(":")[0] for name, pod in pods()}
    assert {name: SERVICES[name]["image"] for name in OURS} == {
        name: charts[its] for name, its in OURS.items()
    }


@pytest.mark.parametrize("name", OURS)
def test_nobody_writes_to_a_root_or_gains_a_capability(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]  # noqa: S108 - in the container


def test_one_beat_and_no_other() -> None:
    commands = [" ".join(service.get("command") or []) for service in SERVICES.values()]
    assert sum("beat" in command for command in commands) == 1


def test_a_gpu_worker_asks_for_one_device_and_only_with_its_profile() -> None:
    worker = SERVICES["worker-gpu"]
    assert worker["profiles"] == ["gpu"]
    [device] = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert worker["environment"]["IMPASTO_ENGINE__PROVIDER"] == "cuda"
    assert (
        worker["environment"]["DATABASE_URL"] == SERVICES["worker"]["environment"]["DATABASE_URL"]
    )


def test_flower_asks_for_a_password() -> None:
    auth = SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"]
    assert auth == "ops:${FLOWER_PASSWORD:?fill in .env}"
    assert "FLOWER_PASSWORD=" in (ROOT / ".env.example").read_text()
    assert "--read_only" in arguments("127.0.0.1", 5555)


def test_nothing_is_reached_from_elsewhere() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
