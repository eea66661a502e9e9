"""The Kubernetes manifests, judged by published schemas and by what the Dask operator makes of them; no cluster runs here."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from kubernetes_validate import utils as published

from tests.deploy.commands import DEPLOY, documents
from tests.failures.processes import ENVIRONMENT

FOLDER = DEPLOY / "kubernetes"
(KUSTOMIZATION,) = documents(FOLDER / "kustomization.yaml")
MANIFESTS = {
    f"{each['kind']} {each['metadata']['name']}": each for name in KUSTOMIZATION["resources"] for each in documents(FOLDER / name)
}
CLUSTER = MANIFESTS["DaskCluster dsketch"]
PLAIN = {name: manifest for name, manifest in MANIFESTS.items() if manifest is not CLUSTER}
VERSIONS = ("1.29", "1.37")  # ReadWriteOncePod is final from 1.29 on; the latest that the package knows
CRD = "operator/deployment/helm/dask-kubernetes-operator/crds/daskcluster.yaml"
SECRETS = {"dsketch-tokens"}  # made by hand, see deploy/README.md


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The operator's Deployments and Service."""
    command = [sys.executable, "-m", "tests.deploy.operator_pods", str(FOLDER / "cluster.yaml")]
    done = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def daskcluster() -> jsonschema.protocols.Validator:
    """The schema of DaskCluster from the operator's package; unknown fields, which a cluster would drop silently, are errors here."""
    package = find_spec("dask_kubernetes")
    assert package is not None
    assert package.submodule_search_locations is not None
    (definition,) = documents(Path(package.submodule_search_locations[0]) / CRD)
    (version,) = [each for each in definition["spec"]["versions"] if each["name"] == CLUSTER["apiVersion"].split("/")[1]]
    return jsonschema.Draft202012Validator(_closed(version["schema"]["openAPIV3Schema"], {"apiVersion", "kind", "metadata"}))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", PLAIN)
def test_manifest_is_valid(name: str, version: str) -> None:
    """It keeps to Kubernetes' own schema, without unknown fields."""
    published.validate(PLAIN[name], version, strict=True)


@pytest.mark.parametrize("name", PLAIN)
def test_schema_knows_the_words(name: str) -> None:
    """An unknown field is refused, so the test above can fail."""
    with pytest.raises(published.ValidationError):
        published.validate({**PLAIN[name], "misspelt": 1}, VERSIONS[0], strict=True)


