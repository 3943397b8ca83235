"""The Helm chart, rendered by helm itself: valid, restricted, and wired to what it means."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm" / "impasto"
HELM = Path(sys.executable).with_name("helm")
KUBERNETES = "1.31"
GPU = {
    "image": "impasto-worker-gpu",
    "settings": {"IMPASTO_ENGINE__PROVIDER": "cuda"},
    "accelerator": {"nvidia.com/gpu": 1},
    "warm": 1,
    "max": 32,
    "drainSeconds": 60,
    "resources": {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"memory": "12Gi"}},
    "nodeSelector": {"nvidia.com/gpu.present": "true"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "scratch": "20Gi",
}
VALUES: dict[str, Any] = {
    "secrets": {"existing": "ours"},
    "marking": {"secret": "signer"},
    "flower": {"authSecret": "flower"},
    "workers": {"gpu": GPU},
    "ingress": {"enabled": True, "tlsSecret": "tls", "className": "nginx"},
    "metrics": {"serviceMonitor": {"enabled": True}},
}
Manifest = dict[str, Any]


def helm(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [
        str(HELM),
        "template",
        "imp",
        str(CHART),
        "--kube-version",
        KUBERNETES,
        "--values",
        "-",
    ]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True)


@lru_cache
def rendered() -> tuple[Manifest, ...]:
    done = helm(VALUES)
    assert done.returncode == 0, done.stderr
    return tuple(one for one in yaml.safe_load_all(done.stdout) if one)


def of_kind(kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in rendered() if one["kind"] == kind}


def pods() -> Iterator[tuple[str, Manifest]]:
    for kind in ("Deployment", "Job"):
        for name, one in of_kind(kind).items():
            yield name, one["spec"]["template"]["spec"]


def container(pod: Manifest) -> Manifest:
    [only] = pod["containers"]
    return dict(only)


def test_everything_of_kubernetes_itself_is_valid() -> None:
    core = [one for one in rendered() if "keda.sh" not in one["apiVersion"]]
    core = [one for one in core if "coreos.com" not in one["apiVersion"]]
    assert len(core) >= 20
    for one in core:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_every_part_is_there() -> None:
    assert set(of_kind("Deployment")) == {
        *("imp-api", "imp-io", "imp-beat", "imp-flower", "imp-worker-cpu", "imp-worker-gpu"),
    }
    [job] = of_kind("Job").values()
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,pre-upgrade"


@pytest.mark.parametrize("name", [name for name, _ in pods()])
def test_pods_are_restricted(name: str) -> None:
    """Pod Security "restricted", and a root that nobody writes to."""
    pod = dict(pods())[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    secure = container(pod)["securityContext"]
    assert secure["allowPrivilegeEscalation"] is False
    assert secure["capabilities"] == {"drop": ["ALL"]}
    assert secure["readOnlyRootFilesystem"] is True
    assert {"/tmp"} <= {one["mountPath"] for one in container(pod)["volumeMounts"]}  # noqa: S108 - in the container
    assert "memory" in container(pod)["resources"]["limits"]


def test_no_secret_is_in_clear() -> None:
    words = yaml.safe_dump_all(rendered())
    assert "secretRef" in words
    for name in ("DATABASE_URL", "SECRET_KEY", "LINK_KEY"):
        values = [one["data"] for one in of_kind("ConfigMap").values()]
        assert not any(name in key for data in values for key in data), name


def test_a_worker_has_one_device_and_ends_after_its_longest_group() -> None:
    pod = dict(pods())["imp-worker-gpu"]
    assert container(pod)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["tolerations"] == GPU["tolerations"]
    assert pod["terminationGracePeriodSeconds"] > 45  # Celery's soft shutdown, and what follows
    [settings] = [e["value"] for e in container(pod)["env"] if e["name"].endswith("PROVIDER")]
    assert settings == "cuda"


def test_probes_mean_what_they_ask() -> None:
    api = container(dict(pods())["imp-api"])
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert api["livenessProbe"]["httpGet"]["path"] == "/livez"  # not killed for an away database
    worker = container(dict(pods())["imp-worker-cpu"])
    [alive] = [e["value"] for e in worker["env"] if e["name"].endswith("ALIVE_FILE")]
    assert alive in worker["livenessProbe"]["exec"]["command"][-1]


def test_workers_scale_by_what_waits_and_runs() -> None:
    its = of_kind("ScaledObject")["imp-worker-gpu"]["spec"]
    assert (its["minReplicaCount"], its["maxReplicaCount"]) == (1, 32)
    [trigger] = its["triggers"]
    assert trigger["type"] == "postgresql"
    assert trigger["metadata"]["targetQueryValue"] == "60"
    assert "replicas" not in of_kind("Deployment")["imp-worker-gpu"]["spec"]


def test_only_the_io_worker_reaches_the_internet() -> None:
    policies = of_kind("NetworkPolicy")
    everybody = policies["imp"]["spec"]["egress"]
    assert all("ports" in rule for rule in everybody)
    [rule] = policies["imp-io"]["spec"]["egress"]
    assert "169.254.0.0/16" in rule["to"][0]["ipBlock"]["except"]


def test_every_selector_finds_its_pods() -> None:
    labels = [
        one["spec"]["template"]["metadata"]["labels"] for one in of_kind("Deployment").values()
    ]
    for kind in ("Service", "PodDisruptionBudget"):
        for name, one in of_kind(kind).items():
            wanted = one["spec"]["selector"]
            wanted = wanted.get("matchLabels", wanted)
            assert any(wanted.items() <= its.items() for its in labels), name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secrets": {"existing": ""}}, "secrets.existing"),
        ({"marking": {"secret": ""}}, "marking: name a secret"),
        ({"flower": {"authSecret": ""}}, "flower.authSecret"),
        ({"settings": {"IMPASTO_SECRET_KEY": "in clear"}}, "settings"),
        ({"workers": {"gpu": {**GPU, "accelerator": {"nvidia.com/gpu": 2}}}}, "nvidia.com/gpu"),
        ({"worker": {}}, "worker"),
        ({"workerGraceSeconds": 10}, "workerGraceSeconds"),
    ],
)
def test_values_that_cannot_work_are_refused(changes: dict[str, Any], said: str) -> None:
    done = helm(VALUES | changes)
    assert done.returncode != 0
    assert said in done.stderr
