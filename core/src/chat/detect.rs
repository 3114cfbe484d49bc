//! Which form a Jinja program writes, by the marks in it.

use super::template::{self, Template};

/// A form, the texts that its programs hold, and one that they do not.
struct Marks {
    template: &'static Template,
    all: &'static [&'static str],
    not: Option<&'static str>,
}

const fn marks(template: &'static Template, all: &'static [&'static str]) -> Marks {
    Marks { template, all, not: None }
}

/// The first that fits is it. Program texts spell a line break as `\n` or as itself.
const KNOWN: &[Marks] = &[
    marks(&template::PHI_4, &["<|im_start|>", "<|im_sep|>"]),
    marks(&template::SMOLLM_3, &["<|im_start|>", "Reasoning Mode: ", "## Custom Instructions"]),
    marks(&template::MINICPM_5, &["<|im_start|>", "enable_thinking is true", "{- '<think>\\n' }"]),
    marks(&template::QWEN_35, &["<|im_start|>", "enable_thinking is false", "{- '<think>\\n' }"]),
    marks(&template::QWEN_3, &["<|im_start|>", "enable_thinking is false", "{- '<think>\\n\\n<"]),
    // SmolVLM's conversations only begin like these.
    Marks { template: &template::CHATML, all: &["<|im_start|>"], not: Some("<end_of_utterance>") },
    marks(&template::MISTRAL_V7, &["[INST]", "[SYSTEM_PROMPT] "]),
    marks(&template::MISTRAL_V7_TEKKEN, &["[INST]", "[SYSTEM_PROMPT]"]),
    marks(&template::MISTRAL_V1, &["' [INST] ' + system_message"]),
    marks(&template::MISTRAL_V1, &["[AVAILABLE_TOOLS]", " [INST]"]),
    marks(&template::MISTRAL_V3_TEKKEN, &["[AVAILABLE_TOOLS]", "\"[INST]\""]),
    marks(&template::MISTRAL_V3, &["[AVAILABLE_TOOLS]", "[INST]"]),
    marks(&template::LLAMA_2, &["bos_token + '[INST]", "content.strip()", "<<SYS>>"]),
    marks(&template::LLAMA_2_SYS_STRIP, &["[INST]", "content.strip()"]),
    marks(&template::LLAMA_2_SYS_BOS, &["bos_token + '[INST]"]),
    marks(&template::LLAMA_2_SYS, &["[INST]", "<<SYS>>"]),
    marks(&template::INST, &["[INST]"]),
    marks(
        &template::PHI_4_MINI,
        &["'<|' + message['role'] + '|>' + message['content']", "<|end|>"],
    ),
    marks(&template::PHI_3, &["<|assistant|>", "<|end|>"]),
    marks(&template::OLMO_2, &["<|assistant|>", "'<|user|>\\n' + message['content'] + '\\n'"]),
    marks(&template::OLMO_2, &["<|assistant|>", "'<|user|>\n' + message['content'] + '\n'"]),
    marks(&template::ZEPHYR, &["'<|user|>\\n' + message['content'] + eos_token"]),
    marks(&template::ZEPHYR, &["'<|user|>\n' + message['content'] + eos_token"]),
    marks(&template::GEMMA, &["<start_of_turn>"]),
    marks(&template::GEMMA_4_LARGE, &["<|turn>", "<turn|>", "'<|channel>thought\\n<channel|>'"]),
    marks(&template::GEMMA_4, &["<|turn>", "<turn|>"]),
    marks(&template::DEEPSEEK, &["### Instruction:", "<|EOT|>"]),
    marks(&template::LLAMA_3, &["<|start_header_id|>", "<|end_header_id|>"]),
    marks(&template::MINICPM, &["<用户>"]),
    marks(&template::DEEPSEEK_2, &["'Assistant: ' + message['content'] + eos_token"]),
    marks(&template::DEEPSEEK_R1, &["<｜User｜>", "<｜Assistant｜><think>\\n"]),
    marks(&template::DEEPSEEK_R1, &["<｜User｜>", "<｜Assistant｜><think>\n"]),
    marks(&template::DEEPSEEK_3, &["<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"]),
    marks(&template::EXAONE_4, &["[|assistant|]", "[|endofturn|]", "[|tool|]"]),
    // EXAONE Deep's answers begin with thoughts.
    Marks {
        template: &template::EXAONE_3,
        all: &["[|assistant|]", "[|endofturn|]"],
        not: Some("<thought>"),
    },
    marks(&template::GRANITE_4, &["<|start_of_role|>", "g4_default_system_message"]),
    marks(&template::GRANITE, &["<|start_of_role|>"]),
    // Those that see images have other places for them.
    Marks {
        template: &template::HUNYUAN_DENSE,
        all: &["<｜hy_User｜>", "<｜hy_Assistant｜>", "<｜hy_place▁holder▁no▁3｜>"],
        not: Some("<｜hy_place▁holder▁no▁666｜>"),
    },
    Marks {
        template: &template::ERNIE_45,
        all: &["<|begin_of_sentence|>", "\"User: \"", "\"Assistant: \""],
        not: Some("<|IMAGE_START|>"),
    },
    marks(&template::BITNET, &["message['role'] | capitalize + ': '", "'<|eot_id|>'"]),
];

/// The form that `jinja` writes, where it is known.
pub(super) fn template_of(jinja: &[u8]) -> Option<&'static Template> {
    let holds = |mark: &&str| find(jinja, mark.as_bytes()).is_some();
    let fits = |marks: &&Marks| marks.all.iter().all(holds) && !marks.not.iter().any(holds);
    KNOWN.iter().find(fits).map(|marks| marks.template)
}

/// The system message that a ChatML program writes out in full, where it has one: what it says
/// where the conversation brings none.
pub(super) fn default_system(jinja: &[u8]) -> &[u8] {
    const BEFORE: &[u8] = b"<|im_start|>system";
    let mut rest = jinja;
    while let Some(at) = find(rest, BEFORE) {
        rest = &rest[at + BEFORE.len()..];
        let text = rest.strip_prefix(b"\\n").or_else(|| rest.strip_prefix(b"\n"));
        let end = text.and_then(|text| find(text, b"<|im_end|>"));
        if let (Some(text), Some(end)) = (text, end)
            // A literal to its end, with nothing to replace in it.
            && !text[..end].iter().any(|byte| b"'\"\\{}".contains(byte))
        {
            return &text[..end];
        }
    }
    b""
}

/// Whether the program writes the token that begins the model's texts.
pub(super) fn writes_bos(jinja: &[u8]) -> bool {
    find(jinja, b"bos_token").is_some()
}

/// Where `text` first holds `part`, which is not empty.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_message_written_out_is_the_default() {
        let written = b"{{ '<|im_start|>system\\nBe good.<|im_end|>\\n' }}";
        assert_eq!(default_system(written), b"Be good.");
        let newline = b"{{ '<|im_start|>system\nBe good.<|im_end|>\n' }}";
        assert_eq!(default_system(newline), b"Be good.");
        let given = b"{{ '<|im_start|>system\\n' + system + '<|im_end|>\\n' }}";
        assert_eq!(default_system(given), b"");
        let both = [&given[..], written].concat();
        assert_eq!(default_system(&both), b"Be good.");
        assert_eq!(default_system(b"<|im_start|>system\nnever ends"), b"");
        assert_eq!(default_system(b"<|im_start|>system"), b"");
    }
}
