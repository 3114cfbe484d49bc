//! The forms themselves: what stands around a message of each role.

use Piece::{BosAgain, Eos, Text};

/// A form of conversation.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    /// The names that it is known by, llama.cpp's first.
    pub(super) names: &'static [&'static str],
    pub(super) system: Around,
    pub(super) user: Around,
    pub(super) answer: Around,
    /// Ends a prompt: what the model's answer follows on.
    pub(super) prompt_end: &'static [Piece],
    /// Whether a user's message that follows on a system message is in one turn with it, and has
    /// nothing before it.
    pub(super) joins_system: bool,
    /// Where white space around a message is left out.
    pub(super) trim: Trim,
    /// Said where a conversation begins without a system message.
    pub(super) default_system: &'static str,
    /// Whether a model's file may say what that is.
    pub(super) reads_default_system: bool,
}

impl Template {
    /// The names that it is known by.
    pub const fn names(&self) -> &'static [&'static str] {
        self.names
    }
}

/// What stands around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Around {
    pub(super) before: &'static [Piece],
    pub(super) after: &'static [Piece],
}

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(&'static str),
    /// The token that ends the model's texts.
    Eos,
    /// The token that begins them, but not where the conversation begins: it is there already.
    BosAgain,
}

/// Messages whose white space at both ends is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trim {
    Nothing,
    Answers,
    Everything,
}

const fn around(before: &'static [Piece], after: &'static [Piece]) -> Around {
    Around { before, after }
}

/// Says nothing; what the others have in common.
const PLAIN: Template = Template {
    names: &[],
    system: around(&[], &[]),
    user: around(&[], &[]),
    answer: around(&[], &[]),
    prompt_end: &[],
    joins_system: false,
    trim: Trim::Nothing,
    default_system: "",
    reads_default_system: false,
};

const CHATML_FORM: Template = Template {
    system: around(&[Text("<|im_start|>system\n")], &[Text("<|im_end|>\n")]),
    user: around(&[Text("<|im_start|>user\n")], &[Text("<|im_end|>\n")]),
    answer: around(&[Text("<|im_start|>assistant\n")], &[Text("<|im_end|>\n")]),
    prompt_end: &[Text("<|im_start|>assistant\n")],
    ..PLAIN
};

/// Qwen, SmolLM, Hermes, Yi and many others; the file says what they are told by default.
pub(super) static CHATML: Template =
    Template { names: &["chatml"], reads_default_system: true, ..CHATML_FORM };

static SMOLLM: Template = Template {
    names: &["smollm"],
    default_system: "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    ..CHATML_FORM
};

static QWEN: Template = Template {
    names: &["qwen"],
    default_system: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    ..CHATML_FORM
};

pub(super) static PHI_4: Template = Template {
    names: &["phi4"],
    system: around(&[Text("<|im_start|>system<|im_sep|>")], &[Text("<|im_end|>")]),
    user: around(&[Text("<|im_start|>user<|im_sep|>")], &[Text("<|im_end|>")]),
    answer: around(&[Text("<|im_start|>assistant<|im_sep|>")], &[Text("<|im_end|>")]),
    prompt_end: &[Text("<|im_start|>assistant<|im_sep|>")],
    ..PLAIN
};

pub(super) static PHI_3: Template = Template {
    names: &["phi3"],
    system: around(&[Text("<|system|>\n")], &[Text("<|end|>\n")]),
    user: around(&[Text("<|user|>\n")], &[Text("<|end|>\n")]),
    answer: around(&[Text("<|assistant|>\n")], &[Text("<|end|>\n")]),
    prompt_end: &[Text("<|assistant|>\n")],
    ..PLAIN
};

