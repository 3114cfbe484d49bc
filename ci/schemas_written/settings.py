"""Configuration of editors, linters, compilers, servers and other tools."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}
STRINGS = {"oneOf": [text(), texts()]}
NULLABLE = {"type": ["string", "null"]}

one = {"compilerOptions": {"target": "ES2022", "lib": ["DOM", "ES2022"], "strict": True, "paths": {
    "@/*": ["src/*"]}, "jsx": "react-jsx"}, "include": ["src"], "references": [{"path": "../a"}],
    "ts-node": {"transpileOnly": True}}
CASES["tsconfig"] = (
    document(D4, "tsconfig.json", {"allOf": [{"anyOf": [
        {"required": ["files"]}, {"required": ["include"]}, {"required": ["extends"]}, {
            "required": ["compilerOptions"]}]}, {"$ref": "#/definitions/options"}]}, definitions={
        "options": {"type": "object", "properties": {
            "extends": STRINGS, "files": texts(uniqueItems=True), "include": texts(), "exclude":
            texts(), "references": array(record({"path": text()})), "compilerOptions": {
                "type": ["object", "null"], "properties": {
                    "target": {"anyOf": [{"enum": ["ES5", "ES2015", "ES2022", "ESNext"]}, {
                        "pattern": "^([Ee][Ss]([356]|(20(1[56789]|2[0123]))|[Nn][Ee][Xx][Tt]))$"}],
                        "description": "Which ECMAScript is written", "default": "ES3"},
                    "module": {"anyOf": [{"enum": ["CommonJS", "ESNext", "NodeNext"]}, {
                        "pattern": "^([Cc][Oo][Mm][Mm][Oo][Nn][Jj][Ss]|[Ee][Ss]6)$"}]},
                    "lib": array({"anyOf": [{"enum": ["DOM", "ES6", "ES2022", "WebWorker"]}, {
                        "pattern": "^[Ee][Ss]20(?:1[5-9]|2[0-3])(\\.[A-Za-z]+)*$"}]}),
                    "jsx": {"enum": ["preserve", "react", "react-jsx", "react-native"]},
                    **{k: {"type": ["boolean", "null"], "default": False} for k in (
                        "strict", "noEmit", "declaration", "sourceMap", "skipLibCheck")},
                    "outDir": NULLABLE, "baseUrl": NULLABLE, "paths": {
                        "type": "object", "additionalProperties": array(NULLABLE,
                        uniqueItems=True)},
                    "plugins": array(record({"name": text()}))}}}}}),
    [one, {"extends": "./base.json", "files": []}],
    [but(one, "compilerOptions|target", "ES1"), {"exclude": ["x"]}, but(
        one, "compilerOptions|strict", "yes"), but(one, "files", ["a.ts", "a.ts"])])

one = {"root": True, "env": {"browser": True}, "extends": ["eslint:recommended"], "rules": {
    "semi": ["error", "always"], "no-var": 2, "max-len": ["warn", {"code": 100}]}, "overrides": [
        {"files": "*.test.js", "rules": {"no-console": "off"}}], "globals": {"x": "readonly"}}
CASES["eslintrc"] = (
    document(D4, "eslintrc", {"allOf": [ref("base"), {"properties": {"root": {
        "type": "boolean"}}}]},
             definitions={
        "severity": {"oneOf": [{"type": "integer", "minimum": 0, "maximum": 2}, {
            "enum": ["off", "warn", "error"]}]},
        "rule": {"oneOf": [ref("severity"), {"type": "array", "items": [ref("severity")],
                                             "additionalItems": True, "minItems": 1}]},
        "base": {"type": "object", "properties": {
            "env": {"type": "object", "additionalProperties": {"type": "boolean"}}, "extends":
            STRINGS, "parser": text(), "plugins": texts(), "parserOptions": record({
                "ecmaVersion": {"oneOf": [{"type": "integer"}, {"enum": ["latest"]}]}, "sourceType":
                {"enum": ["script", "module"]}, "ecmaFeatures": {"type": "object",
                    "additionalProperties": {"type": "boolean"}}}), "globals": {
                        "type": "object", "additionalProperties": {"oneOf": [
                            {"enum": ["readonly", "writable", "off"]}, {"type": "boolean"}]}},
            "rules": {"type": "object", "properties": {"eqeqeq": {"description": "=== or ==",
                                                                  "allOf": [ref("rule")]}},
                      "additionalProperties": ref("rule")}, "overrides": {
                          "type": "array", "items": {"allOf": [ref("base"), {
                              "required": ["files"], "properties": {"files": STRINGS,
                                                                    "excludedFiles"
                                                                    "": STRINGS}}]}}}}}),
    [one, {"extends": "standard", "parserOptions": {"ecmaVersion": "latest"}}],
    [but(one, "rules|no-var", 3), but(one, "rules|semi", []), but(
        one, "overrides|0", {"rules": {}}), but(one, "globals|x", "rw")])

one = {"printWidth": 100, "singleQuote": True, "overrides": [
    {"files": ["*.md"], "options": {"proseWrap": "always", "parser": "markdown"}}]}
CASES["prettierrc"] = (
    document(D7, "prettierrc", {"oneOf": [
        {"type": "object", "allOf": [ref("options"), ref("overrides")]}, {"type": "string"}]},
        definitions={
            "overrides": {"type": "object", "properties": {"overrides": {
                "type": "array", "items": {"type": "object", "required": ["files"], "properties": {
                    "files": STRINGS, "excludeFiles": STRINGS, "options": ref("options")},
                    "additionalProperties": False}}}},
            "options": {"type": "object", "properties": {
                "printWidth": whole("Columns", default=80), "tabWidth": whole(default=2), "semi":
                flag(default=True), "singleQuote": flag(), "trailingComma": {"oneOf": [
                    {"const": "none"}, {"const": "es5"}, {"const": "all"}]}, "proseWrap": {
                        "oneOf": [{"const": k, "description": k} for k in (
                            "always", "never", "preserve")]}, "parser": {"anyOf": [
                                {"enum": ["babel", "typescript", "markdown", "yaml"]}, text()]},
                "endOfLine": {"oneOf": [{"enum": ["lf", "crlf", "cr", "auto"]}]}, "plugins": array(
                    {"anyOf": [text(), {"type": "object"}]})}}}),
    [one, "@company/prettier-config"],
    [but(one, "printWidth", "wide"), but(one, "overrides|0", {"options": {}}), but(
        one, "overrides|0|options|proseWrap", "sometimes"), 3])

one = {"presets": [["@babel/preset-env", {"targets": "> 1%"}], "a"], "env": {"test": {"plugins": [
    "x"]}}, "sourceMaps": "inline"}
plugin = {"type": ["string", "array"], "items": [{"type": "string"}, {"type": ["object",
    "boolean"]},
                                                 {"type": "string"}], "minItems": 1, "maxItems": 3}
CASES["babelrc"] = (
    document(D7, "babel", {"type": "object", "allOf": [ref("main"), {"properties": {
        "env": {"type": "object", "additionalProperties": ref("main")}, "overrides": array({
            "allOf": [ref("main"), record({"test": text(format="regex"),
            "include": STRINGS})]})}}]},
        definitions={"main": {"type": "object", "properties": {
            "presets": array(plugin), "plugins": array(plugin), "sourceMaps": {"anyOf": [
                {"enum": ["inline", "both"]}, flag()]}, "comments": flag(default=True), "compact": {
                    "enum": [True, False, "auto"]}, "only": STRINGS, "ignore": STRINGS,
            "targets": {"oneOf": [text(), texts(), {"type": "object", "additionalProperties": {
                "type": ["string", "number"]}}]}, "assumptions": table(flag())}}}),
    [one, {"targets": {"node": 18}, "overrides": [{"test": "\\.js$", "comments": False}]}],
    [but(one, "presets|0", []), but(one, "env|test|plugins", "x"), but(one, "sourceMaps", "yes")])

one = {"testEnvironment": "jsdom", "coverageThreshold": {"global": {"branches": 80.5}, "./src/": {
    "lines": -10}}, "transform": {"\\.tsx?$": ["ts-jest", {"diagnostics": False}]}, "projects": [
        "<rootDir>/a"], "maxWorkers": "50%"}
CASES["jest"] = (
    document(D20, "jest configuration", {"type": "object", "unevaluatedProperties": False,
                                         "properties": {
        "testEnvironment": text(examples=["node", "jsdom"]), "roots": texts(), "collectCoverage":
        flag(), "coverageThreshold": {"type": "object", "properties": {"global": ref2("limits")},
                                      "additionalProperties": ref2("limits")},
        "moduleNameMapper": {"type": "object", "additionalProperties": {"anyOf": [
            text(), texts()]}}, "transform": {"type": "object", "additionalProperties": {"anyOf": [
                text(), {"type": "array", "prefixItems": [text(), {"type": "object"}],
                         "items": False, "minItems": 2}]}}, "maxWorkers": {"anyOf": [
                             whole(minimum=1), text(pattern="^[1-9][0-9]?%$")]}, "projects": array({
                                 "anyOf": [text(), {"$ref": "#"}]}), "testTimeout": number(
                                     minimum=0), "reporters": array({"anyOf": [text(), {
                                         "type": "array", "prefixItems": [text(), {
                                             "type": "object"}]}]}), "bail": {"anyOf": [
                                                 flag(), whole(minimum=0)]}}}, **{"$defs": {
        "limits": {"type": "object", "properties": {k: number(maximum=100) for k in (
            "branches", "functions", "lines", "statements")}, "additionalProperties": False}}}),
    [one, {"projects": [{"roots": ["a"]}], "bail": 1}],
    [but(one, "coverageThreshold|global|branches", 101), but(one, "maxWorkers", "100%"), but(
        one, "transform|\\.tsx?$", ["ts-jest"]), but(one, "verbosity", 1)])

one = {"extends": ["config:recommended"], "packageRules": [{
    "matchPackageNames": ["/^@types//"], "automerge": True, "schedule": ["before 5am"]}],
    "prHourlyLimit": 2, "timezone": "Europe/Zurich"}
rules = {"automerge": flag(), "enabled": flag(), "labels": texts(), "schedule": {"oneOf": [
    texts(), text()]}, "prPriority": whole(), "rangeStrategy": choice(
        "auto bump pin replace widen update-lockfile"), "minimumReleaseAge": NULLABLE,
    "groupName": NULLABLE, "assignees": texts()}
CASES["renovate"] = (
    document(D4, "renovate", {"type": "object", "properties": rules | {
        "extends": texts("Other configurations"), "timezone": text(), "prHourlyLimit": whole(
            minimum=0), "dependencyDashboard": flag(), "ignorePaths": texts(),
            "packageRules": array({
                "allOf": [{"type": "object", "properties": rules | {
                    "description": STRINGS, **{f"match{k}": STRINGS for k in (
                        "PackageNames", "Managers", "UpdateTypes", "DepTypes", "FileNames")}}}, {
                            "anyOf": [{"required": [f"match{k}"]} for k in (
                                "PackageNames", "Managers", "UpdateTypes", "DepTypes")]}]}),
        "hostRules": array(record({"hostType": text(), "matchHost": text(), "token": text(
            minLength=1), "timeout": whole(minimum=1), "concurrentRequestLimit": {
                "type": ["integer", "null"]}}, additionalProperties=False)),
                "customManagers": array(
                    record({"customType": {"enum": ["regex"]}, "fileMatch": texts(minItems=1),
                            "matchStrings": array(text(format="regex"), minItems=1)},
                           "customType fileMatch matchStrings"))}}),
    [one, {"hostRules": [{"matchHost": "x", "concurrentRequestLimit": None}]}],
    [but(one, "packageRules|0", {"automerge": True}), but(one, "prHourlyLimit", -1), but(
        one, "rangeStrategy", "loose"), but(one, "hostRules", [{"host": "x"}])])

one = {"version": "2.0.0", "tasks": [{"label": "build", "type": "shell", "command": "make",
    "group": {
    "kind": "build", "isDefault": True}, "problemMatcher": "$gcc", "presentation": {
        "reveal": "silent"}, "dependsOn": ["gen"]}], "inputs": [{
            "id": "x", "type": "pickString", "description": "Which?", "options": ["a", "b"]}]}
CASES["editor_tasks"] = (
    document(D7, "tasks.json", closed({
        "version": {"const": "2.0.0"}, "tasks": array(ref("task")), "inputs": array({"oneOf": [
            closed({"id": text(), "type": {"const": "promptString"}, "description": text(),
                    "default": text(), "password": flag()}, "id type description"),
            closed({"id": text(), "type": {"const": "pickString"}, "description": text(), "options":
                    array({"anyOf": [text(), closed({"label": text(), "value": text()}, "value")]}),
                    "default": text()}, "id type description options"),
            closed({"id": text(), "type": {"const": "command"}, "command": text(), "args": {}},
                   "id type command")]})}, "version"), definitions={
            "matcher": {"anyOf": [text(pattern="^\\$"), record({
                "owner": text(), "fileLocation": {"anyOf": [choice("absolute relative autoDetect"),
                                                            texts()]}, "pattern": record({
                    "regexp": text(format="regex"), "file": whole(minimum=0), "line": whole()},
                    "regexp")})]}, "task": record({
                        "label": text(), "type": choice("shell process npm"), "command": {"anyOf": [
                            text(), record({"value": text(), "quoting": choice(
                                "escape strong weak")}, "value quoting")]}, "args": texts(),
                        "group": {"oneOf": [choice("build test none"), closed({
                            "kind": choice("build test none"), "isDefault": {"type": [
                                "boolean", "string"]}}, "kind")]}, "dependsOn": STRINGS,
                        "dependsOrder": choice("parallel sequence"), "isBackground": flag(),
                        "options": record({"cwd": text(), "env": table()}), "problemMatcher": {
                            "anyOf": [ref("matcher"), array(ref("matcher"))]},
                            "presentation": closed({
                                "reveal": choice("always silent never"), "panel": choice(
                                    "shared dedicated new"), "echo": flag(), "focus": flag()})})}),
    [one, {"version": "2.0.0", "tasks": [{"problemMatcher": [{"pattern": {
        "regexp": "^e:(.*)$"}}]}]}],
    [but(one, "version", "1.0"), but(one, "inputs|0|type", "promptString"), but(
        one, "tasks|0|presentation|reveal", "on"), but(one, "tasks|0|problemMatcher", "gcc")])

one = {"version": "0.2.0", "configurations": [{"type": "lldb", "request": "launch", "name": "Run",
                                               "program": "${workspaceFolder}/a", "args": ["-v"],
                                               "env": {"A": None}, "stopOnEntry": False}],
       "compounds": [{"name": "All", "configurations": ["Run", {"name": "b", "folder": "c"}]}]}
CASES["editor_launch"] = (
    document(None, "launch.json", {"type": "object", "required": [], "properties": {
        "version": text(), "configurations": array({"type": "object", "required": [
            "type", "request", "name"], "properties": {
                "type": {"enum": ["lldb", "node", "python"]}, "request": {"enum": [
                    "launch", "attach"]}, "name": text(minLength=1), "preLaunchTask": {"anyOf": [
                        text(), record({"type": text()}, "type")]}, "env": {
                            "type": "object", "additionalProperties": {"type": [
                                "string", "null"]}}, "port": {"oneOf": [whole(
                                    minimum=0, maximum=65535), text(pattern="^\\$\\{")]},
                "program": text(), "processId": {"anyOf": [{"enum": [
                    "${command:pickProcess}"]}, whole()]}, "args": STRINGS, "stopOnEntry": flag()},
            "allOf": [{"if": {"properties": {"request": {"const": "attach"}}}, "then": {"anyOf": [
                {"required": ["port"]}, {"required": ["processId"]}]}, "else": {
                    "required": ["program"]}}]}), "compounds": array(record({
                        "name": text(), "configurations": array({"oneOf": [text(), closed({
                            "name": text(), "folder": text()}, "name")]}, minItems=1), "stopAll":
                        flag()}, "name configurations"))}}),
    [one, {"configurations": [{"type": "node", "request": "attach", "name": "A", "port": 9229}]}],
    [without(one, "configurations|0|program"), but(one, "configurations|0|request", "attach"), but(
        one, "compounds|0|configurations", []), but(one, "configurations|0|type", "gdb")])

one = {"fileTypes": ["corn"], "scopeName": "source.corn", "patterns": [{"include": "#strings"}, {
    "match": "\\b(if|else)\\b", "name": "keyword.control"}], "repository": {"strings": {
        "begin": "\"", "end": "\"", "beginCaptures": {"0": {"name": "punctuation"}}, "patterns": [
            {"match": "\\\\.", "name": "constant.character.escape"}]}}}
CASES["syntax_grammar"] = (
    document(D7, "grammar of a language", {"allOf": [ref("grammar"), {
        "type": "object", "properties": {"name": text(), "scopeName": text(
            "Begins with text. or source.", pattern="^(text|source)(\\.[\\w0-9-]+)+$"), "fileTypes":
            texts(), "firstLineMatch": text(), "uuid": text(format="uuid"), "injections": table(
                ref("grammar")), "injectionSelector": text()}, "required": ["scopeName"]}]},
        definitions={
            "grammar": record({"patterns": array(ref("pattern"), default=[]), "repository": table(
                {"anyOf": [ref("pattern"), ref("grammar")]})}, "patterns"),
            "captures": {"type": "object", "patternProperties": {"^[0-9]+$": record({
                "name": ref("name"), "patterns": array(ref("pattern"))})}, "additionalProperties":
                False}, "name": text(pattern=r"^[^\s]+( [^\s]+)*$"), "pattern": {
                    "type": "object", "properties": {
                        "name": ref("name"), "match": text(), "begin": text(), "end": text(),
                        "while": text(), "include": text(pattern="^(#|\\$self$|\\$base$|[a-z])"),
                        "contentName": ref("name"), "patterns": array(ref("pattern")),
                        **{k: ref("captures") for k in ("captures", "beginCaptures",
                                                        "endCaptures")}},
                    "dependencies": {"begin": {"anyOf": [{"required": ["end"]}, {
                        "required": ["while"]}]}, "end": ["begin"], "contentName": ["begin"]}}}),
    [one, {"scopeName": "text.html.x", "patterns": []}],
    [but(one, "scopeName", "corn"), but(one, "patterns|1", {"begin": "a"}), but(
        one, "patterns|1|captures", {"x": {}}), without(one, "patterns")])

one = {"name": "dusk", "type": "dark", "colors": {"editor.background": "#1a1b26", "x.y": None},
       "tokenColors": [{"scope": ["comment"], "settings": {"foreground": "#565f89ff", "fontStyle":
                                                           "italic underline"}}]}
color = text(pattern="^#([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}([0-9a-fA-F]{2})?)$", format="color-hex")
CASES["color_theme"] = (
    document(None, "color theme", {"type": "object", "properties": {
        "$schema": text(), "name": text(), "type": choice("dark light hc"), "include": text(),
        "colors": {"type": "object", "propertyNames": {"pattern": "^[a-zA-Z]+(\\.[a-zA-Z]+)*$"},
                   "additionalProperties": {"oneOf": [ref("color"), {"type": "null"}]}},
        "tokenColors": {"anyOf": [text("A file"), array(closed({
            "name": text(), "scope": {"anyOf": [text(), texts()]}, "settings": record({
                "foreground": ref("color"), "background": ref("color"), "fontStyle": text(pattern=(
                    "^(\\s*(-?italic|-?bold|-?underline|-?strikethrough))*\\s*$"))})},
                    "settings"))]},
        "semanticHighlighting": flag(), "semanticTokenColors": {
            "type": "object", "patternProperties": {
                "^(\\w+[-_\\w+]*|\\*)(\\.\\w+[-_\\w+]*)*(:\\w+)?$": {"oneOf": [ref("color"), record(
                {
                    "foreground": ref("color"), "bold": flag(), "italic": flag()})]}}}}},
        definitions={"color": color}),
    [one, {"tokenColors": "a.tmTheme", "semanticTokenColors": {"*.readonly": "#fff"}}],
    [but(one, "colors|editor.background", "black"), but(
        one, "tokenColors|0|settings|fontStyle", "slanted"), but(one, "type", "grey"), but(
            one, "tokenColors|0", {"scope": "a"})])

one = {"default": True, "MD013": {"line_length": 100, "tables": False}, "MD004": {"style": "dash"},
       "no-hard-tabs": False, "MD033": {"allowed_elements": ["br"]}}
CASES["markdownlint"] = (
    document(D7, "markdownlint", {"type": "object", "properties": {
        "default": {"oneOf": [flag(), choice("error warning")], "default": True}, "extends": {
            "type": ["string", "null"]}, **{k: {"oneOf": [flag(default=True), closed(options)]}
                                            for k, options in {
            "MD003": {"style": choice("consistent atx atx_closed setext")},
            "MD004": {"style": choice("consistent asterisk plus dash sublist")},
            "MD007": {"indent": whole(minimum=1, default=2), "start_indented": flag()},
            "MD013": {"line_length": whole(minimum=1), "tables": flag(), "code_blocks": flag(),
                      "strict": flag(), "stern": flag()},
            "MD024": {"siblings_only": flag()}, "MD033": {"allowed_elements": texts()},
            "MD044": {"names": texts(uniqueItems=True), "code_blocks": flag()}}.items()}},
        "patternProperties": {"^[a-z]+(-[a-z]+)*$": {"type": ["boolean", "object", "string",
                                                             "null"]}},
        "additionalProperties": False}),
    [one, {"extends": None, "MD003": {"style": "atx"}}],
    [but(one, "MD013|width", 1), but(one, "MD004|style", "tilde"), but(one, "MD999", True), but(
        one, "MD007", {"indent": 0})])

one = {"rules": {"color-named": "never", "indentation": [2, {"except": ["value"], "severity":
                                                             "warning"}], "block-no-empty": None},
       "extends": "stylelint-config-standard", "ignoreFiles": ["dist/**"]}
severity = {"severity": choice("warning error"), "message": text(), "reportDisables": flag()}
CASES["stylelint"] = (
    document(D6, "stylelint", {"type": "object", "properties": {
        "extends": STRINGS, "plugins": texts(), "ignoreFiles": STRINGS, "defaultSeverity": choice(
            "warning error"), "rules": {"type": "object", "additionalProperties": True,
            "properties": {
                "block-no-empty": ref("boolean"), "color-named": {"oneOf": [
                    {"type": "null"}, choice("never always-where-possible"), {
                        "type": "array", "minItems": 1, "maxItems": 2, "items": [choice(
                            "never always-where-possible"), ref("secondary")]}]},
                "indentation": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 0}, {
                    "enum": ["tab"]}, {"type": "array", "minItems": 1, "items": [{
                        "type": ["integer", "string"]}, {"allOf": [ref("secondary"), {
                            "properties": {"except": array(choice("block value param"),
                                                           uniqueItems=True)}}]}]}]},
                "max-nesting-depth": {"type": ["integer", "null", "array"]}}}}}, definitions={
                    "secondary": {"type": "object", "properties": severity}, "boolean": {"oneOf": [
                        {"type": "null"}, {"enum": [True]}, {"type": "array", "items": [{
                            "enum": [True]}, ref("secondary")], "minItems": 1}]}}),
    [one, {"rules": {"block-no-empty": [True, {"severity": "error"}], "indentation": "tab"}}],
    [but(one, "rules|block-no-empty", False), but(one, "rules|indentation", -1), but(
        one, "rules|indentation|1|severity", "info"), but(one, "rules|color-named", [])])

one = {"global": {"scrape_interval": "15s", "external_labels": {"a": "b"}}, "scrape_configs": [
    {"job_name": "web", "static_configs": [{"targets": ["localhost:9090"]}], "relabel_configs": [{
        "source_labels": ["__address__"], "regex": "(.*):.*", "target_label": "host", "action":
        "replace"}], "basic_auth": {"username": "u", "password_file": "/p"}}], "rule_files": [
        "r.yml"]}
duration = text(pattern="^((([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?"
                "(([0-9]+)ms)?|0)$", minLength=1)
CASES["prometheus"] = (
    document(D4, "prometheus.yml", {"type": "object", "additionalProperties": False, "properties": {
        "global": {"type": ["object", "null"], "properties": {
            "scrape_interval": ref("duration"), "scrape_timeout": ref("duration"),
            "evaluation_interval": ref("duration"), "external_labels": ref("labels")},
            "additionalProperties": False}, "rule_files": array(text()), "scrape_configs": array({
                "type": "object", "required": ["job_name"], "properties": {
                    "job_name": text(minLength=1), "scrape_interval": ref("duration"),
                    "metrics_path":
                    text(default="/metrics"), "scheme": {"enum": ["http", "https"]}, "params": {
                        "type": "object", "additionalProperties": texts()}, "basic_auth": {
                            "type": "object", "properties": {k: text() for k in (
                                "username", "password", "password_file")}, "not": {
                                    "required": ["password", "password_file"]}},
                    "static_configs": array({"type": "object", "properties": {
                        "targets": array(text(pattern="^[^/]+$")), "labels": ref("labels")}}),
                    "relabel_configs": array(ref("relabel")), "sample_limit": whole(minimum=0)},
                "additionalProperties": False})}}, definitions={
            "duration": duration, "labels": {"type": ["object", "null"], "patternProperties": {
                "^[a-zA-Z_][a-zA-Z0-9_]*$": {"type": "string"}}, "additionalProperties": False},
            "relabel": {"type": "object", "properties": {
                "source_labels": texts(), "separator": text(default=";"), "target_label": text(),
                "regex": {"type": "string"}, "modulus": whole(minimum=1), "replacement": text(),
                "action": choice("replace keep drop hashmod labelmap labeldrop labelkeep")}}}),
    [one, {"global": None}],
    [but(one, "global|scrape_interval", "15 s"), but(
        one, "scrape_configs|0|static_configs|0|targets", ["http://localhost"]), but(
            one, "scrape_configs|0|basic_auth|password", "p"), but(
                one, "global|external_labels", {"1": "b"})])

one = {"route": {"receiver": "ops", "group_by": ["alertname"], "routes": [{
    "matchers": ["severity=\"page\""], "receiver": "pager", "continue": True}]}, "receivers": [
        {"name": "ops", "email_configs": [{"to": "ops@example.com"}]}, {
            "name": "pager", "webhook_configs": [{"url": "https://p.example.com/x"}]}],
    "inhibit_rules": [{"source_matchers": ["a=b"], "equal": ["x"]}]}
CASES["alertmanager"] = (
    document(D7, "alertmanager", record({
        "global": record({"smtp_smarthost": text(pattern="^[^:]+:[0-9]+$"), "resolve_timeout": ref(
            "duration")}), "route": {"allOf": [ref("route"), {"required": ["receiver"]}]},
        "receivers": array(closed({
            "name": text(minLength=1), "email_configs": array(record({"to": text(), "html": text(),
                                                                      "headers": table()}, "to")),
            "webhook_configs": array(record({"url": text(format="uri"), "max_alerts": whole(
                minimum=0), "send_resolved": flag()}, "url")), "slack_configs": array(record({
                    "channel": text(), "actions": array(record({"type": text(), "text": text()},
                                                               "type text"))}))}, "name")),
        "inhibit_rules": array(record({"source_matchers": array(ref("matcher")), "target_matchers":
                                       array(ref("matcher")), "equal": texts()})),
        "time_intervals": array(record({"name": text(), "time_intervals": array(record({
            "times": array(closed({k: text(pattern="^([01]\\d|2[0-3]):[0-5]\\d|24:00$") for k in (
                "start_time", "end_time")})), "weekdays": array(text(pattern=(
                    "^(mon|tues|wednes|thurs|fri|satur|sun)day(:\\w+day)?$")))}))}, "name"))},
        "route receivers"), definitions={
            "duration": text(pattern="^[0-9]+(ms|[smhdwy])$"), "matcher": text(
                pattern="^\\s*\"?[a-zA-Z_]\\w*\"?\\s*(=|!=|=~|!~)\\s*(\"[^\"]*\"|\\S+)\\s*$"),
            "route": closed({"receiver": text(), "group_by": texts(), "group_wait": ref("duration"),
                             "repeat_interval": ref("duration"), "continue": flag(), "matchers":
                             array(ref("matcher")), "routes": array(ref("route"))})}),
    [one, {"route": {"receiver": "a", "group_wait": "30s"}, "receivers": [{"name": "a"}]}],
    [without(one, "route|receiver"), but(one, "route|routes|0|matchers", ["severity"]), but(
        one, "receivers|1|webhook_configs|0|url", "p"), but(one, "route|repeat_interval", "1 h")])

one = {"title": "Web", "panels": [{"type": "timeseries", "id": 1, "gridPos": {
    "h": 8, "w": 12, "x": 0, "y": 0}, "targets": [{"expr": "up", "refId": "A"}]}, {
        "type": "row", "collapsed": True, "panels": [], "id": 2}], "refresh": False, "time": {
            "from": "now-6h", "to": "now"}, "schemaVersion": 39, "templating": {"list": [{
                "name": "env", "type": "custom", "query": "a,b"}]}, "uid": None}
CASES["dashboard"] = (
    document(D7, "dashboard", {"type": "object", "required": ["title", "panels", "schemaVersion"],
                               "properties": {
        "uid": {"type": ["string", "null"], "maxLength": 40}, "title": text(minLength=1), "tags":
        texts(), "style": choice("dark light"), "timezone": text(), "refresh": {"oneOf": [
            flag(), text(pattern="^[0-9]+[smhd]$")]}, "schemaVersion": whole(minimum=16), "time":
        record({"from": text(), "to": text()}, "from to"), "templating": record({"list": array(
        record({
            "name": text(pattern="^\\w+$"), "type": choice(
                "query custom textbox constant interval datasource"), "query": {}, "multi": flag(),
            "current": {"type": "object"}}, "name type"))}), "panels": array({"anyOf": [
                ref("row"), ref("panel")]}), "annotations": record({"list": array({
                    "type": "object"})})}}, definitions={
            "grid": closed({"h": whole(minimum=1), "w": whole(minimum=1, maximum=24), "x": whole(
                minimum=0, maximum=23), "y": whole(minimum=0)}, "h w x y"),
            "row": record({"type": {"const": "row"}, "id": whole(), "collapsed": flag(), "panels":
                           array(ref("panel"))}, "type collapsed panels"),
            "panel": record({"type": {"type": "string", "not": {"const": "row"}}, "id": whole(),
                             "title": text(), "gridPos": ref("grid"), "datasource": {"anyOf": [
                                 NULLABLE, record({"type": text(), "uid": text()})]}, "targets":
                             array(record({"refId": text(pattern="^[A-Z]+$"), "expr": text(),
                             "hide":
                                           flag()}, "refId")), "fieldConfig": record({
                                               "defaults": record({"unit": text(), "thresholds":
                                                record({"mode": choice("absolute percentage"),
                                                        "steps": array(record({
                                                            "color": text(), "value": {"type": [
                                                                "number", "null"]}},
                                                                "color"))})})})},
                            "type gridPos")}),
    [one, but(one, "refresh", "5s")],
    [but(one, "panels|0|gridPos|w", 25), but(one, "panels|0|type", "row"), but(
        one, "panels|0|targets|0|refId", "a"), but(one, "refresh", "often")])

one = {"version": 1, "formatters": {"brief": {"format": "%(message)s"}}, "handlers": {
    "console": {"class": "logging.StreamHandler", "level": "INFO", "formatter": "brief"}},
    "loggers": {"app.db": {"level": "DEBUG", "propagate": False}}, "root": {
        "level": "INFO", "handlers": ["console"]}, "disable_existing_loggers": False}
level = {"anyOf": [choice("CRITICAL ERROR WARNING INFO DEBUG NOTSET"), whole(minimum=0)]}
logger = {"level": ref("level"), "filters": texts(), "handlers": texts()}
CASES["python_logging"] = (
    document(D7, "logging", {"type": "object", "required": ["version"], "properties": {
        "version": {"enum": [1]}, "incremental": flag(), "disable_existing_loggers": flag(),
        "formatters": table({"type": "object", "properties": {
            "class": text(), "()": text(), "format": text(), "datefmt": NULLABLE, "style": {
                "enum": ["%", "{", "$"]}}}), "filters": table({"type": "object", "properties": {
                    "()": text(), "name": text(default="")}}), "handlers": table({
                        "type": "object", "properties": {"class": text(pattern="^[\\w.]+$"),
                        "level":
                            ref("level"), "formatter": text(), "filters": texts(), "filename": text(
                            ),
                            "maxBytes": whole(minimum=0), "()": text()}, "anyOf": [
                                {"required": ["class"]}, {"required": ["()"]}]}), "loggers": table(
            {"type": "object", "properties": logger | {"propagate": flag()}, "additionalProperties":
             False}), "root": {"type": "object", "properties": logger,
             "additionalProperties": False}},
        "additionalProperties": False}, definitions={"level": level}),
    [one, {"version": 1, "handlers": {"a": {"()": "x.make", "level": 15}}}],
    [but(one, "version", 2), but(one, "handlers|console", {"level": "INFO"}), but(
        one, "root|propagate", True), but(one, "loggers|app.db|level", "LOUD")])

one = {"apps": [{"name": "api", "script": "./s.js", "instances": "max", "env": {"PORT": 80},
                 "env_production": {"PORT": 8080}, "max_memory_restart": "300M", "watch": ["src"]}],
       "deploy": {"prod": {"user": "u", "host": ["a", "b"], "repo": "git@example.com:r.git",
                           "ref": "origin/main", "path": "/srv"}}}
CASES["process_manager"] = (
    document(D7, "ecosystem", record({
        "apps": array({"type": "object", "required": ["script"], "properties": {
            "name": text(), "script": text(), "cwd": text(), "args": {"oneOf": [text(), texts()]},
            "instances": {"oneOf": [whole(minimum=-1), {"const": "max"}]}, "exec_mode": choice(
                "fork cluster"), "watch": {"oneOf": [flag(), text(), texts()]},
                "max_memory_restart": {
                    "oneOf": [text(pattern="^[0-9]+[KMG]?$"), whole(minimum=0)]},
                    "autorestart": flag(),
            "cron_restart": text(pattern=r"^(\S+ ){4}\S+$"), "min_uptime": {"anyOf": [
                whole(minimum=100), text(pattern="^[0-9]+(h|m|s)?$")]}, "env": ref("env")},
            "patternProperties": {"^env_\\w+$": ref("env")}, "additionalProperties": False}),
        "deploy": table(record({"user": text(), "host": {"oneOf": [text(), texts(minItems=1)]},
                                "repo": text(), "ref": text(), "path": text(pattern="^/"),
                                "post-deploy": text()}, "user host repo ref path"))}, "apps"),
        definitions={"env": table({"type": ["string", "number", "boolean"]})}),
    [one, {"apps": [{"script": "a", "instances": -1, "watch": True}]}],
    [but(one, "apps|0|instances", "many"), but(one, "apps|0|max_memory_restart", "300 MB"), but(
        one, "deploy|prod|path", "srv"), but(one, "apps|0|envs", {})])

one = {"hosting": {"public": "dist", "rewrites": [{"source": "**", "destination": "/index.html"}, {
    "source": "/api", "function": {"functionId": "api", "region": "eu"}}], "headers": [{
        "source": "**/*.js", "headers": [{"key": "Cache-Control", "value": "no-store"}]}],
        "redirects":
    [{"regex": "^/a$", "destination": "/b", "type": 301}]}, "functions": [{
        "source": "fn", "runtime": "nodejs20"}], "emulators": {"ui": {"enabled": True,
        "port": 4000}}}
by = [{"required": ["source"]}, {"required": ["glob"]}, {"required": ["regex"]}]
where = {"source": text(), "glob": text(), "regex": text()}
CASES["hosting"] = (
    document(D7, "hosting and functions", closed({
        "hosting": {"anyOf": [ref("site"), array({"allOf": [ref("site"), {"anyOf": [
            {"required": ["target"]}, {"required": ["site"]}]}]})]}, "functions": {"anyOf": [
                ref("function"), array(ref("function"))]}, "emulators": {
                    "type": "object", "properties": {"ui": closed({"enabled": flag(), "port": ref(
                        "port"), "host": text()}), "singleProjectMode": flag()},
                    "additionalProperties": {"type": "object", "properties": {"port": ref(
                    "port")}}}}),
        definitions={
            "port": number(minimum=1, maximum=65535), "function": closed({
                "source": text(), "runtime": choice("nodejs18 nodejs20 python312"),
                "codebase": text(
                    pattern="^[a-z0-9_-]{1,63}$"), "ignore": texts()}),
            "site": record({
                "public": text(), "target": text(), "site": text(), "ignore": texts(), "cleanUrls":
                flag(), "trailingSlash": flag(), "headers": array(record(where | {"headers": array(
                    closed({"key": text(), "value": text()}, "key value"))}, "headers", oneOf=by)),
                "redirects": array(closed(where | {"destination": text(), "type": {
                    "enum": [301, 302]}}, "destination", oneOf=by)), "rewrites": array(record(
                        where | {"destination": text(), "function": {"anyOf": [text(), record({
                            "functionId": text(), "region": text()}, "functionId")]}, "run": record(
                            {
                                "serviceId": text()}, "serviceId"), "dynamicLinks": flag()}, allOf=[
                                    {"oneOf": by}, {"oneOf": [{"required": [k]} for k in (
                                        "destination", "function", "run", "dynamicLinks")]}]))})}),
    [one, {"hosting": [{"site": "a", "public": "x"}]}],
    [but(one, "hosting|rewrites|0|glob", "x"), but(one, "hosting|rewrites|1|destination", "y"), but(
        one, "emulators|ui|port", 0), but(one, "hosting|redirects|0|type", 307), {
            "hosting": [{"public": "x"}]}])

one = {"keyboard_name": "Split", "usb": {"vid": "0xFEED", "pid": "0x0001"}, "processor": "RP2040",
       "matrix_pins": {"cols": ["GP1", "GP2"], "rows": ["GP3"]}, "features": {"rgblight": True},
       "layouts": {"LAYOUT": {"layout": [{"matrix": [0, 0], "x": 0, "y": 0.25, "w": 1.5}]}},
       "debounce": 5}
CASES["keyboard"] = (
    document(D20, "keyboard", record({
        "keyboard_name": text(maxLength=250), "processor": {"enum": [
            "RP2040", "STM32F103", "atmega32u4", None]}, "maintainer": text(), "usb": closed({
                "vid": ref2("hex4"), "pid": ref2("hex4"), "device_version": text(
                    pattern="^[0-9]{1,2}\\.[0-9]\\.[0-9]$"), "max_power": whole(
                        minimum=1, maximum=500)}, "vid pid"),
        "matrix_pins": closed({"cols": ref2("pins"), "rows": ref2("pins"), "direct": array(
            ref2("pins"))}, oneOf=[{"required": ["direct"], "maxProperties": 1}, {
                "required": ["cols", "rows"]}]), "diode_direction": {"enum": ["COL2ROW",
                "ROW2COL"]},
        "features": {"type": "object", "propertyNames": {"pattern": "^[a-z_0-9]+$"},
                     "additionalProperties": flag()}, "debounce": ref2("byte"), "layouts": {
            "type": "object", "propertyNames": {"pattern": "^LAYOUT[0-9a-z_]*$"},
            "additionalProperties": closed({"layout": array(closed({
                "matrix": array(whole(minimum=0), minItems=2, maxItems=2), "label": text(), "x":
                ref2("units"), "y": ref2("units"), "w": number(minimum=0.25), "h": number(
                    minimum=0.25), "r": number(minimum=-360, maximum=360)}, "x y"))}, "layout")}},
        "keyboard_name usb"), **{"$defs": {
            "hex4": text(pattern="^0x[0-9A-F]{4}$"), "byte": whole(minimum=0, maximum=255),
            "units": number(minimum=0), "pin": {"oneOf": [text(pattern="^[A-K]\\d{1,2}$"), text(
                pattern="^GP\\d{1,2}$"), {"type": "null"}]}, "pins": array(ref2("pin"))}}),
    [one, but(one, "matrix_pins", {"direct": [["A1", None]]})],
    [but(one, "usb|vid", "0xfeed"), but(one, "matrix_pins", {"direct": [["Z1"]]}), but(
        one, "layouts|layout", {"layout": []}), but(one, "layouts|LAYOUT|layout|0|w", 0)])

# Smaller ones.
one = {"extends": "default", "rules": {"line-length": {"max": 120, "level": "warning"}, "truthy":
                                       "disable", "braces": "enable"}, "yaml-files": ["*.yml"]}
level = choice("warning error")
CASES["yamllint"] = (
    document(D6, "yamllint", closed({
        "extends": {"description": "Rules that are taken over", "anyOf": [
            choice("default relaxed"), text(pattern="\\.ya?ml$")]},
        "ignore": {"anyOf": [text(), texts()]}, "locale": text(), "yaml-files": texts(minItems=1),
        "rules": closed({k: {"anyOf": [{"enum": ["enable", "disable"]}, closed(
            {"level": level, "ignore": text()} | options)]} for k, options in {
                "braces": {"min-spaces-inside": whole(minimum=-1), "forbid": {"enum": [
                    True, False, "non-empty"]}}, "line-length": {"max": whole(minimum=0),
                                                                 "allow-non-breakable-words": flag(
                                                                 )},
                "indentation": {"spaces": {"anyOf": [whole(minimum=0), {"const": "consistent"}]}},
                "truthy": {"allowed-values": array(choice("YES Yes yes NO No no true false on off"),
                                                   uniqueItems=True)},
                "document-start": {"present": flag()}}.items()})})),
    [one, {"rules": {"indentation": {"spaces": "consistent"}, "braces": {"forbid": "non-empty"}}}],
    [but(one, "rules|truthy", "off"), but(one, "rules|line-length|level", "info"), but(
        one, "rules|colons", "enable"), but(one, "extends", "strict")])

one = {"line-length": 100, "target-version": "py311", "lint": {"select": ["E", "F401"], "per-file-"
       "ignores": {"tests/*": ["S101"]}, "isort": {"known-first-party": ["mill"]}}, "exclude": None}
selector = text(pattern="^(ALL|[A-Z]{1,4}[0-9]{0,4})$")
CASES["ruff"] = (
    document(D7, "ruff", closed({
        "line-length": {"description": "Columns", "anyOf": [ref("LineLength"), {"type": "null"}]},
        "target-version": {"anyOf": [choice("py38 py39 py310 py311 py312 py313"), {
        "type": "null"}]},
        "exclude": {"type": ["array", "null"], "items": {"type": "string"}}, "fix": {"type": [
            "boolean", "null"]}, "lint": {"anyOf": [ref("Lint"), {"type": "null"}]}, "format": {
                "anyOf": [closed({"quote-style": choice("single double preserve"), "docstring-code-"
                                  "line-length": {"anyOf": [ref("LineLength"), {
                                  "const": "dynamic"}]}
                                  }), {"type": "null"}]}}), definitions={
            "LineLength": whole(format="uint16", minimum=1, maximum=320), "Selector": selector,
            "Lint": closed({"select": array(ref("Selector")), "ignore": array(ref("Selector")),
                            "per-file-ignores": table(array(ref("Selector"))), "isort": {"anyOf": [
                                closed({"known-first-party": texts(), "section-order": array({
                                    "anyOf": [choice("future standard-library third-party"),
                                              text()]})}), {"type": "null"}]}, "mccabe": {"anyOf": [
                                                  closed({"max-complexity": whole(
                                                      format="uint", minimum=0)}),
                                                  {"type": "null"}]}})}),
    [one, {"format": {"docstring-code-line-length": "dynamic"}}],
    [but(one, "line-length", 0), but(one, "lint|select", ["e501"]), but(one, "indent", 4), but(
        one, "target-version", "py27")])

one = {"mounts": ["source=a,target=/b,type=volume"], "name": "dev", "build": {
    "dockerfile": "Dockerfile", "args": {"V": "1"}}, "forwardPorts": [3000, "db:5432"],
        "features": {
        "ghcr.io/devcontainers/features/node:1": {"version": "20"}}, "postCreateCommand": ["npm",
        "ci"],
    "remoteUser": "me", "portsAttributes": {"3000": {"label": "web", "onAutoForward": "notify"}}}
command = {"type": ["string", "array", "object"], "items": {"type": "string"},
           "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}}}
CASES["dev_container"] = (
    document(D19, "devcontainer.json", {"oneOf": [
        {"allOf": [{"oneOf": [ref2("dockerfile"), ref2("image")]}, ref2("common")]},
        {"allOf": [ref2("compose"), ref2("common")]}], "unevaluatedProperties": False}, **{
        "$defs": {
            "common": {"type": "object", "properties": {
                "name": text(), "features": {"type": "object", "additionalProperties": {
                    "type": ["object", "string", "boolean"]}}, "forwardPorts": array({"oneOf": [
                        whole(maximum=65535, minimum=0), text(
                        pattern="^([a-z0-9-]+):(\\d{1,5})$")]}),
                "portsAttributes": {"type": "object", "patternProperties": {
                    "(^\\d+(-\\d+)?$)|(.+)": {"type": "object", "properties": {
                        "onAutoForward": choice("notify openBrowser silent ignore"), "label": text(
                        ),
                        "protocol": choice("http https")}}}, "additionalProperties": False},
                "postCreateCommand": command, "postStartCommand": command, "remoteUser": text(),
                "remoteEnv": {"type": "object", "additionalProperties": {"type": [
                    "string", "null"]}}, "mounts": array({"anyOf": [text(), closed({
                        "type": choice("bind volume"), "source": text(), "target": text()},
                        "type target")]}), "shutdownAction": choice(
                        "none stopContainer stopCompose"),
                "customizations": {"type": "object"}}},
            "dockerfile": {"type": "object", "properties": {"build": {
                "type": "object", "properties": {"dockerfile": text(), "context": text(), "target":
                                                 text(), "args": table(), "cacheFrom": STRINGS},
                "required": ["dockerfile"], "unevaluatedProperties": False}}, "required": [
                "build"]},
            "image": {"type": "object", "properties": {"image": text()}, "required": ["image"]},
            "compose": {"type": "object", "properties": {"dockerComposeFile": STRINGS, "service":
                        text(), "runServices": texts(), "workspaceFolder": text()}, "required": [
                            "dockerComposeFile", "service"]}}}),
    [one, {"image": "ubuntu"}, {"dockerComposeFile": ["a.yml"], "service": "web", "name": "x"}],
    [but(one, "image", "ubuntu"), but(one, "forwardPorts|0", 70000), but(one, "service", "web"), {
        "name": "x"}, but(one, "build|file", "x")])

one = {"$schema": "../a.json", "projects": {"app": {"root": "", "projectType": "application",
    "architect": {"build": {"builder": "@angular/build:application", "options": {"aot": True},
                            "configurations": {"production": {"budgets": [{
                                "type": "initial", "maximumError": "1mb"}]}}}}}}, "version": 1}
CASES["angular_workspace"] = (
    document(D7, "angular.json", closed({
        "$schema": text(), "version": {"const": 1}, "newProjectRoot": text(), "cli": record({
            "analytics": {"oneOf": [flag(), text()]}, "packageManager": choice(
                "npm yarn pnpm bun"), "cache": closed({"enabled": flag(), "environment": choice(
                    "local ci all")})}), "projects": {"type": "object", "patternProperties": {
                        "^(?:@[a-zA-Z0-9._-]+/)?[a-zA-Z0-9._-]+$": ref("project")},
                        "additionalProperties": False}}, "version"), definitions={
            "project": record({"root": text(), "sourceRoot": text(), "prefix": text(
                format="html-selector"), "projectType": choice("application library"), "architect":
                table(ref("target")), "i18n": record({"sourceLocale": {"oneOf": [text(
                    pattern="^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$"), closed({"code": text(),
                                                                           "baseHref": text(
                                                                           )})]}})},
                "root projectType"), "target": {"oneOf": [closed({
                    "builder": text(pattern="^[^:]+:[^:]+$"), "options": {"type": "object"},
                    "defaultConfiguration": text(), "configurations": table({"type": "object",
                        "properties": {"budgets": array(ref("budget"))}})}, "builder")]},
            "budget": closed({"type": choice("all allScript any anyScript bundle initial"), "name":
                              text(), **{k: text(pattern="^[0-9.]+(b|kb|mb|gb|%)?$") for k in (
                                  "maximumWarning", "maximumError", "baseline")}}, "type")}),
    [one, {"version": 1, "projects": {}}],
    [but(one, "version", 2), but(one, "projects|app|architect|build|builder", "x"), but(
        one, "projects|a b", {}), but(one, "projects|app|projectType", "app")])

one = {"extends": ["//"], "globalDependencies": ["tsconfig.json"], "tasks": {
    "build": {"dependsOn": ["^build", "$X"], "outputs": ["dist/**"], "cache": True}, "web#dev": {
        "persistent": True, "cache": False}}, "remoteCache": {"signature": True}}
CASES["turbo"] = (
    document(D7, "turbo.json", {"anyOf": [ref("root"), ref("workspace")]}, definitions={
        "root": closed({"$schema": text(), "globalDependencies": texts(default=[]), "globalEnv":
                        array(ref("env")), "tasks": table(ref("task")), "remoteCache": closed({
                            "signature": flag(), "enabled": flag(), "timeout": number(minimum=0)}),
                        "ui": choice("tui stream"), "extends": {"type": "array"}}, "tasks"),
        "workspace": closed({"extends": {"type": "array", "items": {"const": "//"}, "minItems": 1,
                                         "maxItems": 1}, "tasks": table(ref("task"))},
                            "extends tasks"),
        "task": closed({"dependsOn": texts(default=[]), "outputs": texts(), "cache": flag(
            default=True), "inputs": texts(), "env": array(ref("env")), "persistent": flag(),
            "outputLogs": choice("full hash-only new-only errors-only none"), "interactive": flag(
            )},
            **{"not": {"required": ["persistent", "outputs"], "properties": {
                "persistent": {"const": True}}}}),
        "env": text(pattern="^!?[A-Za-z_*][A-Za-z0-9_*]*$")}),
    [one, {"tasks": {}, "globalEnv": ["NODE_*", "!SECRET"]}],
    [but(one, "tasks|web#dev|outputs", []), but(one, "globalEnv", ["A-B"]), without(one, "tasks"),
     but(one, "tasks|build|outputLogs", "some")])
