"""Objects of Kubernetes and of operators, as its API reference describes them."""

# fmt: off
import json

from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, table,
    text, texts, whole, without,
)

CASES = {}
LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

DEFINITIONS = {
    "ObjectMeta": record({
        "name": text("Unique within a namespace", maxLength=253,
                     pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
        "generateName": text("Beginning of a name that the server completes"),
        "namespace": text(pattern=LABEL, maxLength=63), "labels": table(), "annotations": table(),
        "finalizers": texts(), "ownerReferences": array(ref("OwnerReference")),
    }, description="What all persisted objects have"),
    "OwnerReference": record({"apiVersion": text(), "kind": text(), "name": text(), "uid": text(),
                              "controller": flag(), "blockOwnerDeletion": flag()},
                             "apiVersion kind name uid"),
    "IntOrString": {"x-kubernetes-int-or-string": True,
                    "oneOf": [whole(format="int32"), text()]},
    "Quantity": {"description": "A number with a unit, such as 500m or 2Gi", "oneOf": [
        text(pattern=r"^[+-]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE])?$"),
        number()]},
    "LabelSelector": record({
        "matchLabels": table(),
        "matchExpressions": array(record({
            "key": text(), "operator": choice("In NotIn Exists DoesNotExist"), "values": texts(),
        }, "key operator"))}),
    "KeySelector": record({"name": text(), "key": text(), "optional": flag()}, "key"),
    "EnvVar": record({
        "name": text(pattern="^[-._a-zA-Z][-._a-zA-Z0-9]*$"), "value": text(),
        "valueFrom": record({
            "secretKeyRef": ref("KeySelector"), "configMapKeyRef": ref("KeySelector"),
            "fieldRef": record({"apiVersion": text(), "fieldPath": text()}, "fieldPath"),
            "resourceFieldRef": record({"containerName": text(), "resource": text(),
                                        "divisor": ref("Quantity")}, "resource")},
            maxProperties=1)}, "name"),
    "Resources": record({"limits": table(ref("Quantity")), "requests": table(ref("Quantity"))}),
    "Probe": record({
        "httpGet": record({"path": text(), "port": ref("IntOrString"),
                           "scheme": choice("HTTP HTTPS"), "httpHeaders": array(
                               record({"name": text(), "value": text()}, "name value"))}, "port"),
        "exec": record({"command": texts()}), "tcpSocket": record(
            {"host": text(), "port": ref("IntOrString")}, "port"),
        "grpc": record({"port": whole(), "service": text()}, "port"),
        "initialDelaySeconds": whole(minimum=0, format="int32"),
        "periodSeconds": whole(minimum=1, default=10), "timeoutSeconds": whole(minimum=1),
        "failureThreshold": whole(minimum=1), "successThreshold": whole(minimum=1)}),
    "ContainerPort": record({
        "name": text(maxLength=15, pattern=LABEL), "protocol": choice("TCP UDP SCTP"),
        "containerPort": whole(minimum=1, maximum=65535),
        "hostPort": whole(minimum=1, maximum=65535)}, "containerPort"),
    "SecurityContext": record({
        "runAsUser": whole(format="int64"), "runAsNonRoot": flag(), "privileged": flag(),
        "readOnlyRootFilesystem": flag(), "allowPrivilegeEscalation": flag(),
        "capabilities": record({"add": texts(), "drop": texts()}),
        "seccompProfile": record({"type": choice("Localhost RuntimeDefault Unconfined"),
                                  "localhostProfile": text()}, "type")}),
    "VolumeMount": record({"name": text(), "mountPath": text(pattern="^[^:]+$"),
                           "subPath": text(), "readOnly": flag()}, "name mountPath"),
    "Container": record({
        "name": text(pattern=LABEL, maxLength=63), "image": text("Image with its tag"),
        "imagePullPolicy": choice("Always Never IfNotPresent"), "command": texts(),
        "args": texts(), "workingDir": text(), "env": array(ref("EnvVar")),
        "ports": array(ref("ContainerPort")), "resources": ref("Resources"),
        "volumeMounts": array(ref("VolumeMount")), "livenessProbe": ref("Probe"),
        "readinessProbe": ref("Probe"), "startupProbe": ref("Probe"),
        "securityContext": ref("SecurityContext"),
        "lifecycle": record({k: record({"exec": record({"command": texts()}),
                                        "sleep": record({"seconds": whole()}, "seconds")})
                             for k in ("postStart", "preStop")})}, "name"),
    "KeyToPath": record({"key": text(), "path": text(), "mode": whole(minimum=0, maximum=511)},
                        "key path"),
    "Volume": record({
        "name": text(pattern=LABEL),
        "emptyDir": record({"medium": {"enum": ["", "Memory"]}, "sizeLimit": ref("Quantity")}),
        "configMap": record({"name": text(), "items": array(ref("KeyToPath")),
                             "defaultMode": whole()}),
        "secret": record({"secretName": text(), "items": array(ref("KeyToPath"))}),
        "hostPath": record({"path": text(), "type": text()}, "path"),
        "persistentVolumeClaim": record({"claimName": text(), "readOnly": flag()}, "claimName"),
    }, "name", minProperties=2, maxProperties=2),
    "Toleration": record({"key": text(), "operator": choice("Exists Equal"), "value": text(),
                          "effect": choice("NoSchedule PreferNoSchedule NoExecute"),
                          "tolerationSeconds": whole(format="int64")}),
    "PodSpec": record({
        "containers": array(ref("Container"), minItems=1),
        "initContainers": array(ref("Container")), "volumes": array(ref("Volume")),
        "restartPolicy": choice("Always OnFailure Never"), "nodeSelector": table(),
        "serviceAccountName": text(), "hostNetwork": flag(), "tolerations":
            array(ref("Toleration")),
        "terminationGracePeriodSeconds": whole(minimum=0),
        "affinity": ref("Affinity"), "imagePullSecrets": array(record({"name": text()})),
    }, "containers"),
    "Affinity": record({
        "nodeAffinity": record({"requiredDuringSchedulingIgnoredDuringExecution": record({
            "nodeSelectorTerms": array(record({"matchExpressions": array(record({
                "key": text(), "operator": choice("In NotIn Exists DoesNotExist Gt Lt"),
                "values": texts()}, "key operator"))}))}, "nodeSelectorTerms")}),
        "podAntiAffinity": record({"preferredDuringSchedulingIgnoredDuringExecution": array(record({
            "weight": whole(minimum=1, maximum=100), "podAffinityTerm": record({
                "labelSelector": ref("LabelSelector"), "topologyKey": text()}, "topologyKey"),
        }, "weight podAffinityTerm"))})}),
    "PodTemplate": record({"metadata": ref("ObjectMeta"), "spec": ref("PodSpec")}),
    "ServicePort": record({
        "name": text(pattern=LABEL), "port": whole(minimum=1, maximum=65535),
        "targetPort": ref("IntOrString"), "nodePort": whole(minimum=30000, maximum=32767),
        "protocol": choice("TCP UDP SCTP", default="TCP"), "appProtocol": text()}, "port"),
    "ClaimSpec": record({
        "accessModes": array(choice("ReadWriteOnce ReadOnlyMany ReadWriteMany ReadWriteOncePod"),
                             minItems=1),
        "resources": ref("Resources"), "storageClassName": {"type": ["string", "null"]},
        "volumeMode": choice("Filesystem Block"), "volumeName": text(),
        "selector": ref("LabelSelector")}, "accessModes"),
    "ObjectReference": record({"apiVersion": text(), "kind": text(), "name": text()},
                              "kind name"),
    "Subject": record({"kind": choice("User Group ServiceAccount"), "name": text(),
                       "namespace": text(), "apiGroup": text()}, "kind name"),
    "PolicyRule": record({"apiGroups": texts(), "resources": texts(), "resourceNames": texts(),
                          "verbs": array(text(), minItems=1), "nonResourceURLs": texts()}, "verbs"),
    "NetworkPeer": record({
        "podSelector": ref("LabelSelector"), "namespaceSelector": ref("LabelSelector"),
        "ipBlock": record({"cidr": text(pattern=r"^[0-9a-f.:]+/\d{1,3}$"), "except": texts()},
                          "cidr")}, minProperties=1),
    "NetworkPort": record({"protocol": choice("TCP UDP SCTP"), "port": ref("IntOrString"),
                           "endPort": whole(maximum=65535)}),
    "Condition": record({
        "type": text(pattern="^[A-Za-z][A-Za-z0-9_./-]*$", maxLength=316),
        "status": {"enum": ["True", "False", "Unknown"]}, "reason": text(minLength=1),
        "message": text(maxLength=32768), "observedGeneration": whole(minimum=0),
        "lastTransitionTime": text(format="date-time")}, "type status"),
}


def needed(schema, found):
    """The definitions that a schema refers to, and theirs."""
    if isinstance(schema, dict):
        name = schema.get("$ref", "").rpartition("/")[2] if "$ref" in schema else None
        if name and name not in found:
            found[name] = DEFINITIONS[name]
            needed(found[name], found)
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        needed(part, found)
    return found


def kind(draft, version, name, members, required=""):
    """The schema of a kind; newer drafts call definitions so."""
    schema = record({
        "apiVersion": {"const": version} if draft != D4 else {"enum": [version]},
        "kind": {"const": name} if draft != D4 else {"enum": [name]},
        "metadata": ref("ObjectMeta")} | members, f"apiVersion kind metadata {required}".strip(),
        additionalProperties=False)
    whole_schema = document(draft, name, schema, definitions=needed(schema, {}))
    if draft in (D19, D20):
        source = json.dumps(whole_schema).replace("#/definitions/", "#/$defs/")
        whole_schema = json.loads(source.replace('"definitions":', '"$defs":'))
    return whole_schema


def made(version, name, **members):
    return {"apiVersion": version, "kind": name, "metadata": {"name": "web"}} | members


LABELS = {"app": "web"}
CONTAINER = {
    "name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 80, "name": "http"}],
    "env": [{"name": "MODE", "value": "prod"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "web", "key": "token"}}}],
    "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": 0.1}},
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
}
POD = {"containers": [CONTAINER]}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}