/// Zephyr, TinyLlama-Chat, StableLM.
pub(super) static ZEPHYR: Template = Template {
    names: &["zephyr", "tinyllama"],
    system: around(&[Text("<|system|>\n")], &[Eos, Text("\n")]),
    user: around(&[Text("<|user|>\n")], &[Eos, Text("\n")]),
    answer: around(&[Text("<|assistant|>\n")], &[Eos, Text("\n")]),
    prompt_end: &[Text("<|assistant|>\n")],
    ..PLAIN
};

/// What the forms with `[INST]` have in common.
const INSTRUCTION: Template = Template {
    user: around(&[Text("[INST] ")], &[Text(" [/INST]")]),
    answer: around(&[], &[Eos]),
    joins_system: true,
    ..PLAIN
};

/// The first Mistral, and others that know no system message.
pub(super) static INST: Template =
    Template { names: &["inst"], system: around(&[Text("[INST] ")], &[Text("\n")]), ..INSTRUCTION };

const LLAMA_2_FORM: Template = Template {
    system: around(&[Text("[INST] <<SYS>>\n")], &[Text("\n<</SYS>>\n\n")]),
    ..INSTRUCTION
};

const LLAMA_2_BOS_FORM: Template =
    Template { user: around(&[BosAgain, Text("[INST] ")], &[Text(" [/INST]")]), ..LLAMA_2_FORM };

/// As llama.cpp has it; the program that Meta has published puts a space around an answer.
pub(super) static LLAMA_2: Template =
    Template { names: &["llama2"], trim: Trim::Everything, ..LLAMA_2_BOS_FORM };

pub(super) static LLAMA_2_SYS: Template = Template { names: &["llama2-sys"], ..LLAMA_2_FORM };

pub(super) static LLAMA_2_SYS_BOS: Template =
    Template { names: &["llama2-sys-bos"], ..LLAMA_2_BOS_FORM };

pub(super) static LLAMA_2_SYS_STRIP: Template =
    Template { names: &["llama2-sys-strip"], trim: Trim::Everything, ..LLAMA_2_FORM };

pub(super) static MISTRAL_V1: Template = Template {
    names: &["mistral-v1"],
    system: around(&[Text(" [INST] ")], &[Text("\n\n")]),
    user: around(&[Text(" [INST] ")], &[Text(" [/INST]")]),
    answer: around(&[Text(" ")], &[Eos]),
    ..INSTRUCTION
};

pub(super) static MISTRAL_V3: Template = Template {
    names: &["mistral-v3", "mistral"],
    system: around(&[Text("[INST] ")], &[Text("\n\n")]),
    user: around(&[Text("[INST] ")], &[Text("[/INST]")]),
    answer: around(&[Text(" ")], &[Eos]),
    trim: Trim::Answers,
    ..INSTRUCTION
};

pub(super) static MISTRAL_V3_TEKKEN: Template = Template {
    names: &["mistral-v3-tekken"],
    system: around(&[Text("[INST]")], &[Text("\n\n")]),
    user: around(&[Text("[INST]")], &[Text("[/INST]")]),
    ..INSTRUCTION
};

pub(super) static MISTRAL_V7: Template = Template {
    names: &["mistral-v7"],
    system: around(&[Text("[SYSTEM_PROMPT] ")], &[Text("[/SYSTEM_PROMPT]")]),
    user: around(&[Text("[INST] ")], &[Text("[/INST]")]),
    answer: around(&[Text(" ")], &[Eos]),
    ..PLAIN
};

pub(super) static MISTRAL_V7_TEKKEN: Template = Template {
    names: &["mistral-v7-tekken"],
    system: around(&[Text("[SYSTEM_PROMPT]")], &[Text("[/SYSTEM_PROMPT]")]),
    user: around(&[Text("[INST]")], &[Text("[/INST]")]),
    answer: around(&[], &[Eos]),
    ..PLAIN
};

