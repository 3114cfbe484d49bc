"""Parameters of more functions that agents call: shorter ones, as catalogues of tools have them."""

# fmt: off
from schemas_written.common import (
    D7, D20, array, but, choice, closed, document, flag, number, record, ref, ref2, table, text,
    texts, whole, without,
)

CASES = {}


def function(name, about, properties, required="", strict=True, **more):
    """What stands in `function` of a list of tools' schemas: the parameters with their name."""
    kind = closed if strict else record
    return document(None, name, kind(properties, required, about), **more)


one = {"symbol": "NESN.SW", "range": {"from": "2024-01-01", "to": "2024-06-30"}, "interval": "1d",
       "fields": ["close", "volume"]}
CASES["get_stock_prices"] = (
    function("get_stock_prices", "Prices of a share over time, adjusted for splits", {
        "symbol": text("Ticker with the exchange behind a point",
        pattern="^[A-Z0-9]{1,6}(\\.[A-Z]{1,3})?$"),
        "range": {"description": "Days, or how far back", "oneOf": [
            closed({"from": text(format="date"), "to": text(format="date")}, "from"),
            choice("1d 5d 1mo 6mo ytd 1y 5y max")]},
        "interval": choice("1m 5m 1h 1d 1wk", "Distance of two points", default="1d"),
        "fields": array(choice("open high low close volume"), "Which columns", minItems=1,
                        uniqueItems=True)}, "symbol range"),
    [one, {"symbol": "AAPL", "range": "ytd"}],
    [but(one, "symbol", "nestle"), but(one, "range", "2y"), but(one, "fields", ["close", "close"])])

one = {"city": "Lisbon", "check_in": "2025-05-02", "nights": 3, "rooms": [{"adults": 2,
    "children": [4]}],
       "filters": {"stars": {"min": 3}, "amenities": ["wifi"], "price": {"max": 150,
       "currency": "EUR"}}}
CASES["search_hotels"] = (
    function("search_hotels", "Finds rooms", {
        "city": text(minLength=2), "check_in": text("First night", format="date"), "nights": whole(
            minimum=1, maximum=30), "rooms": array(closed({
                "adults": whole(minimum=1, maximum=6), "children": array(whole(
                    "Age", minimum=0, maximum=17), maxItems=4)}, "adults"), minItems=1, maxItems=8),
        "filters": record({"stars": record({"min": whole(minimum=1, maximum=5), "max": whole(
            minimum=1, maximum=5)}), "amenities": array(choice("wifi pool parking gym spa pets")),
            "price": closed({"max": number(exclusiveMinimum=0), "currency": text(
                pattern="^[A-Z]{3}$")}, "max currency")})}, "city check_in nights rooms"),
    [one, without(one, "filters")],
    [but(one, "rooms", []), but(one, "rooms|0|children", [21]), but(one, "nights", 0),
     but(one, "filters|price", {"max": 100})])

one = {"query": "is:unread from:bank", "limit": 20, "include": {"body": "text",
    "attachments": False},
       "labels": ["INBOX"], "after": "2024-12-01"}
CASES["search_mail"] = (
    function("search_mail", "Looks through the user's mail; newest first", {
        "query": text("As in the search box", maxLength=500), "limit": whole(minimum=1, maximum=100,
                                                                            default=10),
        "labels": array({"anyOf": [choice("INBOX SENT DRAFT SPAM TRASH STARRED"), text(
            pattern="^Label_[0-9]+$")]}), "after": text(format="date"), "before": text(
            format="date"),
        "include": closed({"body": {"enum": ["none", "text", "html", False]}, "headers": texts(),
                           "attachments": flag()})}, "query"),
    [one, {"query": "", "labels": ["Label_12"]}],
    [but(one, "labels", ["inbox"]), but(one, "include|body", True), but(one, "after", "1.12.2024")])