one = made("v1", "Pod", spec=POD | {
    "restartPolicy": "Never", "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]})
CASES["pod"] = (
    kind(D7, "v1", "Pod", {"spec": ref("PodSpec")}, "spec"),
    [one, made("v1", "Pod", spec={"containers": [{"name": "a", "image": "busybox"}]})],
    [but(one, "spec|containers", []), but(one, "spec|containers|0|ports|0|containerPort", 0),
     but(one, "spec|volumes|0", {"name": "tmp"}), but(one, "spec|restartPolicy", "Sometimes")])

one = made("apps/v1", "Deployment", spec={
    "replicas": 3, "selector": {"matchLabels": LABELS}, "template": TEMPLATE,
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%",
                                                            "maxUnavailable": 0}}})
CASES["deployment"] = (
    kind(D7, "apps/v1", "Deployment", {"spec": record({
        "replicas": whole(minimum=0, default=1), "selector": ref("LabelSelector"),
        "template": ref("PodTemplate"), "minReadySeconds": whole(minimum=0), "paused": flag(),
        "revisionHistoryLimit": whole(minimum=0), "progressDeadlineSeconds": whole(),
        "strategy": record({"type": choice("Recreate RollingUpdate"), "rollingUpdate": record(
            {"maxSurge": ref("IntOrString"), "maxUnavailable": ref("IntOrString")})}),
    }, "selector template")}, "spec"),
    [one, without(one, "spec|strategy"), but(one, "spec|paused", True)],
    [but(one, "spec|replicas", -1), without(one, "spec|selector"), but(one, "kind", "deployment"),
     but(one, "spec|template|spec|containers|0|env|0|name", "1MODE")])

