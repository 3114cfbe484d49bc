//! The forms themselves: what stands around a message of each role.

use super::Thinking;
use Piece::{BosAgain, Eos, Text, Thought};

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
    /// Said where a conversation begins without a system message; an empty text has what stands
    /// around it, too.
    pub(super) default_system: ByThinking<Option<&'static str>>,
    /// Whether a model's file may say what that is.
    pub(super) reads_default_system: bool,
    /// Begins every conversation.
    pub(super) beginning: &'static [Piece],
    /// Whether the token that begins the model's texts comes before that. A file's program may do
    /// so in any form.
    pub(super) writes_bos: bool,
}

impl Template {
    /// The names that it is known by.
    pub const fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// Whether the model can be told to think before it answers, or not to.
    pub(super) fn has_thinking_switch(&self) -> bool {
        let mut pieces = self.prompt_end.iter().chain(self.system.before);
        pieces.any(|piece| matches!(piece, Thought(_)))
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
    /// Depends on whether the model is to think.
    Thought(ByThinking),
}

/// A text for each way to ask for thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByThinking<T = &'static str> {
    /// Where nobody has asked for thoughts or against them.
    unasked: T,
    on: T,
    off: T,
}

impl<T: Copy> ByThinking<T> {
    const fn always(text: T) -> Self {
        Self { unasked: text, on: text, off: text }
    }

    pub(super) const fn get(&self, thinking: Thinking) -> T {
        match thinking {
            Thinking::Unasked => self.unasked,
            Thinking::On => self.on,
            Thinking::Off => self.off,
        }
    }
}

/// Messages whose white space at both ends is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trim {
    Nothing,
    /// At the end of a system message only.
    SystemEnd,
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
    default_system: ByThinking::always(None),
    reads_default_system: false,
    beginning: &[],
    writes_bos: false,
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
    default_system: ByThinking::always(Some(
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    )),
    ..CHATML_FORM
};

