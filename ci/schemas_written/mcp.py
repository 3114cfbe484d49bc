"""Tools of the Model Context Protocol by their inputs, its messages, and other JSON-RPC ones."""

# fmt: off
from schemas_written.common import (
    D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2, table,
    text, texts, whole, without,
)

CASES = {}
ANY = {"type": "object", "additionalProperties": {}}


def tool(name, properties, required, **more):
    """An inputSchema as servers send it: most name draft 7, and forbid others."""
    return document(D7, name, closed(properties, required), **more)


one = {"paths": ["a.txt", "src/b.rs"], "head": 20, "encoding": "utf-8"}
CASES["read_multiple_files"] = (
    tool("read_multiple_files", {
        "paths": array(text(minLength=1), "Files to read; those that fail are told apart, and do "
                       "not stop the others", minItems=1, maxItems=64),
        "head": whole("Only the first lines", minimum=1), "tail": whole(minimum=1),
        "encoding": choice("utf-8 utf-16 latin-1 base64", "How bytes become text"),
        "ranges": table(array(array(whole(minimum=0), minItems=2, maxItems=2),
                              "Pairs of first and last line, by path"))}, "paths",
         **{"not": {"required": ["head", "tail"]}}),
    [one, {"paths": ["x"], "ranges": {"x": [[1, 4], [9, 12]]}}],
    [but(one, "tail", 5), but(one, "paths", []), {"paths": ["x"], "ranges": {"x": [[1]]}}])

entity = closed({"name": text("What it is called"), "entityType": text(),
                 "observations": texts("What is known of it")}, "name entityType observations")
one = {"entities": [{"name": "Rex", "entityType": "dog", "observations": ["barks", "is old"]}]}
CASES["create_entities"] = (
    tool("create_entities", {"entities": array(entity, "New nodes of the graph", minItems=1)},
         "entities", description="Nodes whose names are there already are left as they are."),
    [one, but(one, "entities|0|observations", [])],
    [{"entities": []}, but(one, "entities|0|tags", []), but(one, "entities|0|observations", "x")])

one = {"relations": [{"from": "Rex", "to": "Ann", "relationType": "belongs to", "since": 2019}],
       "onMissing": "create"}
CASES["create_relations"] = (
    tool("create_relations", {
        "relations": array(closed({
            "from": text("Where it begins", minLength=1), "to": text(minLength=1),
            "relationType": text("In active voice"), "since": {"type": ["integer", "null"],
                                                               "minimum": 1000, "maximum": 9999},
            "weight": number("How strong it is", minimum=0, maximum=1, default=1)},
            "from to relationType")),
        "onMissing": choice("error create skip", "What is done where a node is not there")},
         "relations"),
    [one, {"relations": []}, but(one, "relations|0|since", None)],
    [but(one, "relations|0|weight", 2), without(one, "relations|0|to"), but(one, "onMissing", "")])

one = {"thought": "The index is off by one.", "thoughtNumber": 2, "totalThoughts": 5,
       "nextThoughtNeeded": True, "isRevision": True, "revisesThought": 1}
CASES["sequential_thinking"] = (
    document(None, "sequentialthinking", record({
        "thought": text("The present step"), "nextThoughtNeeded": flag("Whether another follows"),
        "thoughtNumber": whole("Number of this one", minimum=1),
        "totalThoughts": whole("How many there may be", minimum=1),
        "isRevision": flag(), "revisesThought": whole(minimum=1),
        "branchFromThought": whole(minimum=1), "branchId": text(), "tags": texts(),
    }, "thought nextThoughtNeeded thoughtNumber totalThoughts",
        dependentRequired={"revisesThought": ["isRevision"], "branchId": ["branchFromThought"]}),
        **{"x-annotations": {"readOnlyHint": True, "title": "Thinking in steps"}}),
    [one, {"thought": "", "thoughtNumber": 1, "totalThoughts": 1, "nextThoughtNeeded": False}],
    [but(one, "branchId", "b"), but(one, "thoughtNumber", 0), without(one, "thought")])

one = {"owner": "octo", "repo": "site", "branch": "main", "message": "Add a page", "files": [
    {"path": "a.md", "content": "# A\n"}, {"path": "old.md", "delete": True}]}