one = {"ids": [4, 9], "action": {"snooze": {"until": "2025-02-01T08:00:00Z"}}}
CASES["organise_mail"] = (
    function("organise_mail", "Moves, marks or answers", {
        "ids": array(whole(minimum=1), minItems=1, maxItems=500, uniqueItems=True), "action": {
        "oneOf": [
            closed({"move": closed({"folder": text(minLength=1)}, "folder")}, "move"),
            closed({"mark": array(choice("read unread flagged unflagged spam"), minItems=1)},
            "mark"),
            closed({"snooze": closed({"until": text(format="date-time")}, "until")}, "snooze"),
            closed({"reply": closed({"body": text(minLength=1), "all": flag(default=False), "quote":
                                     {"enum": ["full", "selection", None]}}, "body")}, "reply"),
            {"type": "string", "enum": ["archive", "delete"]}]}}, "ids action"),
    [one, {"ids": [1], "action": "archive"}, {"ids": [1], "action": {"reply": {"body": "Ok",
        "quote":
                                                                               None}}}],
    [but(one, "ids", [4, 4]), but(one, "action", {"move": {}}), but(one, "action", "print"), but(
        one, "action|mark", ["read"])])

one = {"file": "report.docx", "changes": [{"find": "colour", "replace": "color",
    "match_case": True}, {
    "insert": "Summary", "style": "Heading 2", "after": 4}], "track": True}
CASES["edit_document"] = (
    function("edit_document", "Changes a text document", {
        "file": text(pattern="\\.(docx|odt|md)$"), "track": flag("Show changes as suggestions"),
        "changes": array({"anyOf": [
            closed({"find": text(minLength=1), "replace": text(), "match_case": flag(),
            "regex": flag()},
                   "find replace"),
            closed({"insert": text(), "after": whole("Paragraph", minimum=0), "style": text(
                pattern="^(Normal|Quote|Heading [1-6])$")}, "insert after"),
            closed({"delete": array(whole(minimum=0), minItems=2, maxItems=2)}, "delete")]},
            minItems=1)},
        "file changes"),
    [one, but(one, "changes", [{"delete": [1, 3]}])],
    [but(one, "file", "a.pdf"), but(one, "changes|1|style", "Heading 7"), but(
        one, "changes", [{"delete": [1]}]), but(one, "changes|0|insert", "x")])

one = {"sheet": "Budget", "range": "B2:C3", "values": [[1, "=SUM(A1:A9)"], [None, True]],
    "format": {
    "number": "#,##0.00", "bold": True, "borders": {"bottom": "thin"}}}
CASES["write_cells"] = (
    function("write_cells", "Writes into a sheet", {
        "sheet": text(maxLength=31, pattern="^[^\\[\\]:*?/\\\\]+$"), "range": text(
            "Where, in letters and numbers", pattern="^\\$?[A-Z]{1,3}\\$?[1-9][0-9]{0,6}"
            "(:\\$?[A-Z]{1,3}\\$?[1-9][0-9]{0,6})?$"), "values": array(array({"type": [
                "string", "number", "boolean", "null"]}), minItems=1), "format": record({
                    "number": text(), "bold": flag(), "align": choice("left center right"),
                    "fill": text(
                        pattern="^#[0-9A-F]{6}$"), "borders": {"type": "object", "propertyNames": {
                            "enum": ["top", "bottom", "left", "right"]},
                            "additionalProperties": choice(
                                "none thin thick double")}})}, "sheet range values"),
    [one, {"sheet": "x", "range": "$A$1", "values": [[""]]}],
    [but(one, "range", "2B"), but(one, "values", [1]), but(one, "format|borders|middle", "thin"),
     but(one, "sheet", "a/b")])

one = {"customer": {"id": "cus_81"}, "stage": "proposal", "value": {"amount": 12000,
    "currency": "CHF"},
       "probability": 0.4, "next_step": {"kind": "call", "on": "2025-02-11"}}
