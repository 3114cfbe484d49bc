//! The order of a conversation in which little changes from one request to the next.
//!
//! Agents put what changes, such as the time, into the system message, before all that was said: a
//! minute later no prefix of the conversation is the same, and everything is evaluated again. With
//! `--agent-order` the sections of the system message that `--volatile` names go to the end of the
//! last message. Then tools, the rest of the system message and the history stay as they were.

use serde_json::Value;

/// Moves the sections under headings of `volatile` from the first system message to the end of the
/// last message that a user or a tool has written. Where there is none, all stays. Messages are
/// normalised: their `content` is a text.
pub(super) fn reorder(messages: &mut [Value], volatile: &[String]) {
    let Some(system) = messages.iter().position(|message| has_role(message, &["system"])) else {
        return;
    };
    let Some(last) = messages.iter().rposition(|message| has_role(message, &["user", "tool"]))
    else {
        return;
    };
    let (rest, moved) = split(content(messages, system), volatile);
    if moved.is_empty() || last < system {
        return;
    }
    let end = format!("{}\n\n{moved}", content(messages, last).trim_end());
    set_content(messages, system, rest);
    set_content(messages, last, end);
}

fn has_role(message: &Value, roles: &[&str]) -> bool {
    let role = message.get("role").and_then(Value::as_str);
    role.is_some_and(|role| roles.contains(&role))
}

fn content(messages: &[Value], index: usize) -> &str {
    let content = messages.get(index).and_then(|message| message.get("content"));
    content.and_then(Value::as_str).unwrap_or("")
}

fn set_content(messages: &mut [Value], index: usize, text: String) {
    if let Some(content) = messages.get_mut(index).and_then(|message| message.get_mut("content")) {
        *content = text.into();
    }
}

/// A text without the sections under `headings`, and those sections.
///
/// A section goes from its heading, a line of Markdown (`## Current Time`), to the next heading of
/// its level or of a higher one, or to a thematic break. What is fenced as code has no headings.
fn split(text: &str, headings: &[String]) -> (String, String) {
    let (mut rest, mut moved) = (String::new(), String::new());
    let (mut is_code, mut section) = (false, None);
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        is_code ^= bare.starts_with("```") || bare.starts_with("~~~");
        let level = if is_code { None } else { level(bare) };
        let ends = |open: usize| level.is_some_and(|level| level <= open) || bare == "---";
        if !is_code && section.is_some_and(ends) {
            section = None;
        }
        if section.is_none() && level.is_some() && headings.iter().any(|name| name.trim() == bare) {
            section = level;
        }
        if section.is_some() { &mut moved } else { &mut rest }.push_str(line);
    }
    (rest.trim_end().to_owned(), moved.trim_end().to_owned())
}

/// The level of a heading; `None` where a line is none (CommonMark 0.31, ATX headings).
fn level(line: &str) -> Option<usize> {
    let marks = line.len() - line.trim_start_matches('#').len();
    let is_heading = (1..=6).contains(&marks)
        && line.get(marks..).is_some_and(|text| text.starts_with([' ', '\t']));
    is_heading.then_some(marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TIME: &str = "## Current Time\n2026-01-01 10:00 (Thursday)";

    fn reordered(messages: Value) -> Value {
        let Value::Array(mut messages) = messages else { panic!("no list") };
        reorder(&mut messages, &["## Current Time".to_owned()]);
        messages.into()
    }

    #[test]
    fn what_changes_comes_last() {
        let system = format!("You help.\n\n---\n\n{TIME}\n\n## Runtime\nlinux");
        let without = "You help.\n\n---\n\n## Runtime\nlinux";
        for (history, expected) in [
            (json!({"role": "user", "content": "hi"}), format!("hi\n\n{TIME}")),
            (json!({"role": "tool", "content": "{}\n"}), format!("{{}}\n\n{TIME}")),
        ] {
            let role = history["role"].clone();
            assert_eq!(
                reordered(json!([{"role": "system", "content": system}, history])),
                json!([{"role": "system", "content": without}, {"role": role, "content": expected}])
            );
        }
    }

    /// An answer that the request has begun stays the last message.
    #[test]
    fn an_answer_that_is_begun_goes_on() {
        let messages = json!([
            {"role": "system", "content": TIME},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Well"}
        ]);
        let expected = json!([
            {"role": "system", "content": ""},
            {"role": "user", "content": format!("hi\n\n{TIME}")},
            {"role": "assistant", "content": "Well"}
        ]);
        assert_eq!(reordered(messages), expected);
    }

    #[test]
    fn nothing_moves_where_nothing_can() {
        for messages in [
            json!([]),
            json!([{"role": "user", "content": TIME}]),
            json!([{"role": "system", "content": TIME}]),
            json!([{"role": "user", "content": "a"}, {"role": "system", "content": TIME}]),
            json!([{"role": "system", "content": "## Current Times\nx"},
                   {"role": "user", "content": "a"}]),
        ] {
            assert_eq!(reordered(messages.clone()), messages);
        }
    }

    #[test]
    fn sections_end_where_markdown_says() {
        let headings = ["## T".to_owned()];
        for (text, rest, moved) in [
            ("a\n## T\nb\n### c\nd\n# e\nf", "a\n# e\nf", "## T\nb\n### c\nd"),
            ("## T\nb\n---\nc", "---\nc", "## T\nb"),
            ("```\n## T\n```\nb", "```\n## T\n```\nb", ""),
            ("## T\n```\n## x\n---\n```\n## y", "## y", "## T\n```\n## x\n---\n```"),
            ("##T\nb", "##T\nb", ""),
            ("## T\na\n## u\nb\n## T\nc", "## u\nb", "## T\na\n## T\nc"),
            ("  ## T  \na\r\n## u\r\n", "## u", "  ## T  \na"),
        ] {
            assert_eq!(split(text, &headings), (rest.to_owned(), moved.to_owned()), "{text:?}");
        }
    }
}