one = made("apps/v1", "StatefulSet", spec={
    "serviceName": "db", "selector": {"matchLabels": LABELS}, "template": TEMPLATE,
    "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}}]})
CASES["stateful_set"] = (
    kind(None, "apps/v1", "StatefulSet", {"spec": record({
        "serviceName": text(), "replicas": whole(minimum=0), "selector": ref("LabelSelector"),
        "podManagementPolicy": choice("OrderedReady Parallel"), "template": ref("PodTemplate"),
        "volumeClaimTemplates": array(record({"metadata": ref("ObjectMeta"),
                                              "spec": ref("ClaimSpec")}, "metadata spec")),
        "updateStrategy": record({"type": choice("OnDelete RollingUpdate"), "rollingUpdate":
                                  record({"partition": whole(minimum=0)})}),
    }, "serviceName selector template")}, "spec"),
    [one, but(one, "spec|replicas", 3)],
    [but(one, "spec|volumeClaimTemplates|0|spec|accessModes", []),
     but(one, "spec|podManagementPolicy", "Any")])

one = made("apps/v1", "DaemonSet", spec={
    "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
    "template": but(TEMPLATE, "spec|tolerations", [{"operator": "Exists", "effect": "NoExecute"}]),
    "updateStrategy": {"type": "OnDelete"}})
CASES["daemon_set"] = (
    kind(D19, "apps/v1", "DaemonSet", {"spec": record({
        "selector": ref("LabelSelector"), "template": ref("PodTemplate"),
        "minReadySeconds": whole(minimum=0), "updateStrategy": record({
            "type": choice("OnDelete RollingUpdate"),
            "rollingUpdate": record({"maxUnavailable": ref("IntOrString")})})},
        "selector template")}, "spec"),
    [one, without(one, "spec|updateStrategy")],
    [but(one, "spec|selector|matchExpressions|0|operator", "Is"),
     but(one, "spec|template|spec|tolerations|0|tolerationSeconds", "5"), without(one, "spec")])

job = record({
    "template": ref("PodTemplate"), "parallelism": whole(minimum=0), "completions": whole(
        minimum=0), "backoffLimit": whole(minimum=0, default=6),
    "activeDeadlineSeconds": whole(exclusiveMinimum=0), "ttlSecondsAfterFinished": whole(minimum=0),
    "completionMode": choice("NonIndexed Indexed"),
    "podFailurePolicy": record({"rules": array(record({
        "action": choice("FailJob Ignore Count FailIndex"), "onExitCodes": record({
            "containerName": text(), "operator": choice("In NotIn"),
            "values": array(whole(), minItems=1, maxItems=255)}, "operator values"),
        "onPodConditions": array(record({"type": text(), "status": text()}, "type status"))},
        "action"), maxItems=20)}, "rules")}, "template")
DEFINITIONS["JobSpec"] = job
one = made("batch/v1", "Job", spec={
    "template": {"spec": {**POD, "restartPolicy": "OnFailure"}}, "backoffLimit": 2,
    "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {
        "operator": "In", "values": [42]}}]}})
CASES["job"] = (
    kind(D7, "batch/v1", "Job", {"spec": ref("JobSpec")}, "spec"),
    [one, but(one, "spec|completionMode", "Indexed")],
    [but(one, "spec|activeDeadlineSeconds", 0), but(
        one, "spec|podFailurePolicy|rules|0|onExitCodes|values", [])])