CASES["push_files"] = (
    tool("push_files", {
        "owner": text("Account of the repository"), "repo": text("Repository"),
        "branch": text(pattern="^[^ ~^:?*\\\\[]+$"), "message": text(minLength=1),
        "files": array({"anyOf": [
            closed({"path": text(), "content": text(), "mode": {"enum": ["100644", "100755"]}},
                   "path content"),
            closed({"path": text(), "delete": {"const": True}}, "path delete")]}, minItems=1)},
         "owner repo branch message files"),
    [one, but(one, "files|0|mode", "100755")],
    [but(one, "files|1|delete", False), but(one, "branch", "my branch"), but(one, "files|0", "a")])

one = {"owner": "octo", "repo": "site", "state": "open", "labels": ["bug"], "sort": "updated",
       "since": "2024-06-01T00:00:00Z", "perPage": 50}
CASES["list_issues"] = (
    tool("list_issues", {
        "owner": text(), "repo": text(), "state": choice("open closed all", default="open"),
        "labels": texts("All of them must be there"), "sort": choice("created updated comments"),
        "direction": choice("asc desc"), "since": text("Changed after", format="date-time"),
        "page": number("From 1 on", minimum=1), "perPage": number(minimum=1, maximum=100),
        "assignee": {"anyOf": [text(), {"enum": ["*", "none"]}]},
        "milestone": {"oneOf": [number(), {"const": "none"}]}}, "owner repo"),
    [one, {"owner": "a", "repo": "b", "milestone": "none"}],
    [but(one, "perPage", 500), but(one, "milestone", "next"), but(one, "since", "June")])

block = {"oneOf": [
    record({"type": {"const": "section"}, "text": ref("text"), "fields": array(ref("text"),
                                                                             maxItems=10)}, "type"),
    record({"type": {"const": "divider"}}, "type"),
    record({"type": {"const": "image"}, "image_url": text(format="uri"), "alt_text": text(
        maxLength=2000)}, "type image_url alt_text"),
    record({"type": {"const": "actions"}, "elements": array(record({
        "type": choice("button static_select datepicker"), "action_id": text(maxLength=255),
        "style": choice("primary danger")}, "type"), minItems=1, maxItems=25)}, "type elements")]}
one = {"channel": "C024BE91L", "blocks": [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Done* in 3 min"}},
    {"type": "divider"}, {"type": "actions", "elements": [{"type": "button", "style": "danger"}]}]}
CASES["post_message"] = (
    tool("post_message", {
        "channel": text("Where it goes", pattern="^[CDG][A-Z0-9]{8,}$"), "text": text(),
        "blocks": array(block, maxItems=50), "thread_ts": text(pattern=r"^\d{10}\.\d{6}$"),
        "unfurl_links": flag()}, "channel", definitions={
            "text": closed({"type": choice("plain_text mrkdwn"), "text": text(
                minLength=1, maxLength=3000), "emoji": flag()}, "type text")}),
    [one, {"channel": "D12345678", "text": "hi", "thread_ts": "1503435956.000247"}],
    [but(one, "channel", "general"), but(one, "blocks|0|text|type", "html"),
     but(one, "blocks|2|elements", [])])

one = {"url": "https://news.example.com/", "wait_until": "networkidle", "viewport": {
    "width": 1280, "height": 720}, "headers": {"Accept-Language": "de"}}
CASES["browser_navigate"] = (
    tool("browser_navigate", {
        "url": text(format="uri", pattern="^https?://"), "timeout": whole(maximum=120000),
        "wait_until": {"anyOf": [choice("load domcontentloaded networkidle"), closed(
            {"selector": text(minLength=1)}, "selector")], "default": "load"},
        "viewport": closed({"width": whole(minimum=1, maximum=8192), "height": whole(
            minimum=1, maximum=8192), "deviceScaleFactor": number(exclusiveMinimum=0)},
            "width height"),
        "headers": table(), "cookies": array(record({
            "name": text(), "value": text(), "domain": text(), "sameSite": choice(
            "Strict Lax None"),
            "expires": number()}, "name value"))}, "url"),
    [one, but(one, "wait_until", {"selector": "#main"})],
    [but(one, "url", "file:///etc/passwd"), but(one, "viewport|width", 0),
     but(one, "wait_until", "idle")])

