//! Tools as PicoClaw offers them: 27, in the order of their names, each with the kind of schema
//! that its tools have.

use serde_json::{Value, json};

/// Name, what it does, properties, and which of these are required.
type Row = (&'static str, &'static str, Value, &'static [&'static str]);

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn integer(description: &str, least: u32, most: u32) -> Value {
    json!({"type": "integer", "description": description, "minimum": least, "maximum": most})
}

fn one_of(description: &str, words: &[&str]) -> Value {
    json!({"type": "string", "enum": words, "description": description})
}

fn bytes() -> Value {
    let byte = json!({"type": "integer"});
    json!({"type": "array", "items": byte, "description": "Bytes to send, from 0 to 255 each"})
}

fn files() -> Vec<Row> {
    let path = || text("The file's path, relative to the workspace or absolute");
    vec![
        (
            "append_file",
            "Append text to the end of a file",
            json!({"path": path(), "content": text("The text to append")}),
            &["path", "content"],
        ),
        (
            "edit_file",
            "Edit a file by replacing old_text with new_text. The old text must be there exactly.",
            json!({"path": path(), "old_text": text("The exact text to find and replace"),
                   "new_text": text("The text to replace it with")}),
            &["path", "old_text", "new_text"],
        ),
        ("list_dir", "List files and folders in a path", json!({"path": path()}), &["path"]),
        (
            "load_image",
            "Load a local image so that the model can look at it",
            json!({"path": path(), "detail": one_of("How much of it", &["low", "high", "auto"])}),
            &["path"],
        ),
        (
            "read_file",
            "Read a file's contents, in pages where it is long",
            json!({"path": path(), "offset": {"type": "integer", "default": 0, "minimum": 0,
                   "description": "Byte to begin at"},
                   "length": {"type": "integer", "default": 65536, "minimum": 1,
                   "description": "Most bytes to read"}}),
            &["path"],
        ),
        (
            "send_file",
            "Send a local file to the user on the current chat channel",
            json!({"path": path(), "filename": text("Name to show instead of the file's")}),
            &["path"],
        ),
        (
            "write_file",
            "Write text to a file. Use overwrite to replace one that is there.",
            json!({"path": path(), "content": text("The text"), "overwrite": {"type": "boolean",
                   "default": false, "description": "Replace a file that is there"}}),
            &["path", "content"],
        ),
    ]
}

fn web_and_chat() -> Vec<Row> {
    let time = text("RFC 3339, such as 2026-06-13T10:00:00Z");
    vec![
        (
            "message",
            "Send a message to the user on a chat channel",
            json!({"content": text("The message"), "channel": text("Telegram, whatsapp and so on"),
                   "chat_id": text("The chat's id"), "reply_to_message_id": text("Answer to it")}),
            &["content"],
        ),
        (
            "reaction",
            "Add a reaction to a message",
            json!({"message_id": text("The message"), "emoji": text("One emoji")}),
            &[],
        ),
        (
            "web_fetch",
            "Fetch a page and extract its readable content",
            json!({"url": text("The page's address"), "maxChars": integer("Most characters", 100,
                   500_000), "format": one_of("Form of the content", &["markdown", "text"])}),
            &["url"],
        ),
        (
            "web_search",
            "Search the web for current information. Returns titles, addresses and snippets.",
            json!({"query": text("What to search for"), "count": integer("Results", 1, 10),
                   "range": one_of("How old", &["d", "w", "m", "y"])}),
            &["query"],
        ),
        (
            "cron",
            "Schedule reminders, tasks or commands. Use at_seconds for once, every_seconds or \
             cron_expr for again and again.",
            json!({"action": one_of("What to do", &["add", "list", "remove", "enable", "disable"]),
                   "message": text("What to remind of"), "command": text("A command to run"),
                   "at_seconds": {"type": "integer", "description": "Seconds from now"},
                   "every_seconds": {"type": "integer", "description": "Seconds between"},
                   "cron_expr": text("Such as 0 9 * * *"), "job_id": text("To remove"),
                   "until": time, "deliver": {"type": "boolean", "default": true}}),
            &["action"],
        ),
    ]
}

