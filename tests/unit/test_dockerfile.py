"""The Dockerfile and the locks: nobody runs as root, nothing is installed that nobody pinned."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.unit.test_chart import pods
from tests.unit.test_compose import SERVICES

ROOT: Final = Path(__file__).parents[2]
STAGES: Final = re.split(r"(?m)^FROM ", (ROOT / "Dockerfile").read_text())[1:]
NAMED: Final = {stage.partition("\n")[0].rpartition(" ")[2]: stage for stage in STAGES}
RUN: Final = {name: stage for name, stage in NAMED.items() if re.search(r"(?m)^CMD ", stage)}
LOCKS: Final = ("requirements.lock", "requirements-tools.lock")
PIN: Final = re.compile(r"(?m)^(\S+)==(\S+)(?: ; .*)? \\$")


def test_every_image_that_runs_is_here() -> None:
    assert RUN.keys() == {"api", "worker", "io", "optimizer"}


@pytest.mark.parametrize("name", RUN)
def test_an_image_runs_as_nobody_in_particular(name: str) -> None:
    """Its last user is ours, who owns nothing of what it runs and has no shell."""
    users = re.findall(r"(?m)^USER (.+)$", RUN[name])
    assert users == ["impasto"]
    assert RUN[name].startswith("base AS")
    assert "--chown" not in RUN[name]
    assert re.search(r"useradd --uid 10001 .*--shell /usr/sbin/nologin impasto", NAMED["base"])


def test_a_cluster_names_the_same_user_by_its_number() -> None:
    """It cannot tell from a name that it is not root."""
    for name, pod in pods():
        assert pod["securityContext"]["runAsUser"] == 10001, name


def test_no_build_argument_is_a_secret() -> None:
    arguments = set(re.findall(r"(?m)^ARG (\w+)", (ROOT / "Dockerfile").read_text()))
    assert arguments == {"PYTHON", "COMMIT", "ENGINE", "ALSO", "TORCH"}


def test_an_optimizer_of_compose_is_held_like_the_others() -> None:
    service = SERVICES["optimizer"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_service_of_compose_asks_for_more_rights() -> None:
    for name, service in SERVICES.items():
        assert not {"privileged", "cap_add", "pid", "network_mode"} & service.keys(), name
        assert service.get("user", "") not in ("root", "0"), name
        assert "/var/run/docker.sock" not in str(service.get("volumes")), name


@pytest.mark.parametrize("name", LOCKS)
def test_everything_that_is_installed_is_pinned_by_hash(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = [block for block in re.split(r"(?m)^(?=\S)", text) if block[:1] not in ("", "#")]
    assert len(blocks) > 100
    for block in blocks:
        assert PIN.match(block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_the_tools_share_every_version_with_what_is_served() -> None:
    served, tools = (set(PIN.findall((ROOT / name).read_text())) for name in LOCKS)
    assert served <= tools
    assert {"atheris", "pip-audit", "cyclonedx-bom", "model-signing"} <= {
        name for name, _ in tools - served
    }
