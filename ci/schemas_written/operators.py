"""More objects of clusters: those of operators, of policies and of the API's own requests."""

# fmt: off
from schemas_written.common import (
    D4, D7, D19, D20, array, but, choice, closed, flag, number, record, ref, table, text, texts,
    whole, without,
)
from schemas_written.kubernetes import CONTAINER, LABELS, POD, TEMPLATE, kind, made

CASES = {}

one = made("apps/v1", "ReplicaSet", spec={"replicas": 2, "selector": {"matchLabels": LABELS},
                                          "template": TEMPLATE})
CASES["replica_set"] = (
    kind(D7, "apps/v1", "ReplicaSet", {"spec": record({
        "replicas": whole(minimum=0), "minReadySeconds": whole(minimum=0), "selector": ref(
            "LabelSelector"), "template": ref("PodTemplate")}, "selector"), "status": record({
                "replicas": whole(minimum=0), "conditions": array(ref("Condition"))}, "replicas")},
        "spec"),
    [one, but(one, "status", {"replicas": 1})],
    [but(one, "spec|selector", None), but(one, "status", {}), but(one, "spec|replicas", "2")])

one = made("v1", "Namespace", spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})
CASES["namespace"] = (
    kind(D4, "v1", "Namespace", {"spec": record({"finalizers": texts()}), "status": record({
        "phase": choice("Active Terminating"), "conditions": array(ref("Condition"))})}),
    [one, made("v1", "Namespace")],
    [but(one, "status|phase", "Gone"), but(one, "metadata|name", "My Name"), without(one,
        "metadata")])

one = made("v1", "ServiceAccount", secrets=[{"name": "t", "kind": "Secret"}],
           automountServiceAccountToken=False)
CASES["service_account"] = (
    kind(D19, "v1", "ServiceAccount", {
        "secrets": array(ref("ObjectReference")), "imagePullSecrets": array(record({"name": text(
        )})),
        "automountServiceAccountToken": flag()}),
    [one, but(one, "imagePullSecrets", [{"name": "r"}])],
    [but(one, "secrets", [{}]), but(one, "automountServiceAccountToken", "no"), but(one, "spec", {
        })])

one = made("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.0.0.3", "nodeName": "n"}],
    "ports": [
    {"port": 8080, "name": "http"}]}])
CASES["endpoints"] = (
    kind(None, "v1", "Endpoints", {"subsets": array(record({
        "addresses": array(record({"ip": text(anyOf=[{"format": "ipv4"}, {"format": "ipv6"}]),
        "hostname":
                                   text(), "nodeName": text(), "targetRef": ref(
                                   "ObjectReference")}, "ip"),
                           minItems=1), "ports": array(record({"name": text(), "port": whole(
                               minimum=1, maximum=65535), "protocol": choice("TCP UDP SCTP")},
                               "port"))}))}),
    [one, but(one, "subsets|0|addresses|0|ip", "fd00::3")],
    [but(one, "subsets|0|addresses", []), but(one, "subsets|0|addresses|0|ip", "n1"), but(
        one, "subsets|0|ports|0|port", 0)])

one = made("v1", "Node", spec={"podCIDR": "10.2.0.0/24", "taints": [{"key": "gpu",
    "effect": "NoSchedule"}]},
           status={"capacity": {"cpu": "8", "memory": "32Gi"}, "addresses": [{
               "type": "InternalIP", "address": "10.0.0.3"}], "nodeInfo": {
               "kubeletVersion": "v1.31.2"}})
CASES["node"] = (
    kind(D20, "v1", "Node", {"spec": record({
        "podCIDR": text(pattern="^[0-9a-f.:]+/[0-9]{1,3}$"), "unschedulable": flag(),
        "taints": array(record({
            "key": text(), "value": text(), "effect": choice(
            "NoSchedule PreferNoSchedule NoExecute")},
            "key effect"))}), "status": record({
                "capacity": table(ref("Quantity")), "allocatable": table(ref("Quantity")),
                "conditions":
                array(ref("Condition")), "addresses": array(record({"type": choice(
                    "Hostname InternalIP ExternalIP InternalDNS ExternalDNS"), "address": text()},
                    "type address")), "nodeInfo": record({"kubeletVersion": text(
                        pattern=r"^v1\.\d+\.\d+")})})}),
    [one, made("v1", "Node", spec={"unschedulable": True})],
    [but(one, "spec|taints|0|effect", "Never"), but(one, "status|capacity|cpu", "eight"), but(
        one, "status|nodeInfo|kubeletVersion", "1.31")])

one = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "metadata": {}, "request": {
    "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "object": POD,
        "dryRun": False,
    "kind": {"group": "", "version": "v1", "kind": "Pod"}, "userInfo": {"username": "jo",
        "groups": ["a"]}}}
CASES["admission_review"] = (
    kind(D20, "admission.k8s.io/v1", "AdmissionReview", {
        "request": record({"uid": text(format="uuid"), "operation": choice(
        "CREATE UPDATE DELETE CONNECT"),
                           "kind": closed({k: text() for k in ("group", "version", "kind")},
                           "version kind"),
                           "name": text(), "namespace": text(), "object": {"type": ["object",
                           "null"]},
                           "oldObject": {"type": ["object", "null"]}, "dryRun": flag(),
                           "userInfo": record({
                               "username": text(), "uid": text(), "groups": texts(), "extra": table(
                               texts())})},
                          "uid kind operation", allOf=[{"if": {"properties": {"operation": {
                              "const": "UPDATE"}}}, "then": {"required": ["object",
                              "oldObject"]}}]),
        "response": record({"uid": text(format="uuid"), "allowed": flag(), "patchType": {
        "const": "JSONPatch"},
                            "patch": text(contentEncoding="base64"), "warnings": array(text(
                            maxLength=256)),
                            "status": record({"code": whole(minimum=100, maximum=599),
                            "message": text()})},
                           "uid allowed", dependentRequired={"patch": ["patchType"]})}),
    [one, {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "metadata": {},
        "response": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": False, "status": {"code": 403}}}],
    [but(one, "request|operation", "UPDATE"), but(one, "request|uid", "7"), but(one, "response", {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": True, "patch": "W10="})])

rules = array(record({"operations": array({"enum": ["*", "CREATE", "UPDATE", "DELETE", "CONNECT"]}),
                      "apiGroups": texts(), "apiVersions": texts(), "resources": texts(), "scope": {
                          "enum": ["Cluster", "Namespaced", "*"]}},
                          "operations apiGroups resources"))
one = made("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=[{
    "name": "check.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "rules": [{
        "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    "clientConfig": {"service": {"name": "s", "namespace": "n", "port": 443}},
        "failurePolicy": "Fail"}])
CASES["validating_webhook"] = (
    kind(D7, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", {
        "webhooks": array(record({
        "name": text(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+){2,}$"), "rules": rules, "clientConfig": {
            "type": "object", "properties": {"url": text(format="uri", pattern="^https://"),
            "caBundle": text(
                contentEncoding="base64"), "service": record({"name": text(), "namespace": text(),
                "path":
                                                              text(), "port": whole()},
                                                              "name namespace")},
            "oneOf": [{"required": ["url"]}, {"required": ["service"]}]}, "failurePolicy": choice(
                "Ignore Fail"), "sideEffects": choice("None NoneOnDryRun"), "timeoutSeconds": whole(
                    minimum=1, maximum=30), "admissionReviewVersions": array(text(), minItems=1),
        "namespaceSelector": ref("LabelSelector"), "objectSelector": ref("LabelSelector")},
        "name clientConfig sideEffects admissionReviewVersions"))}),
    [one, but(one, "webhooks|0|clientConfig", {"url": "https://h.example.com/check"})],
    [but(one, "webhooks|0|clientConfig", {}), but(one, "webhooks|0|name", "check"), but(
        one, "webhooks|0|clientConfig|url", "https://h.example.com"), but(
            one, "webhooks|0|timeoutSeconds", 31)])

one = made("v1", "PodTemplate", template=TEMPLATE)
CASES["pod_template"] = (
    kind(D4, "v1", "PodTemplate", {"template": ref("PodTemplate")}, "template"),
    [one, but(one, "template|spec|hostNetwork", True)],
    [without(one, "template"), but(one, "template|spec|containers|0|image", 7), but(
        one, "template|metadata|labels", {"a": None})])

one = made("scheduling.k8s.io/v1", "PriorityClass", value=1000000, globalDefault=False,
           preemptionPolicy="Never")
CASES["priority_class"] = (
    kind(D7, "scheduling.k8s.io/v1", "PriorityClass", {
        "value": whole(minimum=-2147483648, maximum=1000000000, format="int32"),
        "globalDefault": flag(),
        "description": text(), "preemptionPolicy": choice("Never PreemptLowerPriority")}, "value"),
    [one, but(one, "value", -10)],
    [but(one, "value", 2000000000), but(one, "preemptionPolicy", "never"), without(one, "value")])

one = made("serving.knative.dev/v1", "Service", spec={"template": {"spec": {
    "containerConcurrency": 50, "timeoutSeconds": 30, "containers": [CONTAINER]}}, "traffic": [
        {"latestRevision": True, "percent": 90}, {"revisionName": "web-1", "percent": 10,
        "tag": "old"}]})
CASES["serverless_service"] = (
    kind(D20, "serving.knative.dev/v1", "Service", {"spec": record({
        "template": record({"metadata": ref("ObjectMeta"), "spec": {"allOf": [ref("PodSpec"),
        record({
            "containerConcurrency": whole(minimum=0, maximum=1000), "timeoutSeconds": whole(
                minimum=1, maximum=600), "containers": {"maxItems": 1}})]}}, "spec"),
        "traffic": array(closed({"latestRevision": flag(), "revisionName": text(), "percent": whole(
            minimum=0, maximum=100), "tag": text(pattern="^[a-z][a-z0-9-]*$")}, "percent", oneOf=[
                {"properties": {"latestRevision": {"const": True}}, "required": [
                "latestRevision"]}, {
                    "required": ["revisionName"]}]))}, "template")}, "spec"),
    [one, without(one, "spec|traffic")],
    [but(one, "spec|traffic|0|percent", 101), but(one, "spec|traffic|0", {"percent": 1}), but(
        one, "spec|template|spec|containers", [CONTAINER, CONTAINER])])

one = made("tekton.dev/v1", "Pipeline", spec={"params": [{"name": "url", "type": "string"}],
    "tasks": [{
    "name": "clone", "taskRef": {"name": "git-clone"}, "params": [{"name": "url", "value":
                                                                   "$(params.url)"}]}, {
        "name": "test", "runAfter": ["clone"], "taskSpec": {"steps": [{"image": "rust",
        "script": "cargo test"}]
                                                            }, "when": [{"input": "a",
                                                            "operator": "in",
                                                                         "values": ["a"]}]}]})
param = record({"name": text(), "value": {"oneOf": [text(), texts(), table()]}}, "name value")
CASES["pipeline"] = (
    kind(D7, "tekton.dev/v1", "Pipeline", {"spec": record({
        "description": text(), "params": array(record({"name": text(pattern="^[A-Za-z_][\\w.-]*$"),
        "type": choice(
            "string array object"), "default": {"oneOf": [text(), texts(), table()]}, "enum": texts(
            )}, "name")),
        "workspaces": array(record({"name": text(), "optional": flag()}, "name")), "tasks": array({
            "type": "object", "required": ["name"], "properties": {
                "name": text(), "runAfter": texts(), "retries": whole(minimum=0), "timeout": text(
                    pattern="^([0-9]+(h|m|s))+$"), "params": array(param), "taskRef": record({
                        "name": text(), "kind": choice("Task ClusterTask")}), "taskSpec": record({
                            "steps": array(record({"name": text(), "image": text(), "script": text(
                            ), "command":
                                                   texts(), "env": array(ref("EnvVar"))}, **{
                                                   "not": {
                                                       "required": ["script", "command"]}}),
                                                       minItems=1)},
                            "steps"), "when": array(record({"input": text(), "operator": choice(
                            "in notin"),
                                                            "values": texts()},
                                                            "input operator values"))},
            "oneOf": [{"required": ["taskRef"]}, {"required": ["taskSpec"]}]}, minItems=1)},
            "tasks")}, "spec"),
    [one, but(one, "spec|tasks|0|params|0|value", ["a", "b"])],
    [but(one, "spec|tasks|0|taskSpec", {"steps": [{"image": "x"}]}), but(one, "spec|tasks", []),
        but(
        one, "spec|tasks|1|taskSpec|steps|0|command", ["x"]), but(one,
        "spec|tasks|1|when|0|operator", "is")])
