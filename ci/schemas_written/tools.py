"""Parameters of functions that agents call: one function, or a call of one of several."""

from schemas_written.common import (
    D7, D20, array, but, choice, closed, document, flag, number, record, ref, ref2, table, text,
    texts, whole, without,
)  # fmt: skip

CASES = {}


def call(name, parameters):
    return closed({"name": {"const": name}, "arguments": parameters}, "name arguments")


place = record(
    {
        "location": text("City and country, such as Bern, Switzerland"),
        "unit": choice("celsius fahrenheit", "Scale of the temperatures", default="celsius"),
        "days": whole("How many days ahead the forecast goes", minimum=1, maximum=14),
        "include": array(choice("wind rain snow uv pollen"), "What is told beside temperatures"),
    },
    "location",
    additionalProperties=False,
)
one = {"location": "Bern, Switzerland", "unit": "celsius", "days": 3, "include": ["wind", "uv"]}
CASES["weather_forecast"] = (
    document(None, "get_forecast", place, description="Looks the weather of the next days up."),
    [one, {"location": "Lima"}],
    [but(one, "days", 0), but(one, "unit", "kelvin"), {"unit": "celsius"}],
)

mail = {
    "type": "object",
    "properties": {
        "to": array(text(format="email"), "Who gets the message", minItems=1, maxItems=50),
        "cc": array(text(format="email"), "Who gets a copy"),
        "subject": text("A line that says what it is about", minLength=1, maxLength=200),
        "body": record(
            {"content": text("The message itself"), "format": choice("plain html markdown")},
            "content",
        ),
        "attachments": array(
            record(
                {
                    "filename": text("Name with its extension"),
                    "url": text("Where the file is fetched from", format="uri"),
                    "inline": flag("Whether the text shows it", default=False),
                },
                "filename url",
            )
        ),
        "send_at": text("When it goes out; at once if missing", format="date-time"),
        "priority": {"enum": ["low", "normal", "high"], "default": "normal"},
    },
    "required": ["to", "subject", "body"],
}
one = {
    "to": ["anna@example.org", "ben@example.com"],
    "subject": "Minutes of Tuesday",
    "body": {"content": "Hello both,\n\nhere they are.", "format": "plain"},
    "attachments": [{"filename": "minutes.pdf", "url": "https://files.example.org/m/12.pdf"}],
    "send_at": "2025-03-04T09:30:00+01:00",
}
CASES["send_email"] = (
    document(None, "send_email", mail),
    [one, without(one, "attachments"), but(one, "priority", "high")],
    [but(one, "to", []), but(one, "to|0", "anna"), but(one, "send_at", "tomorrow")],
)

event = {
    "$defs": {
        "moment": {
            "oneOf": [
                closed({"date": text("A whole day", format="date")}, "date"),
                closed(
                    {
                        "dateTime": text(format="date-time"),
                        "timeZone": text("Name of the zone", examples=["Europe/Zurich", "UTC"]),
                    },
                    "dateTime",
                ),
            ]
        },
        "attendee": record(
            {
                "email": text(format="email"),
                "optional": flag(),
                "response": choice("accepted declined tentative needsAction"),
            },
            "email",
        ),
    },
    "type": "object",
    "properties": {
        "calendar_id": text("Which calendar; `primary` is the user's own", default="primary"),
        "summary": text(minLength=1),
        "location": text(),
        "start": ref2("moment"),
        "end": ref2("moment"),
        "attendees": array(ref2("attendee"), maxItems=200),
        "recurrence": texts("Rules as iCalendar writes them"),
        "reminders": record(
            {
                "useDefault": flag(),
                "overrides": array(
                    record(
                        {"method": choice("email popup"), "minutes": whole(minimum=0)},
                        "method minutes",
                    ),
                    maxItems=5,
                ),
            },
            "useDefault",
        ),
    },
    "required": ["summary", "start", "end"],
    "additionalProperties": False,
}
one = {
    "summary": "Design review",
    "location": "Room 4",
    "start": {"dateTime": "2025-06-02T10:00:00+02:00", "timeZone": "Europe/Zurich"},
    "end": {"dateTime": "2025-06-02T11:00:00+02:00"},
    "attendees": [{"email": "kim@example.com", "response": "accepted"}],
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
    "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 10}]},
}
CASES["create_event"] = (
    document(D20, "create_event", event),
    [one, {"summary": "Holiday", "start": {"date": "2025-08-01"}, "end": {"date": "2025-08-02"}}],
    [
        but(one, "start", {"date": "2025-06-02", "dateTime": "2025-06-02T10:00:00Z"}),
        but(one, "attendees|0|response", "maybe"),
        but(one, "color", "red"),
    ],
)

search = {
    "type": "object",
    "properties": {
        "query": text("Words to look for", minLength=2, maxLength=400),
        "max_results": whole("At most so many", minimum=1, maximum=50, default=10),
        "recency": {
            "anyOf": [
                choice("day week month year"),
                record(
                    {"after": text(format="date"), "before": text(format="date")}, minProperties=1
                ),
                {"type": "null"},
            ],
            "description": "How old pages may be",
        },
        "domains": record(
            {
                "include": array(text(pattern=r"^([a-z0-9-]+\.)+[a-z]{2,}$"), maxItems=20),
                "exclude": array(text(pattern=r"^([a-z0-9-]+\.)+[a-z]{2,}$"), maxItems=20),
            }
        ),
        "safe": flag("Leave out what is for adults only"),
        "locale": text("Language and country", pattern="^[a-z]{2}(-[A-Z]{2})?$"),
    },
    "required": ["query"],
    "additionalProperties": False,
}
one = {
    "query": "rust no_std allocator",
    "max_results": 5,
    "recency": {"after": "2024-01-01"},
    "domains": {"include": ["docs.rs", "doc.rust-lang.org"]},
    "locale": "en-GB",
}
CASES["web_search"] = (
    document(None, "web_search", search),
    [one, {"query": "weather", "recency": "day"}, {"query": "news", "recency": None}],
    [
        but(one, "recency", "decade"),
        but(one, "domains|include|0", "https://docs.rs"),
        but(one, "locale", "english"),
    ],
)