one = made("batch/v1", "CronJob", spec={
    "schedule": "*/15 2 * * 1-5", "timeZone": "Etc/UTC", "concurrencyPolicy": "Forbid",
    "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}}})
CASES["cron_job"] = (
    kind(D7, "batch/v1", "CronJob", {"spec": record({
        "schedule": text("Five fields of cron, or a macro", pattern=(
            "^(@(yearly|monthly|weekly|daily|hourly)|[0-9*/,-]+ [0-9*/,-]+ [0-9*/,?L-]+ "
            "[0-9A-Za-z*/,-]+ [0-9A-Za-z*/,?-]+)$")),
        "timeZone": {"type": ["string", "null"]}, "suspend": flag(),
        "concurrencyPolicy": choice("Allow Forbid Replace"),
        "startingDeadlineSeconds": whole(minimum=0), "successfulJobsHistoryLimit": whole(minimum=0),
        "failedJobsHistoryLimit": whole(minimum=0),
        "jobTemplate": record({"metadata": ref("ObjectMeta"), "spec": ref("JobSpec")}, "spec"),
    }, "schedule jobTemplate")}, "spec"),
    [one, but(one, "spec|schedule", "@daily"), but(one, "spec|timeZone", None)],
    [but(one, "spec|schedule", "every day"), but(one, "spec|concurrencyPolicy", "forbid")])

one = made("v1", "Service", spec={"type": "NodePort", "selector": LABELS, "ports": [
    {"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080}]})
CASES["service"] = (
    kind(D7, "v1", "Service", {"spec": record({
        "type": choice("ClusterIP NodePort LoadBalancer ExternalName", default="ClusterIP"),
        "selector": table(), "ports": array(ref("ServicePort")), "externalName": text(),
        "clusterIP": {"anyOf": [{"const": "None"}, text(format="ipv4"), text(format="ipv6"),
                                {"const": ""}]},
        "externalIPs": array({"anyOf": [text(format="ipv4"), text(format="ipv6")]}),
        "sessionAffinity": choice("None ClientIP"), "loadBalancerSourceRanges": texts(),
        "ipFamilies": array(choice("IPv4 IPv6"), maxItems=2, uniqueItems=True),
    }, allOf=[{"if": {"properties": {"type": {"const": "ExternalName"}}, "required": ["type"]},
               "then": {"required": ["externalName"]}}])}, "spec"),
    [one, made("v1", "Service", spec={"type": "ExternalName", "externalName": "db.example.com"}),
     made("v1", "Service", spec={"clusterIP": "None", "externalIPs": ["10.1.0.7", "fd00::1"]})],
    [but(one, "spec|type", "ExternalName"), but(one, "spec|ports|0|nodePort", 80),
     but(one, "spec|clusterIP", "any"), but(one, "spec|ipFamilies", ["IPv4", "IPv4"])])

backend = record({
    "service": record({"name": text(pattern=LABEL), "port": {"oneOf": [
        closed({"number": whole(minimum=1, maximum=65535)}, "number"),
        closed({"name": text()}, "name")]}}, "name"),
    "resource": ref("ObjectReference")}, oneOf=[{"required": ["service"]},
                                                {"required": ["resource"]}])
DEFINITIONS["IngressBackend"] = backend
one = made("networking.k8s.io/v1", "Ingress", spec={
    "ingressClassName": "nginx", "tls": [{"hosts": ["web.example.com"], "secretName": "tls"}],
    "rules": [{"host": "web.example.com", "http": {"paths": [{
        "path": "/api", "pathType": "Prefix",
        "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]})
CASES["ingress"] = (
    kind(D7, "networking.k8s.io/v1", "Ingress", {"spec": record({
        "ingressClassName": text(), "defaultBackend": ref("IngressBackend"),
        "tls": array(record({"hosts": texts(), "secretName": text()})),
        "rules": array(record({"host": text(pattern=r"^(\*\.)?[a-z0-9.-]+$"), "http": record({
            "paths": array(record({
                "path": text(pattern="^/"), "backend": ref("IngressBackend"),
                "pathType": choice("Exact Prefix ImplementationSpecific")}, "pathType backend"),
                minItems=1)}, "paths")}))})}, "spec"),
    [one, but(one, "spec|rules|0|http|paths|0|backend|service|port", {"name": "http"})],
    [but(one, "spec|rules|0|http|paths|0|path", "api"), but(one, "spec|rules|0|http|paths", []),
     but(one, "spec|rules|0|http|paths|0|backend|service|port", {"name": "a", "number": 1})])

keys = {"propertyNames": {"pattern": r"^[-._a-zA-Z0-9]+$", "maxLength": 253}}
one = made("v1", "ConfigMap", data={"app.conf": "debug = false\nport = 80\n"}, immutable=True)
CASES["config_map"] = (
    kind(D7, "v1", "ConfigMap", {"data": table(**keys), "immutable": flag(),
                                 "binaryData": table(text(contentEncoding="base64"), **keys)}),
    [one, made("v1", "ConfigMap", binaryData={"logo.png": "iVBORw0KGgo="})],
    [but(one, "data", {"a b": "c"}), but(one, "data|app.conf", 3), but(one, "spec", {})])

one = made("v1", "Secret", type="kubernetes.io/tls", data={"tls.crt": "Zm9v", "tls.key": "YmFy"})
CASES["secret"] = (
    kind(D4, "v1", "Secret", {
        "type": text("Says which keys are there"), "immutable": flag(), "stringData": table(),
        "data": {"type": "object", "additionalProperties": False, "patternProperties": {
            r"^[-._a-zA-Z0-9]+$": text(format="byte", pattern="^[A-Za-z0-9+/]*={0,2}$")}}}),
    [one, made("v1", "Secret", stringData={"password": "correct horse"})],
    [but(one, "data|tls.crt", "not base64!"), but(one, "immutable", "yes")])

one = made("v1", "PersistentVolumeClaim", spec={
    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}},
    "storageClassName": None})
CASES["volume_claim"] = (
    kind(D7, "v1", "PersistentVolumeClaim", {"spec": ref("ClaimSpec"), "status": record({
        "phase": choice("Pending Bound Lost"), "capacity": table(ref("Quantity")),
        "conditions": array(ref("Condition"))})}, "spec"),
    [one, but(one, "status", {"phase": "Bound", "capacity": {"storage": "8Gi"}, "conditions": [
        {"type": "Resizing", "status": "True", "lastTransitionTime": "2024-11-05T10:00:00Z"}]})],
    [but(one, "spec|accessModes", ["ReadWrite"]), but(one, "spec|resources|requests|storage",
        "8 G"),
     without(one, "spec|accessModes")])

one = made("v1", "PersistentVolume", spec={
    "capacity": {"storage": "5Gi"}, "accessModes": ["ReadOnlyMany"], "nfs": {
        "server": "10.0.0.4", "path": "/exports"}, "persistentVolumeReclaimPolicy": "Retain"})
CASES["persistent_volume"] = (
    kind(None, "v1", "PersistentVolume", {"spec": record({
        "capacity": table(ref("Quantity")), "accessModes": array(choice(
            "ReadWriteOnce ReadOnlyMany ReadWriteMany")), "storageClassName": text(),
        "persistentVolumeReclaimPolicy": choice("Retain Recycle Delete"),
        "mountOptions": texts(), "claimRef": ref("ObjectReference"),
        "nfs": record({"server": text(), "path": text(), "readOnly": flag()}, "server path"),
        "hostPath": record({"path": text()}, "path"),
        "csi": record({"driver": text(), "volumeHandle": text(), "fsType": text(),
                       "volumeAttributes": table()}, "driver volumeHandle"),
    }, "capacity accessModes", oneOf=[{"required": [k]} for k in ("nfs", "hostPath", "csi")])},
        "spec"),
    [one, but(without(one, "spec|nfs"), "spec|hostPath", {"path": "/mnt/a"})],
    [without(one, "spec|nfs"), but(one, "spec|hostPath", {"path": "/mnt/a"})])

one = made("autoscaling/v2", "HorizontalPodAutoscaler", spec={
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    "minReplicas": 2, "maxReplicas": 10, "metrics": [{"type": "Resource", "resource": {
        "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
    "behavior": {"scaleDown": {"policies": [
        {"type": "Pods", "value": 1, "periodSeconds": 60}]}}})
target = record({"type": choice("Utilization Value AverageValue"), "value": ref("Quantity"),
                 "averageValue": ref("Quantity"), "averageUtilization": whole(minimum=1)}, "type")
scaling = record({"stabilizationWindowSeconds": whole(minimum=0, maximum=3600),
                  "selectPolicy": choice("Max Min Disabled"), "policies": array(record({
                      "type": choice("Pods Percent"), "value": whole(minimum=1),
                      "periodSeconds": whole(minimum=1, maximum=1800)},
                      "type value periodSeconds"))})
CASES["autoscaler"] = (
    kind(D7, "autoscaling/v2", "HorizontalPodAutoscaler", {"spec": record({
        "scaleTargetRef": ref("ObjectReference"), "minReplicas": whole(minimum=0),
        "maxReplicas": whole(minimum=1), "behavior": record({"scaleUp": scaling,
                                                             "scaleDown": scaling}),
        "metrics": array({"oneOf": [
            record({"type": {"const": "Resource"}, "resource": record(
                {"name": text(), "target": target}, "name target")}, "type resource"),
            record({"type": {"const": "Pods"}, "pods": record({"metric": record(
                {"name": text(), "selector": ref("LabelSelector")}, "name"), "target": target},
                "metric target")}, "type pods"),
            record({"type": {"const": "External"}, "external": record({"metric": record(
                {"name": text()}, "name"), "target": target}, "metric target")},
                "type external")]})}, "scaleTargetRef maxReplicas")}, "spec"),
    [one, without(one, "spec|behavior"), but(one, "spec|metrics", [])],
    [but(one, "spec|metrics|0|type", "Pods"), without(one, "spec|maxReplicas"),
     but(one, "spec|behavior|scaleDown|policies|0|periodSeconds", 7200)])

one = made("networking.k8s.io/v1", "NetworkPolicy", spec={
    "podSelector": {"matchLabels": LABELS}, "policyTypes": ["Ingress", "Egress"],
    "ingress": [{"from": [{"namespaceSelector": {}}, {"ipBlock": {
        "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], "ports": [{"port": 8080}]}]})
CASES["network_policy"] = (
    kind(D20, "networking.k8s.io/v1", "NetworkPolicy", {"spec": record({
        "podSelector": ref("LabelSelector"),
        "policyTypes": array(choice("Ingress Egress"), minItems=1, maxItems=2),
        "ingress": array(record({"from": array(ref("NetworkPeer")),
                                 "ports": array(ref("NetworkPort"))})),
        "egress": array(record({"to": array(ref("NetworkPeer")),
                                "ports": array(ref("NetworkPort"))}))}, "podSelector")}, "spec"),
    [one, made("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "egress": [
        {"to": [{"podSelector": {}}], "ports": [{"port": "dns", "protocol": "UDP"}]}]})],
    [but(one, "spec|ingress|0|from|0", {}), but(one, "spec|policyTypes", []),
     but(one, "spec|ingress|0|from|1|ipBlock|cidr", "10.0.0.0")])

one = made("rbac.authorization.k8s.io/v1", "Role", rules=[
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}])
CASES["role"] = (
    kind(D7, "rbac.authorization.k8s.io/v1", "Role", {"rules": array(ref("PolicyRule"))}, "rules"),
    [one, but(one, "rules", [])], [but(one, "rules|0|verbs", []), but(one, "rules|0|verbs", "get")])

one = made("rbac.authorization.k8s.io/v1", "RoleBinding", subjects=[
    {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"}],
    roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"})
CASES["role_binding"] = (
    kind(D4, "rbac.authorization.k8s.io/v1", "RoleBinding", {
        "subjects": array(ref("Subject"), minItems=1), "roleRef": closed({
            "apiGroup": {"enum": ["rbac.authorization.k8s.io"]}, "kind": choice("Role ClusterRole"),
            "name": text()}, "apiGroup kind name")}, "roleRef"),
    [one, but(one, "roleRef|kind", "ClusterRole")],
    [but(one, "subjects|0|kind", "Robot"), but(one, "roleRef|namespace", "x"),
     but(one, "subjects", [])])

one = made("policy/v1", "PodDisruptionBudget", spec={
    "minAvailable": "50%", "selector": {"matchLabels": LABELS}})
CASES["disruption_budget"] = (
    kind(D7, "policy/v1", "PodDisruptionBudget", {"spec": record({
        "minAvailable": ref("IntOrString"), "maxUnavailable": ref("IntOrString"),
        "selector": ref("LabelSelector"), "unhealthyPodEvictionPolicy": choice(
            "IfHealthyBudget AlwaysAllow")}, "selector",
        oneOf=[{"required": ["minAvailable"]}, {"required": ["maxUnavailable"]}])}, "spec"),
    [one, made("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": {}})],
    [but(one, "spec|maxUnavailable", 1), without(one, "spec|minAvailable")])

one = made("v1", "ResourceQuota", spec={
    "hard": {"pods": 20, "requests.cpu": "4", "limits.memory": "16Gi"},
    "scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}})
CASES["resource_quota"] = (
    kind(None, "v1", "ResourceQuota", {"spec": record({
        "hard": table(ref("Quantity")), "scopes": array(choice(
            "Terminating NotTerminating BestEffort NotBestEffort PriorityClass")),
        "scopeSelector": record({"matchExpressions": array(record({
            "scopeName": choice("Terminating NotTerminating PriorityClass"),
            "operator": choice("In NotIn Exists DoesNotExist"), "values": texts()},
            "scopeName operator", allOf=[{
                "if": {"properties": {"operator": {"enum": ["In", "NotIn"]}}},
                "then": {"required": ["values"], "properties": {"values": {"minItems": 1}}}}]))}),
    })}, "spec"),
    [one, made("v1", "ResourceQuota", spec={"hard": {"count/jobs.batch": "5"}})],
    [but(one, "spec|scopeSelector|matchExpressions|0|values", []), but(one, "spec|hard|pods", "x")])

one = made("v1", "LimitRange", spec={"limits": [
    {"type": "Container", "default": {"cpu": "500m"}, "max": {"cpu": "2"}}]})
CASES["limit_range"] = (
    kind(D7, "v1", "LimitRange", {"spec": record({"limits": array(record({
        "type": choice("Pod Container PersistentVolumeClaim"), **{k: table(ref("Quantity")) for k in
            ("default", "defaultRequest", "max", "min", "maxLimitRequestRatio")}}, "type"))},
        "limits")}, "spec"),
    [one, but(one, "spec|limits|0|min", {"memory": "4Mi"})],
    [without(one, "spec|limits|0|type"), but(one, "spec|limits|0|max", {"cpu": None})])

one = made("storage.k8s.io/v1", "StorageClass", provisioner="ebs.csi.aws.com", parameters={
    "type": "gp3"}, volumeBindingMode="WaitForFirstConsumer", allowedTopologies=[
        {"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}])
CASES["storage_class"] = (
    kind(D20, "storage.k8s.io/v1", "StorageClass", {
        "provisioner": text(minLength=1), "parameters": table(), "reclaimPolicy":
            choice("Delete Retain"), "volumeBindingMode": choice("Immediate WaitForFirstConsumer"),
        "allowVolumeExpansion": flag(), "mountOptions": texts(),
        "allowedTopologies": array(record({"matchLabelExpressions": array(
            record({"key": text(), "values": texts(minItems=1)}, "key values"))}))}, "provisioner"),
    [one, made("storage.k8s.io/v1", "StorageClass", provisioner="local")],
    [but(one, "provisioner", ""), but(one, "parameters|type", 3),
     but(one, "allowedTopologies|0|matchLabelExpressions|0|values", [])])

names = record({"plural": text(pattern="^[a-z]+$"), "singular": text(), "kind": text(
    pattern="^[A-Z][A-Za-z]*$"), "shortNames": texts(), "categories": texts()}, "plural kind")
DEFINITIONS["JSONSchemaProps"] = record({
    "type": choice("object array string integer number boolean"), "description": text(),
    "properties": table(ref("JSONSchemaProps")), "items": ref("JSONSchemaProps"),
    "required": texts(), "enum": array({}), "default": {}, "minimum": number(),
    "maximum": number(), "pattern": text(format="regex"), "nullable": flag(),
    "additionalProperties": {"anyOf": [flag(), ref("JSONSchemaProps")]},
    "x-kubernetes-preserve-unknown-fields": flag()})
one = made("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec={
    "group": "example.com", "scope": "Namespaced", "names": {"plural": "mills", "kind": "Mill"},
    "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": {
        "openAPIV3Schema": {"type": "object", "properties": {"spec": {
            "type": "object", "properties": {"wings": {"type": "integer", "minimum": 2}}}}}}}]})
CASES["custom_resource"] = (
    kind(D7, "apiextensions.k8s.io/v1", "CustomResourceDefinition", {"spec": record({
        "group": text(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"), "names": names,
        "scope": choice("Namespaced Cluster"), "versions": array(record({
            "name": text(pattern="^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$"), "served": flag(),
            "storage": flag(), "schema": record({"openAPIV3Schema": ref("JSONSchemaProps")}),
            "subresources": record({"status": closed({}), "scale": record({
                "specReplicasPath": text(), "statusReplicasPath": text()},
                "specReplicasPath statusReplicasPath")}),
            "additionalPrinterColumns": array(record({"name": text(), "type": text(), "jsonPath":
                text(pattern="^\\.")}, "name type jsonPath"))}, "name served storage"), minItems=1),
    }, "group names scope versions")}, "spec"),
    [one, but(one, "spec|versions|0|subresources", {"status": {}})],
    [but(one, "spec|versions|0|name", "1.0"), but(one, "spec|versions|0|subresources",
                                                  {"status": {"x": 1}}),
     but(one, "spec|versions|0|schema|openAPIV3Schema|type", "map")])

one = made("cert-manager.io/v1", "Certificate", spec={
    "secretName": "web-tls", "dnsNames": ["web.example.com", "*.example.com"], "duration": "2160h",
    "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"},
    "privateKey": {"algorithm": "ECDSA", "size": 256}})
CASES["certificate"] = (
    kind(D7, "cert-manager.io/v1", "Certificate", {"spec": record({
        "secretName": text(), "commonName": text(maxLength=64), "dnsNames": texts(),
        "ipAddresses": texts(), "duration": text(pattern="^([0-9]+(\\.[0-9]+)?(h|m|s))+$"),
        "renewBefore": text(pattern="^([0-9]+(\\.[0-9]+)?(h|m|s))+$"), "isCA": flag(),
        "usages": array(text(enum=["signing", "digital signature", "server auth", "client auth"])),
        "issuerRef": record({"name": text(), "kind": choice("Issuer ClusterIssuer"), "group":
                             text()}, "name"),
        "privateKey": {"type": "object", "properties": {
            "algorithm": choice("RSA ECDSA Ed25519"), "size": whole(),
            "rotationPolicy": choice("Never Always")},
            "allOf": [{"if": {"properties": {"algorithm": {"const": "ECDSA"}}, "required":
                              ["algorithm"]}, "then": {"properties": {"size":
                                                                      {"enum": [256, 384,
                                                                      521]}}}}]},
    }, "secretName issuerRef", anyOf=[{"required": ["dnsNames"]}, {"required": ["commonName"]},
                                      {"required": ["ipAddresses"]}])}, "spec"),
    [one, but(one, "spec|privateKey", {"algorithm": "RSA", "size": 2048})],
    [but(one, "spec|privateKey|size", 2048), without(one, "spec|dnsNames"),
     but(one, "spec|duration", "90 days")])

one = made("argoproj.io/v1alpha1", "Application", spec={
    "project": "default", "source": {"repoURL": "https://git.example.com/team/web.git",
                                     "path": "deploy", "targetRevision": "HEAD", "helm": {
                                         "parameters": [{"name": "a", "value": "1"}]}},
    "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"},
    "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]}})
CASES["argo_application"] = (
    kind(D7, "argoproj.io/v1alpha1", "Application", {"spec": record({
        "project": text(), "source": record({
            "repoURL": text(), "path": text(), "chart": text(), "targetRevision": text(),
            "helm": record({"releaseName": text(), "valueFiles": texts(), "values": text(),
                            "parameters": array(record({"name": text(), "value": text(),
                                                        "forceString": flag()}))}),
            "kustomize": record({"namePrefix": text(), "images": texts(), "commonLabels":
                                 table()})}, "repoURL", oneOf=[{"required": ["path"]},
                                                               {"required": ["chart"]}]),
        "destination": record({"server": text(), "name": text(), "namespace": text()}),
        "syncPolicy": record({
            "automated": record({"prune": flag(), "selfHeal": flag()}),
            "syncOptions": array(text(pattern="^[A-Za-z]+=[a-z]+$")),
            "retry": record({"limit": whole(), "backoff": record({
                "duration": text(), "factor": whole(), "maxDuration": text()})})}),
        "ignoreDifferences": array(record({"group": text(), "kind": text(), "jsonPointers": array(
            text(format="json-pointer"))}, "kind"))}, "project source destination")}, "spec"),
    [one, but(one, "spec|ignoreDifferences", [{"kind": "Job", "jsonPointers": ["/spec/a~1b"]}])],
    [but(one, "spec|source|chart", "web"), but(one, "spec|syncPolicy|syncOptions", ["prune"]),
     but(one, "spec|ignoreDifferences", [{"kind": "Job", "jsonPointers": ["spec"]}])])

match = record({"uri": {"oneOf": [closed({k: text()}, k) for k in ("exact", "prefix", "regex")]},
                "headers": table(record({"exact": text(), "prefix": text(), "regex": text()},
                                        minProperties=1, maxProperties=1)), "port": whole()})
one = made("networking.istio.io/v1beta1", "VirtualService", spec={
    "hosts": ["reviews"], "http": [{"match": [{"uri": {"prefix": "/v2"}, "headers": {
        "end-user": {"exact": "jo"}}}], "route": [{"destination": {"host": "reviews",
                                                                   "subset": "v2"}, "weight": 100}],
        "timeout": "2.5s", "retries": {"attempts": 3, "retryOn": "5xx"}}]})
CASES["virtual_service"] = (
    kind(D19, "networking.istio.io/v1beta1", "VirtualService", {"spec": record({
        "hosts": texts(minItems=1), "gateways": texts(), "http": array(record({
            "name": text(), "match": array(match), "route": array(record({
                "destination": record({"host": text(), "subset": text(), "port": record(
                    {"number": whole(minimum=1, maximum=65535)})}, "host"),
                "weight": whole(minimum=0, maximum=100)}, "destination")),
            "redirect": record({"uri": text(), "authority": text(), "redirectCode":
                                whole(minimum=300, maximum=399)}),
            "timeout": text(pattern=r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"),
            "fault": record({k: record({"percentage": record({"value": number(
                minimum=0, maximum=100)})}) for k in ("abort", "delay")}),
            "retries": record({"attempts": whole(minimum=0), "retryOn": text()}, "attempts")},
            anyOf=[{"required": ["route"]}, {"required": ["redirect"]}]))}, "hosts")}, "spec"),
    [one, but(one, "spec|http", [{"redirect": {"uri": "/new", "redirectCode": 301}}])],
    [but(one, "spec|http|0|match|0|uri", {"prefix": "/", "exact": "/"}),
     but(one, "spec|http|0|timeout", "2.5"), but(one, "spec|http", [{"name": "x"}])])

one = made("monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": [{
    "name": "web", "interval": "30s", "rules": [
        {"alert": "Down", "expr": 'up{job="web"} == 0', "for": "5m", "labels": {
        "severity": "page"}},
        {"record": "job:errors:rate5m", "expr": "sum(rate(errors[5m]))"}]}]})
promrule = {"oneOf": [
    closed({"alert": text(), "expr": {"oneOf": [text(), whole()]}, "for": text(
        pattern="^([0-9]+(ms|[smhdwy]))+$"), "labels": table(), "annotations": table()},
        "alert expr"),
    closed({"record": text(pattern="^[a-zA-Z_:][a-zA-Z0-9_:]*$"), "expr": {"oneOf": [
        text(), whole()]}, "labels": table()}, "record expr")]}
CASES["prometheus_rule"] = (
    kind(D7, "monitoring.coreos.com/v1", "PrometheusRule", {"spec": record({"groups": array(record({
        "name": text(minLength=1), "interval": text(), "limit": whole(minimum=0),
        "partial_response_strategy": text(pattern="^(?i:abort|warn)?$"), "rules": array(promrule),
    }, "name"))})}, "spec"),
    [one, but(one, "spec|groups|0|rules", [])],
    [but(one, "spec|groups|0|rules|1|for", "5m"), but(one, "spec|groups|0|rules|0|for", "soon"),
     but(one, "spec|groups|0|name", "")])

one = made("gateway.networking.k8s.io/v1", "HTTPRoute", spec={
    "parentRefs": [{"name": "edge", "sectionName": "https"}], "hostnames": ["a.example.com"],
    "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/login"}, "method": "GET"}],
               "backendRefs": [{"name": "login", "port": 8080, "weight": 9}], "filters": [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {
            "set": [{"name": "x-from", "value": "edge"}], "remove": ["x-debug"]}}]}]})
headers = array(closed({"name": text(pattern="^[A-Za-z0-9!#$%&'*+\\-.^_`|~]+$", maxLength=256),
                        "value": text(minLength=1, maxLength=4096)}, "name value"), maxItems=16)
CASES["http_route"] = (
    kind(None, "gateway.networking.k8s.io/v1", "HTTPRoute", {"spec": record({
        "parentRefs": array(record({"name": text(), "namespace": text(), "sectionName": text(),
                                    "port": whole()}, "name"), maxItems=32),
        "hostnames": array(text(maxLength=253), maxItems=16),
        "rules": array(record({
            "matches": array(record({"path": record({
                "type": choice("Exact PathPrefix RegularExpression"), "value": text()}),
                "headers": array(record({"name": text(), "value": text()}, "name value")),
                "method": choice("GET HEAD POST PUT DELETE OPTIONS PATCH")}), maxItems=8),
            "filters": array({"type": "object", "properties": {
                "type": choice("RequestHeaderModifier RequestRedirect URLRewrite"),
                "requestHeaderModifier": record({"set": headers, "add": headers, "remove": texts(
                )}),
                "requestRedirect": record({"scheme": choice("http https"), "statusCode": {
                    "enum": [301, 302]}, "hostname": text()})}, "required": ["type"], "allOf": [
                {"if": {"properties": {"type": {"const": t}}}, "then": {"required": [m]}}
                for t, m in (("RequestHeaderModifier", "requestHeaderModifier"),
                             ("RequestRedirect", "requestRedirect"))]}),
            "backendRefs": array(record({"name": text(), "port": whole(minimum=1, maximum=65535),
                                         "weight": whole(minimum=0, maximum=1000000)}, "name")),
        }), maxItems=16)})}, "spec"),
    [one, but(one, "spec|rules|0|filters", [{"type": "RequestRedirect", "requestRedirect": {
        "scheme": "https", "statusCode": 301}}])],
    [but(one, "spec|rules|0|filters|0|type", "RequestRedirect"),
     but(one, "spec|rules|0|matches|0|method", "get"),
     but(one, "spec|rules|0|filters|0|requestHeaderModifier|set|0|name", "x from")])

one = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.17"}, "reason": "BackOff",
       "type": "Warning", "count": 12, "involvedObject": {"kind": "Pod", "name": "web-1"},
       "message": "Back-off restarting failed container", "firstTimestamp": "2024-05-01T07:00:00Z",
       "source": {"component": "kubelet", "host": "node-3"}, "series": {"count": 3}}
CASES["event"] = (
    kind(D7, "v1", "Event", {
        "involvedObject": ref("ObjectReference"), "reason": text(), "message": text(),
        "type": choice("Normal Warning"), "count": whole(minimum=0), "source": record(
            {"component": text(), "host": text()}),
        **{k: {"type": ["string", "null"], "format": "date-time"} for k in
           ("firstTimestamp", "lastTimestamp", "eventTime")},
        "series": record({"count": whole(), "lastObservedTime": text(format="date-time")}),
        "related": ref("ObjectReference"), "action": text()}, "involvedObject"),
    [one, but(one, "eventTime", None)],
    [but(one, "firstTimestamp", "yesterday"), but(one, "type", "Error"),
     without(one, "involvedObject|name")])

one = {"apiVersion": "v1", "kind": "Config", "current-context": "dev", "clusters": [
    {"name": "c", "cluster": {"server": "https://10.0.0.1:6443",
        "insecure-skip-tls-verify": True}}],
    "users": [{"name": "u", "user": {"token": "abc"}}], "preferences": {},
    "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "dev"}}]}
CASES["kubeconfig"] = (
    document(D7, "kubeconfig", closed({
        "apiVersion": {"const": "v1"}, "kind": {"const": "Config"}, "current-context": text(),
        "preferences": record({"colors": flag()}), "extensions": array({}),
        "clusters": array(closed({"name": text(), "cluster": record({
            "server": text(format="uri"), "certificate-authority": text(),
            "certificate-authority-data": text(contentEncoding="base64"),
            "insecure-skip-tls-verify": flag(), "proxy-url": text(format="uri")}, "server")},
            "name cluster")),
        "contexts": array(closed({"name": text(), "context": record({
            "cluster": text(), "user": text(), "namespace": text()}, "cluster user")},
            "name context")),
        "users": array(closed({"name": text(), "user": {"type": "object", "properties": {
            "token": text(), "client-certificate-data": text(), "client-key-data": text(),
            "exec": record({"apiVersion": text(), "command": text(), "args": {
                "type": ["array", "null"], "items": text()}, "env": array(record(
                    {"name": text(), "value": text()}, "name value"))}, "apiVersion command")},
            "dependencies": {"client-certificate-data": ["client-key-data"]}}}, "name user")),
    }, "apiVersion kind clusters contexts users")),
    [one, but(one, "users|0|user", {"exec": {"apiVersion": "v1", "command": "login",
                                             "args": None}})],
    [but(one, "users|0|user", {"client-certificate-data": "AA=="}), but(
        one, "clusters|0|cluster|server", "not a url"), without(one, "contexts|0|context|user")])

one = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources":
       ["deployment.yaml"], "images": [{"name": "nginx", "newTag": "1.27"}], "patches": [
           {"path": "p.yaml", "target": {"kind": "Deployment"}}], "configMapGenerator": [
           {"name": "env", "literals": ["A=1"], "behavior": "merge"}], "commonLabels": LABELS}
generator = {"name": text(), "behavior": choice("create replace merge"), "files": texts(),
             "literals": array(text(pattern="^[^=]+=")), "envs": texts()}
CASES["kustomization"] = (
    document(D6, "Kustomization", closed({
        "apiVersion": text(pattern="^kustomize\\.config\\.k8s\\.io/v1"), "kind": choice(
            "Kustomization Component"), "namespace": text(), "namePrefix": text(),
        "nameSuffix": text(), "resources": texts(), "components": texts(),
        "commonLabels": table(), "commonAnnotations": table(),
        "labels": array(closed({"pairs": table(), "includeSelectors": flag()})),
        "images": array(closed({"name": text(), "newName": text(), "newTag": text(),
                                "digest": text(pattern="^sha256:[0-9a-f]{64}$")}, "name",
                              **{"not": {"required": ["newTag", "digest"]}})),
        "patches": array(closed({"path": text(), "patch": text(), "target": record({
            k: text() for k in ("group", "version", "kind", "name", "labelSelector")}),
            "options": table(flag())}, oneOf=[{"required": ["path"]}, {"required": ["patch"]}])),
        "configMapGenerator": array(record(generator)),
        "secretGenerator": array(record(generator | {"type": text()})),
        "replicas": array(closed({"name": text(), "count": whole(minimum=0)}, "name count")),
    })),
    [one, {"resources": ["../base"], "replicas": [{"name": "web", "count": 2}]}],
    [but(one, "images|0|digest", "sha256:" + "0" * 64), but(one, "patches|0|patch", "x"),
     but(one, "configMapGenerator|0|literals", ["A"]), but(one, "helm", True)])