def test_cluster_is_valid(daskcluster: jsonschema.protocols.Validator) -> None:
    """The DaskCluster keeps to the operator's schema, and an unknown field of a container is refused."""
    assert [error.message for error in daskcluster.iter_errors(CLUSTER)] == []
    wrong = copy.deepcopy(CLUSTER)
    wrong["spec"]["worker"]["spec"]["containers"][0]["memory"] = "4Gi"
    assert [error.message for error in daskcluster.iter_errors(wrong)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("role", ["scheduler", "worker", "service"])
def test_what_the_operator_makes_is_valid(role: str, version: str, made: dict[str, Any]) -> None:
    """Its Deployments and its Service keep to Kubernetes' schema."""
    published.validate(made[role], version, strict=True)


def pods(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the template of each role's pod."""
    deployments = {"scheduler": made["scheduler"], "worker": made["worker"], "service": MANIFESTS["Deployment dsketch-service"]}
    return {role: deployment["spec"]["template"] for role, deployment in deployments.items()}


def test_names_in_the_manifests_exist(made: dict[str, Any]) -> None:
    """Volumes, probes and Services name claims, ports and pods that there are; the service calls the scheduler by its name."""
    for pod in pods(made).values():
        (container,) = pod["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {container[name]["httpGet"]["port"] for name in container if name.endswith("Probe")} <= ports
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
        assert set(_volume_sources(pod)) <= set(MANIFESTS) | {f"Secret {name}" for name in SECRETS}
        assert container["image"] in {image["name"] for image in KUSTOMIZATION["images"]}
    for service, role in ((MANIFESTS["Service dsketch"], "service"), (made["service"], "scheduler")):
        labels, (container,) = pods(made)[role]["metadata"]["labels"], pods(made)[role]["spec"]["containers"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= {port["name"] for port in container["ports"]}
    words = pods(made)["service"]["spec"]["containers"][0]["args"]
    assert f"--scheduler=tcp://{made['service']['metadata']['name']}:8786" in words


def test_pods_have_few_rights(made: dict[str, Any]) -> None:
    """None runs as root, writes its root, has a capability or the cluster's credentials; each has a memory limit and probes."""
    for pod in pods(made).values():
        (container,) = pod["spec"]["containers"]
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert (
            pod["spec"]["securityContext"].items() >= {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}.items()
        )
        rights = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert container["securityContext"] == rights
        assert "memory" in container["resources"]["limits"]
        assert {"startupProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize(
    ("source", "target", "port", "is_allowed"),
    [
        ("service", "scheduler", 8786, True),
        ("worker", "scheduler", 8786, True),
        ("scheduler", "worker", 9000, True),
        ("scheduler", "worker", 9001, True),
        ("worker", "worker", 9000, True),
        ("client", "service", 8080, True),
        ("operator", "scheduler", 8787, True),
        ("client", "scheduler", 8786, False),
        ("client", "worker", 9000, False),
        ("stranger", "service", 8080, False),
        ("stranger", "scheduler", 8786, False),
        ("service", "worker", 9000, False),
        ("worker", "service", 8080, False),
        ("service", "scheduler", 8787, False),
        ("worker", "object store", 9000, True),
        ("service", "object store", 443, True),
        ("worker", "stranger", 9000, False),
        ("service", "DNS", 53, True),
        ("worker", "OpenShift's DNS", 5353, True),
    ],
)
def test_network_policies_allow_what_is_needed(
    source: str, target: str, port: int, is_allowed: bool, made: dict[str, Any]
) -> None:
    """Connections that dsketch makes are allowed on both sides, others are not."""
    namespaces = {
        "client": {"dsketch.io/client": "true"},
        "operator": {"kubernetes.io/metadata.name": "dask-operator"},
        "stranger": {},
        "object store": {"dsketch.io/object-store": "true"},
        "DNS": {"kubernetes.io/metadata.name": "kube-system"},
        "OpenShift's DNS": {"kubernetes.io/metadata.name": "openshift-dns"},
    }
    ends = {role: (pod["metadata"]["labels"], None) for role, pod in pods(made).items()}
    ends |= {name: ({}, labels) for name, labels in namespaces.items()}
    assert (
        _allows("egress", ends[source], ends[target], port) and _allows("ingress", ends[target], ends[source], port)
    ) == is_allowed


@pytest.mark.parametrize(
    ("address", "port", "is_allowed"),
    [
        ("52.216.0.1", 443, True),
        ("2600:1f00::1", 443, True),
        ("52.216.0.1", 80, False),
        ("169.254.20.10", 53, True),
        *(
            (private, 443, False)
            for private in ("10.0.0.1", "172.20.0.1", "192.168.1.1", "169.254.169.254", "fd00::1", "fe80::1")
        ),
    ],
)
def test_only_public_stores_and_names_are_reached_by_address(address: str, port: int, is_allowed: bool) -> None:
    """HTTPS to the world and to no private machine; the cache of names that a node runs."""
    rules = MANIFESTS["NetworkPolicy dsketch-outside"]["spec"]["egress"]
    place = ip_address(address)

    def holds(block: dict[str, Any]) -> bool:
        inside = [ip_network(text) for text in (block["cidr"], *block.get("except", []))]
        return place in inside[0] and not any(place in each for each in inside[1:])

    found = any(
        port in {each["port"] for each in rule["ports"]}
        and any("ipBlock" in peer and holds(peer["ipBlock"]) for peer in rule["to"])
        for rule in rules
    )
    assert found == is_allowed


def test_kubernetes_itself_refuses_more_rights() -> None:
    """The namespace asks for the strictest of the published levels."""
    labels = MANIFESTS["Namespace dsketch"]["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {"restricted"}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_loader_is_a_pod_of_few_rights_that_may_write_the_data(version: str) -> None:
    """It keeps to the schema, has the rights of the others, and the image and the claim that they have."""
    (loader,) = documents(FOLDER / "loading" / "loader.yaml")
    published.validate(loader, version, strict=True)
    (container,) = loader["spec"]["containers"]
    (image,) = KUSTOMIZATION["images"]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(_volume_sources(loader)) <= set(MANIFESTS)
    assert "ReadWriteMany" in MANIFESTS["PersistentVolumeClaim dsketch-data"]["spec"]["accessModes"]


def test_prometheus_finds_the_service() -> None:
    """The monitor chooses the Service by its labels and a port that it has, and brings a token."""
    (monitor,) = documents(FOLDER / "monitoring" / "servicemonitor.yaml")
    service = MANIFESTS["Service dsketch"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["authorization"]["credentials"]["name"] == "dsketch-metrics"


# ---- inside ----------------------------------------------------------------------------------------------------------

End = tuple[dict[str, str], dict[str, str] | None]  # labels of a pod; labels of its namespace, None for our own


def _allows(way: str, at: End, other: End, port: int) -> bool:
    """Whether the policies for one end let it talk to another; pods of other namespaces are not ours to restrict."""
    labels, namespace = at
    if namespace is not None:
        return True
    policies = [each["spec"] for each in MANIFESTS.values() if each["kind"] == "NetworkPolicy"]
    chosen = [each for each in policies if _matches(each["podSelector"], labels) and way.capitalize() in each["policyTypes"]]
    assert chosen, "a pod without a policy may talk to everybody"
    side = "to" if way == "egress" else "from"
    return any(
        any(_is_peer(peer, other) for peer in rule[side]) and port in {each["port"] for each in rule["ports"]}
        for policy in chosen
        for rule in policy.get(way, [])
    )


def _is_peer(peer: dict[str, Any], other: End) -> bool:
    labels, namespace = other
    if "ipBlock" in peer:
        return False
    if "namespaceSelector" in peer:
        return namespace is not None and _matches(peer["namespaceSelector"], namespace)
    return namespace is None and _matches(peer["podSelector"], labels)


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _volume_sources(pod: dict[str, Any]) -> Iterator[str]:
    kinds: dict[str, Callable[[dict[str, Any]], str]] = {
        "configMap": lambda source: f"ConfigMap {source['name']}",
        "persistentVolumeClaim": lambda source: f"PersistentVolumeClaim {source['claimName']}",
        "secret": lambda source: f"Secret {source['secretName']}",
    }
    for volume in pod["spec"]["volumes"]:
        yield from (describe(volume[kind]) for kind, describe in kinds.items() if kind in volume)


def _closed(schema: Any, known: set[str] = frozenset()) -> Any:
    """Return a schema whose objects take no property that it does not name."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and "additionalProperties" not in schema:
        inner["properties"] |= {name: {} for name in known if name not in inner["properties"]}
        inner["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return inner


def test_kustomization_lists_every_file() -> None:
    """Each manifest of the folder is applied, each image name is one that the manifests use."""
    assert set(KUSTOMIZATION["resources"]) == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["images"][0]["name"] == "dsketch"