edit = {
    "type": "object",
    "properties": {
        "path": text("The file, from the root of the project", pattern="^[^/].*$"),
        "edits": array(
            {
                "type": "object",
                "properties": {
                    "old_text": text("What is there now, exactly"),
                    "new_text": text("What is to be there"),
                    "occurrence": {
                        "description": "Which one, where the old text is there more than once",
                        "oneOf": [{"const": "all"}, whole(minimum=1)],
                    },
                },
                "required": ["old_text", "new_text"],
                "additionalProperties": False,
            },
            "Applied one after the other",
            minItems=1,
        ),
        "dry_run": flag("Only show the difference", default=False),
    },
    "required": ["path", "edits"],
    "additionalProperties": False,
}
one = {
    "path": "src/main.rs",
    "edits": [{"old_text": "let a = 1;", "new_text": "let a = 2;", "occurrence": "all"}],
}
CASES["edit_file"] = (
    document(None, "edit_file", edit),
    [one, but(one, "edits|0|occurrence", 2), but(one, "dry_run", True)],
    [but(one, "edits|0|occurrence", 0), but(one, "path", "/etc/passwd"), but(one, "edits", [])],
)

shell = record(
    {
        "command": {
            "oneOf": [
                text("A line for the shell", minLength=1),
                array(text(), "Program and arguments, without a shell", minItems=1),
            ]
        },
        "cwd": text("The folder in which it runs"),
        "env": table(description="Variables beside those of the session",
                     propertyNames={"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
        "timeout_ms": whole("It is ended after so long", minimum=100, maximum=600000),
        "stdin": text("What it reads"),
        "sandbox": record(
            {
                "network": flag("May open connections", default=False),
                "writable": texts("Folders it may write to"),
                "memory_mb": whole(minimum=16, multipleOf=16),
            },
        ),
        "justification": text("One sentence for the user who is asked"),
    },
    "command",
)  # fmt: skip
one = {
    "command": ["cargo", "test", "--workspace"],
    "cwd": "/home/me/project",
    "env": {"RUST_BACKTRACE": "1"},
    "timeout_ms": 120000,
    "sandbox": {"network": False, "writable": ["target"], "memory_mb": 2048},
}
CASES["run_shell"] = (
    document(None, "shell", shell, description="Runs a command and gives back what it writes."),
    [one, {"command": "ls -la | head", "stdin": ""}],
    [
        but(one, "env", {"1X": "a"}),
        but(one, "sandbox|memory_mb", 100),
        but(one, "command", []),
        without(one, "command"),
    ],
)

query = {
    "type": "object",
    "properties": {
        "table": text("Table or view", pattern="^[a-z_][a-z0-9_]*(\\.[a-z_][a-z0-9_]*)?$"),
        "columns": array(text(), minItems=1),
        "where": ref("condition"),
        "order_by": array(record({"column": text(), "desc": flag()}, "column")),
        "limit": whole(minimum=1, maximum=10000),
    },
    "required": ["table"],
    "definitions": {
        "scalar": {"type": ["string", "number", "boolean", "null"]},
        "condition": {
            "oneOf": [
                closed(
                    {
                        "column": text(),
                        "op": {"enum": ["=", "!=", "<", "<=", ">", ">=", "like"]},
                        "value": ref("scalar"),
                    },
                    "column op value",
                ),
                closed({"column": text(), "in": array(ref("scalar"), minItems=1)}, "column in"),
                closed({"and": array(ref("condition"), minItems=2)}, "and"),
                closed({"or": array(ref("condition"), minItems=2)}, "or"),
                closed({"not": ref("condition")}, "not"),
            ]
        },
    },
}
one = {
    "table": "public.orders",
    "columns": ["id", "total"],
    "where": {
        "and": [
            {"column": "total", "op": ">=", "value": 100.5},
            {"not": {"column": "state", "in": ["void", None]}},
        ]
    },
    "order_by": [{"column": "id", "desc": True}],
    "limit": 20,
}
CASES["query_database"] = (
    document(D7, "query", query),
    [one, {"table": "users"}],
    [
        but(one, "where|and", []),
        but(one, "where|and|0|op", "=="),
        but(one, "where", {"column": "a"}),
    ],
)

ticket = record(
    {
        "project": text("Short name of the project", pattern="^[A-Z][A-Z0-9]{1,9}$"),
        "type": choice("Bug Task Story Epic Sub-task"),
        "summary": text(maxLength=255),
        "description": text("What is wrong or wanted, in Markdown"),
        "priority": choice("Highest High Medium Low Lowest"),
        "labels": array(text(pattern="^\\S+$"), maxItems=10, uniqueItems=True),
        "parent": text("Key of the one above", pattern="^[A-Z][A-Z0-9]{1,9}-[1-9][0-9]*$"),
        "estimate": record(
            {"original": text(pattern="^([0-9]+[wdhm] ?)+$"), "points": number(minimum=0)}
        ),
        "custom_fields": {
            "type": "object",
            "patternProperties": {
                "^customfield_[0-9]{5}$": {"type": ["string", "number", "array", "null"]}
            },
            "additionalProperties": False,
        },
    },
    "project type summary",
    **{
        "if": {"properties": {"type": {"const": "Sub-task"}}},
        "then": {"required": ["parent"]},
    },
)
one = {
    "project": "CORE",
    "type": "Sub-task",
    "summary": "Crash when the list is empty",
    "labels": ["crash", "ui"],
    "parent": "CORE-120",
    "estimate": {"original": "1d 4h", "points": 3},
    "custom_fields": {"customfield_10010": "team blue"},
}
CASES["create_ticket"] = (
    document(D7, "create_issue", ticket),
    [one, {"project": "WEB", "type": "Bug", "summary": "Link is broken", "priority": "Low"}],
    [
        without(one, "parent"),
        but(one, "labels", ["crash", "crash"]),
        but(one, "custom_fields", {"team": 1}),
    ],
)

chart = {
    "type": "object",
    "properties": {
        "kind": choice("bar line pie scatter"),
        "title": text(maxLength=80),
        "x": record({"label": text(), "values": array({"type": ["string", "number"]})}, "values"),
        "series": array(
            record(
                {
                    "name": text(),
                    "values": array(number()),
                    "color": text(pattern="^#[0-9a-fA-F]{6}$"),
                },
                "name values",
            ),
            minItems=1,
            maxItems=8,
        ),
        "legend": {"oneOf": [flag(), choice("top right bottom left")]},
        "size": array(whole(minimum=64, maximum=4096), minItems=2, maxItems=2),
    },
    "required": ["kind", "series"],
    "allOf": [
        {
            "if": {"properties": {"kind": {"const": "pie"}}, "required": ["kind"]},
            "then": {"properties": {"series": {"maxItems": 1}}},
            "else": {"required": ["x"]},
        }
    ],
}
one = {
    "kind": "bar",
    "title": "Sales",
    "x": {"label": "Month", "values": ["Jan", "Feb"]},
    "series": [{"name": "2024", "values": [10, 12.5], "color": "#00aaFF"}],
    "legend": "top",
    "size": [640, 480],
}
CASES["draw_chart"] = (
    document(D7, "draw_chart", chart),
    [one, {"kind": "pie", "series": [{"name": "share", "values": [1, 2]}], "legend": False}],
    [
        without(one, "x"),
        {"kind": "pie", "series": [{"name": "a", "values": [1]}, {"name": "b", "values": [2]}]},
        but(one, "size", [640]),
    ],
)

flight = record(
    {
        "origin": text("Airport code", pattern="^[A-Z]{3}$", examples=["ZRH", "JFK"]),
        "destination": text("Airport code", pattern="^[A-Z]{3}$"),
        "departure": text(format="date"),
        "return": {"type": ["string", "null"], "format": "date"},
        "passengers": closed(
            {
                "adults": whole(minimum=1, maximum=9, default=1),
                "children": whole(minimum=0, maximum=8),
                "infants": whole("On somebody's lap", minimum=0, maximum=4),
            },
            "adults",
        ),
        "cabin": choice("economy premium business first"),
        "max_price": record(
            {"amount": number(exclusiveMinimum=0), "currency": text(minLength=3, maxLength=3)},
            "amount currency",
        ),
        "nonstop": flag(),
        "airlines": array(text(pattern="^[A-Z0-9]{2}$"), uniqueItems=True),
    },
    "origin destination departure passengers",
    additionalProperties=False,
)
one = {
    "origin": "ZRH",
    "destination": "LHR",
    "departure": "2025-09-12",
    "return": None,
    "passengers": {"adults": 2, "children": 1},
    "max_price": {"amount": 450.5, "currency": "CHF"},
    "airlines": ["LX", "BA"],
}
CASES["search_flights"] = (
    document(None, "search_flights", flight, strict=True),
    [one, but(one, "return", "2025-09-20")],
    [
        but(one, "passengers|adults", 0),
        but(one, "departure", "12.9.2025"),
        but(one, "max_price|amount", 0),
    ],
)

calls = {
    "type": "object",
    "properties": {
        "thought": text("Why these tools, in a sentence or two"),
        "tool_calls": array(
            {
                "oneOf": [
                    call("read_file", closed({"path": text(), "range": array(
                        whole(minimum=1), minItems=2, maxItems=2)}, "path")),
                    call("list_directory", closed({"path": text(), "depth": whole(
                        minimum=1, maximum=8)}, "path")),
                    call("grep", closed({"pattern": text(format="regex"), "glob": text(),
                                         "ignore_case": flag()}, "pattern")),
                    call("finish", closed({"summary": text(minLength=1)}, "summary")),
                ]
            },
            minItems=1,
            maxItems=4,
        ),
    },
    "required": ["tool_calls"],
    "additionalProperties": False,
}  # fmt: skip
one = {
    "thought": "First see what is there.",
    "tool_calls": [
        {"name": "list_directory", "arguments": {"path": "src", "depth": 2}},
        {"name": "grep", "arguments": {"pattern": "fn +main", "glob": "*.rs"}},
    ],
}
CASES["agent_step"] = (
    document(None, "one step of an agent", calls),
    [one, {"tool_calls": [{"name": "finish", "arguments": {"summary": "Done."}}]}],
    [
        but(one, "tool_calls|0|name", "remove_directory"),
        but(one, "tool_calls|0|arguments", {"pattern": "x"}),
        but(one, "tool_calls", []),
    ],
)

turn = document(
    D20,
    "a message of an assistant with calls",
    record(
        {
            "role": {"const": "assistant"},
            "content": {"type": ["string", "null"]},
            "refusal": {"type": ["string", "null"], "default": None},
            "tool_calls": array(
                record(
                    {
                        "id": text(pattern="^call_[A-Za-z0-9]{8,24}$"),
                        "type": {"const": "function"},
                        "function": record(
                            {
                                "name": text(pattern="^[a-zA-Z0-9_-]{1,64}$"),
                                "arguments": text(contentMediaType="application/json"),
                            },
                            "name arguments",
                            additionalProperties=False,
                        ),
                    },
                    "id type function",
                )
            ),
            "usage": record({n: whole(minimum=0) for n in ("prompt", "completion", "total")}),
        },
        "role",
        anyOf=[{"required": ["content"]}, {"required": ["tool_calls"]}],
    ),
)
one = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_a1B2c3D4",
            "type": "function",
            "function": {"name": "get_time", "arguments": '{"zone": "UTC"}'},
        }
    ],
}
CASES["assistant_message"] = (
    turn,
    [one, {"role": "assistant", "content": "It is noon.", "usage": {"total": 12}}],
    [{"role": "assistant"}, but(one, "tool_calls|0|id", "42"), but(one, "role", "user")],
)

