"""Pipelines of continuous integration, of builds and of data."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}
NAME = "^[_a-zA-Z][a-zA-Z0-9_-]*$"

# GitHub Actions
EXPRESSION = text(pattern=r"^\$\{\{(.|[\r\n])*\}\}$")
ENV = {"oneOf": [table({"type": ["string", "number", "boolean"]}), ref("expression")]}
ACTIONS = {
    "expression": {"$comment": "Evaluated before it is used"} | EXPRESSION, "env": ENV,
    "shell": {"anyOf": [text(), choice("bash pwsh python sh cmd powershell")]},
    "permission": choice("read write none"),
    "permissions": {"oneOf": [choice("read-all write-all"), {
        "type": "object", "additionalProperties": False, "properties": {
            k: ref("permission") for k in ("actions", "contents", "issues", "packages", "checks",
                                           "id-token", "pull-requests", "deployments", "pages")}}]},
    "concurrency": {"oneOf": [text(), closed({"group": text(), "cancel-in-progress": {
        "oneOf": [flag(), ref("expression")]}}, "group")]},
    "defaults": closed({"run": closed({"shell": ref("shell"), "working-directory": text()})}),
    "container": closed({"image": text(), "credentials": record({"username": text(), "password":
                                                                 text()}),
                         "env": ref("env"), "ports": array({"oneOf": [number(), text()]}),
                         "volumes": array(text(pattern="^[^:]+:[^:]+$")), "options": text()},
                        "image"),
    "step": {"type": "object", "additionalProperties": False, "properties": {
        "id": text(), "if": {"type": ["boolean", "number", "string"]}, "name": text(),
        "uses": text("Action to run", examples=["actions/checkout@v4"]), "run": text(),
        "working-directory": text(), "shell": ref("shell"), "with": ref("env"), "env": ref("env"),
        "continue-on-error": {"oneOf": [flag(), ref("expression")], "default": False},
        "timeout-minutes": {"oneOf": [number(), ref("expression")]}},
        "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
        "dependencies": {"working-directory": ["run"], "shell": ["run"]}},
    "needs": {"oneOf": [array(text(pattern=NAME), minItems=1), text(pattern=NAME)]},
    "matrix": {"oneOf": [{"type": "object", "patternProperties": {
        "^(in|ex)clude$": {"oneOf": [ref("expression"), array(table({}), minItems=1)]}},
        "additionalProperties": {"oneOf": [array({}, minItems=1), ref("expression")]},
        "minProperties": 1}, ref("expression")]},
    "job": closed({
        "name": text(), "needs": ref("needs"), "permissions": ref("permissions"),
        "runs-on": {"anyOf": [text(), array(text(), minItems=1), closed({
            "group": text(), "labels": {"oneOf": [text(), texts()]}})]},
        "if": {"type": ["boolean", "number", "string"]}, "env": ref("env"), "steps":
            array(ref("step"), minItems=1), "timeout-minutes": {"oneOf": [number(), ref(
                "expression")]},
        "strategy": closed({"matrix": ref("matrix"), "fail-fast": {"type": ["boolean", "string"]},
                            "max-parallel": {"type": ["number", "string"]}}, "matrix"),
        "outputs": table(minProperties=1), "container": {"oneOf": [text(), ref("container")]},
        "services": table(ref("container")), "concurrency": ref("concurrency"),
        "environment": {"oneOf": [text(), closed({"name": text(), "url": text()}, "name")]},
        "defaults": ref("defaults"), "continue-on-error": flag()}, "runs-on"),
    "reusable": closed({"name": text(), "needs": ref("needs"), "uses": text(
        pattern="^(.+/)+(.+)\\.(ya?ml)(@.+)?$"), "with": ref("env"), "secrets": {"oneOf": [
            ref("env"), {"const": "inherit"}]}, "if": text()}, "uses"),
    "globs": array(text(), minItems=1),
    "ref": {"type": ["object", "null"], "properties": {k: ref("globs") for k in (
        "branches", "branches-ignore", "tags", "paths", "paths-ignore")}, "allOf": [
            {"not": {"type": "object", "required": ["branches", "branches-ignore"]}},
            {"not": {"type": "object", "required": ["paths", "paths-ignore"]}}]},
}


def used(*names):
    """The definitions of these names and of what they refer to."""
    found = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = ACTIONS[name]
            wanted += [other for other in ACTIONS if f"'#/definitions/{other}'" in str(found[name])]
    return found


events = choice("push pull_request workflow_dispatch release schedule issues merge_group")
one = {"name": "CI", "on": {"push": {"branches": ["main"]}, "pull_request": None}, "permissions": {
    "contents": "read"}, "jobs": {"test": {
        "runs-on": "${{ matrix.os }}", "strategy": {"matrix": {"os": ["ubuntu-latest", "macos-14"],
                                                               "include": [{"os": "x",
                                                               "fast": 1}]}},
        "steps": [{"uses": "actions/checkout@v4", "with": {"fetch-depth": 0}},
                  {"name": "Test", "run": "cargo test", "env": {"CI": True}}]},
    "call": {"uses": "./.github/workflows/lint.yml", "needs": "test", "secrets": "inherit"}}}
CASES["github_workflow"] = (
    document(D7, "workflow", closed({
        "name": text(), "run-name": text(), "on": {"oneOf": [events, array(events, minItems=1), {
            "type": "object", "additionalProperties": False, "properties": {
                "push": ref("ref"), "pull_request": ref("ref"), "release": {
                    "type": ["object", "null"], "properties": {"types": array(choice(
                        "published created edited"))}},
                "workflow_dispatch": {"type": ["object", "null"]}, "schedule": array(closed(
                    {"cron": text(pattern=r"^(\S+\s){4}\S+$")}, "cron"), minItems=1)}}]},
        "env": ref("env"), "defaults": ref("defaults"), "concurrency": ref("concurrency"),
        "permissions": ref("permissions"), "jobs": {
            "type": "object", "minProperties": 1, "additionalProperties": False,
            "patternProperties": {NAME: {"oneOf": [ref("job"), ref("reusable")]}}}}, "on jobs"),
        definitions=used("env", "defaults", "concurrency", "permissions", "job", "reusable", "ref",
                         "globs")),
    [one, {"on": "push", "jobs": {"a": {"runs-on": ["self-hosted"], "steps": [{"run": "ls"}]}}},
     but(one, "on", {"schedule": [{"cron": "0 4 * * 1"}]})],
    [but(one, "jobs", {}), but(one, "jobs|test|steps|0|run", "ls"), but(one, "on", "pushed"),
     but(one, "jobs|test|strategy|matrix|os", []), but(one, "jobs|1st", {"runs-on": "x"})])

inputs = table(closed({"description": text(), "required": flag(), "default": {"type": [
    "string", "boolean", "number"]}, "deprecationMessage": text()}, "description"))
one = {"name": "Set up tool", "description": "Puts it on the path", "inputs": {
    "version": {"description": "Which", "default": "latest"}}, "runs": {
        "using": "composite", "steps": [{"run": "echo hi", "shell": "bash"}]},
    "branding": {"icon": "zap", "color": "green"}}
CASES["github_action"] = (
    document(D7, "action metadata", closed({
        "name": text(), "author": text(), "description": text(), "inputs": inputs, "outputs": table(
            record({"description": text(), "value": text()})),
        "runs": {"oneOf": [
            closed({"using": choice("node16 node20"), "main": text(), "pre": text(), "post": text(),
                    "post-if": text()}, "using main"),
            closed({"using": {"const": "composite"}, "steps": array({"allOf": [
                ref("step"), {"if": {"required": ["run"]}, "then": {"required": ["shell"]}}]})},
                "using steps"),
            closed({"using": {"const": "docker"}, "image": text(pattern="^(Dockerfile|docker://.+)"
                                                                ), "args": texts(),
                    "env": table(), "entrypoint": text()}, "using image")]},
        "branding": closed({"icon": choice("zap tool check box x"), "color": choice(
            "white yellow blue green orange red purple gray-dark")})}, "name description runs"),
        definitions=used("step")),
    [one, but(one, "runs", {"using": "docker", "image": "docker://alpine:3"})],
    [without(one, "runs|steps|0|shell"), but(one, "runs", {"using": "node18", "main": "a.js"}),
     but(one, "branding|color", "brown")])

one = {"on": {"workflow_call": {"inputs": {"level": {"type": "string", "required": True}},
                                "secrets": {"token": {"required": True}}, "outputs": {
    "tag": {"value": "${{ jobs.a.outputs.tag }}"}}}}, "jobs": {"a": {
        "runs-on": "ubuntu-latest", "outputs": {"tag": "x"}, "steps": [{"run": "make"}]}}}
CASES["github_reusable_workflow"] = (
    document(D7, "reusable workflow", {"type": "object", "required": ["on", "jobs"], "properties": {
        "on": record({"workflow_call": {"type": ["object", "null"], "properties": {
            "inputs": {"type": "object", "patternProperties": {NAME: closed({
                "type": choice("boolean number string"), "required": flag(), "description": text(),
                "default": {"type": ["boolean", "number", "string"]}}, "type", allOf=[
                    {"if": {"properties": {"type": {"const": t}}},
                     "then": {"properties": {"default": {"type": t}}}} for t in (
                         "boolean", "number", "string")])}, "additionalProperties": False},
            "secrets": table(closed({"description": text(), "required": flag()})),
            "outputs": table(record({"description": text(), "value": text()}, "value"))}}},
            "workflow_call"),
        "jobs": table(ref("job"))}}, definitions=used("job")),
    [one, but(one, "on", {"workflow_call": None})],
    [but(one, "on|workflow_call|inputs|level|default", 3), but(one, "jobs|a|steps", []),
     but(one, "on|workflow_call|outputs|tag", {})])

one = {"version": 2, "updates": [{"package-ecosystem": "cargo", "directory": "/", "schedule": {
    "interval": "weekly", "day": "monday", "time": "06:00"}, "ignore": [
        {"dependency-name": "serde", "update-types": ["version-update:semver-patch"]}], "groups": {
            "dev": {"patterns": ["*test*"]}}, "open-pull-requests-limit": 5}]}
CASES["dependabot"] = (
    document(D7, "dependabot", closed({
        "version": {"const": 2}, "enable-beta-ecosystems": flag(), "registries": {
            "type": "object", "minProperties": 1, "additionalProperties": {"oneOf": [
                closed({"type": choice("docker-registry git npm-registry"), "url": text(
                format="uri"),
                        "username": text(), "password": text()}, "type url username password"),
                closed({"type": {"const": "npm-registry"}, "url": text(format="uri"),
                        "token": text()}, "type url token")]}},
        "updates": array(closed({
            "package-ecosystem": choice("bundler cargo composer docker gomod npm pip terraform "
                                        "github-actions"),
            "directory": text(), "directories": texts(), "schedule": closed({
                "interval": choice("daily weekly monthly"), "day": choice(
                    "monday tuesday wednesday thursday friday saturday sunday"), "time": text(
                        pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$"), "timezone": text()},
                        "interval"),
            "allow": array(record({"dependency-name": text(), "dependency-type": choice(
                "direct indirect all production development")})),
            "ignore": array(closed({"dependency-name": text(), "versions": {"oneOf": [
                text(), texts()]}, "update-types": array(choice(
                    "version-update:semver-major version-update:semver-minor "
                    "version-update:semver-patch"))}, anyOf=[{"required": ["dependency-name"]},
                                                             {"required": ["update-types"]}])),
            "groups": table(closed({"patterns": texts(), "exclude-patterns": texts(),
                                    "applies-to": choice("version-updates security-updates")},
                                   minProperties=1)),
            "open-pull-requests-limit": whole(minimum=0, default=5), "labels": texts(
                uniqueItems=True), "target-branch": text(), "commit-message": record({
                    "prefix": text(maxLength=50), "include": {"const": "scope"}}),
            "rebase-strategy": choice("auto disabled")}, "package-ecosystem schedule", oneOf=[
                {"required": ["directory"]}, {"required": ["directories"]}]), minItems=1)},
        "version updates")),
    [one, but(one, "updates|0|labels", ["deps", "rust"])],
    [but(one, "version", 1), but(one, "updates|0|directories", ["/a"]),
     but(one, "updates|0|schedule|time", "6:00"), but(one, "updates|0|groups|dev", {})])

# GitLab
when = choice("on_success on_failure always never manual delayed")
script = {"oneOf": [text(minLength=1), array({"anyOf": [text(), texts()]}, minItems=1)]}
rule = record({"if": text(), "changes": {"anyOf": [texts(), closed({
    "paths": texts(), "compare_to": text()}, "paths")]}, "exists": texts(), "when": when,
    "allow_failure": flag(), "variables": table({"type": ["string", "number"]})})
GITLAB = {
    "image": {"oneOf": [text(minLength=1), closed({"name": text(minLength=1), "entrypoint": array(
        text(), minItems=1), "pull_policy": choice("always never if-not-present")}, "name")]},
    "rules": {"type": ["array", "null"], "items": rule},
    "retry": {"oneOf": [{"$ref": "#/definitions/retry_max"}, closed({"max": ref("retry_max"),
        "when":
              {"oneOf": [text(), texts()]}})]},
    "retry_max": whole(minimum=0, maximum=2, default=0),
    "artifacts": {"type": ["object", "null"], "additionalProperties": False, "properties": {
        "paths": array(text(), minItems=1), "name": text(), "expire_in": text(), "when": choice(
            "on_success on_failure always"), "reports": record({"junit": {"anyOf": [
                text(), texts()]}, "dotenv": text()})}},
    "cache": closed({"key": {"oneOf": [text(pattern="^[^/]*[^./][^/]*$"), closed({
        "files": array(text(), minItems=1, maxItems=2), "prefix": text()})]}, "paths": texts(),
        "policy": text(pattern=r"pull-push|pull|push|\$\w{1,255}"), "untracked": flag()}),
    "job": {"type": "object", "additionalProperties": False, "properties": {
        "stage": {"type": ["string", "array"]}, "image": ref("image"), "script": script,
        "before_script": script, "after_script": script, "rules": ref("rules"), "when": when,
        "extends": {"oneOf": [text(), array(text(), minItems=1)]}, "needs": array({"oneOf": [
            text(), closed({"job": text(), "artifacts": flag(), "optional": flag()}, "job")]}),
        "retry": ref("retry"), "artifacts": ref("artifacts"), "cache": {"oneOf": [
            ref("cache"), array(ref("cache"))]}, "tags": array(text(), minItems=1),
        "parallel": {"oneOf": [whole(minimum=1, maximum=200), closed({"matrix": array(table({
            "type": ["string", "number", "array"]}))}, "matrix")]}, "timeout": text(minLength=1),
        "environment": {"oneOf": [text(), record({"name": text(), "url": text(
            format="uri", pattern="^(https?://.+|\\$[A-Za-z]+)"), "action": choice(
                "start prepare stop")}, "name")]}, "trigger": {"oneOf": [text(
                    pattern="^\\S+/\\S+$"), closed({"project": text(), "branch": text(),
                                                    "strategy": {"enum": ["depend"]}}, "project")]},
        "coverage": text(format="regex", pattern="^/.+/$"), "interruptible": flag(),
        "variables": table({"type": ["string", "number"]}), "allow_failure": {"oneOf": [
            flag(), closed({"exit_codes": {"oneOf": [whole(), array(whole())]}}, "exit_codes")]}}},
}
one = {"stages": ["build", "test"], "default": {"image": "rust:1.80"}, "variables": {"A": "1"},
       "build": {"stage": "build", "script": ["cargo build", "ls"], "cache": {
           "key": {"files": ["Cargo.lock"]}, "paths": ["target/"]}},
       "test": {"stage": "test", "script": "cargo test", "needs": ["build"], "retry": 1,
                "rules": [{"if": "$CI_COMMIT_BRANCH", "changes": ["src/**"], "when": "always"}]}}
CASES["gitlab_ci"] = (
    document(D7, "pipeline", {"type": "object", "properties": {
        "$schema": text(format="uri"), "image": ref("image"), "stages": array(
            text(), default=["build", "test", "deploy"], minItems=1),
        "default": closed({k: GITLAB["job"]["properties"][k] for k in (
            "image", "before_script", "retry", "cache", "tags", "timeout", "interruptible")}),
        "variables": table({"oneOf": [{"type": ["string", "number"]}, closed({
            "value": text(), "description": text(), "options": array(text(), minItems=1)})]}),
        "workflow": record({"name": text(), "rules": array(rule)}),
        "include": {"oneOf": [text(), array({"oneOf": [text(), closed({"local": text(
            pattern="\\.ya?ml$")}, "local"), closed({"template": text()}, "template")]})]}},
        "patternProperties": {"^[.]": {}}, "additionalProperties": ref("job")},
        definitions=GITLAB),
    [one, {"include": [{"local": "/a.yml"}], ".hidden": 7, "job": {"script": ["a", ["b", "c"]]}}],
    [but(one, "test|retry", 3), but(one, "build|script", []), but(one, "build|runs-on", "x"),
     but(one, "test|rules|0|when", "sometimes"), but(one, "stages", [])])

one = {"script": ["make"], "parallel": {"matrix": [{"OS": ["a", "b"], "N": 3}]}, "coverage":
       "/\\d+%/", "environment": {"name": "prod", "url": "https://a.example.com"},
       "allow_failure": {"exit_codes": [1, 2]}}
CASES["gitlab_job"] = (
    document(D7, "a job", {"allOf": [ref("job"), {"oneOf": [
        {"required": ["script"]}, {"required": ["trigger"]}, {"required": ["extends"]}]}]},
        definitions=GITLAB),
    [one, {"extends": [".base"], "rules": None}, {"trigger": "group/project"}],
    [{"stage": "x"}, but(one, "trigger", "group/project"), but(one, "coverage", "\\d+%"),
     but(one, "parallel", 201)])

# CircleCI
ANY_OBJECT = {"type": "object"}
step = {"anyOf": [
    choice("checkout setup_remote_docker add_ssh_keys"),
    closed({"run": {"oneOf": [text(), closed({
        "command": text(), "name": text(), "shell": text(), "background": flag(), "environment":
        table({"type": ["string", "number"]}), "working_directory": text(), "no_output_timeout":
        text(pattern="^\\d+(\\.\\d+)?[smh]$", default="10m"), "when": choice(
            "always on_success on_fail")}, "command")]}}, "run"),
    closed({"save_cache": record({"paths": texts(), "key": text()}, "paths key")}, "save_cache"),
    closed({"restore_cache": {"oneOf": [record({"key": text()}, "key"), record(
        {"keys": texts()}, "keys")]}}, "restore_cache"),
    closed({"store_artifacts": record({"path": text(), "destination": text()}, "path")},
           "store_artifacts"),
    closed({"when": record({"condition": {"type": ["string", "boolean", "object"]}, "steps": array(
        ref("step"))}, "condition steps")}, "when"),
    text(pattern="^[a-z][a-z0-9_-]+/[a-z][a-z0-9_-]+$")]}
one = {"version": 2.1, "orbs": {"node": "circleci/node@5.1"}, "jobs": {"build": {
    "docker": [{"image": "cimg/rust:1.80", "auth": {"username": "u", "password": "$P"}}],
    "resource_class": "medium", "steps": ["checkout", {"run": "cargo build"}, "node/install",
                                          {"restore_cache": {"keys": ["a", "b"]}}]}},
       "workflows": {"main": {"jobs": ["build", {"deploy": {"requires": ["build"], "filters": {
           "branches": {"only": ["main", "/release.*/"]}}}}]}}}
pattern_list = {"oneOf": [text(), texts()]}
filters = closed({k: closed({"only": pattern_list, "ignore": pattern_list})
                  for k in ("branches", "tags")})
CASES["circleci"] = (
    document(D7, "configuration", record({
        "version": {"enum": [2, 2.1, "2", "2.1"]}, "setup": flag(), "orbs": table({"oneOf": [
            text(pattern="^[a-z][a-z0-9_-]+/[a-z][a-z0-9_-]+@(dev:[a-z0-9_-]+|\\d+(\\.\\d+){0,2}|"
                 "volatile)$"), ANY_OBJECT]}),
        "parameters": table(record({"type": choice("string boolean integer enum"), "default": {},
                                    "enum": texts()}, "type")),
        "commands": table(record({"steps": array(ref("step"))}, "steps")),
        "jobs": table({"type": "object", "properties": {
            "docker": array(record({"image": text(), "auth": record(
                {"username": text(), "password": text()}), "environment": ANY_OBJECT}, "image")),
            "machine": {"oneOf": [flag(), record({"image": text()}, "image")]},
            "macos": record({"xcode": {"type": ["string", "number"]}}, "xcode"),
            "resource_class": text(), "parallelism": {"oneOf": [whole(minimum=1), text()]},
            "steps": array(ref("step"), minItems=1)}, "required": ["steps"], "oneOf": [
                {"required": [k]} for k in ("docker", "machine", "macos")]}),
        "workflows": {"type": "object", "properties": {"version": {"enum": [2]}},
                      "additionalProperties": record({"jobs": array({"oneOf": [text(), table(record(
                      {
                          "requires": texts(), "context": pattern_list, "filters": filters, "type":
                          {"enum": ["approval"]}}), minProperties=1, maxProperties=1)]}),
                          "triggers":
                          array(record({"schedule": record({"cron": text(), "filters": filters},
                                                           "cron filters")}))}, "jobs")}},
        "version"), definitions={"step": step}),
    [one, {"version": "2", "jobs": {"a": {"machine": True, "steps": [
        {"when": {"condition": True, "steps": ["checkout"]}}]}}}],
    [but(one, "version", 3), but(one, "jobs|build|machine", True), but(one, "jobs|build|steps", []),
     but(one, "orbs|node", "node")])

# Azure Pipelines
one = {"trigger": {"branches": {"include": ["main"]}}, "pool": {"vmImage": "ubuntu-latest"},
       "variables": [{"name": "a", "value": "b"}, {"group": "secrets"}], "stages": [
           {"stage": "Build", "jobs": [{"job": "A", "steps": [{"script": "make"}, {
               "task": "UseDotNet@2", "inputs": {"version": "8.x"}}]}]},
           {"stage": "Ship", "dependsOn": ["Build"], "condition": "succeeded()", "jobs": [{
               "deployment": "D", "environment": "prod", "strategy": {"runOnce": {"deploy": {
                   "steps": [{"bash": "ship"}]}}}}]}]}
common = {"displayName": text(), "name": text(pattern="^[_A-Za-z0-9]*$"), "condition": text(),
          "env": table(), "continueOnError": {"anyOf": [flag(), text(pattern="^(true|false)$")]}}
steps = {"anyOf": [closed({k: text()} | common | {"workingDirectory": text()}, k)
                   for k in ("script", "bash", "pwsh")] + [
    closed({"task": text(pattern="^[^\\s@]+@\\d+(\\.\\d+){0,2}$"), "inputs": table()} | common,
           "task"),
    closed({"checkout": text(), "fetchDepth": {"type": ["string", "integer"]}} | common,
        "checkout"),
    closed({"template": text(), "parameters": {"type": "object"}}, "template")]}
CASES["azure_pipelines"] = (
    document(D7, "pipeline", {"type": "object", "properties": {
        "trigger": {"anyOf": [choice("none"), texts(), closed({"batch": flag(), **{
            k: closed({"include": texts(), "exclude": texts()}) for k in (
                "branches", "tags", "paths")}})]},
        "pool": {"anyOf": [text(), record({"name": text(), "vmImage": text(), "demands": texts(
        )})]},
        "variables": {"anyOf": [table({"type": ["string", "number", "boolean"]}), array({"anyOf": [
            closed({"name": text(), "value": {"type": ["string", "number", "boolean"]}, "readonly":
                    flag()}, "name value"), closed({"group": text()}, "group")]})]},
        "stages": array(record({"stage": text(pattern=NAME), "dependsOn": {"anyOf": [
            text(), texts()]}, "condition": text(), "jobs": array(ref("job"))}, "stage")),
        "jobs": array(ref("job")), "steps": array(ref("step"))},
        "oneOf": [{"required": [k]} for k in ("stages", "jobs", "steps")]},
        definitions={"step": steps, "job": {"oneOf": [
            closed({"job": {"type": ["string", "null"]}, "pool": {}, "steps": array(ref("step")),
                    "timeoutInMinutes": {"type": ["integer", "string"]}} | common, "job steps"),
            closed({"deployment": text(), "environment": text(), "strategy": record({
                "runOnce": record({k: record({"steps": array(ref("step"))}) for k in (
                    "preDeploy", "deploy", "routeTraffic")})})} | common,
                "deployment environment strategy")]}}),
    [one, {"trigger": "none", "steps": [{"checkout": "self", "fetchDepth": 1}]}],
    [but(one, "steps", []), but(one, "stages|0|jobs|0|steps|1|task", "UseDotNet"),
     but(one, "variables|0|group", "x"), without(one, "stages|1|jobs|0|environment")])

# Others
one = {"kind": "pipeline", "type": "docker", "name": "default", "trigger": {"event": ["push"]},
       "steps": [{"name": "test", "image": "golang", "commands": ["go test ./..."], "environment": {
           "TOKEN": {"from_secret": "token"}}, "when": {"branch": {"exclude": ["wip/*"]}}}]}
condition = {"anyOf": [text(), texts(), closed({"include": texts(), "exclude": texts()})]}
CASES["drone"] = (
    document(D6, "pipeline", record({
        "kind": choice("pipeline secret signature"), "type": choice("docker kubernetes exec ssh"),
        "name": text(), "platform": record({"os": choice("linux windows darwin"), "arch": choice(
            "amd64 arm64 arm")}), "clone": record({"depth": whole(minimum=1), "disable": flag()}),
        "trigger": record({k: condition for k in ("branch", "event", "ref", "repo", "status")}),
        "steps": array(record({
            "name": text(), "image": text(), "commands": texts(), "detach": flag(), "environment":
            table({"oneOf": [{"type": ["string", "number", "boolean"]}, closed(
                {"from_secret": text()}, "from_secret")]}), "settings": {"type": "object"},
            "depends_on": texts(), "when": record({"branch": condition, "event": condition}),
            "failure": choice("always ignore"), "volumes": array(record(
                {"name": text(), "path": text()}, "name path"))}, "name")),
        "services": array(record({"name": text(), "image": text(), "ports": array(whole())},
                                 "name image")),
        "volumes": array(record({"name": text(), "host": record({"path": text()}), "temp": record(
            {"medium": {"const": "memory"}})}, "name"))}, "kind name")),
    [one, {"kind": "secret", "name": "token"}],
    [but(one, "steps|0|environment|TOKEN", {"secret": "x"}), but(one, "type", "podman"),
     but(one, "steps|0|when|branch", {"exclude": "wip"})])

one = {"steps": [{"label": ":hammer: Build", "command": ["make"], "agents": {"queue": "fast"},
                  "retry": {"automatic": [{"exit_status": -1, "limit": 2}]}}, "wait",
                 {"block": "Release?", "fields": [{"text": "Name", "key": "name"}, {
                     "select": "Tier", "key": "tier", "options": [{"label": "A", "value": "a"}]}]},
                 {"group": "Tests", "steps": [{"command": "t", "parallelism": 4}]}]}
field = {"oneOf": [closed({"text": text(), "key": text(pattern="^[a-zA-Z0-9-_]+$"), "required":
                           flag(default=True), "default": text(), "hint": text()}, "key"),
                   closed({"select": text(), "key": text(), "multiple": flag(), "options": array(
                       closed({"label": text(), "value": text()}, "label value"), minItems=1)},
                       "key options")]}
CASES["buildkite"] = (
    document(D7, "pipeline", record({"env": table({"type": ["string", "number", "boolean"]}),
                                     "agents": {"oneOf": [table(), texts()]}, "steps": array(
        {"anyOf": [ref("command"), ref("wait"), ref("block"), ref("group")]})}, "steps"),
        definitions={
            "wait": {"anyOf": [{"enum": ["wait", "waiter"]}, closed({"wait": {
                "type": ["string", "null"]}, "continue_on_failure": flag()}, "wait")]},
            "block": record({"block": text(), "prompt": text(), "fields": array(field)}, "block"),
            "group": record({"group": {"type": ["string", "null"]}, "steps": array({"anyOf": [
                ref("command"), ref("wait"), ref("block")]}, minItems=1)}, "group steps"),
            "command": closed({
                "label": text(), "key": text(), "command": {"anyOf": [text(), texts()]},
                "commands": texts(), "plugins": array({"anyOf": [text(), table({}, maxProperties=1)]
                                                       }), "agents": table(), "env": table(),
                "parallelism": whole(minimum=1), "timeout_in_minutes": whole(minimum=1),
                "soft_fail": {"anyOf": [flag(), array(record({"exit_status": {"anyOf": [
                    whole(), {"const": "*"}]}}))]}, "retry": closed({"automatic": {"anyOf": [
                        flag(), array(record({"exit_status": {"anyOf": [whole(), {"const": "*"}]},
                                              "limit": whole(minimum=1, maximum=10)}))]},
                        "manual": {"anyOf": [flag(), record({"allowed": flag(), "reason": text()})]}
                    })}, anyOf=[{"required": ["command"]}, {"required": ["commands"]}])}),
    [one, {"steps": [{"wait": None}]}],
    [but(one, "steps|0|parallelism", 0), but(one, "steps|1", "pause"), but(one, "steps|3|steps", [
        ]),
     but(one, "steps|2|fields|1|options", [])])

one = {"language": "python", "python": ["3.11", 3.12], "os": "linux", "jobs": {"include": [
    {"stage": "deploy", "script": "make", "env": "A=1"}], "fast_finish": True},
    "cache": {"directories": ["~/.cache"]}, "notifications": {"email": False},
    "deploy": {"provider": "pages", "on": {"branch": "main"}}}
strings = {"anyOf": [text(), texts()]}
CASES["travis"] = (
    document(D4, "build", {"type": "object", "properties": {
        "language": {"enum": ["python", "ruby", "rust", "go", "java", "node_js", "generic"]},
        "os": {"anyOf": [ref("os"), array(ref("os"))]}, "dist": text(), "python": {"anyOf": [
            ref("version"), array(ref("version"))]}, "env": {"anyOf": [strings, record({
                "global": {}, "jobs": {}})]}, "install": strings, "script": strings,
        "before_install": strings, "after_success": strings,
        "cache": {"oneOf": [flag(), choice("pip cargo bundler"), record({
            "directories": texts(), "timeout": whole(minimum=0)})]},
        "branches": {"type": "object", "properties": {"only": texts(), "except": texts()}},
        "jobs": record({"include": array({"allOf": [{"$ref": "#"}, {"properties": {
            "stage": text(), "name": text()}}]}), "exclude": array({"type": "object"}),
            "fast_finish": flag()}),
        "notifications": record({k: {"oneOf": [flag(), strings, {"type": "object"}]}
                                 for k in ("email", "slack", "webhooks")}),
        "deploy": {"anyOf": [ref("deploy"), array(ref("deploy"))]}}},
        definitions={"os": choice("linux osx windows freebsd"), "version": {
            "type": ["string", "number"]}, "deploy": record({"provider": text(), "skip_cleanup":
                                                             flag(), "on": record({
                                                                 "branch": text(), "tags": flag(
                                                                 )})},
                                                            "provider")}),
    [one, {"language": "rust", "os": ["linux", "osx"], "script": ["cargo test"]}],
    [but(one, "os", "beos"), but(one, "jobs|include|0|language", "cobol"),
     but(one, "deploy", {"on": {}}), but(one, "cache", "npm")])

one = {"steps": [{"name": "gcr.io/cloud-builders/docker", "args": ["build", "."], "waitFor": ["-"],
                  "id": "build"}], "timeout": "1200s", "images": ["gcr.io/p/web:1"],
       "substitutions": {"_ENV": "prod"}, "options": {"machineType": "E2_HIGHCPU_8"}}
CASES["cloud_build"] = (
    document(D7, "build", closed({
        "steps": array(closed({
            "name": text("Image that runs the step"), "id": text(), "args": texts(), "env": array(
                text(pattern="^[A-Za-z_][A-Za-z0-9_]*=")), "dir": text(), "entrypoint": text(),
            "script": text(), "waitFor": texts(), "secretEnv": texts(), "timeout": ref("duration"),
            "allowExitCodes": array(whole(minimum=1, maximum=255)), "volumes": array(closed(
                {"name": text(), "path": text()}, "name path"))}, "name",
            **{"not": {"required": ["script", "args"]}}), minItems=1),
        "timeout": ref("duration"), "images": texts(), "tags": array(text(
            pattern="^[\\w][\\w.-]{0,127}$")), "logsBucket": text(), "serviceAccount": text(),
        "substitutions": {"type": "object", "patternProperties": {"^_[A-Z0-9_]+$": text()},
                          "additionalProperties": False},
        "artifacts": closed({"objects": closed({"location": text(pattern="^gs://"), "paths":
                                                texts()})}),
        "availableSecrets": record({"secretManager": array(closed({"versionName": text(
            pattern="^projects/[^/]+/secrets/[^/]+/versions/[^/]+$"), "env": text()},
            "versionName env"))}),
        "options": record({"machineType": choice("UNSPECIFIED N1_HIGHCPU_8 E2_HIGHCPU_8"),
                           "diskSizeGb": {"oneOf": [whole(maximum=4000), text(
                               pattern="^[0-9]+$")]}, "logging": choice(
                                   "LEGACY GCS_ONLY CLOUD_LOGGING_ONLY NONE")})}, "steps"),
        definitions={"duration": text(pattern="^[0-9]+(\\.[0-9]{1,9})?s$", default="600s")}),
    [one, but(one, "options|diskSizeGb", "100")],
    [but(one, "timeout", "20m"), but(one, "substitutions", {"ENV": "a"}), but(
        one, "steps|0|script", "ls"), but(one, "images", "a")])

one = {"version": 0.2, "phases": {"install": {"runtime-versions": {"nodejs": 20}, "commands": [
    "npm ci"]}, "build": {"commands": ["npm test"], "on-failure": "ABORT"}}, "artifacts": {
        "files": ["dist/**/*"], "discard-paths": "no"}, "env": {"variables": {"A": "b"}}}
yes_no = {"enum": ["yes", "no", True, False]}
phase = closed({"run-as": text(), "on-failure": choice("ABORT CONTINUE"), "commands": array(
    text(), minItems=1), "finally": texts()}, "commands")
CASES["code_build"] = (
    document(D7, "buildspec", closed({
        "version": {"enum": [0.1, 0.2]}, "run-as": text(), "env": closed({
            "shell": choice("bash /bin/sh powershell.exe"), "variables": table(),
            "parameter-store": table(), "secrets-manager": table(), "exported-variables": texts(),
            "git-credential-helper": yes_no}),
        "phases": closed({"install": closed({"runtime-versions": table({"type": [
            "string", "number"]}), **phase["properties"]}), **{
                k: phase for k in ("pre_build", "build", "post_build")}}, minProperties=1),
        "reports": table(record({"files": texts(), "file-format": choice(
            "CUCUMBERJSON JUNITXML TESTNGXML CLOVERXML")}, "files")),
        "artifacts": record({"files": texts(), "name": text(), "discard-paths": yes_no,
                             "base-directory": text(), "secondary-artifacts": table(record(
                                 {"files": texts()}))}),
        "cache": closed({"paths": texts()}, "paths")}, "version phases")),
    [one, but(one, "artifacts|discard-paths", True)],
    [but(one, "version", 0.3), but(one, "phases", {}), but(one, "phases|build", {}),
     but(one, "artifacts|discard-paths", "maybe")])

one = {"pipelines": {"default": [{"step": {"name": "Test", "caches": ["node"], "script": [
    "npm test", {"pipe": "atlassian/scp:1.0", "variables": {"USER": "a"}}]}}, {"parallel": [
        {"step": {"script": ["a"]}}, {"step": {"script": ["b"]}}]}], "branches": {
            "release/*": [{"step": {"script": ["c"], "trigger": "manual", "size": "2x"}}]}}}
CASES["bitbucket_pipelines"] = (
    document(D20, "pipelines", closed({
        "image": {"oneOf": [text(), record({"name": text(), "run-as-user": whole(minimum=0)},
                                           "name")]},
        "options": closed({"max-time": whole(minimum=1, maximum=720), "docker": flag(), "size":
                           ref2("size")}), "clone": closed({"depth": {"oneOf": [
                               whole(minimum=1), {"const": "full"}]}, "lfs": flag()}),
        "pipelines": closed({"default": ref2("sequence"), **{k: table(ref2("sequence")) for k in (
            "branches", "tags", "pull-requests", "custom")}}, minProperties=1)}, "pipelines"),
        **{"$defs": {
            "size": choice("1x 2x 4x 8x"), "sequence": array({"oneOf": [
                closed({"step": ref2("step")}, "step"), closed({"parallel": {"oneOf": [
                    array(closed({"step": ref2("step")}, "step"), minItems=2), closed({
                        "fail-fast": flag(), "steps": array(closed({"step": ref2("step")}, "step"))
                    }, "steps")]}}, "parallel"),
                closed({"variables": array(closed({"name": text(), "default": text(),
                                                   "allowed-values": texts()}, "name"))},
                       "variables")]}, minItems=1),
            "step": closed({
                "name": text(), "image": text(), "script": array({"oneOf": [text(), closed({
                    "pipe": text(pattern="^[^\\s:]+:\\S+$"), "variables": table({"type": [
                        "string", "number", "boolean", "array"]})}, "pipe")]}, minItems=1),
                "size": ref2("size"), "caches": texts(), "deployment": text(), "trigger": choice(
                    "automatic manual"), "artifacts": {"oneOf": [texts(), closed({
                        "download": flag(), "paths": texts()})]}, "services": texts(),
                "condition": closed({"changesets": closed({"includePaths": texts()},
                                                          "includePaths")})}, "script")}}),
    [one, {"pipelines": {"custom": {"x": [{"variables": [{"name": "V"}]}, {"step": {
        "script": ["d"]}}]}}, "clone": {"depth": "full"}}],
    [but(one, "pipelines", {}), but(one, "pipelines|default|1|parallel", [{"step": {
        "script": ["a"]}}]), but(one, "pipelines|default|0|step|script", []),
     but(one, "clone", {"depth": 0})])

one = {"version": "3", "vars": {"BIN": "app", "NOW": {"sh": "date"}}, "tasks": {
    "build": {"desc": "Builds it", "deps": ["gen", {"task": "lint", "vars": {"A": 1}}], "cmds": [
        "go build", {"task": "pack"}, {"cmd": "rm x", "ignore_error": True}], "sources": ["*.go"]},
    "gen": "go generate", "many": ["a", "b"]}}
CASES["taskfile"] = (
    document(D7, "tasks", closed({
        "version": {"anyOf": [{"enum": ["3"]}, {"enum": [3]}]}, "output": {"anyOf": [choice(
            "interleaved group prefixed"), closed({"group": record({"begin": text()})})]},
        "includes": table({"anyOf": [text(), record({"taskfile": text(), "dir": text(), "optional":
                                                     flag()}, "taskfile")]}),
        "vars": ref("vars"), "env": ref("vars"), "silent": flag(), "dotenv": texts(),
        "interval": text(pattern="^[0-9]+(?:m|s|ms)$"), "tasks": {"type": "object",
            "patternProperties": {"^.*$": {"anyOf": [text(), ref("commands"), ref("task")]}}}},
        "version"), definitions={
            "vars": {"type": "object", "patternProperties": {"^[a-zA-Z_]\\w*$": {"anyOf": [
                {"type": ["boolean", "integer", "null", "number", "string", "array"]},
                closed({"sh": text()}, "sh")]}}},
            "call": closed({"task": text(), "vars": ref("vars"), "silent": flag()}, "task"),
            "commands": array({"anyOf": [text(), ref("call"), closed({
                "cmd": text(), "silent": flag(), "ignore_error": flag(), "platforms": texts()},
                "cmd"), closed({"defer": text()}, "defer")]}),
            "task": closed({
                "cmds": ref("commands"), "deps": array({"anyOf": [text(), ref("call")]}),
                "desc": text(), "aliases": texts(), "sources": array(text()), "generates": texts(),
                "preconditions": array({"anyOf": [text(), closed({"sh": text(), "msg": text()})]}),
                "vars": ref("vars"), "dir": text(), "run": choice("always once when_changed"),
                "method": choice("none checksum timestamp", default="checksum")})}),
    [one, {"version": 3, "tasks": {}}],
    [but(one, "version", "2"), but(one, "tasks|build|cmds", [{"defer": 1}]), but(
        one, "tasks|build|method", "md5"), but(one, "interval", "1h")])

one = {"repos": [{"repo": "https://github.com/psf/black", "rev": "24.3.0", "hooks": [
    {"id": "black", "args": ["-l", "100"], "exclude": "^vendor/"}]}, {"repo": "local", "hooks": [
        {"id": "x", "name": "X", "entry": "x", "language": "system", "types_or": ["python"]}]}],
       "default_stages": ["pre-commit"], "fail_fast": True}
hook = {"id": text(), "args": texts(), "files": text(format="regex"), "exclude": text(
    format="regex"), "types": texts(), "types_or": texts(), "additional_dependencies": texts(),
    "stages": array(ref("stage"), uniqueItems=True), "verbose": flag(), "always_run": flag()}
CASES["pre_commit"] = (
    document(D4, "hooks", {"type": "object", "required": ["repos"], "properties": {
        "repos": array({"oneOf": [
            record({"repo": {"enum": ["local"]}, "hooks": array(record(hook | {
                "name": text(), "entry": text(), "language": choice(
                    "system python node rust docker fail pygrep script"), "pass_filenames": flag()},
                "id name entry language"))}, "repo hooks"),
            record({"repo": {"enum": ["meta"]}, "hooks": array(record({"id": choice(
                "check-hooks-apply check-useless-excludes identity")}, "id"))}, "repo hooks"),
            record({"repo": {"type": "string", "not": {"enum": ["local", "meta"]}}, "rev": text(),
                    "hooks": array(record(hook, "id"))}, "repo rev hooks")]}),
        "default_stages": array(ref("stage")), "default_language_version": table(),
        "files": text(format="regex", default=""), "exclude": text(format="regex", default="^$"),
        "fail_fast": flag(), "minimum_pre_commit_version": text(), "ci": record({
            "autofix_prs": flag(), "autoupdate_schedule": choice("weekly monthly quarterly"),
            "skip": texts()})}}, definitions={"stage": choice(
                "pre-commit pre-push commit-msg manual post-checkout")}),
    [one, but(one, "repos|0", {"repo": "meta", "hooks": [{"id": "identity"}]})],
    [but(one, "repos|1|hooks|0", {"id": "x"}), without(one, "repos|0|rev"),
     but(one, "default_stages", ["commit"])])

one = {"stages": {"prepare": {"cmd": "python p.py", "deps": ["p.py"], "params": ["seed", {
    "other.yaml": ["a.b"]}], "outs": [{"data": {"cache": False, "persist": True}}]}, "train": {
        "foreach": ["us", "uk"], "do": {"cmd": ["a ${item}", "b"], "metrics": ["m.json"]}}},
    "vars": ["params.yaml", {"x": 1}], "plots": [{"loss": {"x": "step", "y": {"a.csv": "loss"}}}]}
output = {"anyOf": [text(), table(closed({"cache": flag(), "persist": flag(), "desc": text(),
                                          "remote": text(), "push": flag()}), minProperties=1,
                                  maxProperties=1)]}
stage = closed({
    "cmd": {"anyOf": [text(), texts()]}, "wdir": text(), "deps": texts(), "params": array({
        "anyOf": [
        text(), table({"anyOf": [texts(), {"type": "null"}]})]}), "outs": array(output), "metrics":
    array(output), "frozen": flag(), "always_changed": flag(), "desc": text(), "meta": {}}, "cmd")
CASES["dvc"] = (
    document(D7, "stages", closed({
        "vars": array({"anyOf": [text(), {"type": "object"}]}), "stages": table({"anyOf": [
            ref("stage"), closed({"foreach": {"anyOf": [text(), array({}), {"type": "object"}]},
                                  "do": ref("stage")}, "foreach do"),
            closed({"matrix": table({"anyOf": [text(), array({})]}), "cmd": text()},
                   "matrix cmd")]}),
        "plots": array({"anyOf": [text(), table({"type": ["object", "null"], "properties": {
            "x": {"anyOf": [text(), table()]}, "y": {"anyOf": [text(), texts(), table({"anyOf": [
                text(), texts()]})]}, "template": text(), "title": text()}})]}),
        "artifacts": {"type": "object", "propertyNames": {
        "pattern": "^[a-z0-9]([a-z0-9-/]*[a-z0-9])?$"
                                                          }, "additionalProperties": closed({
            "path": text(), "type": text(), "labels": array(text(), uniqueItems=True)}, "path")}}),
        definitions={"stage": stage}),
    [one, {"stages": {"a": {"matrix": {"os": ["x", 1]}, "cmd": "b"}}, "artifacts": {
        "m-1": {"path": "m"}}}],
    [but(one, "stages|train", {"foreach": []}), but(one, "stages|prepare|outs|0", {}), but(
        one, "artifacts", {"M": {"path": "m"}}), without(one, "stages|prepare|cmd")])

one = {"Comment": "Orders", "StartAt": "Check", "States": {
    "Check": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$.n", "NumericGreaterThan": 0},
                                                     {"Variable": "$.ok", "BooleanEquals": True}],
                                             "Next": "Work"}], "Default": "Stop"},
    "Work": {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f",
             "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "BackoffRate": 1.5}],
             "End": True}, "Stop": {"Type": "Fail", "Error": "E", "Cause": "none left"}}}
rule = {"type": "object", "properties": {
    "Variable": text(pattern="^\\$"), "StringEquals": text(), "NumericGreaterThan": number(),
    "BooleanEquals": flag(), "IsPresent": flag(), "TimestampLessThan": text(format="date-time"),
    "And": array(ref("rule"), minItems=2), "Or": array(ref("rule"), minItems=2), "Not": ref("rule"),
    "Next": text()}, "additionalProperties": False}
base = {"Comment": text(), "InputPath": {"type": ["string", "null"]}, "OutputPath": {
    "type": ["string", "null"]}}
move = {"oneOf": [{"required": ["Next"]}, {"required": ["End"]}]}
goes = {"Next": text(), "End": {"const": True}}
CASES["state_machine"] = (
    document(D7, "state machine", closed({"Comment": text(), "Version": text(), "StartAt": text(
        maxLength=128), "TimeoutSeconds": whole(minimum=0), "States": table(ref("state"),
                                                                           minProperties=1)},
        "StartAt States"), definitions={"rule": rule, "state": {"oneOf": [
            closed(base | goes | {"Type": {"const": "Task"}, "Resource": text(), "ResultPath": {
                "type": ["string", "null"]}, "Parameters": {"type": "object"}, "TimeoutSeconds":
                whole(minimum=1, maximum=99999999), "Retry": array(ref("retry")), "Catch": array(
                    record({"ErrorEquals": texts(minItems=1), "Next": text()},
                           "ErrorEquals Next"))}, "Type Resource", **move),
            closed(base | {"Type": {"const": "Choice"}, "Default": text(), "Choices": array(
                {"allOf": [ref("rule"), {"required": ["Next"]}]}, minItems=1)}, "Type Choices"),
            closed(base | goes | {"Type": {"const": "Wait"}, "Seconds": whole(minimum=0),
                                  "Timestamp": text(format="date-time")}, "Type", **move),
            closed(base | goes | {"Type": {"const": "Pass"}, "Result": {}}, "Type", **move),
            closed({"Type": {"const": "Succeed"}, "Comment": text()}, "Type"),
            closed({"Type": {"const": "Fail"}, "Error": text(), "Cause": text()}, "Type"),
            closed(base | goes | {"Type": {"const": "Parallel"}, "Branches": array(
                {"$ref": "#"}, minItems=1)}, "Type Branches", **move)]},
            "retry": closed({"ErrorEquals": texts(minItems=1), "IntervalSeconds": whole(minimum=1),
                             "MaxAttempts": whole(minimum=0), "BackoffRate": number(minimum=1)},
                            "ErrorEquals")}),
    [one, {"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": True, "Branches": [one]}}}],
    [but(one, "States|Work|Next", "Stop"), but(one, "States|Work|Retry|0|BackoffRate", 0.5),
     but(one, "States|Check|Choices", []), but(one, "States", {})])
