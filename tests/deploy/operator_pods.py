"""The pods that the Dask operator would make of a DaskCluster: ``python -m deploy.operator_pods cluster.yaml`` writes them as JSON.

A process of its own, because the operator's code brings its own warnings and event loop.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from dask_kubernetes.operator.controller import controller


def pods(cluster: dict[str, Any]) -> dict[str, Any]:
    """Return what the operator makes for scheduler and worker, and the scheduler's Service."""
    name, scheduler, worker = cluster["metadata"]["name"], cluster["spec"]["scheduler"], cluster["spec"]["worker"]
    common = {"annotations": {}, "labels": {**cluster["metadata"]["labels"], **scheduler["metadata"]["labels"]}}
    return {
        "scheduler": controller.build_scheduler_deployment_spec(name, scheduler["spec"], **common),
        "service": controller.build_scheduler_service_spec(name, scheduler["service"], **common),
        "worker": controller.build_worker_deployment_spec(
            worker_group_name=f"{name}-default",
            namespace="dsketch",
            cluster_name=name,
            uuid="0",
            pod_spec=worker["spec"],
            annotations={},
            labels={**cluster["metadata"]["labels"], **worker["metadata"]["labels"]},
        ),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(pods(yaml.safe_load(Path(sys.argv[1]).read_text()))))