CASES["update_deal"] = (
    function("update_deal", "Changes an opportunity in the sales pipeline", {
        "customer": {"oneOf": [closed({"id": text(pattern="^cus_[a-z0-9]+$")}, "id"), closed({
            "email": text(format="email")}, "email")]}, "stage": choice(
                "lead qualified proposal negotiation won lost"), "lost_reason": text(),
                "value": closed({
                    "amount": number(minimum=0), "currency": {"enum": ["CHF", "EUR", "USD"]}},
                    "amount currency"), "probability": number(minimum=0, maximum=1),
                    "next_step": closed({
                        "kind": choice("call mail meeting"), "on": text(format="date"),
                        "note": text()},
                        "kind on")}, "customer stage", **{
                            "if": {"properties": {"stage": {"const": "lost"}}}, "then": {
                                "required": ["lost_reason"]}}),
    [one, {"customer": {"email": "a@example.com"}, "stage": "lost", "lost_reason": "price"}],
    [but(one, "stage", "lost"), but(one, "customer", {}), but(one, "probability", 40),
     but(one, "next_step|kind", "lunch")])

one = {"steps": [{"tool": "crop", "box": [0, 0, 640, 480]}, {"tool": "resize", "width": 320}, {
    "tool": "filter", "name": "blur", "radius": 2.5}], "output": {"path": "a.webp", "quality": 80}}
CASES["process_image"] = (
    function("process_image", "Applies steps one after the other", {
        "steps": array({"type": "object", "required": ["tool"], "properties": {"tool": choice(
            "crop resize rotate filter")}, "oneOf": [
                {"properties": {"tool": {"const": "crop"}, "box": array(whole(minimum=0),
                minItems=4,
                                                                        maxItems=4)}, "required": [
                                                                        "box"]},
                {"properties": {"tool": {"const": "resize"}, "width": whole(minimum=1),
                "height": whole(
                    minimum=1), "fit": choice("cover contain fill")}, "anyOf": [
                        {"required": ["width"]}, {"required": ["height"]}]},
                {"properties": {"tool": {"const": "rotate"}, "degrees": {"enum": [90, 180, 270]}},
                 "required": ["degrees"]},
                {"properties": {"tool": {"const": "filter"}, "name": choice("blur sharpen gray"),
                                "radius": number(exclusiveMinimum=0, maximum=100)}, "required": [
                                    "name"]}]}, minItems=1), "output": closed({
                                        "path": text(), "quality": whole(minimum=1, maximum=100)},
                                        "path")}, "steps output"),
    [one, but(one, "steps", [{"tool": "rotate", "degrees": 90}])],
    [but(one, "steps|0|box", [0, 0]), but(one, "steps|1", {"tool": "resize"}), but(one, "steps", [{
        "tool": "rotate", "degrees": 45}]), but(one, "steps|2|radius", 0)])

one = {"text": "Hello", "voice": {"id": "anna", "speed": 1.1, "emotion": {"calm": 0.8}}, "format": {
    "container": "wav", "sample_rate": 24000}, "pronunciations": {"PicoLM": "pee-koh"}}
CASES["speak"] = (
    function("speak", "Turns text to speech", {
        "text": text(minLength=1, maxLength=5000), "voice": {"anyOf": [text(), closed({
            "id": text(), "speed": number(minimum=0.25, maximum=4), "pitch": whole(minimum=-12,
            maximum=12),
            "emotion": table(number(minimum=0, maximum=1), maxProperties=3)}, "id")]}, "format": {
                "type": "object", "properties": {"container": choice("mp3 wav ogg raw"),
                "sample_rate": {
                    "enum": [8000, 16000, 22050, 24000, 44100, 48000]}, "bit_rate": whole()},
                "required": ["container"], "additionalProperties": False}, "pronunciations": table(
                text(
                    minLength=1))}, "text voice"),
    [one, {"text": "x", "voice": "ben"}],
    [but(one, "format|sample_rate", 11025), but(one, "voice|speed", 5), but(
        one, "voice|emotion", {"a": 1, "b": 1, "c": 1, "d": 1}), but(one, "text", "")])

