"""Objects that describe machines, networks and services: Compose, Terraform, Ansible and others."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}
STRINGS = {"oneOf": [text(), texts()]}
CIDR = text(pattern=r"^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
            r"/(3[0-2]|[12]?\d)$")

pair_list = {"oneOf": [{"type": "object", "patternProperties": {".+": {"type": [
    "string", "number", "boolean", "null"]}}, "additionalProperties": False}, array(
        text(), uniqueItems=True)]}
service = {"type": "object", "additionalProperties": False, "patternProperties": {"^x-": {}},
           "properties": {
    "image": text(), "build": {"oneOf": [text(), closed({
        "context": text(), "dockerfile": text(), "args": ref("pairs"), "target": text(),
        "cache_from":
        texts()}, patternProperties={"^x-": {}})]}, "command": {"oneOf": [
            {"type": "null"}, text(), texts()]}, "depends_on": {"oneOf": [ref("strings"), {
                "type": "object", "patternProperties": {"^[a-zA-Z0-9._-]+$": closed({
                    "condition": choice("service_started service_healthy "
                                        "service_completed_successfully"), "required": flag(
                                            default=True)}, "condition")},
                "additionalProperties": False}]},
    "environment": ref("pairs"), "labels": ref("pairs"), "restart": text(), "privileged": {
        "type": ["boolean", "string"]}, "ports": array({"oneOf": [
            number(format="ports"), text(format="ports"), closed({
                "target": {"type": ["string", "integer"]}, "published": {"type": [
                    "string", "integer"]}, "protocol": text(), "mode": text()})]},
                    uniqueItems=True),
    "volumes": array({"oneOf": [text(), closed({
        "type": choice("bind volume tmpfs cluster npipe image"), "source": text(), "target": text(),
        "read_only": flag(), "tmpfs": record({"size": {"oneOf": [whole(minimum=0), text()]}})},
        "type")]}, uniqueItems=True),
    "healthcheck": closed({"disable": flag(), "interval": text(format="duration"), "retries":
                           number(), "test": {"oneOf": [text(), texts()]}, "timeout": text()}),
    "deploy": {"type": ["object", "null"], "properties": {"replicas": whole(), "resources": record({
        k: record({"cpus": {"type": ["number", "string"]}, "memory": text()}) for k in (
            "limits", "reservations")})}}, "networks": {"oneOf": [ref("strings"), {
                "type": "object", "additionalProperties": {"oneOf": [{"type": "null"}, record({
                    "aliases": ref("strings"), "ipv4_address": text()})]}}]}}}
one = {"services": {"web": {"build": {"context": ".", "args": {"V": None}}, "ports": ["80:80", 443,
    {
    "target": 9}], "depends_on": {"db": {"condition": "service_healthy"}}, "environment": ["A=1"]},
    "db": {"image": "postgres:16", "volumes": ["data:/d", {"type": "tmpfs", "target": "/t"}]}},
    "volumes": {"data": None}, "networks": {"back": {"driver": "bridge"}}, "x-a": 1}
CASES["compose_file"] = (
    document(D7, "compose file", {"type": "object", "properties": {
        "version": text(), "name": text(pattern="^[a-z0-9][a-z0-9_-]*$"), "services": {
            "type": "object", "patternProperties": {"^[a-zA-Z0-9._-]+$": ref("service")},
            "additionalProperties": False}, "networks": table({"type": ["object", "null"],
                "properties": {"driver": text(), "external": {"type": ["boolean", "object"]},
                               "ipam": record({"config": array(record({"subnet": CIDR}))})}}),
        "volumes": table({"type": ["object", "null"]}), "secrets": table(record({
            "file": text(), "environment": text()}))}, "patternProperties": {"^x-": {}},
        "additionalProperties": False}, definitions={
            "service": service, "pairs": pair_list, "strings": texts(uniqueItems=True)}),
    [one, {"services": {"a": {"image": "x", "command": None}}}],
    [but(one, "services|a b", {}), but(one, "services|web|depends_on|db|condition", "up"), but(
        one, "services|web|expose_all", True), but(one, "services|web|environment", ["A", "A"])])
one = {"image": "redis", "networks": {"back": {"aliases": ["r"]}, "x": None}, "deploy": {
    "replicas": 2, "resources": {"limits": {"cpus": "0.5", "memory": "50M"}}}}
CASES["compose_service"] = (
    document(D19, "one service", ref("service") | {"required": ["image"]}, definitions={
        "service": service, "pairs": pair_list, "strings": texts(uniqueItems=True)}),
    [one, {"image": "a", "privileged": "true", "labels": {"a.b": 1}}],
    [but(one, "networks", ["a", "a"]), without(one, "image"), but(one, "deploy|replicas", 1.5)])

# Terraform
one = {"resource": {"aws_instance": {"web": {"ami": "ami-12", "instance_type": "t3.micro", "tags": {
    "Name": "web"}, "count": 2, "depends_on": ["aws_vpc.main"]}}}, "variable": {"env": {
        "type": "string", "default": "dev", "validation": [{"condition": "${x}", "error_message":
                                                            "Bad."}]}},
    "provider": {"aws": [{"region": "eu-west-1", "alias": "eu"}]}, "output": {"ip": {
        "value": "${aws_instance.web.public_ip}", "sensitive": True}}, "terraform": {
            "required_version": ">= 1.6", "backend": {"s3": {"bucket": "b"}}}}
identifier = {"pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"}
CASES["terraform_json"] = (
    document(D7, "*.tf.json", closed({
        "resource": {"type": "object", "propertyNames": identifier, "additionalProperties": {
            "type": "object", "propertyNames": identifier, "additionalProperties": ref("block")}},
        "data": table(table(ref("block"))), "variable": {"type": "object", "propertyNames": {
        "allOf": [
            identifier, {"not": {"enum": ["source", "version", "count", "for_each"]}}]},
            "additionalProperties": closed({
                "type": text(), "default": {}, "description": text(), "sensitive": flag(),
                "nullable":
                flag(), "validation": {"anyOf": [ref("check"), array(ref("check"))]}})},
        "output": table(record({"value": {}, "sensitive": flag(), "depends_on": texts()}, "value")),
        "locals": {"type": "object"}, "provider": table({"anyOf": [{"type": "object"}, array({
            "type": "object"})]}), "module": table(record({"source": text(minLength=1), "version":
                                                           text()}, "source")), "terraform": closed(
                                                           {
            "required_version": text(pattern=r"^\s*(=|!=|>|<|>=|<=|~>)?\s*\d+(\.\d+){0,2}\s*$"),
            "required_providers": table({"anyOf": [text(), closed({"source": text(pattern=(
                "^([^/]+/)?[^/]+/[^/]+$")), "version": text()})]}), "backend": table({
                    "type": "object"}, minProperties=1, maxProperties=1)})}), definitions={
            "check": closed({"condition": {"type": ["string", "boolean"]}, "error_message": text()},
                            "condition error_message"), "block": record({
                                "count": {"type": ["integer", "string"], "minimum": 0},
                                "for_each": {
                                    "type": ["object", "array", "string"]}, "provider": text(),
                                "depends_on": texts(), "lifecycle": closed({
                                    "create_before_destroy": flag(), "prevent_destroy": flag(),
                                    "ignore_changes": {"anyOf": [texts(), {"const": "all"}]}})},
                                **{"not": {"required": ["count", "for_each"]}})}),
    [one, {"module": {"vpc": {"source": "./vpc"}}, "locals": {"a": [1, {"b": None}]}}],
    [but(one, "resource|aws_instance|web|for_each", ["a"]), but(one, "variable|count", {}), but(
        one, "output|ip", {"sensitive": True}), but(one, "terraform|required_version", "latest")])

one = {"format_version": "1.2", "terraform_version": "1.6.0", "resource_changes": [{
    "address": "aws_vpc.a", "mode": "managed", "type": "aws_vpc", "name": "a", "change": {
        "actions": ["delete", "create"], "before": {"cidr": "10.0.0.0/16"}, "after": None,
        "after_unknown": {"id": True}, "replace_paths": [["cidr"]]}}], "planned_values": {
            "root_module": {"resources": [], "child_modules": [{"address": "module.x"}]}}}
CASES["terraform_plan"] = (
    document(None, "plan", record({
        "format_version": text(pattern="^1\\.[0-9]+$"), "terraform_version": text(), "variables":
        table(record({"value": {}})), "planned_values": record({"outputs": table(record({
            "sensitive": flag(), "value": {}})), "root_module": ref("module")}), "resource_changes":
        array(record({
            "address": text(), "module_address": text(), "mode": choice("managed data"), "type":
            text(), "name": text(), "index": {"type": ["string", "integer"]}, "change": ref(
            "change"),
            "action_reason": text()}, "address mode type name change")), "output_changes": table(
                ref("change")), "timestamp": text(format="date-time")}, "format_version"),
                definitions={
            "module": record({"address": text(), "resources": array(record({
                "address": text(), "values": {"type": "object"}, "sensitive_values": {}},
                "address")),
                "child_modules": array(ref("module"))}), "change": record({
                    "actions": {"oneOf": [{"const": [k]} for k in (
                        "no-op", "create", "read", "update", "delete", "forget")] + [
                        {"const": ["delete", "create"]}, {"const": ["create", "delete"]}]},
                        "before": {},
                    "after": {}, "after_unknown": {"type": ["boolean", "object"]}, "replace_paths":
                    array(array({"type": ["string", "integer"]}))}, "actions")}),
    [one, but(one, "resource_changes|0|change|actions", ["no-op"])],
    [but(one, "resource_changes|0|change|actions", ["create", "update"]), but(
        one, "resource_changes|0|mode", "x"), but(one, "format_version", "2.0"), but(
            one, "planned_values|root_module|child_modules", [1])])

# Ansible
task = {"type": "object", "properties": {
    "name": text(), "when": {"anyOf": [flag(), text(), array({"type": ["string", "boolean"]})]},
    "register": text(pattern="^[a-zA-Z_]\\w*$"), "become": {"type": ["boolean", "string"]},
        "loop": {
        "type": ["string", "array"]}, "tags": ref2("strings"), "notify": ref2("strings"), "vars": {
            "type": "object"}, "retries": {"anyOf": [whole(), text(pattern="^\\{[\\{%](.|[\r\n])*"
                                                               "[\\}%]\\}$")]}, "delegate_to": text(
                                                               ),
    "ignore_errors": flag(), "block": array(ref2("task"), minItems=1), "rescue": array(ref2(
        "task")),
    "ansible.builtin.copy": closed({"src": text(), "dest": text(), "mode": {"anyOf": [
        text(pattern="^(0?[0-7]{3,4}|[ugoa]*[-+=][rwxXst]*)$"), whole()]}, "content": text(),
        "owner":
        text()}, "dest", oneOf=[{"required": ["src"]}, {"required": ["content"]}]),
    "ansible.builtin.package": closed({"name": {"anyOf": [text(), texts()]}, "state": choice(
        "present absent latest")}, "name"), "ansible.builtin.command": {"anyOf": [text(), record({
            "cmd": text(), "argv": texts(), "creates": text()})]}, "with_items": {
                "deprecated": True, "anyOf": [text(), array({})]}},
    "dependentRequired": {"rescue": ["block"]}}
one = [{"hosts": "web", "become": True, "gather_facts": False, "tasks": [
    {"name": "Copy", "ansible.builtin.copy": {"src": "a", "dest": "/b", "mode": "0644"},
        "notify": "r"},
    {"block": [{"ansible.builtin.command": "ls", "when": "x is defined"}], "rescue": []}],
    "handlers": [{"name": "r", "ansible.builtin.command": {"argv": ["r"]}}], "serial": ["10%", 5]}]
play = {"type": "object", "required": ["hosts"], "properties": {
    "name": text(pattern="^[A-Z0-9]"), "hosts": {"oneOf": [text(), texts()]}, "become": flag(),
    "gather_facts": flag(), "vars": {"type": "object", "propertyNames": {
        "pattern": "^[a-zA-Z_]\\w*$"}}, "vars_files": {"type": ["array", "string", "null"]},
        "roles":
    array({"anyOf": [text(), record({"role": text(), "tags": ref2("strings")}, "role")]}),
    "strategy": choice("debug free host_pinned linear"), "serial": {"anyOf": [
        whole(), text(), array({"type": ["string", "integer"]})]}, **{k: array(ref2(
        "task")) for k in (
            "tasks", "pre_tasks", "post_tasks", "handlers")}, "environment": {"anyOf": [
                table(), text()]}}, "unevaluatedProperties": False}
CASES["ansible_playbook"] = (
    document(D20, "playbook", array({"oneOf": [ref2("play"), closed({
        "ansible.builtin.import_playbook": text(), "name": text(), "when": text()},
        "ansible.builtin.import_playbook")]}), **{"$defs": {
            "play": play, "task": task, "strings": {"anyOf": [text(), texts()]}}}),
    [one, [{"ansible.builtin.import_playbook": "a.yml"}]],
    [but(one, "0|tasks|0|ansible.builtin.copy|content", "x"), but(one, "0|strategy", "fast"), [{
        "tasks": []}], but(one, "0|tasks|1", {"rescue": []}), but(one, "0|colour", 1)])

one = {"all": {"hosts": {"a.example.com": None, "b": {"ansible_port": 2222}}, "children": {
    "web": {"hosts": {"a.example.com": {}}, "vars": {"x": 1}}}}}
CASES["ansible_inventory"] = (
    document(D20, "inventory", {"type": "object", "properties": {"all": ref2("group")},
                                "additionalProperties": ref2("group")}, **{"$defs": {
        "group": {"type": ["object", "null"], "properties": {
            "children": {"type": "object", "patternProperties": {"^[a-zA-Z_][\\w-]*$": ref2(
            "group")}},
            "hosts": {"type": ["object", "string"], "patternProperties": {
                "[a-zA-Z.-_0-9]": ref2("host")}}, "vars": {"type": "object"}},
            "additionalProperties": False, "description": "Hosts, and groups below this one"},
        "host": {"type": ["object", "null"], "properties": {
            "ansible_host": {"anyOf": [text(format="hostname"), text(format="ipv4"), text(
                format="ipv6")]}, "ansible_port": whole(minimum=1, maximum=65535), "ansible_user":
            text(), "ansible_connection": choice("ssh local docker winrm network_cli"),
            "ansible_become": flag(), "ansible_python_interpreter": text(
            pattern="^(auto|/.+)")}}}}),
    [one, {"all": None, "db": {"hosts": "10.0.0.[1:9]"}}],
    [but(one, "all|hosts|b|ansible_port", 0), but(one, "all|children|web|groups", {}), {"all": []},
     but(one, "all|hosts|b|ansible_host", "-x-")])

# Cloud templates
INTRINSIC = {"oneOf": [closed({"Ref": text()}, "Ref"), closed({"Fn::GetAtt": {"oneOf": [text(),
    array(
    text(), minItems=2, maxItems=2)]}}, "Fn::GetAtt"), closed({"Fn::Sub": {}}, "Fn::Sub"), closed({
        "Fn::Join": {"type": "array", "items": [text(), array({"anyOf": [text(), ref(
        "intrinsic")]})],
                     "additionalItems": False, "minItems": 2}}, "Fn::Join")]}
one = {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": {"Env": {
    "Type": "String", "AllowedValues": ["dev", "prod"]}}, "Resources": {"B": {
        "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": {
            "Fn::Join": ["-", ["b", {"Ref": "Env"}]]}, "Tags": [{"Key": "a", "Value": "b"}]}},
            "Q": {
                "Type": "AWS::SQS::Queue", "DependsOn": "B", "Properties": {"DelaySeconds": 5}}},
       "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["B", "Arn"]}, "Export": {"Name": "x"}}}}
string = {"anyOf": [text(), ref("intrinsic")]}
base = {"DependsOn": STRINGS, "Condition": text(), "DeletionPolicy": choice(
    "Delete Retain Snapshot"),
        "Metadata": {"type": "object"}}
CASES["cloud_formation"] = (
    document(D4, "template", {"type": "object", "required": ["Resources"], "properties": {
        "AWSTemplateFormatVersion": {"type": "string", "enum": ["2010-09-09"]}, "Description": text(
            maxLength=1024), "Parameters": {"type": "object", "maxProperties": 50,
            "patternProperties": {"^[a-zA-Z0-9]+$": record({
                "Type": choice("String Number List<Number> CommaDelimitedList"), "Default": {},
                "NoEcho":
                {"type": ["string", "boolean"]}, "AllowedValues": {"type": "array"}, "MinLength": {
                    "type": ["string", "integer"]}}, "Type", additionalProperties=False)},
            "additionalProperties": False}, "Conditions": {"type": "object"}, "Resources": {
                "type": "object", "minProperties": 1, "patternProperties": {"^[a-zA-Z0-9]+$": {
                    "anyOf": [ref("bucket"), ref("queue"), ref("custom")]}},
                "additionalProperties": False}, "Outputs": {"type": "object", "patternProperties": {
                    "^[a-zA-Z0-9]+$": record({"Value": string, "Export": record({"Name": string},
                                                                               "Name")}, "Value")},
                    "minProperties": 1, "maxProperties": 60}}, "additionalProperties": False},
        definitions={
            "intrinsic": INTRINSIC, "bucket": closed(base | {
                "Type": {"enum": ["AWS::S3::Bucket"]}, "Properties": closed({
                    "BucketName": string, "AccessControl": choice("Private PublicRead"),
                    "Tags": array(
                        closed({"Key": text(), "Value": string}, "Key Value")),
                    "VersioningConfiguration": closed({"Status": choice("Enabled Suspended")},
                                                      "Status")})}, "Type"),
            "queue": closed(base | {"Type": {"enum": ["AWS::SQS::Queue"]}, "Properties": closed({
                "QueueName": string, "DelaySeconds": {"anyOf": [whole(minimum=0, maximum=900), ref(
                    "intrinsic")]}, "FifoQueue": {"anyOf": [flag(), ref("intrinsic")]}})}, "Type"),
            "custom": record(base | {"Type": text(pattern="^Custom::[a-zA-Z_@-]+$"), "Properties":
                                     record({"ServiceToken": string}, "ServiceToken")},
                             "Type Properties")}),
    [one, {"Resources": {"X": {"Type": "Custom::X", "Properties": {"ServiceToken": "a", "b": [
        1]}}}}],
    [but(one, "Resources", {}), but(one, "Resources|Q|Properties|DelaySeconds", 901), but(
        one, "Resources|B|Type", "AWS::SQS::Queue"), but(one, "Parameters|Env|Type", "Text"), but(
            one, "Outputs|Arn|Value", {"Fn::GetAtt": ["B"]})])

one = {"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow", "Action": ["s3:Get*"],
       "Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"aws:a": ["x", "y"]}}}]}
one_or_more = lambda schema: {"oneOf": [schema, array(schema, minItems=1)]}
CASES["iam_policy"] = (
    document(D7, "policy", closed({
        "Version": {"enum": ["2008-10-17", "2012-10-17"]}, "Id": text(), "Statement": {"oneOf": [
            ref("statement"), array(ref("statement"), minItems=1)]}}, "Version Statement"),
            definitions={
        "action": {"anyOf": [{"const": "*"}, text(pattern="^[a-z0-9-]+:[A-Za-z*?]+$")]}, "arn": {
            "anyOf": [{"const": "*"}, text(pattern="^arn:[a-z*-]+:[a-z0-9*-]*:[^:]*:[^:]*:.+$")]},
        "statement": closed({
            "Sid": text(pattern="^[A-Za-z0-9]*$"), "Effect": choice("Allow Deny"), "Principal": {
                "anyOf": [{"const": "*"}, {"type": "object", "propertyNames": {"enum": [
                    "AWS", "Service", "Federated"]}, "additionalProperties": one_or_more(text())}]},
            "Action": one_or_more(ref("action")), "NotAction": one_or_more(ref("action")),
            "Resource":
            one_or_more(ref("arn")), "NotResource": one_or_more(ref("arn")), "Condition": {
                "type": "object", "patternProperties": {
                    "^(ForAnyValue:|ForAllValues:)?(String|Numeric|Date|Arn)(Not)?(Equals|Like)"
                    "": table(
                        {"oneOf": [{"type": ["string", "number", "boolean"]}, texts()]}),
                    "^(Bool|Null|IpAddress)$": table()}, "additionalProperties": False}}, "Effect",
                    allOf=[
                        {"oneOf": [{"required": ["Action"]}, {"required": ["NotAction"]}]}, {
                        "not": {
                            "required": ["Resource", "NotResource"]}}])}),
    [one, {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotAction": "*", "Principal": {
        "Service": "ec2.amazonaws.com"}}}],
    [but(one, "Statement|0|NotAction", "*"), but(one, "Statement|0|Effect", "Maybe"), but(
        one, "Statement|0|Condition", {"Like": {}}), but(one, "Version", "2020-01-01"), but(
            one, "Statement|0|Resource", [])])

one = {"contentVersion": "1.0.0.0", "$schema":
       "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
       "parameters": {"n": {"type": "int", "defaultValue": 2, "minValue": 1}}, "resources": [{
           "type": "Microsoft.Storage/storageAccounts", "apiVersion": "2021-04-01", "name": "a",
           "sku": {"name": "Standard_LRS"}, "tags": {"a": "b"}, "properties": {}}]}
CASES["arm_template"] = (
    document(D4, "deployment template", {"type": "object", "required": [
        "$schema", "contentVersion", "resources"], "properties": {
            "$schema": text(pattern="deploymentTemplate\\.json#?$"), "contentVersion": text(
                pattern=r"(^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$)"), "parameters": {
                    "type": "object", "maxProperties": 256, "additionalProperties": ref(
                    "parameter")},
            "variables": {"type": "object"}, "resources": array(ref("resource")), "outputs": {
                "type": "object", "maxProperties": 64, "additionalProperties": {"type": "object",
                    "required": ["type"], "properties": {"type": ref("types"), "value": ref(
                    "any")}}}},
        "additionalProperties": False}, definitions={
            "any": {"type": ["boolean", "string", "number", "object", "array", "null"]},
            "types": {"enum": ["string", "securestring", "int", "bool", "object", "array"]},
            "parameter": {"type": "object", "required": ["type"], "properties": {
                "type": ref("types"), "defaultValue": ref("any"), "allowedValues": {
                "type": "array"},
                "minLength": whole(), "minValue": whole(), "metadata": {"type": "object"}}},
            "resource": {"allOf": [{"$ref": "#/definitions/base"}, {"type": "object",
            "properties": {
                "sku": {"oneOf": [record({"name": text()}, "name"), text(pattern="^\\[.*\\]$")]},
                "tags": {"oneOf": [{"type": "object", "additionalProperties": text(maxLength=256)},
                                   text(pattern="^\\[.*\\]$")]}, "properties": {"type": "object"},
                "resources": array(ref("resource"))}}]}, "base": {"type": "object", "properties": {
                    "name": text(minLength=1), "type": text(pattern="^[^/\\s]+(/[^/\\s]+)+$"),
                    "apiVersion": text(pattern="(^((\\d\\d\\d\\d-\\d\\d-\\d\\d)(-(preview))?)$)"),
                    "condition": {"oneOf": [flag(), text()]}, "dependsOn": texts()}, "required": [
                        "name", "type", "apiVersion"]}}),
    [one, but(one, "outputs", {"x": {"type": "string", "value": None}})],
    [but(one, "contentVersion", "1.0"), but(one, "resources|0|apiVersion", "2021"), but(
        one, "parameters|n|type", "number"), but(one, "resources|0|type", "storage"), but(
            one, "resources|0|tags", ["a"])])

one = {"builders": [{"type": "docker", "image": "ubuntu", "commit": True}], "provisioners": [
    {"type": "shell", "inline": ["apt-get update"]}, {"type": "file", "source": "a", "destination":
                                                      "/tmp/a", "only": ["docker"]}], "variables": {
        "v": "1"}, "min_packer_version": "1.8.0"}
limit = {"only": texts(), "except": texts(), "pause_before": text(pattern="^[0-9]+(s|m)$")}
CASES["packer"] = (
    document(D6, "template", record({
        "min_packer_version": text(pattern="^[0-9]+\\.[0-9]+\\.[0-9]+$"), "description": text(),
        "variables": table({"type": ["string", "null"]}), "sensitive-variables": texts(),
        "builders":
        array({"type": "object", "required": ["type"], "properties": {"type": text(), "name": text(
        ),
                                                                      "communicator": choice(
            "none ssh winrm"), "ssh_port": whole(minimum=1, maximum=65535)}}, minItems=1),
        "provisioners": array({"oneOf": [
            closed(limit | {"type": {"const": "shell"}, "inline": texts(), "script": text(),
            "scripts":
                            texts(), "environment_vars": array(text(pattern="^[^=]+=")),
                            "valid_exit_codes": array(whole())}, "type", oneOf=[{"required": [k]}
                            for k in ("inline", "script", "scripts")]),
            closed(limit | {"type": {"const": "file"}, "source": text(), "destination": text(),
                            "direction": choice("upload download")}, "type source destination"),
            closed(limit | {"type": {"const": "ansible"}, "playbook_file": text(),
            "extra_arguments":
                            texts()}, "type playbook_file")]}), "post-processors": array({"oneOf": [
                                text(), {"type": "object"}, array({"type": ["string",
                                "object"]})]})},
        "builders")),
    [one, {"builders": [{"type": "qemu"}], "post-processors": ["a", ["b", {"type": "c"}]]}],
    [but(one, "builders", []), but(one, "provisioners|0|script", "x"), but(
        one, "provisioners|1|mode", 1), but(one, "min_packer_version", "1.8")])

one = {"job": {"web": {"datacenters": ["dc1"], "type": "service", "group": {"app": [{
    "count": 3, "task": {"server": {"driver": "docker", "config": {"image": "nginx"}, "resources": {
        "cpu": 500, "memory": 256}}}, "network": {"port": {"http": {"to": 80}}}}]}}}}
CASES["nomad_job"] = (
    document(D7, "job", record({"job": table(record({
        "datacenters": texts(minItems=1), "type": choice("service batch system sysbatch"),
        "priority":
        whole(minimum=1, maximum=100, default=50), "periodic": record({"cron": {"oneOf": [
            text(), texts()]}, "prohibit_overlap": flag()}, "cron"), "constraint": array(record({
                "attribute": text(), "operator": {"enum": ["=", "!=", ">", "<", "regexp", "version",
                                                           "set_contains"]}, "value": text()})),
        "update": record({"max_parallel": whole(minimum=0), "canary": whole(minimum=0),
        "min_healthy_"
                          "time": text(pattern="^[0-9]+[smh]$")}), "group": table(array(record({
            "count": whole(minimum=0), "network": record({"mode": choice("none bridge host"),
            "port":
                table(record({"static": whole(minimum=1), "to": whole()}))}), "task": table(record({
                    "driver": choice("docker exec java raw_exec qemu"), "config": {
                    "type": "object"},
                    "env": table(), "resources": record({"cpu": whole(minimum=1), "cores": whole(
                        minimum=1), "memory": whole(minimum=10)}, **{"not": {"required": [
                            "cpu", "cores"]}}), "kill_timeout": text()}, "driver"),
                            minProperties=1)},
            "task")))}, "group"), minProperties=1, maxProperties=1)}, "job")),
    [one, {"job": {"a": {"type": "batch", "periodic": {"cron": "@daily"}, "group": {}}}}],
    [but(one, "job|b", {"group": {}}), but(one, "job|web|priority", 0), but(
        one, "job|web|group|app|0|task|server|resources|cores", 1), but(
            one, "job|web|group|app|0|task", {})])

one = {"network": {"version": 2, "ethernets": {"eth0": {"dhcp4": False, "addresses": [
    "10.0.0.2/24"],
       "routes": [{"to": "default", "via": "10.0.0.1"}], "nameservers": {"addresses": [
       "1.1.1.1"]}}},
       "bonds": {"b0": {"interfaces": ["eth1", "eth2"], "parameters": {"mode": "active-backup"}}}}}
device = {"dhcp4": flag(), "dhcp6": flag(), "addresses": array(ref("prefix")), "mtu": whole(
    minimum=68, maximum=65535), "macaddress": text(pattern="^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$"),
    "routes": array(closed({"to": {"anyOf": [{"const": "default"}, ref("prefix")]}, "via": text(
        format="ipv4"), "metric": whole(minimum=0)}, "to")), "nameservers": closed({
        "addresses": array({
            "anyOf": [text(format="ipv4"), text(format="ipv6")]}), "search": texts()})}
CASES["network_plan"] = (
    document(D7, "netplan", closed({"network": closed({
        "version": {"const": 2}, "renderer": choice("networkd NetworkManager"), "ethernets": table(
            closed(device | {"match": record({"name": text(), "macaddress": text()}), "wakeonlan":
                             flag()})), "bonds": table(closed(device | {"interfaces": texts(
                                 minItems=1), "parameters": record({"mode": choice(
                                     "balance-rr active-backup balance-xor 802.3ad"),
                                     "primary": text(),
                                     "mii-monitor-interval": whole(minimum=0)})}, "interfaces")),
        "vlans": table(closed(device | {"id": whole(minimum=0, maximum=4094), "link": text()},
                              "id link"))}, "version")}, "network"), definitions={
        "prefix": text(pattern="^[0-9a-fA-F.:]+/[0-9]{1,3}$")}),
    [one, {"network": {"version": 2, "vlans": {"v": {"id": 12, "link": "eth0", "mtu": 9000}}}}],
    [but(one, "network|version", 1), but(one, "network|ethernets|eth0|addresses|0", "10.0.0.2"),
        but(
        one, "network|bonds|b0|interfaces", []), but(
            one, "network|ethernets|eth0|nameservers|addresses|0", "one")])

one = {"hostname": "node", "users": ["default", {"name": "jo", "sudo": "ALL=(ALL) NOPASSWD:ALL",
       "ssh_authorized_keys": ["ssh-ed25519 AAAA x"]}], "packages": ["git", ["curl", "8.0"]],
       "runcmd":
       ["ls", ["a", "b"]], "write_files": [{"path": "/a", "content": "x", "permissions": "0644"}]}
CASES["cloud_init"] = (
    document(D4, "cloud-config", {"type": "object", "properties": {
        "hostname": text(format="hostname"), "users": {"type": ["array", "object"], "items": {
            "oneOf": [text(), array(text()), {"allOf": [{"required": ["name"], "properties": {
                "name": text("Login name"), "gecos": text(), "groups": {"oneOf": [
                    text(), texts(), {"type": "object"}]}, "sudo": {"type": ["string", "array",
                                                                             "null"]},
                "shell": text(), "lock_passwd": flag(default=True), "ssh_authorized_keys": array(
                    text(), minItems=1), "uid": {"oneOf": [whole(), text()]}}, "type": "object",
                "additionalProperties": False}]}]}},
        "packages": array({"oneOf": [text(), array(text(), minItems=2, maxItems=2)]}, minItems=1),
        "package_update": flag(), "timezone": text(), "runcmd": array({"oneOf": [
            text(), array({"oneOf": [{"type": "string"}, {"type": "integer"}]}), {"type": "null"}]},
            minItems=1), "write_files": array({"type": "object", "required": ["path"],
            "properties": {
                "path": text(), "content": text(default=""), "owner": text(default="root:root"),
                "permissions": text(default="0644"), "encoding": choice("gz gzip b64 base64 "
                                                                       "text/plain"),
                                                                       "append": flag(),
                "defer": flag()}, "additionalProperties": False}, minItems=1), "power_state": {
                    "type": "object", "required": ["mode"], "properties": {
                        "mode": choice("poweroff reboot halt"), "delay": {"oneOf": [whole(
                        minimum=0), {
                            "enum": ["now"]}, text(pattern="^\\+?[0-9]+$")]}, "timeout": whole(),
                        "condition": {"oneOf": [text(), flag(), {"type": "array"}]}}}}}),
    [one, {"power_state": {"mode": "reboot", "delay": "+5"}, "users": {"name": "x"}}],
    [but(one, "packages|1", ["curl"]), but(one, "users|1|password", "x"), but(one, "runcmd", []),
        but(
        one, "write_files|0", {"content": "x"}), but(one, "hostname", "a..b")])

one = {"static_resources": {"listeners": [{"name": "l", "address": {"socket_address": {
    "address": "0.0.0.0", "port_value": 80}}, "filter_chains": [{"filters": [{
        "name": "hcm", "typed_config": {"@type": "type.googleapis.com/x.Hcm"}}]}]}], "clusters": [{
            "name": "c", "connect_timeout": "0.25s", "type": "STRICT_DNS"}]}}
CASES["proxy_bootstrap"] = (
    document(D20, "bootstrap", record({
        "node": record({"id": text(), "cluster": text()}), "admin": record({"address": ref2(
        "address")}),
        "static_resources": record({"listeners": array(record({
            "name": text(), "address": ref2("address"), "filter_chains": array(record({
                "filters": array(record({"name": text(), "typed_config": ref2("any")}, "name")),
                "transport_socket": record({"name": text(), "typed_config": ref2("any")})}))},
            "address")), "clusters": array(record({
                "name": text(), "type": choice("STATIC STRICT_DNS LOGICAL_DNS EDS ORIGINAL_DST"),
                "connect_timeout": ref2("duration"), "lb_policy": choice(
                    "ROUND_ROBIN LEAST_REQUEST RING_HASH RANDOM MAGLEV"),
                    "circuit_breakers": record({
                        "thresholds": array(record({"max_connections": whole(minimum=0), "priority":
                            {"enum": ["DEFAULT", "HIGH"]}}))}), "health_checks": array(record({
                                "timeout": ref2("duration"), "interval": ref2("duration"),
                                "http_health_check": record({"path": text(pattern="^/")}, "path")},
                                "timeout interval"))}, "name"))})}), **{"$defs": {
            "duration": text(pattern="^[0-9]+(\\.[0-9]{1,9})?s$"), "any": {
                "type": "object", "required": ["@type"], "properties": {"@type": text(
                    pattern="^type\\.googleapis\\.com/.+$")}, "additionalProperties": True},
            "address": {"type": "object", "properties": {"socket_address": closed({
                "protocol": choice("TCP UDP"), "address": text(), "port_value": whole(
                    minimum=0, maximum=65535), "named_port": text()}, "address", oneOf=[
                        {"required": ["port_value"]}, {"required": ["named_port"]}]),
                        "pipe": closed({
                            "path": text()}, "path")}, "minProperties": 1, "maxProperties": 1}}}),
    [one, {"admin": {"address": {"pipe": {"path": "/run/a"}}}}],
    [but(one, "static_resources|clusters|0|connect_timeout", "250ms"), but(
        one, "static_resources|listeners|0|address", {}), but(
            one, "static_resources|listeners|0|filter_chains|0|filters|0|typed_config", {})])

one = {"apps": {"http": {"servers": {"s": {"listen": [":443"], "routes": [{"match": [{
    "host": ["example.com"]}], "handle": [{"handler": "reverse_proxy", "upstreams": [{
        "dial": "localhost:8080"}]}, {"handler": "subroute", "routes": [{"handle": [{
            "handler": "static_response", "status_code": 404}]}]}], "terminal": True}]}}}}}
CASES["web_server"] = (
    document(D19, "server configuration", record({"admin": record({"disabled": flag(),
        "listen": text()}),
        "apps": record({"http": record({"http_port": whole(), "servers": table(record({
            "listen": array(text(pattern="^([a-z]+/)?[^:/]*:[0-9]+(-[0-9]+)?$")), "routes": array(
                ref2("route")), "automatic_https": record({"disable": flag(), "skip": texts(
                )})}))})})}),
        **{"$defs": {
            "route": record({"match": array(record({"host": texts(), "path": texts(),
            "method": array(
                choice("GET HEAD POST PUT DELETE PATCH OPTIONS")), "header": table(texts())})),
                "handle": array(ref2("handler")), "terminal": flag(), "group": text()}),
            "handler": {"oneOf": [
                record({"handler": {"const": "reverse_proxy"}, "upstreams": array(record({
                    "dial": text(), "max_requests": whole(minimum=0)}, "dial")), "load_balancing":
                    record({"selection_policy": record({"policy": choice(
                        "random least_conn round_robin first ip_hash")}, "policy")})}, "handler"),
                record({"handler": {"const": "file_server"}, "root": text(), "hide": texts(),
                "browse":
                        {"type": "object"}}, "handler"),
                record({"handler": {"const": "static_response"}, "status_code": {"anyOf": [
                    whole(minimum=100, maximum=599), text(pattern="^\\{.+\\}$|^[1-5][0-9]{2}$")]},
                    "body": text()}, "handler"),
                record({"handler": {"const": "subroute"}, "routes": array(ref2("route"))},
                "handler")]}}}),
    [one, {"admin": {"disabled": True}, "apps": {}}],
    [but(one, "apps|http|servers|s|listen|0", "443"), but(
        one, "apps|http|servers|s|routes|0|handle|0|handler", "proxy"), but(
            one, "apps|http|servers|s|routes|0|handle|1|routes|0|handle|0|status_code", 99)])

one = {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "TableName": "orders",
       "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "BillingMode": "PROVISIONED",
       "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}
CASES["table_definition"] = (
    document(D7, "create a table", record({
        "TableName": text(minLength=3, maxLength=255, pattern="^[a-zA-Z0-9_.-]+$"),
        "AttributeDefinitions": array(closed({"AttributeName": text(minLength=1), "AttributeType": {
            "enum": ["S", "N", "B"]}}, "AttributeName AttributeType"), minItems=1), "KeySchema":
        ref("keys"), "BillingMode": choice("PROVISIONED PAY_PER_REQUEST"), "ProvisionedThroughput":
        ref("throughput"), "GlobalSecondaryIndexes": array(record({
            "IndexName": text(), "KeySchema": ref("keys"), "Projection": record({
                "ProjectionType": choice("ALL KEYS_ONLY INCLUDE"), "NonKeyAttributes": array(
                    text(), minItems=1, maxItems=20)})}, "IndexName KeySchema Projection"),
                    maxItems=20)},
        "TableName AttributeDefinitions KeySchema", **{
            "if": {"properties": {"BillingMode": {"const": "PAY_PER_REQUEST"}}, "required": [
                "BillingMode"]}, "then": {"not": {"required": ["ProvisionedThroughput"]}}, "else": {
                    "required": ["ProvisionedThroughput"]}}), definitions={
        "keys": {"type": "array", "minItems": 1, "items": [
            closed({"AttributeName": text(), "KeyType": {"const": "HASH"}},
            "AttributeName KeyType"),
            closed({"AttributeName": text(), "KeyType": {"const": "RANGE"}},
            "AttributeName KeyType")],
            "additionalItems": False}, "throughput": closed({
                "ReadCapacityUnits": whole(minimum=1), "WriteCapacityUnits": whole(minimum=1)},
                "ReadCapacityUnits WriteCapacityUnits")}),
    [one, without(but(one, "BillingMode", "PAY_PER_REQUEST"), "ProvisionedThroughput")],
    [but(one, "BillingMode", "PAY_PER_REQUEST"), but(one, "KeySchema|0|KeyType", "RANGE"), but(
        one, "TableName", "o"), but(one, "ProvisionedThroughput|ReadCapacityUnits", 0)])