pull = record(
    {
        "owner": text("Account that the repository belongs to"),
        "repo": text("Its name, without `.git`", pattern="^[A-Za-z0-9._-]+$"),
        "title": text(minLength=1, maxLength=256),
        "head": text("The branch with the changes"),
        "base": text("The branch they go into", default="main"),
        "body": text(),
        "draft": flag(default=False),
        "reviewers": {
            "type": "object",
            "properties": {
                "users": array(text(pattern="^[a-z\\d](?:[a-z\\d]|-(?=[a-z\\d])){0,38}$")),
                "teams": texts(),
            },
            "additionalProperties": False,
        },
        "labels": array(record({"name": text(), "color": text(pattern="^[0-9a-f]{6}$")}, "name")),
    },
    "owner repo title head",
)
one = {
    "owner": "octo",
    "repo": "hello.world",
    "title": "Fix the build",
    "head": "fix-build",
    "draft": True,
    "labels": [{"name": "bug", "color": "d73a4a"}],
}
CASES["create_pull_request"] = (
    document(None, "create_pull_request", pull),
    [one, but(one, "reviewers", {"users": ["mona-lisa"], "teams": []})],
    [
        but(one, "reviewers", {"users": ["-mona"]}),
        but(one, "repo", "a/b"),
        but(one, "labels|0|color", "red"),
    ],
)