pub(super) static LLAMA_3: Template = Template {
    names: &["llama3"],
    system: around(
        &[Text("<|start_header_id|>system<|end_header_id|>\n\n")],
        &[Text("<|eot_id|>")],
    ),
    user: around(&[Text("<|start_header_id|>user<|end_header_id|>\n\n")], &[Text("<|eot_id|>")]),
    answer: around(
        &[Text("<|start_header_id|>assistant<|end_header_id|>\n\n")],
        &[Text("<|eot_id|>")],
    ),
    prompt_end: &[Text("<|start_header_id|>assistant<|end_header_id|>\n\n")],
    trim: Trim::Everything,
    ..PLAIN
};

/// Gemma knows no system message: it begins the user's.
pub(super) static GEMMA: Template = Template {
    names: &["gemma"],
    system: around(&[Text("<start_of_turn>user\n")], &[Text("\n\n")]),
    user: around(&[Text("<start_of_turn>user\n")], &[Text("<end_of_turn>\n")]),
    answer: around(&[Text("<start_of_turn>model\n")], &[Text("<end_of_turn>\n")]),
    prompt_end: &[Text("<start_of_turn>model\n")],
    joins_system: true,
    trim: Trim::Everything,
    ..PLAIN
};

/// DeepSeek Coder.
pub(super) static DEEPSEEK: Template = Template {
    names: &["deepseek"],
    user: around(&[Text("### Instruction:\n")], &[Text("\n")]),
    answer: around(&[Text("### Response:\n")], &[Text("\n<|EOT|>\n")]),
    prompt_end: &[Text("### Response:\n")],
    ..PLAIN
};

pub(super) static DEEPSEEK_2: Template = Template {
    names: &["deepseek2"],
    system: around(&[], &[Text("\n\n")]),
    user: around(&[Text("User: ")], &[Text("\n\n")]),
    answer: around(&[Text("Assistant: ")], &[Eos]),
    prompt_end: &[Text("Assistant:")],
    ..PLAIN
};

const DEEPSEEK_3_FORM: Template = Template {
    user: around(&[Text("<｜User｜>")], &[]),
    answer: around(&[Text("<｜Assistant｜>")], &[Text("<｜end▁of▁sentence｜>")]),
    prompt_end: &[Text("<｜Assistant｜>")],
    ..PLAIN
};

pub(super) static DEEPSEEK_3: Template = Template { names: &["deepseek3"], ..DEEPSEEK_3_FORM };

/// DeepSeek-R1 and what was distilled from it: an answer begins with thoughts.
pub(super) static DEEPSEEK_R1: Template = Template {
    names: &["deepseek-r1"],
    prompt_end: &[Text("<｜Assistant｜><think>\n")],
    ..DEEPSEEK_3_FORM
};

pub(super) static GRANITE: Template = Template {
    names: &["granite"],
    system: around(&[Text("<|start_of_role|>system<|end_of_role|>")], &[Text("<|end_of_text|>\n")]),
    user: around(&[Text("<|start_of_role|>user<|end_of_role|>")], &[Text("<|end_of_text|>\n")]),
    answer: around(
        &[Text("<|start_of_role|>assistant<|end_of_role|>")],
        &[Text("<|end_of_text|>\n")],
    ),
    prompt_end: &[Text("<|start_of_role|>assistant<|end_of_role|>")],
    ..PLAIN
};

/// Every form there is.
pub const ALL: &[&Template] = &[
    &CHATML,
    &SMOLLM,
    &QWEN,
    &PHI_3,
    &PHI_4,
    &ZEPHYR,
    &INST,
    &LLAMA_2,
    &LLAMA_2_SYS,
    &LLAMA_2_SYS_BOS,
    &LLAMA_2_SYS_STRIP,
    &MISTRAL_V1,
    &MISTRAL_V3,
    &MISTRAL_V3_TEKKEN,
    &MISTRAL_V7,
    &MISTRAL_V7_TEKKEN,
    &LLAMA_3,
    &GEMMA,
    &DEEPSEEK,
    &DEEPSEEK_2,
    &DEEPSEEK_3,
    &DEEPSEEK_R1,
    &GRANITE,
];
