"""What tools report: findings, coverage, traces, releases, vulnerabilities, benchmarks."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}
MOMENT = text(format="date-time")

one = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "lint", "rules": [{"id": "E1"}]}},
       "results": [{"ruleId": "E1", "level": "error", "message": {"text": "bad"}, "locations": [{
           "physicalLocation": {"artifactLocation": {"uri": "src/a.c", "index": -1}, "region": {
               "startLine": 3, "snippet": {"text": "x"}}}}]}], "columnKind": "utf16CodeUnits"}]}
CASES["sarif"] = (
    document(D7, "SARIF", closed({
        "$schema": text(format="uri"), "version": {"enum": ["2.1.0"]}, "runs": {
            "type": "array", "minItems": 0, "uniqueItems": False, "items": ref("run")},
            "properties": ref(
                "bag")}, "version runs"), definitions={
        "bag": {"type": "object", "properties": {"tags": array(text(), uniqueItems=True, default=[
        ])},
                "additionalProperties": True},
        "message": {"type": "object", "additionalProperties": False, "properties": {
            "text": text(), "markdown": text(), "id": text(), "arguments": texts()}, "anyOf": [
                {"required": ["text"]}, {"required": ["id"]}]},
        "artifact": closed({"uri": text(format="uri-reference"), "uriBaseId": text(),
        "index": whole(
            minimum=-1, default=-1)}), "region": closed({k: whole(minimum=1) for k in (
                "startLine", "startColumn", "endLine", "endColumn")} | {"snippet": record({
                    "text": text()}), "charOffset": whole(minimum=-1)}),
        "location": closed({"id": whole(minimum=-1), "physicalLocation": closed({
            "artifactLocation": ref("artifact"), "region": ref("region")}, anyOf=[
                {"required": ["artifactLocation"]}]), "message": ref("message")}),
        "result": closed({"ruleId": text(), "ruleIndex": whole(minimum=-1), "kind": choice(
            "notApplicable pass fail review open informational"), "level": choice(
                "none note warning error", default="warning"), "message": ref("message"),
                "locations":
            array(ref("location"), uniqueItems=False), "partialFingerprints": table(), "guid": text(
                pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-"
                "[0-9a-fA-F]{12}$"), "properties": ref("bag")}, "message"),
        "run": closed({"tool": record({"driver": record({"name": text(), "version": text(),
        "rules": array(
            record({"id": text(), "name": text(), "helpUri": text(format="uri")}, "id"),
            uniqueItems=True)}, "name")}, "driver"), "results": {"type": ["array", "null"],
            "items": ref(
                "result")}, "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "properties":
            ref("bag")}, "tool")}),
    [one, {"version": "2.1.0", "runs": []}],
    [but(one, "version", "2.0.0"), but(one, "runs|0|results|0|message", {}), but(
        one, "runs|0|results|0|locations|0|physicalLocation|region|startLine", 0)])

one = {"log": {"version": "1.2", "creator": {"name": "b", "version": "1"}, "entries": [{
    "startedDateTime": "2025-01-02T10:00:00.123Z", "time": 12.5, "request": {
        "method": "GET", "url": "https://a.example.com/x?y=1", "headers": [{"name": "A",
        "value": "b"}],
        "bodySize": -1}, "response": {"status": 200, "content": {"size": 3,
        "mimeType": "text/plain"}},
    "timings": {"send": 1, "wait": 10.5, "receive": 1}}]}}
pairs = array(record({"name": text(), "value": text(), "comment": text()}, "name value"))
CASES["http_archive"] = (
    document(D6, "HAR", record({"log": record({
        "version": text(pattern="^1\\.[12]$"), "creator": ref("creator"), "browser": ref(
        "creator"), "pages":
        array(record({"startedDateTime": MOMENT, "id": text(), "title": text()},
                     "startedDateTime id title")), "entries": array(ref("entry"))},
        "version creator entries")}, "log"), definitions={
        "creator": record({"name": text(), "version": text()}, "name version"), "entry": record({
            "pageref": text(), "startedDateTime": text(format="date-time", pattern=(
                "^(\\d{4})(-)?(\\d\\d)(-)?(\\d\\d)(T)?(\\d\\d)(:)?(\\d\\d)(:)?(\\d\\d)(\\.\\d+)?(Z"
                "|([+-])"
                "(\\d\\d)(:)?(\\d\\d))$")), "time": number(minimum=0), "request": record({
                    "method": text(), "url": text(format="uri"), "httpVersion": text(),
                    "headers": pairs,
                    "queryString": pairs, "postData": {"oneOf": [record({"mimeType": text(), "text":
                        text()}, "mimeType text"), record({"mimeType": text(), "params": pairs},
                                                          "mimeType params")]}, "bodySize": whole(
                                                              minimum=-1)}, "method url headers"),
            "response": record({"status": whole(minimum=0), "content": record({"size": whole(),
            "mimeType":
                                text(), "text": text(), "encoding": text()}, "size mimeType")},
                               "status content"), "timings": record({k: number(
                               minimum=-1) for k in (
                                   "blocked", "dns", "connect", "send", "wait", "receive", "ssl")},
                                   "send wait receive")}, "startedDateTime time request response t"
                                   "imings")}),
    [one, but(one, "log|entries", [])],
    [but(one, "log|version", "2.0"), but(one, "log|entries|0|startedDateTime", "now"), but(
        one, "log|entries|0|request|postData", {"mimeType": "x"}), without(
            one, "log|entries|0|timings|wait")])

one = {"id": "GHSA-xxxx-yyyy", "modified": "2024-02-01T00:00:00Z", "aliases": ["CVE-2024-1234"],
    "affected": [{
    "package": {"ecosystem": "crates.io", "name": "mill"}, "ranges": [{"type": "SEMVER", "events": [
        {"introduced": "0"}, {"fixed": "1.2.3"}]}], "versions": ["1.0.0"]}], "severity": [{
            "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}
CASES["advisory"] = (
    document(D20, "vulnerability", record({
        "schema_version": text(), "id": text(pattern=(
            "^(CVE-\\d{4}-\\d{4,}|GHSA(-[a-z0-9]{4}){2,3}|RUSTSEC-\\d{4}-\\d{4}|PYSEC-\\d+-\\d+)$"
            "")),
        "modified": ref2("moment"), "withdrawn": ref2("moment"), "aliases": {"type": ["array",
        "null"],
            "items": {"type": "string"}}, "summary": text(), "severity": ref2("severity"),
            "affected": {
                "type": ["array", "null"], "items": record({
                    "package": record({"ecosystem": text(pattern="^(crates\\.io|npm|PyPI|Go|Maven)"
                    "(:.+)?$"),
                                       "name": text(), "purl": text()}, "ecosystem name"),
                                       "severity": ref2(
                        "severity"), "ranges": array({"type": "object", "properties": {
                            "type": {"enum": ["GIT", "SEMVER", "ECOSYSTEM"]}, "repo": text(),
                            "events": array({
                                "oneOf": [closed({k: text()}, k) for k in (
                                    "introduced", "fixed", "last_affected", "limit")]}, contains={
                                        "required": ["introduced"]}, minItems=1)}, "required": [
                                            "type", "events"], "if": {"properties": {"type": {
                                                "const": "GIT"}}}, "then": {"required": ["repo"]}}),
                    "versions": texts()})}, "references": {"type": ["array", "null"],
                    "items": record({
                        "type": {"enum": ["ADVISORY", "FIX", "REPORT", "WEB"]}, "url": text(
                        format="uri")},
                        "type url")}, "database_specific": {"type": "object"}}, "id modified"), **{
                        "$defs": {
            "moment": text(format="date-time", pattern="Z$"), "severity": {
                "type": ["array", "null"], "items": {"type": "object", "required": ["type",
                "score"],
                "properties": {"type": {"enum": ["CVSS_V2", "CVSS_V3", "CVSS_V4"]}, "score": text(
                )},
                "allOf": [{"if": {"properties": {"type": {"const": "CVSS_V3"}}}, "then": {
                "properties": {
                    "score": {"pattern": "^CVSS:3[.][01]/([A-Z]{1,3}:[A-Z](/|$))+"}}}}]}}}}),
    [one, {"id": "CVE-2024-0001", "modified": "2024-02-01T00:00:00Z", "affected": None}],
    [but(one, "id", "X-1"), but(one, "affected|0|ranges|0|type", "GIT"), but(
        one, "affected|0|ranges|0|events", [{"fixed": "1"}]), but(one, "severity|0|score", "9.8"),
        but(
            one, "modified", "2024-02-01T00:00:00+01:00")])

one = {"meta": {"version": "7.4"}, "files": {"a.py": {"executed_lines": [1, 2], "missing_lines": [
    ], "summary": {
    "percent_covered": 100.0, "num_statements": 2}, "contexts": {"1": [""]}}}, "totals": {
        "percent_covered": 87.5, "num_statements": 16, "covered_lines": 14}}
CASES["coverage"] = (
    document(D7, "coverage", record({
        "meta": record({"version": text(pattern="^[0-9]+(\\.[0-9]+)*$"), "timestamp": text(),
        "branch_coverage":
                        flag()}, "version"), "files": table(ref("file"), propertyNames={
                        "minLength": 1}),
        "totals": ref("summary")}, "meta files totals"), definitions={
        "lines": array(whole(minimum=1), uniqueItems=True), "summary": record({
            "covered_lines": whole(minimum=0), "num_statements": whole(minimum=0),
            "percent_covered": number(
                minimum=0, maximum=100), "percent_covered_display": text(pattern="^[0-9]{1,3}$")},
            "num_statements percent_covered"), "file": record({
                "executed_lines": ref("lines"), "missing_lines": ref("lines"),
                "excluded_lines": ref("lines"),
                "executed_branches": array(array(whole(), minItems=2, maxItems=2)), "summary": ref(
                "summary"),
                "contexts": {"type": "object", "patternProperties": {"^[1-9][0-9]*$": texts()},
                             "additionalProperties": False}},
                             "executed_lines missing_lines summary")}),
    [one, but(one, "files", {})],
    [but(one, "totals|percent_covered", 101), but(one, "files|a.py|executed_lines", [1, 1]), but(
        one, "files|a.py|contexts|x", []), without(one, "meta|version")])

one = {"version": 3, "file": "o.js", "sources": ["a.ts", None], "names": ["x"],
    "mappings": "AAAA,CAAC;EACC",
       "sourcesContent": ["let x", None]}
CASES["source_map"] = (
    document(D7, "source map", {"oneOf": [
        record({"version": {"const": 3}, "file": text(), "sourceRoot": {"type": ["string",
        "null"]}, "sources":
                array({"type": ["string", "null"]}), "sourcesContent": array({"type": ["string",
                "null"]}),
                "names": texts(), "mappings": text("Base 64 of variable length", pattern=(
                    "^([A-Za-z0-9+/,;])*$")), "ignoreList": array(whole(minimum=0),
                    uniqueItems=True)},
               "version sources mappings", **{"not": {"required": ["sections"]}}),
        record({"version": {"const": 3}, "file": text(), "sections": array(closed({
            "offset": closed({"line": whole(minimum=0), "column": whole(minimum=0)},
            "line column"), "map": {
                "$ref": "#"}}, "offset map"))}, "version sections")]}),
    [one, {"version": 3, "sections": [{"offset": {"line": 0, "column": 4}, "map": one}]}],
    [but(one, "version", 2), but(one, "mappings", "A A"), {"version": 3, "sections": [{"offset": {
        }}]}, but(one,
        "ignoreList", [
        0, 0])])

one = {"suites": [{"title": "a.spec", "specs": [{"title": "adds", "ok": True, "tests": [{
    "status": "expected", "results": [{"duration": 12, "status": "passed", "attachments": []}]}]}],
        "suites": []}],
       "stats": {"expected": 1, "unexpected": 0, "duration": 40.2}, "errors": []}
CASES["test_results"] = (
    document(D20, "test run", record({
        "config": {"type": "object"}, "suites": array(ref2("suite")), "errors": array(ref2(
        "error")), "stats":
        record({"startTime": MOMENT, "duration": number(minimum=0), **{k: whole(
        minimum=0) for k in (
            "expected", "unexpected", "flaky", "skipped")}}, "expected unexpected")},
            "suites stats"), **{"$defs": {
        "error": record({"message": text(), "stack": text(), "location": record({
            "file": text(), "line": whole(minimum=1), "column": whole(minimum=0)}, "file line")},
            "message"),
        "suite": record({"title": text(), "file": text(), "specs": array(ref2("spec")),
        "suites": array(ref2(
            "suite"))}, "title"), "spec": record({"title": text(minLength=1), "ok": flag(),
            "tags": array(text(
                pattern="^@?[\\w-]+$")), "tests": array(record({
                    "status": choice("expected unexpected flaky skipped"), "projectName": text(),
                    "results":
                    array({"type": "object", "properties": {
                        "status": choice("passed failed timedOut skipped interrupted"),
                        "duration": number(
                            minimum=0), "retry": whole(minimum=0), "error": ref2("error"),
                            "attachments": array(
                                record({"name": text(), "contentType": text(), "path": text(),
                                "body": text()},
                                       "name contentType"))}, "required": ["status"], "if": {
                                       "properties": {
                                           "status": {"const": "failed"}}}, "then": {"required": [
                                               "error"]}})}, "status results"))},
                                               "title ok tests")}}),
    [one, but(one, "suites|0|suites", [{"title": "b"}])],
    [but(one, "suites|0|specs|0|tests|0|results|0|status", "failed"), but(one, "stats|expected",
        -1), but(
        one, "suites|0|specs|0|title", ""), but(one, "suites|0|specs|0|tags", ["a b"])])

one = {"context": {"host": "ci-3", "cpus": 4, "caches": [{"level": 1, "type": "Data",
    "size": 32768}]},
       "benchmarks": [{"name": "BM_Sum/1024", "iterations": 12000, "real_time": 5.8e4,
       "time_unit": "ns",
                       "run_type": "iteration"}, {"name": "BM_Sum_mean", "run_type": "aggregate",
                                                  "aggregate_name": "mean", "real_time": 58000.5}]}
CASES["benchmark"] = (
    document(D7, "benchmark", record({
        "context": record({"host": text(), "date": MOMENT, "cpus": whole(minimum=1),
        "scaling": flag(), "caches":
                           array(closed({"level": whole(minimum=1, maximum=4), "type": choice(
                               "Data Instruction Unified"), "size": whole(minimum=1),
                               "shared": whole()},
                               "level type size"))}), "benchmarks": array({"oneOf": [
            record({"run_type": {"const": "iteration"}, "name": ref("name"), "iterations": whole(
                exclusiveMinimum=0), "real_time": ref("time"), "cpu_time": ref("time"),
                "time_unit": ref("unit"),
                "bytes_per_second": number(minimum=0)}, "run_type name iterations real_time"),
            record({"run_type": {"const": "aggregate"}, "name": ref("name"),
            "aggregate_name": choice(
                "mean median stddev cv"), "real_time": ref("time"), "time_unit": ref("unit")},
                "run_type name aggregate_name"), record({"name": ref("name"), "error_occurred": {
                "const": True},
                                                         "error_message": text(minLength=1)},
                                                        "name error_occurred error_message")]},
                                                        minItems=1)},
        "benchmarks"), definitions={"name": text(pattern="^\\w+(/[\\w:.]+)*$"), "time": number(
        minimum=0), "unit":
                                    choice("ns us ms s", default="ns")}),
    [one, {"benchmarks": [{"name": "a/b:2", "error_occurred": True, "error_message": "x"}]}],
    [but(one, "benchmarks|0|iterations", 0), but(one, "benchmarks|1|aggregate_name", "max"), {
        "benchmarks": [{"name": "a", "error_occurred": False, "error_message": "x"}]}])

one = {"tag_name": "v1.4.0", "name": "1.4", "draft": False, "published_at": "2025-01-02T10:00:00Z",
    "assets": [{
    "name": "mill.tar.gz", "size": 1048576, "digest": "sha256:" + "0f" * 32, "state": "uploaded"}],
        "body":
    "## New\n- a", "author": {"login": "jo", "type": "User"}}
CASES["release"] = (
    document(D7, "release", record({
        "tag_name": text(pattern="^v?\\d+(\\.\\d+){1,3}([-+].+)?$"), "name": {"type": ["string",
        "null"]}, "draft":
        flag(), "prerelease": flag(), "published_at": {"oneOf": [MOMENT, {"type": "null"}]},
        "body": {
            "type": ["string", "null"]}, "target_commitish": {"anyOf": [text(
            pattern="^[0-9a-f]{40}$"), text(
                pattern="^[\\w./-]+$")]}, "author": record({"login": text(), "type": choice(
                    "User Bot Organization"), "site_admin": flag()}, "login type"), "assets": array(
                    record({
                        "name": text(pattern="^[^/\\s]+$"), "size": whole(minimum=0), "digest": {
                        "anyOf": [{
                            "type": "null"}, text(pattern="^sha256:[0-9a-f]{64}$")]}, "state": {
                            "enum": [
                                "uploaded", "open"]}, "browser_download_url": text(format="uri")},
                        "name size state")), "reactions": {"type": "object", "properties": {
                        "total_count": whole(
                            minimum=0)}, "patternProperties": {
                            "^([+-]1|heart|eyes|rocket|laugh)$": whole(
                                minimum=0)}, "additionalProperties": False}},
                                "tag_name draft assets", **{
            "if": {"properties": {"draft": {"const": False}}}, "then": {"required": [
            "published_at"],
                "properties": {"published_at": {"type": "string"}}}})),
    [one, {"tag_name": "2.0", "draft": True, "assets": [], "reactions": {"total_count": 2,
        "+1": 2}}],
    [but(one, "published_at", None), but(one, "assets|0|digest", "md5:1"), but(one, "tag_name",
        "latest"), but(
        one, "reactions", {"sad": 1})])

one = {"changes": [{"kind": "added", "text": "A new flag", "refs": ["#12", "a1b2c3d"],
    "breaking": False}], "version":
       "1.2.0", "date": "2025-01-02", "yanked": True, "compare": "https://git.example.com/c/1...2"}
CASES["changelog"] = (
    document(D19, "changelog", {"oneOf": [array(ref2("entry"), minItems=1), ref2("entry")],
        "$defs": {
        "entry": record({"version": {"anyOf": [text(pattern="^\\d+\\.\\d+\\.\\d+$"), {
        "const": "unreleased"}]},
                         "date": text(format="date"), "yanked": flag(), "compare": text(
                         format="uri"), "changes":
                         array(ref2("change"))}, "version changes", allOf=[{"if": {"properties": {
                         "version": {
                             "const": "unreleased"}}}, "then": {"not": {"required": ["date"]}},
                             "else": {
                                 "required": ["date"]}}]), "change": record({
                                     "kind": choice("added changed deprecated removed fixed securi"
                                     "ty"), "text":
                                     text(pattern="^[A-Z]", maxLength=200), "refs": array(text(
                                     pattern=(
                                         "^(#[1-9][0-9]*|[0-9a-f]{7,40})$"))), "breaking": flag(),
                                         "scope": text(
                                             ), "cve": text(pattern="^CVE-[0-9]{4}-[0-9]{4,}$")},
                                             "kind text",
                             dependentSchemas={"cve": {"properties": {"kind": {
                             "const": "security"}}}})}}),
    [one, [one, {"version": "unreleased", "changes": []}]],
    [but(one, "version", "unreleased"), without(one, "date"), but(one, "changes|0|refs", ["12"]),
        but(
        one, "changes|0|cve", "CVE-2025-0001"), []])

one = {"event_id": "a" * 32, "timestamp": 1700000000.25, "platform": "rust", "level": "error",
    "exception": {
    "values": [{"type": "Panic", "value": "index out of bounds", "stacktrace": {"frames": [{
        "function": "main", "filename": "main.rs", "lineno": 7, "in_app": True, "vars": {
        "i": "9"}}]}}]}, "tags": {
            "os": "linux"}, "user": {"id": 7, "ip_address": "{{auto}}"}, "breadcrumbs": {"values": [
            {
                "category": "http", "data": {"status": 500}}]}}
CASES["error_event"] = (
    document(D7, "event", record({
        "event_id": text(pattern="^[0-9a-f]{32}$"), "timestamp": {"anyOf": [number(minimum=0),
        MOMENT]}, "platform":
        choice("rust python javascript native other"), "level": choice(
        "fatal error warning info debug"), "release":
        {"type": ["string", "null"], "maxLength": 200, "pattern": "^[^/\\r\\n\\t]*$"}, "message": {
        "oneOf": [
            text(), record({"formatted": text(), "params": array({})}, "formatted")]},
            "exception": record({
                "values": array(record({"type": text(), "value": text(), "mechanism": record({
                    "type": text(), "handled": {"type": ["boolean", "null"]}}, "type"),
                    "stacktrace": ref("stack")},
                    anyOf=[{"required": ["type"]}, {"required": ["value"]}]))}, "values"), "tags": {
                    "anyOf": [
                        table({"type": ["string", "null"]}), array({"type": "array", "items": [text(
                        ), text()],
                                                                    "minItems": 2,
                                                                    "maxItems": 2})]}, "user": {
                            "type": ["object", "null"], "properties": {"id": {"type": ["string",
                            "integer"]},
                            "email": text(), "ip_address": {"anyOf": [text(format="ipv4"), text(
                            format="ipv6"), {
                                "const": "{{auto}}"}]}}}, "breadcrumbs": record({"values": array(
                                record({
                                    "timestamp": number(), "category": text(), "data": {
                                    "type": "object"}}))})},
        "event_id timestamp"), definitions={"stack": record({"frames": array(record({
            "function": {"type": ["string", "null"]}, "filename": text(), "lineno": whole(
            minimum=0), "in_app": flag(),
            "vars": {"type": "object"}, "instruction_addr": text(pattern="^0x[0-9a-f]{1,16}$")},
            anyOf=[
                {"required": [k]} for k in ("function", "filename", "instruction_addr")]),
                minItems=1)}, "frames")}),
    [one, {"event_id": "0" * 32, "timestamp": "2025-01-02T10:00:00Z", "tags": [["a", "b"]],
        "user": None}],
    [but(one, "event_id", "a-b"), but(one, "exception|values|0|stacktrace|frames|0", {
        "lineno": 1}), but(
        one, "tags", [["a"]]), but(one, "user|ip_address", "here"), but(one, "exception|values|0", {
        })])

one = {"audits": {"first-paint": {"id": "first-paint", "score": 0.93,
    "scoreDisplayMode": "numeric", "numericValue":
       1200.5, "details": {"type": "table", "items": [{"url": "a"}]}}}, "categories": {
       "performance": {
           "score": None, "auditRefs": [{"id": "first-paint", "weight": 10}]}},
           "requestedUrl": "https://a.example/"}
CASES["page_audit"] = (
    document(D20, "audit of a page", record({
        "requestedUrl": text(format="uri"), "fetchTime": MOMENT, "runtimeError": record({
        "code": text(pattern=(
            "^[A-Z_]+$")), "message": text()}, "code"), "audits": {"type": "object",
            "propertyNames": {
                "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}, "additionalProperties": record({
                    "id": text(), "title": text(), "score": ref2("score"),
                    "scoreDisplayMode": choice(
                        "numeric binary manual informative notApplicable error"),
                        "numericValue": number(),
                    "details": {"oneOf": [record({"type": {"const": "table"}, "headings": array(
                    record({
                        "key": {"type": ["string", "null"]}, "valueType": choice(
                        "url bytes ms text node")})),
                        "items": array({"type": "object"})}, "type items"), record({"type": {
                            "const": "filmstrip"}, "scale": number(), "items": array(record({
                            "timing": number(
                                minimum=0), "data": text(pattern="^data:image/jpeg;base64,")},
                                "timing"))},
                            "type items"), record({"type": {"const": "debugdata"}}, "type")]}},
                    "id score scoreDisplayMode")}, "categories": table(record({"score": ref2(
                    "score"), "auditRefs":
                        array(record({"id": text(), "weight": number(minimum=0), "group": text()},
                        "id weight"))},
                        "score auditRefs"))}, "requestedUrl audits"), **{"$defs": {"score": {
                        "anyOf": [
                            number(minimum=0, maximum=1), {"type": "null"}]}}}),
    [one, but(one, "audits|first-paint|details", {"type": "filmstrip", "items": []})],
    [but(one, "audits|first-paint|score", 93), but(one, "audits|First", one["audits"][
        "first-paint"]), but(
        one, "audits|first-paint|details", {"type": "list"}), but(one, "requestedUrl", "a")])

one = {"predicateType": "https://slsa.dev/provenance/v1", "_type": "https://in-toto.io/Statement/v"
    "1", "subject": [{
    "name": "mill", "digest": {"sha256": "ab" * 32}}], "predicate": {"buildDefinition": {
        "buildType":
        "https://b.example/v1", "externalParameters": {"ref": "main"}}, "runDetails": {"builder": {
            "id": "https://b.example"}, "metadata": {"startedOn": "2025-01-02T10:00:00Z"}}}}
CASES["provenance"] = (
    document(D20, "provenance", record({
        "_type": {"const": "https://in-toto.io/Statement/v1"}, "subject": array(ref2("resource") | {
            "required": ["digest"]}, minItems=1), "predicateType": text(format="uri"),
            "predicate": record({
                "buildDefinition": record({"buildType": text(format="uri"), "externalParameters": {
                "type": "object"},
                    "internalParameters": {"type": "object"}, "resolvedDependencies": array(ref2(
                    "resource"))},
                    "buildType externalParameters"), "runDetails": record({"builder": record({
                    "id": text(
                        format="uri"), "version": table()}, "id"), "metadata": record({
                        "invocationId": text(),
                        "startedOn": MOMENT, "finishedOn": MOMENT}, dependentRequired={
                        "finishedOn": [
                            "startedOn"]})}, "builder")}, "buildDefinition runDetails")},
        "_type subject predicateType"), **{"$defs": {"resource": {"type": "object", "properties": {
            "uri": text(), "name": text(), "digest": {"type": "object", "minProperties": 1,
            "patternProperties": {
                "^sha256$": text(pattern="^[0-9a-f]{64}$"), "^gitCommit$": text(
                pattern="^[0-9a-f]{40}$")},
                "additionalProperties": text(pattern="^[0-9a-f]+$")}, "content": text(
                contentEncoding="base64")},
            "anyOf": [{"required": ["uri"]}, {"required": ["digest"]}, {"required": [
            "content"]}]}}}),
    [one, without(one, "predicate")],
    [but(one, "subject", []), but(one, "subject|0|digest", {}), but(one, "subject|0|digest|sha256",
        "ab"), but(
        one, "predicate|runDetails|metadata", {"finishedOn": "2025-01-02T10:00:00Z"})])

one = {"issuer": "https://id.example.com", "authorization_endpoint": "https://id.example.com/auth",
    "jwks_uri":
       "https://id.example.com/keys", "response_types_supported": ["code", "code id_token"],
       "scopes_supported": [
           "openid", "email"], "code_challenge_methods_supported": ["S256"],
           "claims_parameter_supported": False}
CASES["openid_discovery"] = (
    document(D7, "OpenID provider", {"type": "object", "properties": {
        "issuer": ref("https"), "authorization_endpoint": ref("https"), "token_endpoint": ref(
        "https"), "jwks_uri": ref(
            "https"), "scopes_supported": array(text(), contains={"const": "openid"}),
            "response_types_supported":
        array(text(pattern="^(code|token|id_token|none)( (code|token|id_token))*$"), minItems=1),
        "response_modes_supported": array(choice("query fragment form_post")),
        "subject_types_supported": array(choice(
            "pairwise public"), uniqueItems=True), "id_token_signing_alg_values_supported": array(
            text(pattern=(
                "^(none|(HS|RS|ES|PS)(256|384|512)|EdDSA)$"))),
                "code_challenge_methods_supported": array({"enum": [
                    "plain", "S256"]}), "claims_parameter_supported": flag(default=False),
                    "ui_locales_supported": array(
                        text(pattern="^[a-z]{2,3}(-[A-Z]{2})?$"))}, "required": ["issuer",
                        "authorization_endpoint",
                                                                                 "jwks_uri",
                                                                                 "response_types_s"
                                                                                 "upported"],
        "if": {"properties": {"response_types_supported": {"contains": {"pattern": "code"}}}},
        "then": {
            "anyOf": [{"required": ["token_endpoint"]}, {"required": [
            "code_challenge_methods_supported"]}]}},
        definitions={"https": text(format="uri", pattern="^https://[^?#]+$")}),
    [one, but(one, "token_endpoint", "https://id.example.com/token")],
    [but(one, "issuer", "http://id.example.com"), but(one, "scopes_supported", ["email"]), without(
        one, "code_challenge_methods_supported"), but(one, "response_types_supported", ["magic"])])

one = {"@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential",
    "Degree"], "issuer":
       "did:example:76e12ec", "validFrom": "2025-01-01T00:00:00Z", "credentialSubject": {
       "id": "did:example:e1",
       "degree": {"type": "Bachelor"}}, "proof": {"type": "DataIntegrityProof",
       "proofPurpose": "assertionMethod"}}
CASES["credential"] = (
    document(D20, "verifiable credential", {"type": "object", "properties": {
        "@context": {"type": "array", "prefixItems": [{"const": "https://www.w3.org/ns/credentials"
        "/v2"}], "items": {
            "type": ["string", "object"]}, "minItems": 1}, "id": ref2("uri"), "type": {"oneOf": [{
                "const": "VerifiableCredential"}, array(text(), contains={
                "const": "VerifiableCredential"},
                                                        uniqueItems=True)]}, "issuer": {"anyOf": [
                                                        ref2("uri"), record({
                    "id": ref2("uri"), "name": text()}, "id")]}, "validFrom": MOMENT,
                    "validUntil": MOMENT,
        "credentialSubject": {"anyOf": [ref2("subject"), array(ref2("subject"), minItems=1)]},
        "credentialStatus":
        record({"id": ref2("uri"), "type": text()}, "type"), "proof": {"anyOf": [ref2("proof"),
        array(ref2("proof"))]}},
        "required": ["@context", "type", "issuer", "credentialSubject"]}, **{"$defs": {
            "uri": text(pattern="^(did:[a-z0-9]+:[A-Za-z0-9._:%-]+|https?://\\S+|urn:\\S+)(#\\S+)?"
            "$"), "subject": {
                "type": "object", "properties": {"id": ref2("uri")}, "minProperties": 1,
                "additionalProperties": True},
            "proof": record({"type": text(), "created": MOMENT, "proofPurpose": choice(
                "assertionMethod authentication keyAgreement"), "verificationMethod": ref2("uri"),
                "proofValue": text(
                    pattern="^z[1-9A-HJ-NP-Za-km-z]+$")}, "type proofPurpose")}}),
    [one, but(one, "type", "VerifiableCredential")],
    [but(one, "type", ["Degree"]), but(one, "@context", ["https://schema.org"]), but(one, "issuer",
        "me"), but(
        one, "credentialSubject", {}), but(one, "proof|proofValue", "0OIl")])
