//! Templates: what they may not do, and whose text is whose.

use super::*;
use std::time::Instant;

fn conversation(messages: &[Json]) -> Conversation<'_> {
    Conversation {
        messages,
        tools: &[],
        add_generation_prompt: true,
        thinking: None,
        more: None,
        now: 0,
    }
}

/// The text that a template makes of one message of a user.
fn rendered(source: &str, content: &str) -> Result<Rendered, TemplateError> {
    let messages = [json!({"role": "user", "content": content})];
    ChatTemplate::new(source, "<s>", "</s>")?.render(&conversation(&messages))
}

fn error_of(source: &str) -> String {
    rendered(source, "text").map_or_else(|error| error.to_string(), |text| text.text().to_owned())
}

/// Python's values of expressions, of which `u` is the marked text ` Ab,c `.
#[test]
fn expressions_have_pythons_values() {
    let cases = [
        ("u|trim", "Ab,c"),
        ("u.strip().split(',')", "['Ab', 'c']"),
        ("u.split()", "['Ab,c']"),
        ("u[1:3] + u[-2] + u[::-1]", "Abc c,bA "),
        ("'b,' in u and 'x' not in u and u != ' '", "True"),
        ("u == ' Ab,c '", "True"),
        ("u.upper() ~ u|lower ~ u|length", " AB,C  ab,c 6"),
        ("u|tojson", "\" Ab,c \""),
        ("u.replace('b', '--')|replace(',', '')", " A--c "),
        ("u.startswith(' A') and u.endswith(('x', 'c '))", "True"),
        ("u.find('c') ~ u.count('x')", "40"),
        ("'%s|%d%%' % (u, 3)", " Ab,c |3%"),
        ("'{}{1}{0}'.format(u, 2)", " Ab,c 2 Ab,c "),
        ("{'a': u, 'b': [1, 2.0, none, true]}", "{'a': ' Ab,c ', 'b': [1, 2.0, None, True]}"),
        ("{'k': u}.k ~ {'k': u}['k'] ~ {'k': 1}.get('x', 2)", " Ab,c  Ab,c 2"),
        ("{'b': 1, 'a': 2}|dictsort", "[['a', 2], ['b', 1]]"),
        ("{'b': 1, 'a': 2}.items()|list|length", "2"),
        ("[3, 1, 2]|sort|join('-')", "1-2-3"),
        ("['a', 'B', 'A']|unique|list", "['a', 'B']"),
        ("[{'x': 1}, {'x': 2}]|map(attribute='x')|list", "[1, 2]"),
        ("[{'x': 1}, {'x': 2}]|selectattr('x', 'gt', 1)|list", "[{'x': 2}]"),
        ("[u, 1]|select('string')|map('trim')|list", "['Ab,c']"),
        ("7 // 2 ~ -7 // 2 ~ -7 % 3 ~ 2 ** 3 ~ 7 / 2", "3-4283.5"),
        ("1 < 2 < 3 and not 1 < 2 > 3", "True"),
        ("0 or 'x'", "x"),
        ("0 and 1", "0"),
        ("missing|default('d') ~ ''|default('e', true) ~ (missing is defined)", "deFalse"),
        ("range(5)[1:]|list ~ range(3)|last", "[1, 2, 3, 4]2"),
        ("namespace(a=1).a", "1"),
        ("'a\\nb'|indent(2, first=true)", "  a\n  b"),
        ("[1, [2, {}]]|tojson(indent=1)", "[\n 1,\n [\n  2,\n  {}\n ]\n]"),
        ("'ä'|tojson ~ 'ä'|tojson(ensure_ascii=true)", "\"ä\"\"\\u00e4\""),
        ("'a' * 3 ~ [1] * 2", "aaa[1, 1]"),
        ("1 == 1.0 and true == 1 and none != 0", "True"),
        ("strftime_now('%d %b %Y')", "01 Jan 1970"),
        ("'x' if false", ""),
        ("{'items': 1}['items'] ~ ({'items': 1}.items is mapping)", "1False"),
        ("'<b>'|safe + '<' ~ '<'|e", "<b>&lt;&amp;lt;"),
    ];
    for (expression, expected) in cases {
        let source = format!("{{% set u = messages[0].content %}}{{{{ {expression} }}}}");
        let text = rendered(&source, " Ab,c ").map(|text| text.text().to_owned());
        assert_eq!(text.as_deref(), Ok(expected), "{expression}");
    }
}

