"""The kinds that are no built-in ones, reduced to the fields used here and closed: a field that is not listed is
refused, as a cluster's own definitions would drop or refuse it.

Written from the published APIs: KubeRay 1.7 (ray.io/v1, `rayservice_types.go` and `raycluster_types.go`), the
Prometheus operator (monitoring.coreos.com/v1), CloudNativePG (postgresql.cnpg.io/v1). Pod templates are held against
Kubernetes' own schemas instead.
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 50}
COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
QUANTITY: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti)?$"}
DURATION: Schema = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
SELECTOR: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"matchLabels": TEXTS},
    "required": ["matchLabels"],
}


def closed(required: Mapping[str, Any], **optional: Any) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {**required, **optional},
        "required": list(required),
    }


def some(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def kind(name: str, version: str, spec: Schema) -> Schema:
    metadata = closed({"name": NAME}, namespace=NAME, labels=TEXTS, annotations=TEXTS)
    said = {"apiVersion": {"const": version}, "kind": {"const": name}, "metadata": metadata, "spec": spec}
    return closed(said)


TEMPLATE: Schema = closed(
    {"metadata": closed({"labels": TEXTS}, annotations=TEXTS), "spec": {"type": "object"}}
)
START: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "num-cpus": {"type": "string", "pattern": "^[0-9]+$"},
        "dashboard-host": TEXT,
        "object-store-memory": {"type": "string", "pattern": "^[0-9]+$"},
    },
}
"""Of `ray start`. KubeRay writes the others: address, block, memory, num-gpus, …"""
RESOURCES: Schema = closed({"requests": {"type": "object"}, "limits": {"type": "object"}})
SECRET_KEY: Schema = closed({"name": NAME, "key": TEXT})
MOUNTS: Schema = some(closed({"name": NAME, "mountPath": TEXT}, readOnly={"type": "boolean"}))

AUTOSCALER: Schema = closed(
    {"securityContext": {"type": "object"}, "resources": RESOURCES},
    idleTimeoutSeconds=COUNT,
    upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
    version={"enum": ["v1", "v2"]},
    volumeMounts=MOUNTS,
)
REDIS: Schema = closed({"redisAddress": TEXT}, backend={"const": "redis"})
ROCKSDB: Schema = closed(
    {"backend": {"const": "rocksdb"}, "storage": closed({"size": QUANTITY}, storageClassName=TEXT)}
)
GROUP: Schema = closed(
    {
        "groupName": NAME,
        "replicas": COUNT,
        "minReplicas": COUNT,
        "maxReplicas": COUNT,
        "rayStartParams": START,
        "template": TEMPLATE,
    },
    labels=TEXTS,
    resources=TEXTS,
    idleTimeoutSeconds=COUNT,
)
CLUSTER: Schema = closed(
    {
        "rayVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "authOptions": closed({"mode": {"enum": ["token", "disabled"]}}, secretName=NAME),
        "headGroupSpec": closed(
            {"rayStartParams": START, "template": TEMPLATE}, labels=TEXTS, resources=TEXTS
        ),
        "workerGroupSpecs": some(GROUP),
    },
    enableInTreeAutoscaling={"type": "boolean"},
    autoscalerOptions=AUTOSCALER,
    gcsFaultToleranceOptions={"oneOf": [REDIS, ROCKSDB]},
)

RAY_SERVICE = kind(
    "RayService",
    "ray.io/v1",
    closed(
        {
            "serveConfigV2": TEXT,
            "rayClusterConfig": CLUSTER,
            "upgradeStrategy": closed({"type": {"enum": ["NewCluster", "None"]}}),
        },
        rayClusterDeletionDelaySeconds=COUNT,
        excludeHeadPodFromServeSvc={"type": "boolean"},
    ),
)
SERVICE_MONITOR = kind(
    "ServiceMonitor",
    "monitoring.coreos.com/v1",
    closed(
        {
            "selector": SELECTOR,
            "endpoints": some(
                closed(
                    {"port": TEXT},
                    path=TEXT,
                    interval=DURATION,
                    authorization=closed({"credentials": SECRET_KEY}),
                )
            ),
        }
    ),
)
POD_MONITOR = kind(
    "PodMonitor",
    "monitoring.coreos.com/v1",
    closed(
        {
            "selector": SELECTOR,
            "podMetricsEndpoints": some(closed({"port": TEXT}, path=TEXT, interval=DURATION)),
        },
        podTargetLabels=some(TEXT),
    ),
)
RULE = closed(
    {
        "alert": {"type": "string", "pattern": "^[A-Z][A-Za-z]+$"},
        "expr": TEXT,
        "for": DURATION,
        "labels": closed({"severity": {"enum": ["critical", "warning"]}}),
        "annotations": closed({"summary": TEXT, "runbook": TEXT}),
    }
)
PROMETHEUS_RULE = kind(
    "PrometheusRule",
    "monitoring.coreos.com/v1",
    closed({"groups": some(closed({"name": NAME, "rules": some(RULE)}))}),
)
POSTGRES_CLUSTER = kind(
    "Cluster",
    "postgresql.cnpg.io/v1",
    closed(
        {
            "instances": COUNT,
            "storage": closed({"size": QUANTITY}),
            "bootstrap": closed({"initdb": closed({"database": NAME, "owner": NAME})}),
        },
        postgresql=closed({"parameters": TEXTS}),
        resources=RESOURCES,
    ),
)

SCHEMAS: Mapping[str, Schema] = {
    "RayService": RAY_SERVICE,
    "ServiceMonitor": SERVICE_MONITOR,
    "PodMonitor": POD_MONITOR,
    "PrometheusRule": PROMETHEUS_RULE,
    "Cluster": POSTGRES_CLUSTER,
}