one = {"playlist": "Morning", "add": [{"uri": "spotify:track:4uLU6hMCjMI75M1A2tKUQC"}, {
    "search": {"artist": "Nina Simone", "title": "Feeling Good"}}], "position": "end", "play": {
        "shuffle": False, "device": None}}
CASES["edit_playlist"] = (
    function("edit_playlist", "Adds songs to a list and plays it", {
        "playlist": text(minLength=1, maxLength=100), "add": array({"oneOf": [
            closed({"uri": text(pattern="^spotify:(track|episode|album):[A-Za-z0-9]{22}$")}, "uri"),
            closed({"search": closed({"artist": text(), "title": text(), "year": whole(
                minimum=1900, maximum=2100)}, "title")}, "search")]}, maxItems=100), "position": {
                "anyOf": [
                    choice("start end"), whole(minimum=0)]}, "play": {"anyOf": [flag(), closed({
                        "shuffle": flag(), "repeat": choice("off track all"), "device": {"type": [
                            "string", "null"]}})]}}, "playlist"),
    [one, {"playlist": "x", "position": 3, "play": True}],
    [but(one, "add|0|uri", "track:1"), but(one, "add|1|search", {"artist": "x"}), but(
        one, "position", "middle"), but(one, "position", -1)])

one = {"patient": {"born": "1980-04-12", "sex": "f"}, "symptoms": [{"code": "R51", "since": "P3D",
       "severity": 6}], "medication": [{"name": "Ibuprofen", "dose": {"value": 400, "unit": "mg"},
                                        "times_a_day": 3}], "allergies": "none known"}
CASES["triage"] = (
    function("triage", "Writes down what a patient says", {
        "patient": closed({"born": text(format="date"), "sex": {"enum": ["f", "m", "x", None]},
                           "pregnant": flag()}, "born", dependentSchemas={"pregnant": {
                           "properties": {
                               "sex": {"const": "f"}}, "required": ["sex"]}}),
        "symptoms": array(record({"code": text("ICD-10", pattern="^[A-Z][0-9]{2}(\\.[0-9]{1,2})?$"),
                                  "since": text(format="duration"), "severity": whole(
                                      minimum=0, maximum=10), "note": text()}, "code"), minItems=1),
        "medication": array(closed({"name": text(), "dose": closed({
            "value": number(exclusiveMinimum=0), "unit": choice("mg g ml IU")}, "value unit"),
            "times_a_day": whole(minimum=1, maximum=12)}, "name")), "allergies": {"anyOf": [
                {"const": "none known"}, array(text(), minItems=1)]}}, "patient symptoms"),
    [one, but(one, "allergies", ["penicillin"])],
    [but(one, "patient|sex", "female"), but(one, "symptoms|0|code", "headache"), but(
        one, "patient", {"born": "1980-04-12", "sex": "m", "pregnant": True}), but(
            one, "allergies", [])])

one = {"scene": "evening", "devices": {"light.kitchen": {"on": True, "brightness": 40},
    "cover.window": {
    "position": 0}, "climate.living": {"mode": "heat", "target": 21.5}}, "after": "PT10M"}