remember = {
    "type": "object",
    "description": "Writes to a graph of what is known of the user.",
    "properties": {
        "entities": array(
            closed(
                {
                    "name": text(),
                    "type": choice("person place project preference fact"),
                    "observations": texts(minItems=1),
                    "confidence": number(minimum=0, maximum=1),
                },
                "name type observations",
            )
        ),
        "relations": array(
            closed(
                {"from": text(), "to": text(), "verb": text(pattern="^[a-z]+(_[a-z]+)*$")},
                "from to verb",
            )
        ),
        "forget": texts("Names of entities that go", uniqueItems=True),
        "ttl": {"anyOf": [text(format="duration"), {"const": "forever"}]},
    },
    "minProperties": 1,
    "additionalProperties": False,
}
one = {
    "entities": [{"name": "Lea", "type": "person", "observations": ["likes tea"]}],
    "relations": [{"from": "Lea", "to": "Aare", "verb": "swims_in"}],
    "ttl": "P30D",
}
CASES["remember"] = (
    document(D20, "remember", remember),
    [one, {"forget": ["Lea"], "ttl": "forever"}],
    [{}, but(one, "relations|0|verb", "swims in"), but(one, "entities|0|confidence", 1.5)],
)

browser = {
    "$defs": {
        "target": record(
            {
                "selector": text("In CSS"),
                "text": text("What the element shows"),
                "index": whole(minimum=0),
            },
            anyOf=[{"required": ["selector"]}, {"required": ["text"]}],
        ),
        "point": record({"x": number(minimum=0), "y": number(minimum=0)}, "x y"),
    },
    "oneOf": [
        record({"action": {"const": "goto"}, "url": text(format="uri")}, "action url"),
        record(
            {
                "action": {"enum": ["click", "hover"]},
                "at": {"anyOf": [ref2("target"), ref2("point")]},
                "button": choice("left middle right"),
            },
            "action at",
        ),
        record(
            {
                "action": {"const": "type"},
                "into": ref2("target"),
                "text": text(),
                "submit": flag(),
            },
            "action text",
        ),
        record({"action": {"const": "scroll"}, "by": ref2("point")}, "action by"),
        record({"action": {"const": "screenshot"}, "full_page": flag()}, "action"),
        record({"action": {"const": "wait"}, "ms": whole(minimum=0, maximum=30000)}, "action ms"),
    ],
}
one = {"action": "click", "at": {"selector": "button.primary"}, "button": "left"}
CASES["browser_action"] = (
    document(D20, "browser", browser),
    [
        one,
        {"action": "goto", "url": "https://shop.example.com/cart?id=7"},
        {"action": "scroll", "by": {"x": 0, "y": 400}},
    ],
    [{"action": "click"}, but(one, "at", {"index": 0}), {"action": "wait", "ms": 60000}],
)

convert = record(
    {
        "value": {"oneOf": [number(), array(number(), minItems=1)]},
        "from": ref("unit"),
        "to": ref("unit"),
        "precision": whole("Digits after the point", minimum=0, maximum=12),
    },
    "value from to",
)
one = {"value": [1, 2.5], "from": "km", "to": "mi", "precision": 3}
CASES["convert_units"] = (
    document(D7, "convert", convert, definitions={
        "unit": {
            "oneOf": [
                choice("mm cm m km in ft yd mi", "Length"),
                choice("g kg t oz lb", "Mass"),
                choice("ml l gal pt", "Volume"),
                choice("s min h d", "Time"),
                {"type": "string", "pattern": "^[A-Z]{3}$", "description": "Currency"},
            ]
        }
    }),
    [one, {"value": 20, "from": "CHF", "to": "EUR"}],
    [but(one, "to", "miles"), but(one, "value", []), but(one, "precision", 2.5)],
)  # fmt: skip

translate = record(
    {
        "segments": array(
            record(
                {
                    "id": {"type": ["integer", "string"]},
                    "source": text(minLength=1),
                    "context": text("What stands around it"),
                    "max_length": whole(minimum=1),
                },
                "id source",
            ),
            minItems=1,
            maxItems=100,
        ),
        "source_language": {"anyOf": [ref2("language"), {"const": "auto"}]},
        "target_language": ref2("language"),
        "formality": choice("default more less prefer_more prefer_less"),
        "glossary": table(table(), "Terms, by language, that have a fixed translation"),
        "tag_handling": {"enum": ["xml", "html", None]},
    },
    "segments target_language",
)
one = {
    "segments": [{"id": 1, "source": "Save"}, {"id": "b", "source": "Cancel", "max_length": 12}],
    "source_language": "auto",
    "target_language": "pt-BR",
    "glossary": {"pt-BR": {"Save": "Salvar"}},
    "tag_handling": None,
}
CASES["translate"] = (
    document(D20, "translate", translate, **{
        "$defs": {"language": text(pattern="^[a-z]{2,3}(-[A-Za-z]{2,8})*$")}
    }),
    [one, but(one, "formality", "less")],
    [
        but(one, "target_language", "auto detect"),
        but(one, "segments|0|id", None),
        but(one, "glossary|pt-BR|Save", 1),
    ],
)  # fmt: skip