#[test]
fn statements_do_what_jinja_does() {
    let cases = [
        ("{% for c in 'abc' if c != 'b' %}{{ loop.index }}{{ c }}{% endfor %}", "1a2c"),
        ("{% for a, b in [(1, 2)] %}{{ a }}{{ b }}{% else %}x{% endfor %}", "12"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        (
            "{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}\
             {% endfor %}\
          {{ ns.n }}",
            "3",
        ),
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}", "1213"),
        ("{% set x %} a {% endset %}[{{ x }}]", "[ a ]"),
        ("{% filter upper|trim %} a {% endfilter %}", "A"),
        ("{%- generation -%} a {%- endgeneration %}b", "ab"),
        ("a\r\n  {% if true %}\r\nb\r\n{% endif %}\r\n", "a\nb\n"),
    ];
    for (source, expected) in cases {
        assert_eq!(error_of(source), expected, "{source}");
    }
}

/// What users write is known as theirs, whatever the template does with it.
#[test]
fn users_write_no_control_tokens() {
    let sources = [
        "{% for m in messages %}<|im_start|>{{ m.role }}{{ m.content|trim }}<|im_end|>{% endfor %}",
        "{{ '<|im_start|>' + messages[0].content.split('x')[0] ~ '<|im_end|>' }}",
        "{% set c = messages[0]['content'] %}{{ c[:4] + c[4:]|upper|lower }}<|im_end|>",
        "{{ messages|tojson }}<|im_end|>",
        "{{ '%s' % messages[0].content }}{{ [messages[0].content]|join('|') }}<|im_end|>",
        "{{ messages[0] }}<|im_end|>",
        "{% for c in messages[0].content %}{{ c }}{% endfor %}<|im_end|>",
        "<{{ messages[0].content[1:-1] }}>",
    ];
    for source in sources {
        let rendered = rendered(source, "<|im_end|>").unwrap();
        assert!(rendered.text().contains("im_end"), "{source}");
        let special = rendered.pieces().filter(|piece| piece.special);
        let own = special.map(|piece| piece.text).collect::<Vec<_>>().join("\0");
        let from_source = source.matches("<|im_end|>").count();
        assert_eq!(own.matches("im_end").count(), from_source, "{source}: {own}");
        let all: String = rendered.pieces().map(|piece| piece.text).collect();
        assert_eq!(all, rendered.text());
    }
    // Names, arguments, answers and tools are a user's, too.
    let source = "{{ tools|tojson }}{% for m in messages %}{{ m.name }}{{ m.tool_call_id }}\
                  {% for c in m.tool_calls or [] %}{{ c }}{% endfor %}{% endfor %}";
    let messages = [
        json!({"role": "assistant", "content": "", "name": "<t>", "tool_calls": [
            {"id": "<t>", "type": "function", "function":
                {"name": "<t>", "arguments": {"<t>": ["<t>"]}}}]}),
        json!({"role": "tool", "content": "<t>", "tool_call_id": "<t>"}),
    ];
    let tools = [json!({"type": "function", "function": {"name": "<t>", "description": "<t>"}})];
    let more = json!({"x": "<t>"});
    let conversation =
        Conversation { tools: &tools, more: more.as_object(), ..conversation(&messages) };
    let template = ChatTemplate::new(source, "", "").unwrap();
    let rendered = template.render(&conversation).unwrap();
    assert!(rendered.text().matches("<t>").count() >= 7);
    for piece in rendered.pieces().filter(|piece| piece.special) {
        assert!(!piece.text.contains(['<', 't', '>']) || !piece.text.contains("<t>"), "{piece:?}");
    }
}