CASES["set_scene"] = (
    function("set_scene", "Sets several devices at once", {
        "scene": text(pattern="^[a-z_]+$"), "after": text(format="duration"), "devices": {
            "type": "object", "minProperties": 1, "patternProperties": {
                "^light\\.[a-z_]+$": closed({"on": flag(), "brightness": whole(minimum=0,
                maximum=100),
                                             "kelvin": whole(minimum=1500, maximum=9000)}, "on"),
                "^cover\\.[a-z_]+$": closed({"position": whole(minimum=0, maximum=100),
                "tilt": whole(
                    minimum=0, maximum=100)}, "position"),
                "^climate\\.[a-z_]+$": closed({"mode": choice("off heat cool auto"),
                "target": number(
                    minimum=5, maximum=30, multipleOf=0.5)}, "mode")},
                    "additionalProperties": False}},
        "devices", **{"$schema": D20}),
    [one, {"devices": {"light.hall": {"on": False}}}],
    [but(one, "devices|lock.door", {}), but(one, "devices|climate.living|target", 21.3), {
        "devices": {}}, but(one, "devices|cover.window", {"tilt": 4})])

one = {"language": "python", "files": {"main.py": "print(1)", "data/a.csv": "1,2"},
    "entry": "main.py",
       "limits": {"seconds": 10, "memory_mb": 256}, "packages": ["numpy==2.0", "rich"]}
CASES["run_code"] = (
    function("run_code", "Runs a program in a sandbox", {
        "language": choice("python javascript rust bash"), "files": {"type": "object",
            "propertyNames": {"pattern": "^(?!\\.\\.?/)[\\w.-]+(/[\\w.-]+)*$", "maxLength": 200},
            "additionalProperties": text(maxLength=100000), "minProperties": 1}, "entry": text(),
        "stdin": text(), "limits": closed({"seconds": number(minimum=0.1, maximum=60), "memory_mb":
                                           whole(minimum=16, maximum=4096)}), "packages": array(
                                           text(
            pattern="^[A-Za-z0-9._-]+(\\[[a-z,]+\\])?(==[0-9.]+)?$"), maxItems=20)},
        "language files entry", **{"allOf": [{"if": {"properties": {"language": {"const": "bash"}}},
                                              "then": {"properties": {"packages": {
                                              "maxItems": 0}}}}]}),
    [one, {"language": "bash", "files": {"a.sh": "ls"}, "entry": "a.sh"}],
    [but(one, "language", "bash"), but(one, "files", {"../x": ""}), but(one, "limits|seconds", 0),
     but(one, "packages", ["numpy>=2"])])

one = {"kind": "flowchart", "direction": "LR", "nodes": [{"id": "a", "label": "Start",
    "shape": "circle"},
       {"id": "b", "label": "End"}], "edges": [{"from": "a", "to": "b", "label": "go",
       "style": "dotted"}]}
CASES["draw_diagram"] = (
    function("draw_diagram", "Draws boxes and arrows", {
        "kind": choice("flowchart sequence state er"), "direction": choice("TB BT LR RL"),
        "nodes": array(
            closed({"id": ref("id"), "label": text(maxLength=60), "shape": choice(
                "rect round circle diamond cylinder"), "children": array(ref("id"),
                uniqueItems=True)},
                "id label"), minItems=1, maxItems=60), "edges": array(closed({
                    "from": ref("id"), "to": ref("id"), "label": text(), "style": {"oneOf": [
                        choice("solid dotted thick"), closed({"color": text(
                        pattern="^#[0-9a-f]{3}$"),
                                                              "width": number(minimum=0.5)})]}},
                    "from to"))}, "kind nodes edges", definitions={
                        "id": text(pattern="^[a-z][a-z0-9]{0,15}$")}),
    [one, but(one, "edges|0|style", {"color": "#f00", "width": 2})],
    [but(one, "nodes", []), but(one, "edges|0|to", "B"), but(one, "edges|0|style", "wavy"),
     but(one, "nodes|1|children", ["a", "a"])])

one = {"metric": "revenue", "dimensions": ["country"], "filters": [{"field": "plan", "in": [
    "pro"]}, {
    "field": "seats", "between": [5, 50]}], "time": {"grain": "month", "last": 12},
        "compare": "previous"}