plan = {
    "type": "object",
    "properties": {
        "goal": text("What shall be reached"),
        "steps": array(
            record(
                {
                    "id": text(pattern="^s[0-9]+$"),
                    "title": text(maxLength=120),
                    "status": choice("pending in_progress completed blocked"),
                    "depends_on": array(text(pattern="^s[0-9]+$"), uniqueItems=True),
                    "substeps": array({"$ref": "#/properties/steps/items"}),
                    "notes": {"type": ["string", "null"]},
                },
                "id title status",
                additionalProperties=False,
            ),
            minItems=1,
        ),
    },
    "required": ["goal", "steps"],
    "additionalProperties": False,
}
one = {
    "goal": "Release 1.2",
    "steps": [
        {"id": "s1", "title": "Freeze", "status": "completed", "notes": None},
        {
            "id": "s2",
            "title": "Test",
            "status": "in_progress",
            "depends_on": ["s1"],
            "substeps": [{"id": "s3", "title": "Load test", "status": "pending"}],
        },
    ],
}
CASES["update_plan"] = (
    document(None, "update_plan", plan),
    [one, but(one, "steps|1|substeps", [])],
    [
        but(one, "steps|1|substeps|0|status", "later"),
        but(one, "steps|0|id", "one"),
        but(one, "steps|1|depends_on", ["s1", "s1"]),
    ],
)

transfer = record(
    {
        "from_account": text("IBAN", pattern="^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$"),
        "to": {
            "oneOf": [
                record({"iban": text(pattern="^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$"),
                        "bic": text(pattern="^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$")}, "iban",
                       additionalProperties=False),
                record({"phone": text(pattern="^\\+[1-9][0-9]{6,14}$")}, "phone",
                       additionalProperties=False),
            ]
        },
        "amount": number(exclusiveMinimum=0, maximum=100000, multipleOf=0.01),
        "currency": {"enum": ["CHF", "EUR", "USD", "GBP"]},
        "execution_date": text(format="date"),
        "reference": text(maxLength=140),
        "confirm": {"const": True, "description": "The user has seen and allowed it"},
    },
    "from_account to amount currency confirm",
    additionalProperties=False,
)  # fmt: skip
one = {
    "from_account": "CH9300762011623852957",
    "to": {"iban": "DE89370400440532013000", "bic": "COBADEFFXXX"},
    "amount": 120.35,
    "currency": "EUR",
    "execution_date": "2025-02-28",
    "confirm": True,
}
CASES["transfer_money"] = (
    document(None, "transfer", transfer),
    [one, but(one, "to", {"phone": "+41791234567"})],
    [
        but(one, "amount", 10.005),
        but(one, "confirm", False),
        but(one, "to", {"iban": "DE89370400440532013000", "phone": "+41791234567"}),
    ],
)

image = record(
    {
        "prompt": text("What the picture shows", minLength=3, maxLength=4000),
        "negative_prompt": text(),
        "n": whole(minimum=1, maximum=4, default=1),
        "size": {"enum": ["256x256", "512x512", "1024x1024", "1792x1024"]},
        "seed": {"type": ["integer", "null"], "minimum": 0, "maximum": 4294967295},
        "guidance": number(minimum=1, maximum=30, default=7.5),
        "output": record(
            {"format": choice("png jpeg webp"), "quality": whole(minimum=1, maximum=100)},
            "format",
            **{
                "if": {"properties": {"format": {"const": "png"}}},
                "then": {"properties": {"quality": False}},
            },
        ),
        "loras": array(
            record({"name": text(), "weight": number(minimum=-2, maximum=2)}, "name"), maxItems=3
        ),
    },
    "prompt",
)
one = {
    "prompt": "A fox in the snow, woodcut",
    "n": 2,
    "size": "512x512",
    "seed": 42,
    "guidance": 6.5,
    "output": {"format": "webp", "quality": 80},
    "loras": [{"name": "woodcut", "weight": 0.8}],
}
CASES["generate_image"] = (
    document(D7, "generate_image", image),
    [one, but(one, "output", {"format": "png"}), but(one, "seed", None)],
    [
        but(one, "output", {"format": "png", "quality": 3}),
        but(one, "guidance", 0.5),
        but(one, "size", "640x480"),
    ],
)

order = record(
    {
        "restaurant_id": text(format="uuid"),
        "items": array(
            record(
                {
                    "sku": text(),
                    "quantity": whole(minimum=1, maximum=20),
                    "options": table({"anyOf": [text(), texts()]}),
                    "without": array(choice("onion garlic nuts gluten lactose")),
                },
                "sku quantity",
            ),
            minItems=1,
        ),
        "delivery": {
            "oneOf": [
                record({"mode": {"const": "pickup"}, "at": text(format="time")}, "mode"),
                record(
                    {
                        "mode": {"const": "courier"},
                        "address": record(
                            {"street": text(), "zip": text(pattern="^[0-9]{4,5}$")}, "street zip"
                        ),
                        "floor": whole(minimum=-2, maximum=60),
                    },
                    "mode address",
                ),
            ]
        },
        "tip_percent": number(minimum=0, maximum=30),
    },
    "restaurant_id items delivery",
)
one = {
    "restaurant_id": "7f1d1a0c-5b7e-4a4f-9a55-2e0a3c1f9b11",
    "items": [
        {"sku": "pizza-4", "quantity": 2, "options": {"size": "L", "extra": ["basil"]}},
        {"sku": "cola", "quantity": 1, "without": []},
    ],
    "delivery": {"mode": "courier", "address": {"street": "Gasse 3", "zip": "3011"}, "floor": 2},
}
CASES["order_food"] = (
    document(D20, "order_food", order),
    [one, but(one, "delivery", {"mode": "pickup", "at": "18:30:00Z"})],
    [
        but(one, "delivery", {"mode": "courier"}),
        but(one, "restaurant_id", "12"),
        but(one, "items|0|quantity", 0),
    ],
)

