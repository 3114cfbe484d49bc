//! Templates: what they may not do, and whose text is whose.

use super::*;
use std::fs;

/// Renders the talks of `ci/templates` by the templates that it names, each in the form that
/// Hugging Face documents and in the template's own. The script compares them with Python's.
#[test]
#[ignore = "ci/templates runs it, and says which talks"]
fn renders_what_a_file_asks_for() {
    let path = |name| std::env::var_os(name).expect("ci/templates names the files");
    let asked = fs::read(path("PICOLM_TEMPLATES_ASKED")).unwrap();
    let asked: Json = serde_json::from_slice(&asked).unwrap();
    let text = |json: &Json, name: &str| json[name].as_str().unwrap().to_owned();
    let mut answers = Vec::new();
    for path in asked["templates"].as_array().unwrap() {
        let path = path.as_str().unwrap();
        let source = fs::read_to_string(path).unwrap();
        let template = match ChatTemplate::new(&source, &text(&asked, "bos"), &text(&asked, "eos")) {
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
                    more: None,
                    now: asked["now"].as_i64().unwrap(),
                };
                let given = talk["messages"].as_array().unwrap();
                let formed = messages::formed(given.clone(), form);
                let mut answer = json!({
                    "template": path, "talk": talk["name"], "form": name, "messages": formed
                });
                match template.render_formed(&formed, &conversation) {
                    Err(error) => answer["error"] = error.to_string().into(),
                    Ok(rendered) => {
                        let piece =
                            |piece: Piece<'_>| json!({"text": piece.text, "special": piece.special});
                        answer["pieces"] = rendered.pieces().map(piece).collect();
                    }
                }
                answers.push(answer);
            }
        }
    }
    let answers = serde_json::to_vec(&answers).unwrap();
    fs::write(path("PICOLM_TEMPLATES_ANSWERED"), answers).unwrap();
}