/// Templates that would take all memory or all time are errors, and soon.
#[test]
fn hostile_templates_are_errors() {
    let long = |unit: &str, count: usize| unit.repeat(count);
    let cases = [
        "{{ 'a' * 10**9 }}".to_owned(),
        "{{ 'a' * 10**8 * 10**8 }}".to_owned(),
        "{{ [1] * 10**9 }}".to_owned(),
        "{{ range(10**9) }}".to_owned(),
        "{% for i in range(10**9) %}x{% endfor %}".to_owned(),
        "{% for i in range(99999) %}{% for i in range(99999) %}x{% endfor %}{% endfor %}"
            .to_owned(),
        "{% for i in range(99999) %}{% for i in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
        format!("{{% set a = 'aaaaaaaa' %}}{}", long("{% set a = a + a %}", 40)),
        format!("{{% set a = 'aaaaaaaa' %}}{}", long("{% set a = a ~ a %}", 40)),
        format!("{{% set a = [1] %}}{}", long("{% set a = a + a %}", 40)),
        format!("{{% set a = [1] %}}{}{{{{ a }}}}", long("{% set a = [a, a] %}", 40)),
        format!("{{% set a = [1] %}}{}{{{{ a|tojson }}}}", long("{% set a = [a, a] %}", 40)),
        format!("{{% set a = [1] %}}{}{{{{ a == a }}}}", long("{% set a = [a, a] %}", 40)),
        format!(
            "{{% set a %}}aaaa{{% endset %}}{}",
            long("{% set a %}{{ a }}{{ a }}{% endset %}", 40)
        ),
        "{% set n = namespace(a=[]) %}{% for i in range(99999) %}{% set n.a = [n.a] %}{% endfor %}"
            .to_owned(),
        "{% set n = namespace() %}{% set n.n = n %}".to_owned(),
        "{% set n = namespace() %}{% set n.n = [n] %}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% macro m(x) %}{{ m(x + x) }}{% endmacro %}{{ m('aaaaaaaa') }}".to_owned(),
        format!("{{% for i in range(99999) %}}{}{{% endfor %}}", long("x", 100_000)),
        format!(
            "{{% set a %}}{{% for i in range(99999) %}}{}{{% endfor %}}{{% endset %}}",
            long("x", 99999)
        ),
        format!("{{{{ {}1 }}}}", long("1 + ", 100_000)),
        format!("{{{{ a{} }}}}", long(".a", 100_000)),
        format!("{{{{ a{} }}}}", long("|trim", 100_000)),
        format!("{{{{ {}1 }}}}", long("not ", 100_000)),
        format!("{{{{ {}1{} }}}}", long("(", 10_000), long(")", 10_000)),
        format!("{{{{ {}{} }}}}", long("[", 10_000), long("]", 10_000)),
        format!("{{{{ f({}) }}}}", long("1,", 70_000)),
        format!("{{% if 0 %}}{}{{% endif %}}", long("{% elif 0 %}", 20_000)),
        format!("{}{}", long("{% if 1 %}", 5_000), long("{% endif %}", 5_000)),
        format!("{{{{ {}1{} }}}}", long("1 < (", 140), long(") < 2", 140)),
        "{{ 'a'|indent(10**9) }}".to_owned(),
        "{{ ('a' * 9999)|indent('b' * 99999, first=true)|replace('a', 'b' * 9999) }}".to_owned(),
        "{{ ('a' * 9999).replace('', 'b' * 9999) }}".to_owned(),
        "{{ ['a' * 9999] * 9999|join }}".to_owned(),
        "{{ range(99999)|join('a' * 9999) }}".to_owned(),
        "{{ [1]|batch(10**9, 1)|list }}".to_owned(),
        "{{ 2 ** 1000 }}".to_owned(),
        "{{ 1 // 0 }}{{ 1 % 0 }}".to_owned(),
        "{{ '%s' % 1 % 2 }}".to_owned(),
        "{{ 'a'.format }}{{ '{}'.format() }}".to_owned(),
        "{{ raise_exception('m' * 99999) }}".to_owned(),
        "{% include 'x' %}".to_owned(),
        "{% extends 'x' %}".to_owned(),
        "{{ messages.append(1) }}".to_owned(),
        "{{ self.x() }}".to_owned(),
        "{{ '\\ud8c0\\udc41' }}".to_owned(),
        "{{ \u{40041} }}".to_owned(),
        "{{".to_owned(),
        long("x", 1 << 20),
    ];
    for source in cases {
        let shown: String = source.chars().take(60).collect();
        let begun = Instant::now();
        let outcome = rendered(&source, "text");
        let took = begun.elapsed();
        let error = outcome.map(|text| text.text().chars().take(40).collect::<String>());
        let error = error.expect_err(&shown).to_string();
        assert!(error.len() < 600 && !error.contains('\n'), "{shown}: {error}");
        // Far below what any of them would take; a build without optimisation takes seconds.
        assert!(took.as_secs_f32() < 30.0, "{shown}: {took:?}");
    }
}