lights = {
    "type": "object",
    "properties": {
        "room": choice("kitchen living_room bedroom bathroom hall"),
        "devices": array(text(pattern="^[a-z]+\\.[a-z0-9_]+$"), minItems=1),
        "state": choice("on off toggle"),
        "brightness": {"anyOf": [whole(minimum=0, maximum=255), text(pattern="^[+-]?\\d{1,3}%$")]},
        "color": {
            "oneOf": [
                {"type": "array", "items": [{"$ref": "#/definitions/byte"}] * 3, "minItems": 3,
                 "additionalItems": False},
                record({"kelvin": whole(minimum=1500, maximum=9000)}, "kelvin"),
                choice("red green blue white warm"),
            ]
        },
        "transition": number("Seconds", minimum=0, maximum=300),
    },
    "required": ["state"],
    "oneOf": [{"required": ["room"]}, {"required": ["devices"]}],
    "definitions": {"byte": whole(minimum=0, maximum=255)},
}  # fmt: skip
one = {"room": "kitchen", "state": "on", "brightness": "60%", "color": [255, 120, 0]}
CASES["set_lights"] = (
    document(D7, "set_lights", lights),
    [one, {"devices": ["light.desk_2"], "state": "on", "color": {"kelvin": 2700}}],
    [
        but(one, "devices", ["light.desk"]),
        but(one, "color", [255, 120]),
        but(one, "color", [256, 0, 0]),
        without(one, "room"),
    ],
)

extract = record(
    {
        "people": array(
            closed(
                {
                    "name": closed({"given": text(), "family": text()}, "given family"),
                    "role": {"type": ["string", "null"]},
                    "mentions": array(
                        closed({"start": whole(minimum=0), "end": whole(minimum=1)}, "start end"),
                        minItems=1,
                    ),
                },
                "name role mentions",
            )
        ),
        "organisations": array(
            closed({"name": text(), "country": text(pattern="^[A-Z]{2}$")}, "name")
        ),
        "dates": array(
            closed({"text": text(), "iso": {"anyOf": [text(format="date"), {"type": "null"}]}},
                   "text iso")
        ),
        "sentiment": closed(
            {
                "label": choice("positive neutral negative mixed"),
                "score": number(minimum=-1, maximum=1),
            },
            "label score",
        ),
    },
    "people organisations dates sentiment",
    additionalProperties=False,
)  # fmt: skip
one = {
    "people": [
        {
            "name": {"given": "Ada", "family": "Lovelace"},
            "role": None,
            "mentions": [{"start": 0, "end": 12}],
        }
    ],
    "organisations": [{"name": "Royal Society", "country": "GB"}],
    "dates": [{"text": "last spring", "iso": None}, {"text": "1 May 2024", "iso": "2024-05-01"}],
    "sentiment": {"label": "positive", "score": 0.75},
}
CASES["extract_entities"] = (
    document(None, "entities", extract),
    [one, but(one, "people", [])],
    [
        without(one, "dates"),
        but(one, "sentiment|score", 1.01),
        but(one, "people|0|mentions", []),
        but(one, "dates|1|iso", "2024-05"),
    ],
)

grade = record(
    {
        "criteria": array(
            record(
                {
                    "id": choice("correctness style tests docs"),
                    "score": {"enum": [0, 1, 2, 3, 4, 5]},
                    "reason": text(minLength=10, maxLength=500),
                    "lines": array(array(whole(minimum=1), minItems=1, maxItems=2)),
                },
                "id score reason",
            ),
            minItems=4,
            maxItems=4,
        ),
        "verdict": choice("accept revise reject"),
        "blocking": texts(),
    },
    "criteria verdict",
    **{
        "if": {"properties": {"verdict": {"enum": ["revise", "reject"]}}},
        "then": {"required": ["blocking"], "properties": {"blocking": {"minItems": 1}}},
    },
)
part = {"id": "style", "score": 4, "reason": "Names are clear throughout.", "lines": [[3], [7, 9]]}
one = {"criteria": [part, but(part, "id", "tests"), but(part, "id", "docs"), but(
    part, "id", "correctness")], "verdict": "accept"}  # fmt: skip
CASES["review_code"] = (
    document(D7, "review", grade),
    [one, {**one, "verdict": "revise", "blocking": ["No test of the empty list."]}],
    [
        but(one, "verdict", "reject"),
        {**one, "verdict": "reject", "blocking": []},
        but(one, "criteria", [part]),
        but(one, "criteria|0|score", 6),
    ],
)

route = record(
    {
        "origin": ref2("waypoint"),
        "destination": ref2("waypoint"),
        "via": array(ref2("waypoint"), maxItems=10),
        "mode": choice("driving walking cycling transit"),
        "avoid": array(choice("tolls highways ferries"), uniqueItems=True),
        "time": {
            "type": "object",
            "properties": {"depart": text(format="date-time"), "arrive": text(format="date-time")},
            "maxProperties": 1,
            "additionalProperties": False,
        },
    },
    "origin destination",
)
one = {
    "origin": {"lat": 46.948, "lng": 7.447},
    "destination": "Zürich HB",
    "via": [{"place_id": "ChIJ_x1"}],
    "mode": "transit",
    "avoid": ["tolls", "ferries"],
    "time": {"arrive": "2025-01-10T08:00:00Z"},
}
CASES["find_route"] = (
    document(D20, "find_route", route, **{
        "$defs": {
            "waypoint": {
                "anyOf": [
                    text("An address", minLength=2),
                    closed({"lat": number(minimum=-90, maximum=90),
                            "lng": number(minimum=-180, maximum=180)}, "lat lng"),
                    closed({"place_id": text(pattern="^[A-Za-z0-9_-]+$")}, "place_id"),
                ]
            }
        }
    }),
    [one, {"origin": "Bern", "destination": "Thun"}],
    [
        but(one, "origin|lat", 91),
        but(one, "avoid", ["tolls", "tolls"]),
        but(one, "time|depart", "2025-01-10T07:00:00Z"),
    ],
)  # fmt: skip

