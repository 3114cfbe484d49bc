"""Manifests and lock files of packages, and what registries say of them."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}
SEMVER = (r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
          r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-]"
          r"[0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$")
STRINGS = {"anyOf": [text(), texts()]}

# JavaScript
person = {"type": ["object", "string"], "required": ["name"], "properties": {
    "name": text(), "url": text(format="uri"), "email": text(format="email")}}
exports = {"anyOf": [{"type": ["string", "null"]}, array(ref("exports")), {
    "type": "object", "patternProperties": {"^(\\.|[a-z-]+$)": ref("exports")},
    "additionalProperties": False}]}
one = {"name": "@scope/left-pad", "version": "1.3.0-beta.1", "license": "MIT", "private": True,
       "author": {"name": "Jo", "email": "jo@example.com"}, "scripts": {"test": "node --test"},
       "exports": {".": {"import": "./a.mjs", "default": "./a.cjs"}, "./x": None},
       "dependencies": {"chalk": "^5.0.0"}, "engines": {"node": ">=18"}, "files": ["dist"]}
CASES["package_json"] = (
    document(D7, "package.json", {"type": "object", "required": ["name", "version"], "properties": {
        "name": text("What is installed by", minLength=1, maxLength=214, pattern=(
            "^(?:(?:@(?:[a-z0-9-*~][a-z0-9-*._~]*)?/[a-z0-9-._~])|[a-z0-9-~])[a-z0-9-._~]*$")),
        "version": text(pattern=SEMVER), "description": text(), "keywords": texts(),
        "homepage": text(), "bugs": {"type": ["object", "string"], "properties": {
            "url": text(format="uri"), "email": text(format="email")}},
        "license": {"anyOf": [text(), {"enum": ["UNLICENSED", "SEE LICENSE IN file"]}]},
        "author": ref("person"), "contributors": array(ref("person")), "files": texts(),
        "main": text(), "type": choice("commonjs module", default="commonjs"),
        "exports": ref("exports"), "bin": {"type": ["string", "object"], "additionalProperties":
                                           {"type": "string"}},
        "repository": {"type": ["object", "string"], "properties": {
            "type": text(), "url": text(), "directory": text()}},
        "scripts": table(description="Commands by name"), "engines": table(),
        "os": texts(), "private": {"anyOf": [flag(), {"enum": ["false", "true"]}]},
        "dependencies": ref("dependencies"), "devDependencies": ref("dependencies"),
        "peerDependencies": ref("dependencies"), "peerDependenciesMeta": table(record(
            {"optional": flag()})), "bundledDependencies": {"oneOf": [texts(), flag()]},
        "overrides": {"type": "object"}, "workspaces": {"anyOf": [texts(), record({
            "packages": texts(), "nohoist": texts()})]}},
        "patternProperties": {"^_": {"description": "Left to tools"}}},
        definitions={"person": person, "exports": exports, "dependencies": table(
            description="Versions by name")}),
    [one, {"name": "a", "version": "0.0.1", "author": "Jo <jo@example.com>", "_id": 7,
           "workspaces": ["packages/*"]}],
    [but(one, "name", "Left Pad"), but(one, "version", "1.3"), but(one, "exports|bad key", "x"),
     but(one, "author", {"email": "x"}), but(one, "type", "esm")])

one = {"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {
    "": {"dependencies": {"a": "^1.0.0"}}, "node_modules/a": {
        "version": "1.2.3", "resolved": "https://registry.example.com/a/-/a-1.2.3.tgz",
        "integrity": "sha512-" + "A" * 86 + "==", "dev": True, "engines": {"node": ">=14"}}}}
CASES["package_lock"] = (
    document(None, "package-lock.json", closed({
        "name": text(), "version": text(), "lockfileVersion": {"enum": [1, 2, 3]},
        "requires": flag(), "packages": {"type": "object", "propertyNames": {
            "pattern": "^(|(.+/)?node_modules/(@[^/]+/)?[^/]+|[^/]+(/[^/]+)*)$"},
            "additionalProperties": record({
                "version": text(), "resolved": text(format="uri"), "integrity": text(
                    pattern="^(sha1-[A-Za-z0-9+/]{27}=|sha512-[A-Za-z0-9+/]{86}==)$"),
                "dev": flag(), "optional": flag(), "link": flag(), "hasInstallScript": flag(),
                "bin": table(), "dependencies": table(), "engines": {"oneOf": [table(), texts()]},
                "funding": {"anyOf": [text(), record({"url": text()}), array({})]}},
                **{"if": {"required": ["link"], "properties": {"link": {"const": True}}},
                   "then": {"required": ["resolved"]}})}}, "name lockfileVersion")),
    [one, {"name": "b", "lockfileVersion": 1, "requires": True}],
    [but(one, "lockfileVersion", 4), but(one, "packages|node_modules/a|integrity", "md5-x"),
     but(one, "packages|node_modules/a", {"link": True})])

one = {"imports": {"std/": "https://deno.land/std@0.200.0/"}, "tasks": {"dev": {
    "command": "deno run a.ts", "dependencies": ["gen"]}}, "fmt": {"lineWidth": 100, "exclude": [
        "gen/"]}, "compilerOptions": {"strict": True, "lib": ["deno.window"]}, "lock": False}
scope = {"include": texts(), "exclude": texts()}
CASES["deno"] = (
    document(D7, "deno.json", closed({
        "name": text(pattern="^@[a-z0-9-]+/[a-z0-9-]+$"), "version": text(), "exports": {"oneOf": [
            text(), {"type": "object", "propertyNames": {"pattern": "^\\.(/.*)?$"},
                     "additionalProperties": {"type": "string"}}]},
        "compilerOptions": record({"allowJs": flag(default=True), "strict": flag(), "jsx": choice(
            "react react-jsx react-jsxdev preserve"), "lib": texts(), "types": texts(),
            "jsxImportSource": text()}),
        "imports": table(), "scopes": table(table()), "importMap": text(),
        "lock": {"anyOf": [text(), flag(), closed({"path": text(), "frozen": flag()})]},
        "fmt": closed(scope | {"lineWidth": whole(minimum=1, default=80), "indentWidth": whole(
            minimum=0), "semiColons": flag(), "singleQuote": flag(), "proseWrap": choice(
                "always never preserve")}), "lint": closed(scope | {"rules": closed({
                    k: texts(uniqueItems=True) for k in ("tags", "include", "exclude")})}),
        "tasks": {"type": "object", "patternProperties": {"^[A-Za-z][A-Za-z0-9_\\-:]*$": {"oneOf": [
            text(), closed({"description": text(), "command": text(), "dependencies": texts()})]}},
            "additionalProperties": False},
        "unstable": array(choice("bare-node-builtins byonm cron ffi fs kv net temporal webgpu")),
        "nodeModulesDir": choice("auto manual none"), "vendor": flag(), "workspace": {"oneOf": [
            texts(), record({"members": texts()})]}, "publish": closed(scope)})),
    [one, {"name": "@a/b", "version": "1.0.0", "exports": {".": "./m.ts", "./x": "./x.ts"}}],
    [but(one, "tasks", {"1x": "a"}), but(one, "fmt|lineWidth", 0), but(one, "lock", 1),
     {"exports": {"x": "./x.ts"}}])

one = {"name": "web-app", "version": "1.0.2", "main": ["a.js", "a.css"], "ignore": ["**/.*"],
       "dependencies": {"jquery": "~3.1"}, "authors": ["Jo", {"name": "Al", "homepage": "x"}]}
CASES["bower"] = (
    document(D4, "bower.json", {"type": "object", "id": "https://schemas.example.org/bower.json",
                                "required": ["name"], "patternProperties": {"^_": {}},
                                "properties": {
        "name": text(maxLength=50, pattern="^[a-z0-9](?:[-._]?[a-z0-9]+)*$"),
        "description": text(maxLength=140), "version": text(), "main": {"anyOf": [text(), texts()]},
        "license": {"anyOf": [text(maxLength=140), texts()]}, "ignore": STRINGS, "keywords": array(
            text(maxLength=50)), "authors": array({"anyOf": [text(), record({
                "name": text(), "email": text(format="email"), "homepage": text()})]}),
        "private": flag(), "dependencies": table(), "devDependencies": table(),
        "resolutions": table(), "moduleType": {"anyOf": [ref("modules"), array(
            ref("modules"), uniqueItems=True, minItems=1)]}}},
        definitions={"modules": choice("globals amd node es6 yui")}),
    [one, {"name": "a", "moduleType": ["amd", "globals"], "_from": [1]}],
    [but(one, "name", "web--app"), but(one, "authors|1|email", "al"), {"name": "a", "moduleType":
                                                                       ["amd", "amd"]}])

# Rust
dependency = {"anyOf": [text("A version", examples=["1.0", "^0.4"]), closed({
    "version": text(), "path": text(), "git": text(), "branch": text(), "tag": text(),
    "rev": text(), "features": texts(), "default-features": flag(default=True), "optional": flag(),
    "package": text(), "registry": text(), "workspace": flag()}, allOf=[
        {"if": {"required": [k]}, "then": {"required": ["git"]}} for k in ("branch", "tag", "rev")],
    **{"x-taplo": {"links": {"key": "https://doc.example.org/deps"}}})]}
inherit = closed({"workspace": {"const": True}}, "workspace")
one = {"package": {"name": "mill", "version": "0.3.1", "edition": "2021", "license": "MIT",
                   "keywords": ["corn"], "publish": ["internal"], "rust-version": "1.74"},
       "dependencies": {"serde": {"version": "1", "features": ["derive"]}, "log": "0.4"},
       "target": {"cfg(unix)": {"dependencies": {"libc": "0.2"}}}, "features": {"default": ["log"]},
       "profile": {"release": {"lto": "thin", "opt-level": "z", "panic": "abort"}}}
CASES["cargo_toml"] = (
    document(D7, "Cargo.toml", closed({
        "package": closed({
            "name": text(pattern="^[a-zA-Z_][a-zA-Z0-9_-]*$"), "version": {"anyOf": [text(
                pattern=SEMVER), inherit]}, "authors": {"anyOf": [texts(), inherit]},
            "edition": {"anyOf": [{"enum": ["2015", "2018", "2021", "2024"]}, inherit]},
            "rust-version": text(pattern="^[0-9]+\\.[0-9]+(\\.[0-9]+)?$"), "description": text(),
            "license": text(), "repository": text(format="uri"), "keywords": array(text(
                maxLength=20), maxItems=5), "categories": array(text(), maxItems=5),
            "publish": {"anyOf": [flag(), texts()]}, "build": {"anyOf": [text(), {"enum": [
            False]}]},
            "links": text(), "metadata": {"type": "object"}, "resolver": {"enum": ["1", "2"]}},
            "name"),
        "lib": closed({"name": text(), "path": text(), "proc-macro": flag(), "crate-type": array(
            choice("bin lib rlib dylib cdylib staticlib proc-macro"))}),
        "bin": array(closed({"name": text(), "path": text(), "required-features": texts()},
        "name")),
        **{k: ref("dependencies") for k in ("dependencies", "dev-dependencies",
                                            "build-dependencies")},
        "target": table(closed({k: ref("dependencies") for k in (
            "dependencies", "dev-dependencies")})), "features": table(texts()),
        "profile": table(record({"lto": {"anyOf": [flag(), choice("fat thin off")]}, "debug": {
            "enum": [0, 1, 2, True, False, "full"]}, "opt-level": {"enum": [0, 1, 2, 3, "s", "z"]},
            "panic": choice("unwind abort"), "codegen-units": whole(minimum=1), "inherits": text(),
            "strip": {"anyOf": [flag(), choice("none debuginfo symbols")]}})),
        "workspace": record({"members": texts(), "exclude": texts(), "dependencies": ref(
            "dependencies"), "package": {"type": "object"}}), "patch": table(ref("dependencies"))},
        anyOf=[{"required": ["package"]}, {"required": ["workspace"]}]),
        definitions={"dependencies": table(ref("dependency")), "dependency": dependency}),
    [one, {"workspace": {"members": ["a", "b"], "dependencies": {"x": {"path": "x"}}}}],
    [but(one, "package|version", "0.3"), but(one, "dependencies|serde|branch", "main"),
     but(one, "profile|release|opt-level", 4), without(one, "package"), but(one, "lib", {"a": 1})])

one = {"packages": [{"name": "mill", "version": "0.3.1", "id": "mill 0.3.1", "license": None,
                     "dependencies": [{"name": "log", "req": "^0.4", "kind": None,
                     "optional": False,
                                       "uses_default_features": True, "features": []}],
                     "targets": [{"kind": ["lib"], "crate_types": ["lib"], "name": "mill",
                                  "src_path": "/a/lib.rs", "edition": "2021"}],
                     "features": {"default": []}, "manifest_path": "/a/Cargo.toml"}],
       "resolve": {"nodes": [{"id": "mill 0.3.1", "deps": [{"name": "log", "pkg": "log 0.4"}]}],
                   "root": "mill 0.3.1"}, "workspace_root": "/a", "version": 1}
nullable = {"type": ["string", "null"]}
CASES["cargo_metadata"] = (
    document(D20, "cargo metadata", record({
        "packages": array(ref2("package")), "workspace_members": texts(), "resolve": {"anyOf": [
            {"type": "null"}, record({"nodes": array(record({"id": text(), "deps": array(record({
                "name": text(), "pkg": text(), "dep_kinds": array(record({
                    "kind": nullable, "target": nullable}))}, "name pkg")), "features": texts()},
                "id")), "root": nullable}, "nodes root")]},
        "target_directory": text(), "version": {"const": 1}, "workspace_root": text()},
        "packages version"), **{"$defs": {"package": record({
            "name": text(), "version": text(), "id": text(), "license": nullable, "description":
            nullable, "source": nullable, "dependencies": array(record({
                "name": text(), "req": text(), "kind": {"enum": [None, "dev", "build"]}, "rename":
                nullable, "optional": flag(), "uses_default_features": flag(), "features": texts(),
                "target": nullable}, "name req kind")),
            "targets": array(record({"kind": array(text(), minItems=1), "crate_types": texts(),
                                     "name": text(), "src_path": text(), "edition": text(),
                                     "doctest": flag()}, "kind name src_path")),
            "features": table(texts()), "manifest_path": text()}, "name version id targets")}}),
    [one, but(one, "resolve", None)],
    [but(one, "version", 2), but(one, "packages|0|dependencies|0|kind", "normal"),
     but(one, "packages|0|targets|0|kind", []), but(one, "packages|0|license", 3)])

# Python
requirement = text(pattern=r"^\s*[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[[^\]]*\])?.*$")
one = {"project": {"name": "corn-mill", "version": "1.0", "requires-python": ">=3.10", "authors": [
    {"name": "Jo", "email": "jo@example.com"}], "readme": {"file": "README.md", "content-type":
                                                           "text/markdown"},
    "dependencies": ["numpy>=1.26", "rich[jupyter]"], "scripts": {"mill": "mill.cli:main"},
    "urls": {"Source": "https://git.example.com/mill"}}, "build-system": {
        "requires": ["hatchling"], "build-backend": "hatchling.build"}, "tool": {"x": {"y": 1}}}
CASES["pyproject"] = (
    document(D7, "pyproject.toml", closed({
        "build-system": closed({"requires": texts(), "build-backend": text(
            pattern=r"^[\w.]+(:[\w.]+)?$"), "backend-path": texts()}, "requires"),
        "project": closed({
            "name": text(pattern="^([a-zA-Z\\d]|[a-zA-Z\\d][\\w.-]*[a-zA-Z\\d])$"), "version": text(
                pattern=r"^v?(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?$"),
            "description": text(), "readme": {"oneOf": [text(), closed({
                "file": text(), "content-type": ref("mime")}, "file content-type"), closed({
                    "text": text(), "content-type": ref("mime")}, "text content-type")]},
            "requires-python": text(), "license": {"oneOf": [text(), closed({"file": text()},
            "file"),
                                                             closed({"text": text()}, "text")]},
            "authors": array(ref("person")), "maintainers": array(ref("person")),
            "keywords": texts(), "classifiers": texts(uniqueItems=True), "urls": table(text(
                format="uri")), "scripts": table(), "gui-scripts": table(), "entry-points": {
                    "type": "object", "propertyNames": {"pattern": "^\\w+(\\.\\w+)*$"},
                    "additionalProperties": table()},
            "dependencies": array(requirement), "optional-dependencies": table(array(requirement)),
            "dynamic": array(choice("version description readme dependencies classifiers"))},
            "name", oneOf=[{"required": ["dynamic"], "properties": {"dynamic": {
                "contains": {"const": "version"}}}}, {"required": ["version"]}]),
        "dependency-groups": table(array({"oneOf": [requirement, closed(
            {"include-group": text()}, "include-group")]})),
        "tool": {"type": "object"}}), definitions={
            "mime": text(pattern="^text/(markdown|x-rst|plain)"), "person": closed({
                "name": text(), "email": text(format="idn-email")}, anyOf=[
                    {"required": ["name"]}, {"required": ["email"]}])}),
    [one, {"project": {"name": "a", "dynamic": ["version"]}, "dependency-groups": {"test": [
        "pytest", {"include-group": "lint"}]}}],
    [but(one, "project|name", "-x"), but(one, "project|authors|0", {}), without(
        one, "project|version"), but(one, "build-system", {}), but(one, "project|version", "one")])

one = {"package": [{"name": "rich", "version": "13.7.0", "source": {"registry":
                                                                    "https://pypi.org/simple"},
                    "wheels": [{"url": "https://files.example.org/rich.whl", "size": 240000,
                                "hash": "sha256:" + "0a" * 32}]}], "version": 1,
       "requires-python": ">=3.9"}
CASES["python_lock"] = (
    document(None, "lock file", closed({
        "version": {"const": 1}, "revision": whole(minimum=0), "requires-python": text(),
        "resolution-markers": texts(), "package": array(record({
            "name": text(pattern="^[a-z0-9]+(-[a-z0-9]+)*$"), "version": text(), "source": {
            "oneOf": [
                closed({k: text()}, k) for k in ("registry", "git", "url", "path", "editable",
                                                 "virtual")]},
            "dependencies": array(record({"name": text(), "marker": text(), "extra": texts()},
                                         "name")),
            "sdist": ref("file"), "wheels": array(ref("file")), "metadata": record({
                "requires-dist": array(record({"name": text(), "specifier": text()}, "name")),
                "provides-extras": texts()})}, "name source"))}, "version package"),
        definitions={"file": record({"url": text(format="uri"), "hash": text(
            pattern="^sha256:[0-9a-f]{64}$"), "size": whole(minimum=0), "upload-time": text(
                format="date-time")}, "url hash")}),
    [one, but(one, "package|0|source", {"virtual": "."})],
    [but(one, "package|0|wheels|0|hash", "sha256:00"), but(one, "package|0|source", {}),
     but(one, "package|0|name", "Rich"), but(one, "package|0|wheels|0|size", -1)])

one = {"name": "stats", "channels": ["conda-forge"], "dependencies": ["python=3.11", "numpy", {
    "pip": ["rich==13.7"]}], "variables": {"SEED": "1"}}
CASES["conda_environment"] = (
    document(D6, "environment.yml", closed({
        "name": text(pattern="^[^/\\s:#]+$"), "prefix": text(), "channels": array(text(
            "A channel's name or address", examples=["defaults", "conda-forge"]), minItems=1),
        "dependencies": array({"anyOf": [
            text("A package, and how it is limited", pattern=(
                r"^([\w./-]+::)?[a-zA-Z0-9_][\w.-]*\s*([<>=!~]{1,2}[^\s]+)?(=[\w*]+)?$")),
            closed({"pip": array(text(), "What pip installs", minItems=1)}, "pip")]},
            contains={"type": "string", "pattern": "^python"}),
        "variables": table({"type": ["string", "number"]}), "platforms": array(choice(
            "linux-64 linux-aarch64 osx-64 osx-arm64 win-64"), uniqueItems=True)},
        "dependencies")),
    [one, {"dependencies": ["python"], "platforms": ["osx-arm64"]}],
    [but(one, "dependencies", ["numpy"]), but(one, "dependencies|1", "num py"), but(
        one, "channels", []), but(one, "name", "a/b")])

# Others
one = {"name": "acme/mill", "type": "library", "license": ["MIT", "GPL-2.0-only"], "require": {
    "php": ">=8.1", "ext-json": "*"}, "autoload": {"psr-4": {"Acme\\Mill\\": ["src/", "lib/"]}},
    "repositories": [{"type": "vcs", "url": "https://git.example.com/x"}, {"packagist.org": False}],
    "config": {"sort-packages": True, "platform": {"php": "8.1.0"}}, "minimum-stability": "dev"}
CASES["composer"] = (
    document(D4, "composer.json", {"type": "object", "properties": {
        "name": text(pattern="^[a-z0-9]([_.-]?[a-z0-9]+)*/[a-z0-9](([_.]?|-{0,2})[a-z0-9]+)*$"),
        "description": text(), "type": text(pattern="^[a-z0-9-]+$"), "version": text(
            pattern="^v?\\d+(\\.\\d+){0,3}|^dev-"), "license": {"type": ["string", "array"]},
        "authors": array(record({"name": text(), "email": text(format="email"), "role": text()},
                                "name", additionalProperties=False)),
        "require": table(), "require-dev": table(), "conflict": table(), "suggest": table(),
        "config": {"type": "object", "properties": {
            "process-timeout": whole(), "sort-packages": flag(), "platform": {
                "type": "object", "additionalProperties": {"type": ["string", "boolean"]}},
            "allow-plugins": {"type": ["boolean", "object"], "additionalProperties": flag()},
            "preferred-install": {"oneOf": [choice("auto source dist"), table(choice(
                "auto source dist"))]}}},
        "autoload": ref("autoload"), "autoload-dev": ref("autoload"), "scripts": {
            "type": "object", "patternProperties": {"^(pre|post)-[a-z-]+$": {
                "type": ["string", "array"]}}},
        "repositories": {"oneOf": [array({"oneOf": [
            record({"type": choice("vcs git composer path artifact"), "url": text(), "options": {
                "type": "object"}}, "type url"), {"type": "object", "additionalProperties": {
                    "enum": [False]}, "minProperties": 1, "maxProperties": 1}]}),
            {"type": "object"}]},
        "minimum-stability": choice("dev alpha beta rc RC stable"), "prefer-stable": flag()}},
        definitions={"autoload": {"type": "object", "properties": {
            "psr-4": {"type": "object", "additionalProperties": {"type": ["string", "array"],
                                                                 "items": {"type": "string"}}},
            "classmap": {"type": "array"}, "files": texts()}}}),
    [one, {"name": "a/b", "scripts": {"post-install-cmd": ["x"]}}],
    [but(one, "name", "mill"), but(one, "repositories|1", {"packagist.org": True}), but(
        one, "minimum-stability", "gamma"), but(one, "autoload|psr-4", {"A": 1})])

one = {"Module": {"Path": "example.com/mill"}, "Go": "1.22", "Require": [
    {"Path": "golang.org/x/text", "Version": "v0.14.0", "Indirect": True}], "Exclude": None,
    "Replace": [{"Old": {"Path": "a.example/b"}, "New": {"Path": "../b"}}], "Retract": [
        {"Low": "v1.0.0", "High": "v1.0.2", "Rationale": "broken"}]}
module = {"Path": text(minLength=1), "Version": text(
    pattern=r"^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+incompatible)?$")}
maybe = lambda items: {"type": ["array", "null"], "items": items}
CASES["go_mod"] = (
    document(None, "go mod edit -json", closed({
        "Module": record({"Path": text(pattern=r"^[a-zA-Z0-9._~/-]+$"), "Deprecated": text()},
                         "Path"),
        "Go": text(pattern=r"^1\.\d+(\.\d+|rc\d+)?$"), "Toolchain": text(),
        "Require": maybe(closed(module | {"Indirect": flag()}, "Path Version")),
        "Exclude": maybe(closed(module, "Path Version")), "Replace": maybe(closed({
            "Old": closed(module, "Path"), "New": closed(module, "Path")}, "Old New")),
        "Retract": maybe(closed({"Low": module["Version"], "High": module["Version"],
                                 "Rationale": text()}, "Low High"))}, "Module")),
    [one, {"Module": {"Path": "a"}, "Require": None}],
    [but(one, "Require|0|Version", "0.14.0"), but(one, "Go", "2"), but(one, "Replace|0|Old", {}),
     but(one, "Retract|0", {"Low": "v1.0.0"})])

one = {"group": "org.example", "artifact": "mill", "version": "1.0-SNAPSHOT", "packaging": "jar",
       "dependencies": [{"group": "junit", "artifact": "junit", "version": "[4.12,5)", "scope":
                         "test", "exclusions": [{"group": "org.hamcrest", "artifact": "*"}]}],
       "properties": {"project.build.sourceEncoding": "UTF-8"}}
coordinate = {"group": text(pattern="^[A-Za-z0-9_.-]+$"), "artifact": text(
    pattern="^([A-Za-z0-9_.-]+|\\*)$")}
CASES["maven"] = (
    document(D7, "pom as JSON", {"allOf": [{"$ref": "#/definitions/coordinate"}, record({
        "version": text(), "packaging": choice("pom jar war ear maven-plugin", default="jar"),
        "parent": {"allOf": [ref("coordinate"), record({"relativePath": text()}, "version")]},
        "modules": texts(), "properties": table(), "dependencies": array(ref("dependency")),
        "dependencyManagement": array(ref("dependency")), "plugins": array({"allOf": [
            ref("coordinate"), record({"configuration": {"type": "object"}, "executions": array(
                record({"id": text(), "phase": text(), "goals": texts(minItems=1)}, "goals"))})]})},
        "version")]}, definitions={
            "coordinate": record(coordinate, "group artifact"), "dependency": {"allOf": [
                ref("coordinate"), record({
                    "version": text(), "scope": choice(
                        "compile provided runtime test system import"), "classifier": text(),
                    "optional": flag(), "systemPath": text(), "exclusions": array(
                        ref("coordinate"))}), {"if": {"required": ["scope"], "properties": {
                            "scope": {"const": "system"}}}, "then": {"required": [
                            "systemPath"]}}]}}),
    [one, but(one, "packaging", "pom")],
    [but(one, "dependencies|0|scope", "system"), but(one, "group", "org example"),
     without(one, "version"), but(one, "dependencies|0|exclusions|0", {"group": "a"})])

one = {"version": "1.2.0", "homepage": "https://mill.example.org", "license": "MIT",
       "architecture": {"64bit": {"url": "https://dl.example.org/mill.zip", "hash": "a" * 64}},
       "bin": ["mill.exe", ["x.exe", "alias", "--flag"]], "checkver": "github", "autoupdate": {
           "url": "https://dl.example.org/$version.zip"}, "description": "Grinds"}
bin_ = {"anyOf": [text(), array({"anyOf": [text(), array(text(), minItems=2)]})]}
hash_ = text(pattern="^([a-fA-F0-9]{64}|(sha1|sha256|sha512|md5):([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|"
             "[a-fA-F0-9]{64}|[a-fA-F0-9]{128}))$")
CASES["scoop"] = (
    document(D6, "app manifest", closed({
        "version": text(pattern="^[\\w\\.\\-+_]+$"), "description": text(), "homepage": text(
            format="uri"), "license": {"anyOf": [text(), closed({"identifier": text(), "url": text(
                format="uri")}, "identifier")]},
        "url": ref("urls"), "hash": ref("hashes"), "bin": bin_, "architecture": closed({
            k: ref("architecture") for k in ("32bit", "64bit", "arm64")}),
        "depends": STRINGS, "env_add_path": STRINGS, "env_set": table(), "notes": STRINGS,
        "persist": bin_, "extract_dir": STRINGS, "pre_install": STRINGS,
        "checkver": {"anyOf": [text(format="regex"), closed({
            "github": text(format="uri"), "regex": text(format="regex"), "jsonpath": text(),
            "url": text(format="uri"), "reverse": flag()})]},
        "autoupdate": record({"url": ref("urls"), "hash": record({"url": text(), "mode": choice(
            "download extract json metalink")})})}, "version homepage license"), definitions={
                "urls": {"anyOf": [text(format="uri"), array(text(format="uri"), minItems=1)]},
                "hashes": {"anyOf": [hash_, array(hash_)]}, "architecture": closed({
                    "url": ref("urls"), "hash": ref("hashes"), "bin": bin_, "extract_dir":
                    STRINGS})}),
    [one, but(one, "license", {"identifier": "GPL-3.0", "url": "https://gnu.example.org/gpl"})],
    [but(one, "architecture|64bit|hash", "abc"), but(one, "bin|1", ["x.exe"]), but(
        one, "homepage", "mill"), but(one, "architecture|mips", {})])

one = {"PackageIdentifier": "Acme.Mill", "PackageVersion": "1.2.0", "Installers": [
    {"Architecture": "x64", "InstallerUrl": "https://dl.example.org/m.exe", "InstallerSha256":
     "A" * 64, "InstallerType": "nullsoft", "Scope": "user"}], "ManifestType": "installer",
    "ManifestVersion": "1.6.0", "InstallModes": ["silent"], "Commands": ["mill"]}
CASES["winget"] = (
    document(D7, "installer manifest", record({
        "PackageIdentifier": text(maxLength=128, pattern=(
            "^[^\\.\\s\\\\/:\\*\\?\"<>\\|\\x01-\\x1f]{1,32}(\\.[^\\.\\s\\\\/:\\*\\?\"<>\\|\\x01-"
            "\\x1f]{1,32}){1,7}$")), "PackageVersion": text(pattern="^[^\\\\/:\\*\\?\"<>\\|]+$",
                                                           maxLength=128),
        "InstallModes": {"type": ["array", "null"], "items": choice(
            "interactive silent silentWithProgress"), "maxItems": 3, "uniqueItems": True},
        "Commands": {"type": ["array", "null"], "items": text(minLength=1, maxLength=40),
                     "maxItems": 16, "uniqueItems": True},
        "InstallerSuccessCodes": array(whole(minimum=-2147483648, maximum=4294967295), **{
            "not": {"contains": {"const": 0}}}),
        "Installers": array(record({
            "Architecture": choice("x86 x64 arm arm64 neutral"), "InstallerType": ref("type"),
            "InstallerUrl": text(pattern="^([Hh][Tt][Tt][Pp][Ss]?)://", maxLength=2000),
            "InstallerSha256": text(pattern="^[A-Fa-f0-9]{64}$"), "Scope": {
                "enum": ["user", "machine", None]}, "ProductCode": text(), "InstallerSwitches":
            record({k: {"type": ["string", "null"], "minLength": 1, "maxLength": 512} for k in (
                "Silent", "SilentWithProgress", "Custom", "InstallLocation")})},
            "Architecture InstallerUrl InstallerSha256"), minItems=1, maxItems=1024),
        "ManifestType": {"const": "installer"}, "ManifestVersion": text(
            pattern="^(0|[1-9][0-9]{0,3}|[1-5][0-9]{4})(\\.(0|[1-9][0-9]{0,3})){2}$")},
        "PackageIdentifier PackageVersion Installers ManifestType ManifestVersion"),
        definitions={"type": {"type": ["string", "null"], "enum": [
            "msix", "msi", "exe", "zip", "inno", "nullsoft", "wix", "portable", None]}}),
    [one, but(one, "InstallModes", None), but(one, "Installers|0|Scope", None)],
    [but(one, "PackageIdentifier", "Mill"), but(one, "Installers|0|InstallerSha256", "A"),
     but(one, "InstallerSuccessCodes", [3010, 0]), but(one, "Commands", ["a", "a"])])

one = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {
    "mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "1" * 64,
    "size": 7023}, "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                               "digest": "sha256:" + "2" * 64, "size": 32654}], "annotations": {
    "org.opencontainers.image.created": "2024-05-01T00:00:00Z"}}
descriptor = record({"mediaType": ref("mediaType"), "digest": text(
    pattern="^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"), "size": whole(
        minimum=0, maximum=9223372036854775807), "urls": array(text(format="uri")),
    "annotations": table(), "data": text(contentEncoding="base64")}, "mediaType size digest")
MEDIA = text(
    pattern="^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$")
CASES["image_manifest"] = (
    document(D4, "image manifest", record({
        "schemaVersion": whole(minimum=2, maximum=2), "mediaType": ref("mediaType"),
        "artifactType": ref("mediaType"), "config": ref("descriptor"), "subject": ref("descriptor"),
        "layers": array(ref("descriptor"), minItems=1), "annotations": table()},
        "schemaVersion config layers"), definitions={"mediaType": MEDIA, "descriptor": descriptor}),
    [one, without(one, "annotations")],
    [but(one, "schemaVersion", 1), but(one, "layers", []), but(one, "config|digest", "x"),
     but(one, "layers|0|mediaType", "layer"), but(one, "config|size", -5)])

one = {"schemaVersion": 2, "manifests": [{"digest": "sha256:" + "3" * 64, "size": 7143,
                                          "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                          "platform": {"architecture": "ppc64le", "os": "linux",
                                                       "variant": "v8"}}]}
CASES["image_index"] = (
    document(D4, "image index", record({
        "schemaVersion": {"enum": [2]}, "mediaType": ref("mediaType"), "manifests": array(
            {"allOf": [ref("descriptor"), {"properties": {"platform": record({
                "architecture": text(), "os": text(), "os.version": text(), "os.features": texts(),
                "variant": text()}, "architecture os")}}]}), "annotations": table()},
        "schemaVersion manifests"), definitions={"mediaType": MEDIA, "descriptor": descriptor}),
    [one, {"schemaVersion": 2, "manifests": []}],
    [without(one, "manifests|0|platform|os"), but(one, "schemaVersion", "2"),
     without(one, "manifests|0|size")])

one = {"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber":
       "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", "version": 1, "components": [{
           "type": "library", "name": "serde", "version": "1.0.0", "purl": "pkg:cargo/serde@1.0.0",
           "licenses": [{"license": {"id": "MIT"}}, {"expression": "MIT OR Apache-2.0"}],
           "hashes": [
               {"alg": "SHA-256", "content": "f" * 64}]}], "dependencies": [
                   {"ref": "a", "dependsOn": ["b"]}]}
CASES["sbom"] = (
    document(D7, "bill of materials", closed({
        "$schema": {"enum": ["http://cyclonedx.org/schema/bom-1.5.schema.json"]},
        "bomFormat": {"enum": ["CycloneDX"]}, "specVersion": text(examples=["1.5"]),
        "serialNumber": text(pattern="^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-"
                             "[0-9a-f]{12}$"), "version": whole(minimum=1, default=1),
        "metadata": record({"timestamp": text(format="date-time"), "component": ref("component")}),
        "components": array(ref("component"), uniqueItems=True), "dependencies": array(closed({
            "ref": text(minLength=1), "dependsOn": texts(uniqueItems=True)}, "ref")),
        "externalReferences": array(record({"url": text(format="iri-reference"), "type": choice(
            "vcs issue-tracker website documentation")}, "url type"))}, "bomFormat specVersion"),
        definitions={"component": closed({
            "type": choice("application framework library container device file"), "bom-ref": text(
                minLength=1), "group": text(), "name": text(), "version": text(), "purl": text(),
            "scope": choice("required optional excluded", default="required"), "hashes": array(
                closed({"alg": text(enum=["MD5", "SHA-1", "SHA-256", "SHA-512"]), "content": text(
                    pattern=("^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|"
                             "[a-fA-F0-9]{128})$"))},
                    "alg content")),
            "licenses": array({"oneOf": [closed({"license": {"type": "object", "oneOf": [
                {"required": ["id"]}, {"required": ["name"]}], "properties": {
                    "id": text(), "name": text(), "url": text()}, "additionalProperties": False}},
                "license"), closed({"expression": text()}, "expression")]}),
            "components": array(ref("component"))}, "type name")}),
    [one, {"bomFormat": "CycloneDX", "specVersion": "1.4", "components": []}],
    [but(one, "bomFormat", "SPDX"), but(one, "components|0|hashes|0|content", "f"), but(
        one, "components|0|licenses|0|license", {"id": "MIT", "name": "MIT"}),
     but(one, "dependencies|0|dependsOn", ["b", "b"]), but(one, "version", 0)])

one = {"manifest_version": 3, "name": "Mill", "version": "1.0.2", "action": {
    "default_icon": {"16": "a.png"}, "default_popup": "p.html"}, "permissions": ["storage", "tabs"],
    "content_scripts": [{"matches": ["https://*.example.com/*"], "js": ["c.js"], "run_at":
                         "document_idle"}], "background": {"service_worker": "b.js"}}
CASES["browser_extension"] = (
    document(D4, "extension manifest", {"type": "object", "additionalProperties": True,
        "required": [
        "manifest_version", "name", "version"], "properties": {
            "manifest_version": {"type": "number", "minimum": 2, "maximum": 3}, "name": text(
                maxLength=45), "version": text(pattern="^(?:\\d{1,5}\\.){0,3}\\d{1,5}$"),
            "default_locale": text(default="en"), "description": text(maxLength=132), "icons": {
                "type": "object", "minProperties": 1, "properties": {
                    k: ref("icon") for k in ("16", "48", "128", "256")}},
            "action": record({"default_icon": {"anyOf": [text(), {"type": "object",
                              "patternProperties": {"^[0-9]+$": ref("icon")}}]}, "default_popup":
                              text(format="content-security-policy"), "default_title": text()}),
            "background": {"type": "object", "properties": {"service_worker": text(), "type": {
                "enum": ["module"]}, "scripts": texts(), "persistent": flag()}, "dependencies": {
                    "type": ["service_worker"]}},
            "content_scripts": array(record({
                "matches": array(ref("match"), minItems=1), "exclude_matches": array(ref("match")),
                "js": texts(), "css": texts(), "run_at": choice(
                    "document_start document_end document_idle"), "all_frames": flag()},
                "matches"), minItems=1),
            "permissions": texts(uniqueItems=True), "host_permissions": array(ref("match")),
            "commands": table(record({"suggested_key": {"type": "object", "patternProperties": {
                "^(default|mac|windows|linux|chromeos)$": text(pattern=(
                    "^(Ctrl|Command|MacCtrl|Alt|Option)\\+(Shift\\+)?[A-Z0-9]"))}}}))}},
        definitions={"icon": text(), "match": text(
            pattern="^((\\*|http|https|file|ftp)://(\\*\\.[^/*]+|[^/*]+|\\*)?/.*|<all_urls>)$")}),
    [one, but(one, "commands", {"go": {"suggested_key": {"default": "Ctrl+Shift+Y"}}})],
    [but(one, "content_scripts|0|matches", ["example.com"]), but(one, "version", "1.0.2-a"), but(
        one, "background", {"type": "module"}), but(one, "permissions", ["tabs", "tabs"])])

one = {"name": "Mill", "short_name": "Mill", "start_url": "/?a=1", "display": "standalone",
       "icons": [{"src": "i.png", "sizes": "48x48 96x96", "type": "image/png", "purpose":
                  "any maskable"}], "theme_color": "#aa3300", "shortcuts": [{"name": "New", "url":
                                                                            "/new"}]}
CASES["web_manifest"] = (
    document(D7, "web app manifest", record({
        "name": text(minLength=1), "short_name": text(), "start_url": text(
            format="uri-reference"), "scope": text(format="uri-reference"), "id": text(),
        "display": choice("fullscreen standalone minimal-ui browser", default="browser"),
        "orientation": choice("any natural landscape portrait landscape-primary"), "dir": choice(
            "ltr rtl auto"), "lang": text(), "background_color": text(), "theme_color": text(
                format="color"), "icons": array(ref("image")), "screenshots": array({"allOf": [
                    ref("image"), record({"form_factor": choice("wide narrow"), "label": text(
                    )})]}),
        "related_applications": array(record({"platform": choice("play itunes webapp windows"),
                                              "url": text(format="uri"), "id": text()},
                                             "platform", anyOf=[{"required": ["url"]}, {
                                                 "required": ["id"]}])),
        "prefer_related_applications": flag(), "shortcuts": array(record({
            "name": text(), "url": text(format="uri-reference"), "icons": array(ref("image"))},
            "name url")), "share_target": record({"action": text(), "method": {"enum": [
                "GET", "POST"]}, "params": record({k: text() for k in ("title", "text", "url")})},
                "action params")}), definitions={"image": record({
                    "src": text(), "sizes": {"oneOf": [text(pattern=(
                        "^[1-9][0-9]*[xX][1-9][0-9]*( [1-9][0-9]*[xX][1-9][0-9]*)*$")), {
                            "enum": ["any"]}]}, "type": text(pattern="^image/[\\w.+-]+$"),
                            "purpose":
                    text(pattern="^(any|maskable|monochrome)( (any|maskable|monochrome))*$")},
                    "src")}),
    [one, {"name": "a", "icons": [{"src": "a.svg", "sizes": "any"}]}],
    [but(one, "icons|0|sizes", "48"), but(one, "display", "window"), but(
        one, "related_applications", [{"platform": "play"}]), but(one, "shortcuts|0", {})])

one = {"name": "mill", "version": "1.0", "dependencies": ["fmt", {
    "name": "boost", "version>=": "1.80.0", "features": ["json"], "platform": "!windows"}],
    "builtin-baseline": "a" * 40, "overrides": [{"name": "zlib", "version": "1.2.8",
        "port-version": 1}]}
name = text(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")
CASES["vcpkg"] = (
    document(D7, "vcpkg.json", closed({
        "name": ref("identifier"), "version": text(), "version-semver": text(pattern=SEMVER),
        "version-date": text(pattern="^\\d{4}-\\d{2}-\\d{2}(\\.(0|[1-9][0-9]*))*$"),
        "port-version": whole(minimum=0), "description": STRINGS, "homepage": text(format="uri"),
        "license": nullable, "supports": text(), "dependencies": array(ref("dependency")),
        "overrides": array(closed({"name": ref("identifier"), "version": text(), "port-version":
                                   whole(minimum=0)}, "name version")), "builtin-baseline": text(
            pattern="^[0-9a-f]{40}$"), "features": {"type": "object", "additionalProperties":
                closed({"description": STRINGS, "dependencies": array(ref("dependency"))},
                       "description"), "propertyNames": {"allOf": [{"pattern":
                           "^[a-z0-9]+(-[a-z0-9]+)*$"}, {"not": {"const": "core"}}]}}},
        patternProperties={"^\\$": {}}, **{"not": {"anyOf": [
            {"required": ["version", "version-semver"]}, {"required": ["version",
            "version-date"]}]}}
        ), definitions={"identifier": name, "dependency": {"oneOf": [ref("identifier"), closed({
            "name": ref("identifier"), "features": array(name), "default-features": flag(), "host":
            flag(), "platform": text(), "version>=": text(pattern="^[^#]+(#\\d+)?$")}, "name")]}}),
    [one, {"version-date": "2024-01-31.1", "features": {"gui": {"description": ["a", "b"]}},
           "$comment": {"x": 1}}],
    [but(one, "version-semver", "1.0.0"), but(one, "builtin-baseline", "main"), but(
        one, "features", {"core": {"description": "x"}}), but(one, "dependencies|0", "Fmt")])

one = {"name": "helm-mill", "apiVersion": "v2", "version": "0.1.0", "type": "application",
       "dependencies": [{"name": "redis", "version": "~18.0", "repository": "oci://r.example.com/c",
                         "condition": "redis.enabled", "import-values": ["data", {
                             "child": "a", "parent": "b"}]}], "maintainers": [{"name": "Jo"}],
       "appVersion": "1.16"}
CASES["helm_chart"] = (
    document(D7, "Chart.yaml", {"type": "object", "additionalProperties": False, "required": [
        "apiVersion", "name", "version"], "properties": {
            "apiVersion": choice("v1 v2"), "name": text(pattern="^[a-z0-9-]+$"), "version": text(
                pattern=SEMVER), "kubeVersion": text(), "description": text(), "type": choice(
                    "application library"), "keywords": texts(), "home": text(), "sources": texts(),
            "icon": text(), "appVersion": {"type": ["string", "number"]}, "deprecated": flag(),
            "annotations": table(), "maintainers": array(closed({"name": text(), "email": text(
                format="email"), "url": text(format="uri")}, "name")), "dependencies": array(closed(
                {
                    "name": text(), "version": text(), "repository": text(pattern=(
                        "^((https?|oci|file)://|@|alias:).*$")), "condition": text(), "tags":
                    texts(), "enabled": flag(), "alias": text(), "import-values": array({"oneOf": [
                        text(), closed({"child": text(), "parent": text()}, "child parent")]})},
                    "name"))}, "allOf": [{"if": {"properties": {"apiVersion": {"const": "v1"}}},
                                          "then": {"properties": {"dependencies": False, "type":
                                                                  False}}}]}),
    [one, {"apiVersion": "v1", "name": "old", "version": "1.0.0"}],
    [but(one, "apiVersion", "v1"), but(one, "dependencies|0|repository", "r.example.com"),
     but(one, "dependencies|0|import-values|1", {"child": "a"})])

one = {"title": "Mill", "cff-version": "1.2.0", "message": "Please cite it", "type": "software",
       "authors": [{"family-names": "Koch", "given-names": "Mira", "orcid":
                    "https://orcid.org/0000-0001-2345-678X"}, {"name": "Acme"}], "doi":
       "10.5281/zenodo.1234", "date-released": "2024-02-29", "identifiers": [
           {"type": "doi", "value": "10.5281/zenodo.1"}]}
CASES["citation"] = (
    document(D7, "CITATION.cff", closed({
        "cff-version": text(pattern=r"^1\.2\.0$"), "message": text(minLength=1), "title": text(
            minLength=1), "type": choice("dataset software"), "authors": array({"anyOf": [
                ref("person"), ref("entity")]}, minItems=1, uniqueItems=True), "abstract": text(),
        "doi": ref("doi"), "date-released": ref("date"), "keywords": array(text(minLength=1),
                                                                         minItems=1),
        "license": {"anyOf": [text(), texts(minItems=1)]}, "url": text(format="uri"), "version": {
            "anyOf": [text(minLength=1), number()]}, "repository-code": text(format="uri",
                                                                             pattern="^https?://"),
        "identifiers": array({"anyOf": [
            closed({"type": {"const": "doi"}, "value": ref("doi"), "description": text()},
                   "type value"), closed({"type": {"const": "url"}, "value": text(format="uri")},
                                         "type value"), closed({"type": {"const": "swh"}, "value":
                                                                text(pattern=(
                "^swh:1:(snp|rel|rev|dir|cnt):[0-9a-fA-F]{40}$"))}, "type value")]})},
        "cff-version message title authors"), definitions={
            "doi": text(pattern="^10\\.\\d{4,9}(\\.\\d+)?/[A-Za-z0-9:/_;\\-\\.\\(\\)\\[\\]\\\\]+$"),
            "date": text(format="date", pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), "person": closed({
                "family-names": text(minLength=1), "given-names": text(minLength=1), "name-suffix":
                text(), "affiliation": text(), "email": text(pattern="^[\\S]+@[\\S]+\\.[\\S]{2,}$"),
                "orcid": text(format="uri", pattern=(
                    "https://orcid\\.org/[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]{1}"))}),
            "entity": closed({"name": text(minLength=1), "city": text(), "date-start": ref("date")},
                             "name")}),
    [one, but(one, "version", 1.2)],
    [but(one, "authors", []), but(one, "doi", "zenodo.1234"), but(one, "date-released",
        "2023-02-29"),
     but(one, "identifiers|0|type", "url")])

one = {"name": "com.acme.mill", "displayName": "Mill", "version": "2.1.0", "unity": "2022.3",
       "dependencies": {"com.unity.nuget.json": "3.2.1"}, "samples": [{
           "displayName": "Demo", "description": "Shows it", "path": "Samples~/Demo"}]}
CASES["unity_package"] = (
    document(D7, "package manifest", record({
        "name": text(pattern="^com(\\.[a-z0-9_-]+){2,}$", maxLength=214), "version": text(
            pattern=SEMVER), "displayName": text(), "description": text(), "unity": text(
                pattern="^[0-9]{4}\\.[1-4]$"), "unityRelease": text(pattern="^[0-9]+[abf][0-9]+$"),
        "dependencies": {"type": "object", "propertyNames": {"pattern": "^com\\."},
                         "additionalProperties": text(pattern=SEMVER)}, "hideInEditor": flag(),
        "author": {"anyOf": [text(), record({"name": text(), "email": text(format="email"), "url":
                                             text(format="uri")}, "name")]}, "keywords": texts(),
        "samples": array(closed({"displayName": text(), "description": text(), "path": text(
            pattern="^Samples~/")}, "displayName path")), "type": choice(
                "tool module tests sample template library")}, "name version",
        dependencies={"unityRelease": ["unity"]})),
    [one, but(one, "author", "Jo")],
    [but(one, "name", "mill"), but(one, "unity", "2022.3.1"), but(
        one, "dependencies", {"org.x": "1.0.0"}), but(one, "samples|0|path", "Demo")])