fn agents() -> Vec<Row> {
    let task = || text("The task, in full");
    vec![
        (
            "delegate",
            "Let another agent do a task and wait for its result",
            json!({"agent_id": text("Which agent"), "task": task(),
                   "context": {"type": "object", "description": "What it should know",
                               "additionalProperties": {"type": "string", "maxLength": 200}}}),
            &["agent_id", "task"],
        ),
        (
            "spawn",
            "Let a subagent do a task in the background; it reports when it is done",
            json!({"task": task(), "label": text("Short name"), "agent_id": text("Which agent")}),
            &["task"],
        ),
        (
            "spawn_status",
            "The state of subagents",
            json!({"task_id": {"anyOf": [{"type": "string"}, {"type": "null"}],
                               "title": "Task Id", "default": null}}),
            &[],
        ),
        (
            "subagent",
            "Run a subagent and wait for its answer",
            json!({"task": task(), "label": text("Short name")}),
            &["task"],
        ),
        (
            "find_skills",
            "Search for skills that can be installed",
            json!({"query": text("What it should do"), "limit": integer("Results", 1, 20)}),
            &["query"],
        ),
        (
            "install_skill",
            "Install a skill from a registry",
            json!({"slug": text("The skill's id"), "version": text("Which version"),
                   "registry": one_of("Where from", &["clawhub", "github"]),
                   "force": {"type": "boolean", "default": false}}),
            &["slug", "registry"],
        ),
        (
            "tool_search_tool_bm25",
            "Find hidden tools by what they do",
            json!({"query": text("Words")}),
            &["query"],
        ),
        (
            "tool_search_tool_regex",
            "Find hidden tools by a regular expression",
            json!({"pattern": text("The expression, without delimiters")}),
            &["pattern"],
        ),
    ]
}

fn machine() -> Vec<Row> {
    vec![
        (
            "exec",
            "Execute a shell command and return its output. Use with caution.",
            json!({"action": one_of("What to do", &["run", "list", "poll", "read", "kill"]),
                   "command": text("The command"), "working_dir": text("Where to run it"),
                   "timeout": integer("Seconds", 0, 3600), "background": {"type": "boolean"},
                   "env": {"type": "object", "additionalProperties": {"type": "string"}}}),
            &["command"],
        ),
        (
            "gpio",
            "Read or write a pin",
            json!({"chip": integer("Which chip", 0, 4), "line": integer("Which line", 0, 63),
                   "value": {"type": ["integer", "null"], "enum": [0, 1, null]}}),
            &["chip", "line"],
        ),
        (
            "i2c",
            "Work with devices on an I2C bus: detect, scan, read, write (Linux only)",
            json!({"action": one_of("What to do", &["detect", "scan", "read", "write"]),
                   "bus": {"type": "string", "pattern": "^[0-9]{1,2}$", "description": "Bus"},
                   "address": integer("7-bit address", 3, 119),
                   "register": integer("Register", 0, 255), "data": bytes(),
                   "length": integer("Bytes to read", 1, 256), "confirm": {"type": "boolean"}}),
            &["action"],
        ),
        (
            "mcp_github_create_issue",
            "Create an issue in a repository",
            json!({"owner": {"type": "string"}, "repo": {"type": "string"},
                   "title": {"type": "string", "minLength": 1, "maxLength": 256},
                   "labels": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
                   "milestone": {"type": "number"}}),
            &["owner", "repo", "title"],
        ),
        (
            "mcp_memory_add_nodes",
            "Add nodes to the graph of what is remembered",
            json!({"nodes": {"type": "array", "minItems": 1, "maxItems": 3, "items": {
                "type": "object", "required": ["name", "kind"], "additionalProperties": false,
                "properties": {"name": {"type": "string", "maxLength": 40},
                               "kind": {"type": "string", "enum": ["person", "place", "thing"]},
                               "notes": {"type": "array", "maxItems": 2,
                                         "items": {"type": "string", "maxLength": 40}}}}}}),
            &["nodes"],
        ),
        (
            "serial",
            "Write to a serial port and read what comes back",
            json!({"port": {"type": "string", "pattern": "^/dev/tty[A-Z]{1,3}[0-9]$"},
                   "baud": {"type": "integer", "enum": [9600, 115_200]}, "data": bytes()}),
            &["port"],
        ),
        (
            "spi",
            "Work with devices on an SPI bus: list, transfer, read (Linux only)",
            json!({"action": one_of("What to do", &["list", "transfer", "read"]),
                   "device": {"type": "string", "pattern": "^[0-9]\\.[0-9]$"},
                   "speed": integer("Clock in Hz", 1, 125_000_000), "mode": integer("Mode", 0, 3),
                   "bits": {"type": "integer", "const": 8}, "data": bytes()}),
            &["action"],
        ),
    ]
}