notebook = record(
    {
        "notebook": text("Path", pattern="\\.ipynb$"),
        "operations": array(
            {
                "anyOf": [
                    closed({"insert": closed({"at": whole(minimum=0), "type": choice(
                        "code markdown raw"), "source": {"oneOf": [text(), texts()]}},
                        "at type source")}, "insert"),
                    closed({"replace": closed({"cell": text(pattern="^[a-zA-Z0-9-_]+$",
                        minLength=1, maxLength=64), "source": text()}, "cell source")}, "replace"),
                    closed({"delete": closed({"cell": text()}, "cell")}, "delete"),
                    closed({"run": {"oneOf": [closed({"cell": text()}, "cell"),
                                              {"const": "all"}]}}, "run"),
                ]
            },
            minItems=1,
        ),
        "kernel": record({"name": text(), "language": choice("python r julia rust")}, "name"),
    },
    "notebook operations",
)  # fmt: skip
one = {
    "notebook": "analysis/sales.ipynb",
    "operations": [
        {"insert": {"at": 0, "type": "code", "source": ["import csv\n", "x = 1"]}},
        {"replace": {"cell": "a1-b2", "source": "print(x)"}},
        {"run": "all"},
    ],
    "kernel": {"name": "python3", "language": "python"},
}
CASES["edit_notebook"] = (
    document(None, "edit_notebook", notebook),
    [one, but(one, "operations", [{"delete": {"cell": "7"}}, {"run": {"cell": "8"}}])],
    [
        but(one, "notebook", "sales.py"),
        but(one, "operations|2", {"run": "some"}),
        but(one, "operations|1|replace|cell", "a b"),
    ],
)

form = record(
    {
        "title": text(),
        "fields": array(
            record(
                {
                    "key": text(pattern="^[a-z][a-zA-Z0-9]*$"),
                    "kind": choice("text number date select checkbox"),
                    "label": table(description="By language", minProperties=1),
                    "required": flag(default=False),
                    "options": array(record({"value": text(), "label": text()}, "value")),
                    "min": number(),
                    "max": number(),
                },
                "key kind label",
                allOf=[
                    {
                        "if": {"properties": {"kind": {"const": "select"}}},
                        "then": {"required": ["options"]},
                    },
                    {
                        "if": {"properties": {"kind": {"const": "number"}}},
                        "else": {"not": {"anyOf": [{"required": ["min"]}, {"required": ["max"]}]}},
                    },
                ],
            )
        ),
    },
    "title fields",
)
one = {
    "title": "Sign up",
    "fields": [
        {"key": "age", "kind": "number", "label": {"en": "Age", "de": "Alter"}, "min": 18},
        {"key": "plan", "kind": "select", "label": {"en": "Plan"}, "options": [{"value": "a"}]},
        {"key": "mail", "kind": "text", "label": {"en": "E-mail"}, "required": True},
    ],
}
CASES["build_form"] = (
    document(D7, "build_form", form),
    [one, but(one, "fields", [])],
    [
        but(one, "fields|2|max", 3),
        without(one, "fields|1|options"),
        but(one, "fields|0|label", {}),
    ],
)

alarm = document(
    D20,
    "schedule",
    record(
        {
            "label": text(maxLength=60),
            "trigger": {
                "type": "object",
                "properties": {
                    "type": choice("once daily weekly cron"),
                    "at": text(),
                    "weekdays": array(choice("mon tue wed thu fri sat sun"), uniqueItems=True,
                                      minItems=1),
                    "expression": text(pattern="^(\\S+\\s+){4}\\S+$"),
                },
                "required": ["type"],
                "dependentRequired": {"weekdays": ["at"]},
                "dependentSchemas": {"expression": {"properties": {"type": {"const": "cron"}}}},
            },
            "actions": array(
                {"oneOf": [closed({"say": text()}, "say"), closed({"play": text(format="uri")},
                                                                  "play")]},
                minItems=1, maxItems=3,
            ),
            "enabled": flag(),
        },
        "trigger actions",
    ),
)  # fmt: skip
one = {
    "label": "Wake up",
    "trigger": {"type": "weekly", "at": "06:30", "weekdays": ["mon", "fri"]},
    "actions": [{"say": "Good morning"}, {"play": "https://radio.example.net/live.mp3"}],
}
CASES["schedule_reminder"] = (
    alarm,
    [one, but(one, "trigger", {"type": "cron", "expression": "0 7 * * 1"})],
    [
        without(one, "trigger|at"),
        but(one, "trigger|expression", "0 7 * * 1"),
        but(one, "actions|0", {"say": "a", "play": "b"}),
    ],
)

deploy = record(
    {
        "service": text(pattern="^[a-z][a-z0-9-]{2,40}$"),
        "environment": choice("dev staging production"),
        "version": text(pattern=r"^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$"),
        "strategy": {
            "type": "object",
            "required": ["kind"],
            "properties": {
                "kind": choice("rolling blue_green canary"),
                "steps": array(record({"weight": whole(minimum=1, maximum=100),
                                       "pause": text(pattern="^[0-9]+[smh]$")}, "weight")),
            },
        },
        "approvals": array(text(format="email"), minItems=0),
        "rollback_on": record({"error_rate": number(exclusiveMinimum=0, maximum=1),
                               "latency_ms": whole(minimum=1)}),
    },
    "service environment version",
    **{
        "if": {"properties": {"environment": {"const": "production"}}},
        "then": {"required": ["approvals"], "properties": {"approvals": {"minItems": 2}}},
    },
)  # fmt: skip
one = {
    "service": "checkout-api",
    "environment": "production",
    "version": "v2.14.0-rc.1",
    "strategy": {"kind": "canary", "steps": [{"weight": 10, "pause": "5m"}, {"weight": 100}]},
    "approvals": ["a@example.com", "b@example.com"],
    "rollback_on": {"error_rate": 0.02},
}
CASES["deploy_service"] = (
    document(D7, "deploy", deploy),
    [one, {"service": "web-ui", "environment": "dev", "version": "0.1.0"}],
    [
        but(one, "approvals", ["a@example.com"]),
        but(one, "version", "2.14"),
        but(one, "rollback_on|error_rate", 0),
    ],
)