one = {"sql": "select 1", "params": ["a", 2, None, True], "mode": {"explain": "analyze"}}
CASES["postgres_query"] = (
    tool("query", {
        "sql": text("One statement; others are refused"), "params": array(
            {"type": ["string", "number", "boolean", "null"]}, "For $1, $2, ...", maxItems=100),
        "mode": {"oneOf": [{"enum": ["run", "dry"]}, closed({"explain": choice(
            "plain analyze buffers")}, "explain")]},
        "schema": text(pattern="^[A-Za-z_][A-Za-z0-9_$]*$", maxLength=63),
        "max_rows": whole(minimum=1, maximum=5000, default=200),
        "format": {"type": "object", "properties": {
            "kind": choice("rows columns csv"), "header": flag()},
            "if": {"properties": {"kind": {"const": "csv"}}, "required": ["kind"]},
            "then": {"required": ["header"]}, "additionalProperties": False}}, "sql"),
    [one, {"sql": "select now()", "format": {"kind": "csv", "header": False}}],
    [but(one, "format", {"kind": "csv"}), but(one, "mode", {"explain": "all"}),
     but(one, "schema", "1a")])

condition = {"oneOf": [
    closed({"property": text(), kind: record({op: value for op in ops.split()}, minProperties=1,
                                             maxProperties=1, additionalProperties=False)},
           f"property {kind}")
    for kind, ops, value in (("title", "equals contains", text()), ("number", "equals less_than",
                             number()), ("checkbox", "equals", flag()),
                             ("date", "before after", text(format="date")))
] + [closed({"and": array(ref2("filter"), minItems=1)}, "and"), closed(
    {"or": array(ref2("filter"), minItems=1)}, "or")]}
one = {"database_id": "7f1d1a0c-5b7e-4a4f-9a55-2e0a3c1f9b11", "filter": {"or": [
    {"property": "Done", "checkbox": {"equals": True}},
    {"and": [{"property": "Due", "date": {"before": "2025-01-01"}}]}]}, "sorts": [
        {"timestamp": "created_time", "direction": "descending"}]}
CASES["query_pages"] = (
    document(D20, "query_database", record({
        "database_id": text(format="uuid"), "filter": ref2("filter"), "start_cursor": text(),
        "sorts": array({"oneOf": [
            closed({"property": text(), "direction": ref2("direction")}, "property direction"),
            closed({"timestamp": choice("created_time last_edited_time"), "direction":
                    ref2("direction")}, "timestamp direction")]}),
        "page_size": whole(minimum=1, maximum=100)}, "database_id"),
        **{"$defs": {"filter": condition, "direction": choice("ascending descending")}}),
    [one, but(one, "filter", {"property": "Name", "title": {"contains": "x"}})],
    [but(one, "filter|or|0|checkbox", {"equals": 1}), but(one, "filter", {"or": []}),
     but(one, "sorts|0|property", "a")])

one = {"library": "/tokio-rs/axum", "topic": "routing", "tokens": 4000}
CASES["library_docs"] = (
    tool("get_library_docs", {
        "library": text("As the other tool gave it", pattern="^/[\\w.-]+/[\\w.-]+(/v[\\d.]+)?$"),
        "topic": text("What it is about", examples=["hooks", "routing"]),
        "tokens": {"description": "At most so much", "anyOf": [
            whole(minimum=500, maximum=50000), text(pattern="^[0-9]+k$")], "default": 5000},
        "kinds": array(choice("reference guide example changelog"), uniqueItems=True)}, "library"),
    [one, but(one, "tokens", "10k"), but(one, "kinds", ["guide", "example"])],
    [but(one, "library", "axum"), but(one, "tokens", 10), but(one, "kinds", ["guide", "guide"])])