CASES["query_metric"] = (
    function("query_metric", "Asks the company's metrics", {
        "metric": {"enum": ["revenue", "users", "churn", "nps"]}, "dimensions": array(choice(
            "country plan channel device"), maxItems=3, uniqueItems=True), "filters": array({
            "anyOf": [
                closed({"field": text(), "in": array({"type": ["string", "number"]}, minItems=1)},
                       "field in"), closed({"field": text(), "between": {
                           "type": "array", "prefixItems": [number(), number()], "items": False,
                           "minItems": 2}}, "field between"), closed({"field": text(), "is": {
                               "enum": [None, True, False]}}, "field is")]}), "time": closed({
                                   "grain": choice("day week month quarter year"), "last": whole(
                                       minimum=1, maximum=366)}, "grain last"), "compare": {
                                       "anyOf": [
                                           choice("previous last_year"), {"type": "null"}]}},
        "metric time"),
    [one, {"metric": "nps", "time": {"grain": "day", "last": 7}, "compare": None}],
    [but(one, "filters|1|between", [5]), but(one, "filters|0|is", None), but(one, "metric", "cost"),
     but(one, "dimensions", ["plan", "plan"])])

one = {"title": "Team lunch", "options": ["Pizza", "Salad"], "closes": "2025-02-03T12:00:00Z",
    "rules": {
    "multiple": True, "max": 2}, "audience": {"channel": "C1"}}
CASES["create_poll"] = (
    function("create_poll", "Asks a group", {
        "title": text(minLength=3, maxLength=120), "options": array(text(minLength=1, maxLength=80),
            minItems=2, maxItems=10, uniqueItems=True), "closes": text(format="date-time"),
        "rules": {"type": "object", "properties": {"multiple": flag(), "max": whole(minimum=2),
                  "anonymous": flag(default=True)}, "dependentRequired": {"max": ["multiple"]},
                  "additionalProperties": False}, "audience": {"oneOf": [
                      closed({"channel": text(pattern="^C[0-9A-Z]+$")}, "channel"), closed({
                          "users": array(text(pattern="^U[0-9A-Z]+$"), minItems=1)}, "users")]}},
        "title options audience"),
    [one, but(one, "audience", {"users": ["U1", "U2"]})],
    [but(one, "options", ["Pizza"]), but(one, "rules", {"max": 2}), but(one, "audience|users", [
        "U1"]),
     but(one, "options", ["a", "a"])])

one = {"from": {"account": "checking"}, "legs": [{"payee": "Rent Ltd", "amount": 1200, "on": 1}],
       "every": {"unit": "month", "count": 1}, "until": {"times": 12}}
CASES["standing_order"] = (
    function("standing_order", "Pays again and again", {
        "from": closed({"account": choice("checking savings")}, "account"), "legs": array(closed({
            "payee": text(maxLength=70), "amount": number(exclusiveMinimum=0, maximum=50000),
            "on": {
                "description": "Day of the month", "oneOf": [whole(minimum=1, maximum=28), {
                    "const": "last"}]}}, "payee amount on"), minItems=1, maxItems=5),
                    "every": closed({
                        "unit": choice("week month year"), "count": whole(minimum=1, maximum=12)},
                        "unit"),
        "until": {"oneOf": [closed({"times": whole(minimum=1)}, "times"), closed({
            "date": text(format="date")}, "date"), {"const": "cancelled"}]}},
            "from legs every until"),
    [one, but(but(one, "until", {"date": "2026-01-31"}), "legs|0|on", "last")],
    [but(one, "legs|0|on", 31), but(one, "until", {}), but(one, "until", {
        "times": 1, "date": "2026-01-31"}), but(one, "every|count", 0)])

one = {"recipe": "Rösti", "servings": 4, "diet": ["vegetarian"], "swap": [{"replace": "butter",
    "by": [
    "oil", "ghee"]}], "scale": {"unit": "metric", "round": 5}}