/// All tools, as a request has them.
pub(crate) fn tools() -> Vec<Value> {
    let mut rows = [files(), web_and_chat(), agents(), machine()].concat();
    rows.sort_by_key(|&(name, ..)| name);
    let tool = |(name, description, properties, required): Row| {
        json!({"type": "function", "function": {"name": name, "description": description,
            "parameters": {"type": "object", "properties": properties, "required": required}}})
    };
    rows.into_iter().map(tool).collect()
}

/// Whether a schema allows a value, by those keywords that the schemas of [`tools`] have. Names
/// that a schema does not know are not allowed where it has properties.
pub(crate) fn allows(schema: &Value, value: &Value) -> bool {
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().map(|it| it.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    let has_type = types.is_empty() || types.iter().any(|name| is_of(value, name));
    let same = |other: &Value| match (other.as_f64(), value.as_f64()) {
        (Some(other), Some(value)) => other == value,
        _ => other == value,
    };
    let is_listed = schema["enum"].as_array().is_none_or(|all| all.iter().any(same));
    let is_one =
        schema["anyOf"].as_array().is_none_or(|all| all.iter().any(|it| allows(it, value)));
    let is_const = schema.get("const").is_none_or(same);
    let within = |count: f64, least: &str, most: &str| {
        schema[least].as_f64().is_none_or(|least| count >= least)
            && schema[most].as_f64().is_none_or(|most| count <= most)
    };
    let detail = match value {
        Value::String(text) => {
            let pattern = schema["pattern"].as_str().is_none_or(|it| matches(it, text));
            pattern && within(text.chars().count() as f64, "minLength", "maxLength")
        }
        Value::Number(number) => within(number.as_f64().unwrap(), "minimum", "maximum"),
        Value::Array(items) => {
            let all =
                schema.get("items").is_none_or(|it| items.iter().all(|item| allows(it, item)));
            all && within(items.len() as f64, "minItems", "maxItems")
        }
        Value::Object(fields) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let other = schema.get("additionalProperties").filter(|it| it.is_object());
            required.into_iter().all(|name| fields.contains_key(name.as_str().unwrap()))
                && fields.iter().all(|(name, value)| {
                    match schema["properties"].get(name).or(other) {
                        Some(schema) => allows(schema, value),
                        None => schema.get("properties").is_none(),
                    }
                })
        }
        _ => true,
    };
    has_type && is_listed && is_one && is_const && detail
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_null(),
    }
}

/// The patterns of [`tools`], spelled out.
fn matches(pattern: &str, text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let bytes = text.as_bytes();
    match pattern {
        "^[0-9]{1,2}$" => (1..=2).contains(&bytes.len()) && bytes.iter().all(|&it| is_digit(it)),
        "^[0-9]\\.[0-9]$" => {
            matches!(bytes, [a, b'.', b] if is_digit(*a) && is_digit(*b))
        }
        "^/dev/tty[A-Z]{1,3}[0-9]$" => text.strip_prefix("/dev/tty").is_some_and(|rest| {
            let (letters, digit) = rest.split_at(rest.len().saturating_sub(1));
            (1..=3).contains(&letters.len())
                && letters.bytes().all(|byte| byte.is_ascii_uppercase())
                && digit.bytes().all(is_digit)
        }),
        _ => panic!("{pattern}"),
    }
}