one = {"timezone": "Asia/Tokyo", "time": "16:30", "targets": ["Europe/Paris"]}
CASES["convert_time"] = (
    tool("convert_time", {
        "timezone": text("Name in the database of zones", pattern="^[A-Za-z_+-]+(/[A-Za-z_+-]+)*$"),
        "time": text("Hours and minutes of 24", pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$"),
        "targets": array(text(), minItems=1, maxItems=12), "date": {"oneOf": [
            text(format="date"), choice("today tomorrow")]},
        "output": record({"format": choice("iso rfc2822 unix human"), "locale": text()})},
         "timezone time targets"),
    [one, but(one, "date", "2025-03-30"), but(one, "date", "today")],
    [but(one, "time", "24:00"), but(one, "date", "30.3."), but(one, "targets", [])])

one = {"operation": "clone", "url": "https://git.example.com/a/b.git", "depth": 1}
OPERATIONS = {
    "clone": ({"url": text(format="uri"), "depth": whole(minimum=1), "branch": text()}, "url"),
    "commit": ({"message": text(minLength=1), "all": flag(), "author": text(
        pattern="^[^<>]+ <[^<>@ ]+@[^<>@ ]+>$")}, "message"),
    "log": ({"max": whole(minimum=1, maximum=1000), "since": text(), "paths": texts()}, ""),
    "diff": ({"from": text(), "to": text(), "context": whole(minimum=0, maximum=100)}, "from"),
    "tag": ({"name": text(pattern="^[^-/][^ ]*$"), "annotated": flag()}, "name")}
CASES["git"] = (
    document(D7, "git", {"type": "object", "oneOf": [
        closed({"operation": {"const": name}} | members, f"operation {required}".strip())
        for name, (members, required) in OPERATIONS.items()]}),
    [one, {"operation": "commit", "message": "x", "author": "Jo Li <jo@example.com>"},
     {"operation": "log"}],
    [but(one, "message", "x"), {"operation": "push"}, {"operation": "commit", "message": "x",
                                                       "author": "Jo Li"}])

one = {"query": "rate(http_requests_total[5m])", "range": {
    "start": "2024-05-01T00:00:00Z", "end": 1714525200.5, "step": "30s"}}
moment = {"anyOf": [text(format="date-time"), number("Seconds since 1970"), text(
    pattern="^now(-[0-9]+[smhdw])?$")]}
CASES["metrics_query"] = (
    document(D20, "query_metrics", closed({
        "query": text("In PromQL", minLength=1), "instant": closed({"time": ref2("moment")}),
        "range": closed({"start": ref2("moment"), "end": ref2("moment"), "step": {"anyOf": [
            number(exclusiveMinimum=0), text(pattern="^[0-9]+(ms|[smhdwy])$")]}}, "start end step"),
        "datasource": {"type": "object", "properties": {"uid": text(), "name": text()},
                       "minProperties": 1, "unevaluatedProperties": False}}, "query",
        oneOf=[{"required": ["instant"]}, {"required": ["range"]}]), **{"$defs": {
        "moment": moment}}),
    [one, {"query": "up", "instant": {"time": "now-5m"}, "datasource": {"uid": "x"}}],
    [but(one, "instant", {}), but(one, "range|step", 0), but(one, "datasource", {}),
     but(one, "range|start", "yesterday")])

one = {"name": "web", "image": "nginx:alpine", "ports": {"80/tcp": 8080, "443/tcp": None},
       "mounts": [{"type": "bind", "source": "/srv", "target": "/data", "read_only": True}]}
CASES["create_container"] = (
    tool("create_container", {
        "name": text(pattern="^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"), "image": text(), "env": {"oneOf": [
            table(), array(text(pattern="^[^=]+=.*$"))]},
        "ports": {"type": "object", "patternProperties": {"^[0-9]{1,5}/(tcp|udp|sctp)$": {
            "oneOf": [whole(minimum=1, maximum=65535), {"type": "null"}, array(whole(),
            minItems=1)]}
        }, "additionalProperties": False},
        "mounts": array(record({"type": choice("bind volume tmpfs"), "source": text(),
                                "target": text(pattern="^/"), "read_only": flag()}, "type target",
                               **{"if": {"properties": {"type": {"const": "tmpfs"}}},
                                  "then": {"not": {"required": ["source"]}},
                                  "else": {"required": ["source"]}})),
        "restart": {"enum": ["no", "always", "unless-stopped", "on-failure"]}}, "image"),
    [one, {"image": "a", "env": ["A=1"], "mounts": [{"type": "tmpfs", "target": "/tmp"}]}],
    [but(one, "ports|http", 80), but(one, "mounts|0|type", "tmpfs"), but(one, "env", ["A"])])

# Messages of the protocol itself, each a document with the definitions it needs.
DEFS = {
    "Role": choice("user assistant", "Who sends or receives messages"),
    "RequestId": {"type": ["string", "integer"]},
    "Annotations": record({"audience": array(ref2("Role")), "priority": number(
        minimum=0, maximum=1), "lastModified": text()}),
    "TextContent": record({"type": {"const": "text"}, "text": text("The text"), "annotations":
                           ref2("Annotations"), "_meta": ANY}, "type text"),
    "ImageContent": record({"type": {"const": "image"}, "data": text(format="byte"), "mimeType":
                            text(), "annotations": ref2("Annotations")}, "type data mimeType"),
    "ResourceLink": record({"type": {"const": "resource_link"}, "uri": text(format="uri"),
                            "name": text(), "size": whole()}, "type uri name"),
    "EmbeddedResource": record({"type": {"const": "resource"}, "resource": {"anyOf": [
        record({"uri": text(format="uri"), "mimeType": text(), "text": text()}, "uri text"),
        record({"uri": text(format="uri"), "mimeType": text(), "blob": text(format="byte")},
               "uri blob")]}}, "type resource"),
    "ContentBlock": {"anyOf": [ref2(f"{n}") for n in ("TextContent", "ImageContent", "ResourceLink",
                                                      "EmbeddedResource")]},
    "Implementation": record({"name": text(), "title": text(), "version": text()}, "name version"),
    "Tool": record({"name": text(), "title": text(), "description": text(), "inputSchema": record({
        "type": {"const": "object"}, "properties": table(ANY), "required": texts()}, "type"),
        "annotations": record({"title": text(), "readOnlyHint": flag(), "destructiveHint": flag(),
                               "idempotentHint": flag(), "openWorldHint": flag()})},
        "name inputSchema"),
}


def message(title, *used, request=None, notice=None, **members):
    schema = {"jsonrpc": {"const": "2.0"}}
    required = ["jsonrpc"]
    if notice is None:
        schema["id"] = ref2("RequestId")
        required.append("id")
    if request or notice:
        schema["method"] = {"const": request or notice}
        required.append("method")
    required += [name for name in members if name in ("params", "result")]
    definitions = {name: DEFS[name] for name in DEFS if name in ("RequestId", *used)}
    return document(D20, title, record(schema | members, " ".join(required)),
                    **{"$defs": definitions})


def rpc(identity, **members):
    return {"jsonrpc": "2.0", "id": identity} | members


one = rpc(1, method="initialize", params={
    "protocolVersion": "2025-06-18", "capabilities": {"roots": {"listChanged": True},
                                                      "sampling": {}, "experimental": {"x": {}}},
    "clientInfo": {"name": "cli", "version": "1.0.0"}})
CASES["initialize"] = (
    message("InitializeRequest", "Implementation", request="initialize", params=record({
        "protocolVersion": text(pattern=r"^\d{4}-\d{2}-\d{2}$"), "capabilities": record({
            "experimental": table(ANY), "roots": record({"listChanged": flag()}), "sampling": ANY,
            "elicitation": ANY}), "clientInfo": ref2("Implementation")},
        "protocolVersion capabilities clientInfo")),
    [one, but(one, "params|capabilities", {})],
    [but(one, "jsonrpc", "1.0"), but(one, "id", None), without(one, "params|clientInfo|version")])

one = rpc("a-7", result={"content": [{"type": "text", "text": "4 files"}, {
    "type": "resource", "resource": {"uri": "file:///a.txt", "text": "x"}}], "isError": False})
CASES["call_tool_result"] = (
    message("CallToolResult", "Role", "Annotations", "TextContent", "ImageContent", "ResourceLink",
            "EmbeddedResource", "ContentBlock", result=record({
                "content": array(ref2("ContentBlock")), "isError": flag(), "structuredContent": ANY,
                "_meta": ANY}, "content")),
    [one, rpc(2, result={"content": [], "structuredContent": {"a": [1, {"b": None}]}})],
    [but(one, "result|content|0|type", "video"), but(one, "result|isError", "no"),
     but(one, "result|content|1|resource", {"uri": "file:///a.txt"})])

one = rpc(3, method="tools/call", params={"name": "get_weather", "arguments": {"city": "Bern"},
                                          "_meta": {"progressToken": "p1"}})
CASES["call_tool_request"] = (
    message("CallToolRequest", request="tools/call", params=record({
        "name": text("Of the tool", pattern="^[A-Za-z0-9_./-]{1,128}$"), "arguments": ANY,
        "_meta": record({"progressToken": {"type": ["string", "integer"]}})}, "name")),
    [one, rpc(4, method="tools/call", params={"name": "ping"})],
    [but(one, "params|name", "get weather"), but(one, "params|arguments", []),
     but(one, "method", "tools/list")])

one = rpc(5, result={"tools": [{"name": "add", "inputSchema": {
    "type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
    "annotations": {"readOnlyHint": True}}], "nextCursor": "eyJ"})
CASES["list_tools_result"] = (
    message("ListToolsResult", "Tool", result=record({
        "tools": array(ref2("Tool")), "nextCursor": text()}, "tools")),
    [one, rpc(6, result={"tools": []})],
    [but(one, "result|tools|0|inputSchema|type", "array"), but(one, "result|nextCursor", 7),
     without(one, "result|tools|0|name")])

one = rpc(7, method="sampling/createMessage", params={
    "messages": [{"role": "user", "content": {"type": "text", "text": "Hi"}}], "maxTokens": 100,
    "modelPreferences": {"hints": [{"name": "small"}], "costPriority": 0.3}, "temperature": 0.7})
CASES["create_message"] = (
    message("CreateMessageRequest", "Role", "Annotations", "TextContent", "ImageContent",
            request="sampling/createMessage", params=record({
                "messages": array(record({"role": ref2("Role"), "content": {"oneOf": [
                    ref2("TextContent"), ref2("ImageContent")]}}, "role content")),
                "modelPreferences": record({"hints": array(record({"name": text()})), **{
                    f"{k}Priority": number(minimum=0, maximum=1) for k in
                    ("cost", "speed", "intelligence")}}),
                "systemPrompt": text(), "includeContext": choice("allServers none thisServer"),
                "temperature": number(), "maxTokens": whole(), "stopSequences": texts(),
                "metadata": ANY}, "maxTokens messages")),
    [one, but(one, "params|messages", [])],
    [but(one, "params|maxTokens", 1.5), but(one, "params|messages|0|role", "system"),
     but(one, "params|modelPreferences|costPriority", 3)])

one = rpc(8, method="elicitation/create", params={"message": "Your name?", "requestedSchema": {
    "type": "object", "properties": {"name": {"type": "string", "minLength": 1}, "level": {
        "type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]}}, "required": ["name"]}})
primitive = {"anyOf": [
    closed({"type": {"const": "string"}, "title": text(), "description": text(), "minLength":
            whole(minimum=0), "maxLength": whole(minimum=0), "format": choice(
                "email uri date date-time")}, "type"),
    closed({"type": choice("number integer"), "title": text(), "description": text(), "minimum":
            number(), "maximum": number()}, "type"),
    closed({"type": {"const": "boolean"}, "title": text(), "default": flag()}, "type"),
    closed({"type": {"const": "string"}, "enum": texts(), "enumNames": texts()}, "type enum")]}
CASES["elicit"] = (
    message("ElicitRequest", request="elicitation/create", params=record({
        "message": text("Shown to the user"), "requestedSchema": record({
            "type": {"const": "object"}, "properties": table(primitive), "required": texts()},
            "type properties")}, "message requestedSchema")),
    [one, but(one, "params|requestedSchema|properties", {"ok": {"type": "boolean"}})],
    [but(one, "params|requestedSchema|properties|name", {"type": "object"}), but(
        one, "params|requestedSchema|properties|name|format", "ipv4"), without(one,
        "params|message")])

one = rpc(9, result={"description": "A review", "messages": [
    {"role": "assistant", "content": {"type": "image", "data": "aGk=", "mimeType": "image/png"}}]})
CASES["get_prompt_result"] = (
    message("GetPromptResult", "Role", "Annotations", "TextContent", "ImageContent",
            "ResourceLink", "EmbeddedResource", "ContentBlock", result=record({
                "description": text(), "messages": array(record({
                    "role": ref2("Role"), "content": ref2("ContentBlock")}, "role content"))},
                "messages")),
    [one, rpc(1, result={"messages": []})],
    [without(one, "result|messages|0|content|mimeType"), without(one, "result|messages"),
     but(one, "result|messages|0|content", "Hi")])

one = rpc(10, method="completion/complete", params={
    "ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "lang", "value": "ru"}})
CASES["complete"] = (
    message("CompleteRequest", request="completion/complete", params=record({
        "ref": {"anyOf": [record({"type": {"const": "ref/prompt"}, "name": text()}, "type name"),
                          record({"type": {"const": "ref/resource"}, "uri": text(
                              format="uri-template")}, "type uri")]},
        "argument": record({"name": text(), "value": text()}, "name value"),
        "context": record({"arguments": table()})}, "ref argument")),
    [one, but(one, "params|ref", {"type": "ref/resource", "uri": "file:///{path}"})],
    [but(one, "params|ref", {"type": "ref/resource", "name": "x"}), but(
        one, "params|context", {"arguments": {"a": 1}}), without(one, "params|argument|value")])

one = {"jsonrpc": "2.0", "method": "notifications/message", "params": {
    "level": "warning", "logger": "db", "data": {"code": 7, "why": ["slow"]}}}
CASES["log_notification"] = (
    message("LoggingMessageNotification", notice="notifications/message", params=record({
        "level": choice("alert critical debug emergency error info notice warning"),
        "logger": text(), "data": {}}, "level data"), id=False),
    [one, but(one, "params|data", None)],
    [but(one, "id", 3), but(one, "params|level", "warn"), without(one, "params|data")])

one = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {
    "progressToken": "t", "progress": 0.5, "total": 1, "message": "half"}}
CASES["progress_notification"] = (
    message("ProgressNotification", notice="notifications/progress", params=record({
        "progressToken": {"anyOf": [text(), whole()]}, "progress": number(minimum=0),
        "total": number(), "message": text()}, "progressToken progress")) | {
        "description": "Tells how far a request is whose _meta had such a token",
        "x-since": "2024-11-05", "examples": [one]},
    [one, but(one, "params|progressToken", 3)],
    [but(one, "params|progressToken", 1.5), but(one, "params|progress", "50%")])

# JSON-RPC of other protocols.
error = record({"code": {"anyOf": [{"enum": [-32700, -32600, -32601, -32602, -32603]}, whole(
    minimum=-32099, maximum=-32000), whole(minimum=-31999)]}, "message": text(), "data": {}},
    "code message", additionalProperties=False)
one = rpc(1, result={"ok": True})
CASES["rpc_response"] = (
    document(D7, "response", {"oneOf": [
        closed({"jsonrpc": {"const": "2.0"}, "id": ref("id"), "result": {}}, "jsonrpc id result"),
        closed({"jsonrpc": {"const": "2.0"}, "id": ref("id"), "error": ref("error")},
               "jsonrpc id error")]}, definitions={
                   "id": {"description": "As in the request, null where that was not readable",
                          "type": ["string", "integer", "null"]}, "error": error}),
    [one, rpc(None, error={"code": -32700, "message": "Parse error"}), rpc("x", result=None)],
    [but(one, "error", {"code": 1, "message": ""}), rpc(1), rpc(1, error={
        "code": -40000, "message": "x"})])

request = closed({"jsonrpc": {"const": "2.0"}, "method": text(pattern="^(?!rpc\\.).+$"),
                  "params": {"oneOf": [{"type": "array"}, {"type": "object"}]},
                  "id": {"type": ["string", "number", "null"]}}, "jsonrpc method")
one = rpc(1, method="sum", params=[1, 2, 4])
CASES["rpc_request"] = (
    document(D7, "request or batch", {"anyOf": [ref("request"), array(
        ref("request"), "Several at once", minItems=1)], "definitions": {"request": request}},
        description="A call, a notice without `id`, or some of them in a batch"),
    [one, [one, {"jsonrpc": "2.0", "method": "update", "params": {"a": [None]}}]],
    [[], but(one, "method", "rpc.discover"), but(one, "params", 5)])

position = closed({"line": whole(minimum=0), "character": whole(minimum=0)}, "line character")
span = closed({"start": ref("Position"), "end": ref("Position")}, "start end")
one = {"jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": {
    "uri": "file:///a.rs", "version": 3, "diagnostics": [{
        "range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 9}},
        "severity": 1, "code": "E0308", "message": "mismatched types", "tags": [1]}]}}
CASES["lsp_diagnostics"] = (
    document(D7, "publishDiagnostics", record({
        "jsonrpc": {"const": "2.0"}, "method": {"const": "textDocument/publishDiagnostics"},
        "params": record({"uri": text(format="uri"), "version": {"type": ["integer", "null"]},
                          "diagnostics": array(ref("Diagnostic"))}, "uri diagnostics")},
        "jsonrpc method params"), definitions={
            "Position": position, "Range": span, "Diagnostic": record({
                "range": ref("Range"), "severity": whole(minimum=1, maximum=4), "code": {
                    "type": ["integer", "string"]}, "codeDescription": record(
                        {"href": text(format="uri")}, "href"), "source": text(), "message": text(),
                "tags": array({"enum": [1, 2]}), "relatedInformation": array(record({
                    "location": record({"uri": text(), "range": ref("Range")}, "uri range"),
                    "message": text()}, "location message"))}, "range message")}),
    [one, but(one, "params|diagnostics", [])],
    [but(one, "params|diagnostics|0|severity", 5), but(
        one, "params|diagnostics|0|range|start|line", -1), without(one, "params|uri")])

one = rpc(3, result={"isIncomplete": False, "items": [{
    "label": "println!", "kind": 3, "textEdit": {"newText": "println!($0)", "range": {
        "start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 2}}},
    "documentation": {"kind": "markdown", "value": "Prints."}}]})
item = record({
    "label": text(), "kind": whole(minimum=1, maximum=25), "detail": text(),
    "documentation": {"oneOf": [text(), record({"kind": choice("plaintext markdown"), "value":
                                                text()}, "kind value")]},
    "preselect": flag(), "sortText": text(), "insertTextFormat": {"enum": [1, 2]},
    "textEdit": {"anyOf": [
        closed({"range": ref("Range"), "newText": text()}, "range newText"),
        closed({"insert": ref("Range"), "replace": ref("Range"), "newText": text()},
               "insert replace newText")]},
    "additionalTextEdits": array(closed({"range": ref("Range"), "newText": text()},
                                        "range newText")), "commitCharacters": texts()}, "label")
CASES["lsp_completion"] = (
    document(D7, "completion", record({
        "jsonrpc": {"const": "2.0"}, "id": {"type": ["integer", "string"]}, "result": {"anyOf": [
            array(ref("Item")), closed({"isIncomplete": flag(), "items": array(ref("Item"))},
                                       "isIncomplete items"), {"type": "null"}]}},
        "jsonrpc id result"), definitions={"Position": position, "Range": span, "Item": item}),
    [one, rpc(4, result=None), rpc(4, result=[{"label": "a"}])],
    [but(one, "result|items|0|kind", 26), rpc(1, result={"items": []}), but(
        one, "result|items|0|textEdit|insert", None)])

one = {"seq": 12, "type": "request", "command": "setBreakpoints", "arguments": {
    "source": {"path": "/a/b.py"}, "breakpoints": [{"line": 4, "condition": "x > 1"}]}}
CASES["debug_adapter"] = (
    document(D19, "setBreakpoints", {"allOf": [ref2("ProtocolMessage"), {
        "type": "object", "properties": {"type": {"const": "request"}, "command": {
            "const": "setBreakpoints"}, "arguments": record({
                "source": record({"name": text(), "path": text(), "sourceReference": whole(),
                                  "presentationHint": choice("normal emphasize deemphasize")}),
                "breakpoints": array(record({"line": whole(), "column": whole(), "condition":
                                             text(), "hitCondition": text(), "logMessage": text()},
                                            "line")), "sourceModified": flag()}, "source")},
        "required": ["command", "arguments"]}]}, **{"$defs": {"ProtocolMessage": record({
            "seq": whole("Number of the message", minimum=1), "type": {"type": "string",
                                                                       "_enum": ["request"]}},
            "seq type")}}),
    [one, but(one, "arguments|breakpoints", [])],
    [without(one, "seq"), but(one, "type", "event"), but(one, "arguments|breakpoints|0|line", "4")])

one = rpc(1, method="eth_getLogs", params=[{"fromBlock": "0x1b4", "toBlock": "latest", "address":
                                            "0x" + "ab" * 20, "topics": [None, ["0x" + "0" * 64]]}])
block_number = {"oneOf": [text(pattern="^0x([1-9a-f][0-9a-f]*|0)$"), choice(
    "earliest finalized safe latest pending")]}
CASES["chain_logs"] = (
    document(D20, "eth_getLogs", record({
        "jsonrpc": {"const": "2.0"}, "id": {}, "method": {"const": "eth_getLogs"}, "params": {
            "type": "array", "minItems": 1, "maxItems": 1, "items": {"oneOf": [
                closed({"fromBlock": ref2("block"), "toBlock": ref2("block"), "address": {
                    "oneOf": [ref2("address"), array(ref2("address"))]}, "topics": array({
                        "oneOf": [ref2("hash"), array(ref2("hash")), {"type": "null"}]},
                        maxItems=4)}),
                closed({"blockHash": ref2("hash")}, "blockHash")]}}}, "jsonrpc method params"),
        **{"$defs": {"block": block_number, "address": text(pattern="^0x[0-9a-fA-F]{40}$"),
                     "hash": text(pattern="^0x[0-9a-f]{64}$")}}),
    [one, but(one, "params", [{"blockHash": "0x" + "1" * 64}])],
    [but(one, "params|0|fromBlock", "0x01"), but(one, "params|0|address", "0xab"),
     but(one, "params", [])])