contact = record(
    {
        "operation": choice("find create merge"),
        "match": record({"email": text(format="email"), "phone": text(), "name": text()},
                        minProperties=1),
        "data": record(
            {
                "names": array(record({"given": text(), "family": text(), "honorific": text()})),
                "phones": array(record({"type": choice("home work mobile fax"), "number": text(
                    pattern="^\\+?[0-9 ()/-]{5,25}$")}, "number")),
                "birthday": text(format="date"),
                "urls": array(text(format="uri")),
            }
        ),
        "ids": array(whole(minimum=1), minItems=2),
    },
    "operation",
    oneOf=[
        {"properties": {"operation": {"const": "find"}}, "required": ["match"]},
        {"properties": {"operation": {"const": "create"}}, "required": ["data"]},
        {"properties": {"operation": {"const": "merge"}}, "required": ["ids"]},
    ],
)  # fmt: skip
one = {
    "operation": "create",
    "data": {
        "names": [{"given": "Mira", "family": "Koch"}],
        "phones": [{"type": "mobile", "number": "+49 (171) 555-0100"}],
        "birthday": "1990-02-28",
    },
}
CASES["address_book"] = (
    document(D7, "contacts", contact),
    [one, {"operation": "find", "match": {"name": "Koch"}}, {"operation": "merge", "ids": [4, 9]}],
    [
        {"operation": "find", "match": {}},
        {"operation": "merge", "ids": [4]},
        but(one, "data|birthday", "1990-02-30"),
    ],
)

EXPRESSION = {
    "anyOf": [
        number(),
        text(pattern="^[a-z][a-z0-9]*$"),
        {"type": "array", "prefixItems": [{"enum": ["+", "-", "*", "/", "^"]}, ref2("expression"),
                                          ref2("expression")],
         "items": False, "minItems": 3},
        {"type": "array", "prefixItems": [choice("sin cos sqrt log abs"), ref2("expression")],
         "items": False, "minItems": 2},
    ]
}  # fmt: skip
one = {
    "expression": ["+", ["*", 2, "x"], ["sqrt", 9.5]],
    "variables": {"x": 3},
    "output": {"digits": 6, "notation": "scientific"},
}
CASES["calculate"] = (
    document(D20, "calculate", record(
        {
            "expression": ref2("expression"),
            "variables": table(number(), propertyNames={"pattern": "^[a-z][a-z0-9]*$"}),
            "output": record({"digits": whole(minimum=1, maximum=50),
                              "notation": choice("fixed scientific engineering")}),
        },
        "expression",
    ), **{"$defs": {"expression": EXPRESSION}}),
    [one, {"expression": "x", "variables": {"x": -1.5}}],
    [
        but(one, "expression", ["+", 1]),
        but(one, "expression|0", "%"),
        but(one, "variables", {"X": 1}),
    ],
)  # fmt: skip

ingest = record(
    {
        "collection": text(pattern="^[A-Za-z][A-Za-z0-9_]{0,62}$"),
        "documents": array(
            record(
                {
                    "id": {"anyOf": [text(format="uuid"), whole(minimum=0)]},
                    "text": text(),
                    "embedding": array(number(minimum=-1, maximum=1), minItems=4, maxItems=4096),
                    "metadata": table({"type": ["string", "number", "boolean"]}),
                },
                "id",
                anyOf=[{"required": ["text"]}, {"required": ["embedding"]}],
            ),
            minItems=1,
            maxItems=1000,
        ),
        "chunking": {
            "type": ["object", "null"],
            "properties": {
                "size": whole(minimum=64, maximum=8192),
                "overlap": whole(minimum=0),
                "by": choice("token sentence paragraph"),
            },
            "required": ["size"],
        },
        "upsert": flag(default=True),
    },
    "collection documents",
)
one = {
    "collection": "Manuals_v2",
    "documents": [
        {"id": 7, "text": "Press and hold.", "metadata": {"page": 3, "lang": "en"}},
        {"id": "7f1d1a0c-5b7e-4a4f-9a55-2e0a3c1f9b11", "embedding": [0.1, -0.25, 0, 1]},
    ],
    "chunking": {"size": 512, "overlap": 64, "by": "sentence"},
}
CASES["index_documents"] = (
    document(None, "upsert_documents", ingest),
    [one, but(one, "chunking", None)],
    [
        but(one, "documents|0", {"id": 7}),
        but(one, "documents|1|embedding", [0.1, 2]),
        but(one, "chunking", {"by": "token"}),
    ],
)

ask = record(
    {
        "questions": array(
            record(
                {
                    "header": text(maxLength=12),
                    "question": text(pattern="\\?$"),
                    "multiSelect": flag(default=False),
                    "options": array(
                        record({"label": text(), "description": text()}, "label description"),
                        minItems=2,
                        maxItems=4,
                    ),
                },
                "header question options",
                additionalProperties=False,
            ),
            minItems=1,
            maxItems=3,
        ),
        "answers": table(description="Filled in by the user"),
    },
    "questions",
    additionalProperties=False,
)
one = {
    "questions": [
        {
            "header": "Library",
            "question": "Which one shall be used?",
            "multiSelect": False,
            "options": [
                {"label": "A", "description": "small"},
                {"label": "B", "description": "well known"},
            ],
        }
    ]
}
CASES["ask_user"] = (
    document(D7, "ask_user", ask),
    [one, but(one, "answers", {"Library": "A"})],
    [
        but(one, "questions|0|question", "Which one"),
        but(one, "questions|0|options", [{"label": "A", "description": "small"}]),
        but(one, "questions|0|header", "A header that is long"),
    ],
)