CASES["adapt_recipe"] = (
    function("adapt_recipe", "Adapts a recipe to guests", {
        "recipe": {"oneOf": [text(minLength=2), closed({"url": text(format="uri")}, "url"), closed({
            "ingredients": array(closed({"name": text(), "amount": {"anyOf": [number(minimum=0),
            text(
                pattern="^[0-9]+/[0-9]+$"), {"const": "to taste"}]}, "unit": choice(
                    "g kg ml l tsp tbsp cup piece")}, "name amount"), minItems=1), "steps": texts(
                        minItems=1)}, "ingredients steps")]}, "servings": whole(minimum=1,
                        maximum=100),
        "diet": array(choice("vegan vegetarian gluten-free lactose-free halal kosher"),
        uniqueItems=True),
        "swap": array(closed({"replace": text(), "by": {"anyOf": [text(), texts(minItems=1)]}},
                             "replace by")), "scale": record({"unit": choice("metric imperial"),
                             "round":
                                                              {"enum": [1, 5, 10, 25]}})},
        "recipe servings"),
    [one, but(one, "recipe", {"ingredients": [{"name": "flour", "amount": "1/2", "unit": "cup"}, {
        "name": "salt", "amount": "to taste"}], "steps": ["Mix."]})],
    [but(one, "recipe", {"url": "x", "steps": []}), but(one, "servings", 0), but(
        one, "scale|round", 3), but(one, "recipe", {"ingredients": [{"name": "x",
        "amount": "half"}],
                                                    "steps": ["a"]})])

one = {"issue": "leak", "urgency": 4, "unit": {"building": "B2", "floor": -1}, "photos": [
    "https://p.example.com/1.jpg"], "access": {"kind": "code", "code": "4711#"}}
CASES["report_damage"] = (
    function("report_damage", "Tells the house's service of a damage", {
        "issue": choice("leak heating power lock noise other"), "urgency": whole(minimum=1,
        maximum=5),
        "details": text(maxLength=1000), "unit": record({"building": text(pattern="^[A-Z][0-9]?$"),
                                                         "floor": whole(minimum=-3, maximum=40),
                                                         "door":
                                                         text()}, "building"), "photos": array(text(
            format="uri", pattern="\\.(jpe?g|png|heic)$"), maxItems=6), "access": {
                "type": "object", "properties": {"kind": choice("key code person")}, "required": [
                "kind"],
                "dependencies": {"code": {"properties": {"kind": {"const": "code"}}}}, "allOf": [
                    {"if": {"properties": {"kind": {"const": "code"}}}, "then": {"required": [
                    "code"],
                     "properties": {"code": text(pattern="^[0-9]{4,8}#?$")}}},
                    {"if": {"properties": {"kind": {"const": "person"}}}, "then": {"required": [
                        "phone"], "properties": {"phone": text(pattern="^\\+?[0-9 ]{7,16}$")}}}]}},
        "issue urgency unit", strict=False, **{"$schema": D7}, anyOf=[
            {"properties": {"issue": {"not": {"const": "other"}}}}, {"required": ["details"]}]),
    [one, {"issue": "other", "urgency": 1, "unit": {"building": "A"}, "details": "Smell",
        "access": {
        "kind": "person", "phone": "+41 79 555 01 01"}}],
    [but(one, "issue", "other"), but(one, "access|code", "47"), but(one, "photos", ["x.gif"]),
     but(one, "access", {"kind": "person"})])

one = {"class": "Order", "extends": "Base", "fields": [{"name": "id", "type": "u64"}, {
    "name": "lines",
       "type": {"list": {"ref": "Line"}}, "optional": True}], "derive": ["Debug", "Clone"]}