static QWEN: Template = Template {
    names: &["qwen"],
    default_system: ByThinking::always(Some(
        "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    )),
    ..CHATML_FORM
};

/// Thoughts that are over before they begin: the answer comes at once.
const NO_THOUGHT: &str = "<think>\n\n</think>\n\n";

/// Qwen 3: thinks by itself unless it finds its thoughts closed.
pub(super) static QWEN_3: Template = Template {
    names: &["qwen3"],
    prompt_end: &[
        Text("<|im_start|>assistant\n"),
        Thought(ByThinking { unasked: "", on: "", off: NO_THOUGHT }),
    ],
    reads_default_system: true,
    ..CHATML_FORM
};

/// Qwen 3.5: its thoughts are opened for it.
pub(super) static QWEN_35: Template = Template {
    names: &["qwen3.5"],
    prompt_end: &[
        Text("<|im_start|>assistant\n"),
        Thought(ByThinking { unasked: "<think>\n", on: "<think>\n", off: NO_THOUGHT }),
    ],
    reads_default_system: true,
    ..CHATML_FORM
};

/// MiniCPM 5: its thoughts are opened where they are asked for.
pub(super) static MINICPM_5: Template = Template {
    names: &["minicpm5"],
    prompt_end: &[
        Text("<|im_start|>assistant\n"),
        Thought(ByThinking { unasked: "", on: "<think>\n", off: NO_THOUGHT }),
    ],
    reads_default_system: true,
    ..CHATML_FORM
};

/// SmolLM 3: a system message of a fixed form, which says whether to think.
pub(super) static SMOLLM_3: Template = Template {
    names: &["smollm3"],
    system: around(
        &[
            Text("<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\n"),
            Text("Reasoning Mode: "),
            Thought(ByThinking { unasked: "/think", on: "/think", off: "/no_think" }),
            Text("\n\n## Custom Instructions\n\n"),
        ],
        &[Text("\n\n<|im_end|>\n")],
    ),
    answer: around(SMOLLM_3_ANSWER, &[Text("<|im_end|>\n")]),
    prompt_end: SMOLLM_3_ANSWER,
    default_system: ByThinking {
        unasked: Some(SMOLLM_3_THINKS),
        on: Some(SMOLLM_3_THINKS),
        off: Some("You are a helpful AI assistant named SmolLM, trained by Hugging Face."),
    },
    trim: Trim::SystemEnd,
    ..CHATML_FORM
};

const SMOLLM_3_ANSWER: &[Piece] = &[
    Text("<|im_start|>assistant\n"),
    Thought(ByThinking { unasked: "", on: "", off: "<think>\n\n</think>\n" }),
];

/// SmolLM 3's default system text, word for word.
const SMOLLM_3_THINKS: &str = "\
    You are a helpful AI assistant named SmolLM, trained by Hugging Face. Your role as an \
    assistant involves thoroughly exploring questions through a systematic thinking \
    process before providing the final precise and accurate solutions. This requires \
    engaging in a comprehensive cycle of analysis, summarizing, exploration, \
    reassessment, reflection, backtracking, and iteration to develop well-considered \
    thinking process. Please structure your response into two main sections: Thought and \
    Solution using the specified format: <think> Thought section </think> Solution \
    section. In the Thought section, detail your reasoning process in steps. Each step \
    should include detailed considerations such as analysing questions, summarizing \
    relevant findings, brainstorming new ideas, verifying the accuracy of the current \
    steps, refining any errors, and revisiting previous steps. In the Solution section, \
    based on various attempts, explorations, and reflections from the Thought section, \
    systematically present the final solution that you deem correct. The Solution section \
    should be logical, accurate, and concise and detail necessary steps needed to reach \
    the conclusion.";

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

/// Phi-4-mini: Phi-3 without line breaks.
pub(super) static PHI_4_MINI: Template = Template {
    names: &["phi4-mini"],
    system: around(&[Text("<|system|>")], &[Text("<|end|>")]),
    user: around(&[Text("<|user|>")], &[Text("<|end|>")]),
    answer: around(&[Text("<|assistant|>")], &[Text("<|end|>")]),
    prompt_end: &[Text("<|assistant|>")],
    ..PLAIN
};

/// OLMo 2, and Tülu: only answers end.
pub(super) static OLMO_2: Template = Template {
    names: &["olmo2", "tulu"],
    system: around(&[Text("<|system|>\n")], &[Text("\n")]),
    user: around(&[Text("<|user|>\n")], &[Text("\n")]),
    answer: around(&[Text("<|assistant|>\n")], &[Eos, Text("\n")]),
    prompt_end: &[Text("<|assistant|>\n")],
    ..PLAIN
};

/// Zephyr, TinyLlama-Chat, StableLM.
pub(super) static ZEPHYR: Template = Template {
    names: &["zephyr", "tinyllama", "stablelm"],
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

/// Gemma 4 E2B and E4B. Thoughts are asked for at the head of a system message, which is there for
/// that alone where nobody has written one.
pub(super) static GEMMA_4: Template = Template { names: &["gemma4"], ..GEMMA_4_FORM };

const GEMMA_4_FORM: Template = Template {
    system: around(
        &[Text("<|turn>system\n"), Thought(ByThinking { unasked: "", on: "<|think|>\n", off: "" })],
        &[Text("<turn|>\n")],
    ),
    user: around(&[Text("<|turn>user\n")], &[Text("<turn|>\n")]),
    answer: around(&[Text("<|turn>model\n")], &[Text("<turn|>\n")]),
    prompt_end: &[Text("<|turn>model\n")],
    trim: Trim::Everything,
    default_system: ByThinking { unasked: None, on: Some(""), off: None },
    ..PLAIN
};

/// The larger ones of Gemma 4 find their thoughts closed where they are not asked for.
pub(super) static GEMMA_4_LARGE: Template = Template {
    names: &["gemma4-large"],
    prompt_end: &[
        Text("<|turn>model\n"),
        Thought(ByThinking { unasked: GEMMA_4_NO_THOUGHT, on: "", off: GEMMA_4_NO_THOUGHT }),
    ],
    ..GEMMA_4_FORM
};

const GEMMA_4_NO_THOUGHT: &str = "<|channel>thought\n<channel|>";

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

const GRANITE_FORM: Template = Template {
    system: around(&[Text("<|start_of_role|>system<|end_of_role|>")], &[Text("<|end_of_text|>\n")]),
    user: around(&[Text("<|start_of_role|>user<|end_of_role|>")], &[Text("<|end_of_text|>\n")]),
    answer: around(
        &[Text("<|start_of_role|>assistant<|end_of_role|>")],
        &[Text("<|end_of_text|>\n")],
    ),
    prompt_end: &[Text("<|start_of_role|>assistant<|end_of_role|>")],
    ..PLAIN
};

/// Granite 3 and 4.1. The default system text of 3 has the day's date, which is not known here.
pub(super) static GRANITE: Template =
    Template { names: &["granite", "granite-4.1"], ..GRANITE_FORM };

pub(super) static GRANITE_4: Template = Template {
    names: &["granite-4.0"],
    default_system: ByThinking::always(Some(
        "You are a helpful assistant. Please ensure responses are professional, accurate, and \
         safe.",
    )),
    ..GRANITE_FORM
};

/// EXAONE 3 and 3.5: a conversation without a system message begins with an empty one.
pub(super) static EXAONE_3: Template = Template {
    names: &["exaone3"],
    system: around(&[Text("[|system|]")], &[Text("[|endofturn|]\n")]),
    user: around(&[Text("[|user|]")], &[Text("\n")]),
    answer: around(&[Text("[|assistant|]")], &[Text("[|endofturn|]\n")]),
    prompt_end: &[Text("[|assistant|]")],
    trim: Trim::Everything,
    default_system: ByThinking::always(Some("")),
    ..PLAIN
};

/// EXAONE 4: thoughts of earlier answers are left out.
pub(super) static EXAONE_4: Template = Template {
    names: &["exaone4"],
    system: around(&[Text("[|system|]\n")], &[Text("[|endofturn|]\n")]),
    user: around(&[Text("[|user|]\n")], &[Text("[|endofturn|]\n")]),
    answer: around(&[Text("[|assistant|]\n"), Text(NO_THOUGHT)], &[Text("[|endofturn|]\n")]),
    prompt_end: &[
        Text("[|assistant|]\n"),
        Thought(ByThinking { unasked: NO_THOUGHT, on: "<think>\n", off: NO_THOUGHT }),
    ],
    ..PLAIN
};

pub(super) static ERNIE_45: Template = Template {
    names: &["ernie4_5"],
    system: around(&[], &[Text("\n")]),
    user: around(&[Text("User: ")], &[Text("\n")]),
    answer: around(&[Text("Assistant: ")], &[Text("<|end_of_sentence|>")]),
    prompt_end: &[Text("Assistant: ")],
    beginning: &[Text("<|begin_of_sentence|>")],
    ..PLAIN
};

/// Hunyuan's dense models: a user's message ends with what begins an answer, which llama.cpp's
/// table writes twice.
pub(super) static HUNYUAN_DENSE: Template = Template {
    names: &["hunyuan-dense"],
    system: around(&[], &[Text("<｜hy_place▁holder▁no▁3｜>")]),
    user: around(&[Text("<｜hy_User｜>")], &[Text("<｜hy_Assistant｜>")]),
    answer: around(&[], &[Text("<｜hy_place▁holder▁no▁2｜>")]),
    prompt_end: &[Thought(ByThinking { unasked: "", on: "", off: "<think>\n\n</think>\n" })],
    writes_bos: true,
    ..PLAIN
};

/// MiniCPM 1 to 3.
pub(super) static MINICPM: Template = Template {
    names: &["minicpm"],
    user: around(&[Text("<用户>")], &[Text("<AI>")]),
    trim: Trim::Everything,
    ..PLAIN
};

/// BitNet b1.58 2B 4T.
pub(super) static BITNET: Template = Template {
    names: &["bitnet"],
    system: around(&[Text("System: ")], &[Text("<|eot_id|>")]),
    user: around(&[Text("User: ")], &[Text("<|eot_id|>")]),
    answer: around(&[Text("Assistant: ")], &[Text("<|eot_id|>")]),
    prompt_end: &[Text("Assistant: ")],
    trim: Trim::Everything,
    ..PLAIN
};

/// Every form there is.
pub const ALL: &[&Template] = &[
    &CHATML,
    &SMOLLM,
    &SMOLLM_3,
    &QWEN,
    &QWEN_3,
    &QWEN_35,
    &PHI_3,
    &PHI_4,
    &PHI_4_MINI,
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
    &GEMMA_4,
    &GEMMA_4_LARGE,
    &DEEPSEEK,
    &DEEPSEEK_2,
    &DEEPSEEK_3,
    &DEEPSEEK_R1,
    &GRANITE,
    &GRANITE_4,
    &EXAONE_3,
    &EXAONE_4,
    &ERNIE_45,
    &HUNYUAN_DENSE,
    &MINICPM,
    &MINICPM_5,
    &OLMO_2,
    &BITNET,
];