/// Depths that are allowed fit the stack of a thread.
#[test]
fn deep_templates_fit_the_stack() {
    let deep =
        |unit: &str, count: usize, end: &str| format!("{{{{ {}1{end} }}}}", unit.repeat(count));
    let cases = [
        deep("1 + ", 190, ""),
        deep("1 ~ ", 190, ""),
        format!("{{{{ 'a'{} }}}}", "|trim".repeat(190)),
        format!("{{{{ [{}1] }}}}", "1,".repeat(190)),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(100)),
        "{% macro m(n) %}{{ m(n + 1) if n < 20 }}{% endmacro %}{{ m(0) }}".to_owned(),
    ];
    for source in cases {
        let shown: String = source.chars().take(60).collect();
        rendered(&source, "text").expect(&shown);
    }
}

#[test]
fn messages_of_clients_get_one_form() {
    let given = [
        json!({"role": "developer", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}),
        json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "function": {"name": "f", "arguments": "{\"x\": [1.5, null]}"}},
            {"function": {"name": "g", "arguments": {"y": 2}}},
            {"id": "3", "type": "function", "function": {"name": "h", "arguments": "not JSON"}},
            {"id": "4", "function": {"name": "i"}}]}),
        json!({"role": "tool", "tool_call_id": "1", "content": "42"}),
        json!({"role": "user"}),
    ];
    let expected = [
        json!({"role": "system", "content": "a\nb"}),
        json!({"role": "assistant", "content": "", "tool_calls": [
            {"id": "1", "type": "function",
                "function": {"name": "f", "arguments": {"x": [1.5, null]}}},
            {"id": "call_1", "type": "function", "function": {"name": "g", "arguments": {"y": 2}}},
            {"id": "3", "type": "function", "function": {"name": "h", "arguments": "not JSON"}},
            {"id": "4", "type": "function", "function": {"name": "i", "arguments": {}}}]}),
        json!({"role": "tool", "content": "42", "tool_call_id": "1"}),
        json!({"role": "user", "content": ""}),
    ];
    assert_eq!(messages::normalized(&given).unwrap(), expected);
    let wrong = [
        (json!([]), "messages: there are none"),
        (json!(["x"]), "messages[0] is no object"),
        (json!([{"role": "x", "content": ""}]), "messages[0].role is none of"),
        (json!([{"role": "user", "content": 1}]), "messages[0].content is neither"),
        (
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
            "messages[0].content[0] is of type \"image_url\"",
        ),
        (json!([{"role": "user", "tool_calls": [{}]}]), "messages[0].tool_calls: only"),
        (
            json!([{"role": "assistant", "tool_calls": [{"function": {}}]}]),
            "messages[0].tool_calls[0].function.name",
        ),
    ];
    for (messages, error) in wrong {
        let found = messages::normalized(messages.as_array().unwrap()).unwrap_err();
        assert!(found.starts_with(error), "{found}");
    }
}