CASES["generate_type"] = (
    function("generate_type", "Writes a type's code", {
        "class": ref("Name"), "extends": ref("Name"), "fields": array(closed({
            "name": text(pattern="^[a-z_][a-z0-9_]*$"), "type": ref("Type"), "optional": flag(),
            "doc":
            text()}, "name type")), "derive": array({"enum": ["Debug", "Clone", "Copy",
            "PartialEq", "Eq",
                                                              "Hash"]}, uniqueItems=True)},
                                                              "class fields",
        definitions={"Name": text(pattern="^[A-Z][A-Za-z0-9]*$"), "Type": {"oneOf": [
            {"enum": ["bool", "u8", "u32", "u64", "i64", "f64", "string", "bytes"]},
            closed({"ref": ref("Name")}, "ref"), closed({"list": ref("Type")}, "list"), closed({
                "map": {"type": "array", "items": [{"enum": ["string", "u64"]}, ref("Type")],
                "minItems":
                        2, "maxItems": 2}}, "map"), closed({"tuple": array(ref("Type"),
                        minItems=2)},
                                                           "tuple")]}}, **{"$schema": D7}),
    [one, {"class": "A", "fields": [{"name": "m", "type": {"map": ["string", {"tuple": ["u8",
        "u8"]}]}}]}],
    [but(one, "class", "order"), but(one, "fields|0|type", "int"), but(one, "fields|0|type", {
        "map": ["f64", "u8"]}), but(one, "derive", ["Debug", "Debug"])])

one = {"answer": "Paris", "confidence": "high", "citations": [{"source": 1,
    "quote": "capital of France"}],
       "follow_up": ["How many people live there?"]}
CASES["cited_answer"] = (
    function("cited_answer", "An answer with what proves it", {
        "answer": text(minLength=1), "confidence": choice("low medium high"), "citations": array(
        closed({
            "source": whole(minimum=1), "quote": text(minLength=5, maxLength=300), "page": {
            "anyOf": [
                whole(minimum=1), {"type": "null"}]}}, "source quote")), "follow_up": array(text(
                    pattern="\\?$"), maxItems=3), "unanswerable": closed({"reason": choice(
                        "no_evidence conflicting out_of_scope"), "missing": texts()}, "reason")},
        "answer confidence citations", **{"if": {"properties": {"confidence": {"const": "high"}}},
                                          "then": {"properties": {"citations": {"minItems": 1}}}}),
    [one, {"answer": "Unknown", "confidence": "low", "citations": [], "unanswerable": {
        "reason": "no_evidence"}}],
    [but(one, "citations", []), but(one, "follow_up", ["Ok."]), but(one, "citations|0|quote", "x"),
     but(one, "confidence", 0.9)])

one = {"candidates": [{"label": "spam", "score": 0.97}, {"label": "ham", "score": 0.03}], "flags": {
    "violence": False, "self_harm": {"level": 0}}, "action": {"type": "hide", "hours": 24}}
CASES["moderate"] = (
    function("moderate", "What shall be done with a post", {
        "candidates": array(closed({"label": choice("spam ham abuse"), "score": number(
            minimum=0, maximum=1)}, "label score"), minItems=1, maxItems=3), "flags": table({
            "oneOf": [
                flag(), closed({"level": whole(minimum=0, maximum=3), "spans": array(array(whole(
                minimum=0),
                    minItems=2, maxItems=2))}, "level")]}, propertyNames={"pattern": "^[a-z_]+$"}),
        "action": {"type": "object", "required": ["type"], "properties": {"type": choice(
            "keep hide remove ban"), "hours": whole(minimum=1), "reason": text()}, "allOf": [
                {"if": {"properties": {"type": {"enum": ["hide", "ban"]}}}, "then": {"required": [
                    "hours"]}}, {"if": {"properties": {"type": {"const": "remove"}}}, "then": {
                        "required": ["reason"]}}], "unevaluatedProperties": False}},
                        "candidates action",
        **{"$schema": D20}),
    [one, but(one, "action", {"type": "keep"})],
    [but(one, "action", {"type": "ban"}), but(one, "candidates", []), but(one, "flags|Bad", True),
     but(one, "action|who", "me")])