/// What a template expects is found by trying.
#[test]
fn a_templates_form_is_found() {
    let parts =
        "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}";
    let template = ChatTemplate::new(parts, "", "").unwrap();
    assert!(template.form().content_in_parts && template.form().has_system);
    assert!(!template.knows().tools && !template.knows().calls && template.knows().answers);

    let texts = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('none') }}\
                 {% endif %}{{ m.content }}{% for c in m.tool_calls or [] %}\
                 {{ c.function.name + c.function.arguments }}{% endfor %}{% endfor %}{{ tools }}";
    let template = ChatTemplate::new(texts, "", "").unwrap();
    let form = template.form();
    assert!(!form.has_system && form.arguments_as_text && !form.content_in_parts);
    assert_eq!(template.knows(), Knows { tools: true, calls: true, answers: true });
    let messages =
        [json!({"role": "system", "content": "S"}), json!({"role": "user", "content": "U"})];
    assert_eq!(template.render(&conversation(&messages)).unwrap().text(), "S\n\nUNone");
}

/// Renders the talks of `ci/templates` by the templates that it names, each in the form that
/// Hugging Face documents and in the template's own. The script compares them with Python's.
#[test]
#[ignore = "ci/templates runs it, and says which talks"]
fn renders_what_a_file_asks_for() {
    let path = |name| std::env::var_os(name).expect("ci/templates names the files");
    let asked = std::fs::read(path("PICOLM_TEMPLATES_ASKED")).unwrap();
    let asked: Json = serde_json::from_slice(&asked).unwrap();
    let text = |json: &Json, name: &str| json[name].as_str().unwrap().to_owned();
    let mut answers = Vec::new();
    for path in asked["templates"].as_array().unwrap() {
        let path = path.as_str().unwrap();
        let source = std::fs::read_to_string(path).unwrap();
        let template = match ChatTemplate::new(&source, &text(&asked, "bos"), &text(&asked, "eos"))
        {
            Ok(template) => template,
            Err(error) => panic!("{path}: {error}"),
        };
        let mut forms = vec![("documented", messages::DOCUMENTED)];
        if template.form() != messages::DOCUMENTED {
            forms.push(("own", template.form()));
        }
        for talk in asked["talks"].as_array().unwrap() {
            for &(name, form) in &forms {
                let tools = talk["tools"].as_array().unwrap();
                let conversation = Conversation {
                    messages: &[],
                    tools,
                    add_generation_prompt: talk["add_generation_prompt"].as_bool().unwrap(),
                    thinking: talk["thinking"].as_bool(),
                    more: talk["more"].as_object(),
                    now: asked["now"].as_i64().unwrap(),
                };
                let given = talk["messages"].as_array().unwrap();
                let formed = messages::formed(given.clone(), form);
                let mut answer = json!({
                    "template": path, "talk": talk["name"], "form": name, "messages": formed
                });
                match template.render_formed(&formed, &conversation, BASE) {
                    Err(error) => answer["error"] = error.to_string().into(),
                    Ok(rendered) => {
                        let pieces = rendered.pieces();
                        let piece = |it: Piece<'_>| json!({"text": it.text, "special": it.special});
                        answer["pieces"] = pieces.map(piece).collect();
                    }
                }
                answers.push(answer);
            }
        }
    }
    let answers = serde_json::to_vec(&answers).unwrap();
    std::fs::write(path("PICOLM_TEMPLATES_ANSWERED"), answers).unwrap();
}
