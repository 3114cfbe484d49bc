"""Talks for ci/templates: what clients say, and what may go wrong in a template.

Each is `{"name", "messages", "tools", "add_generation_prompt", "thinking"}` in the form that
Hugging Face documents. `HOSTILE` are texts of control tokens that users put into their messages.
"""

HOSTILE = [
    "<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>",
    "<start_of_turn>", "<end_of_turn>", "<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>",
    "<|system|>", "[INST]", "[/INST]", "</s>", "<s>", "<|tool_call|>", "<|channel|>",
    "<|message|>", "<|start|>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>",
    "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "[TOOL_CALLS]", "<|turn>", "<turn|>",
    "]~b]", "[e~[", "<|im_middle|>", "<|observation|>", "[AVAILABLE_TOOLS]", "<|tool_list_start|>",
]  # fmt: skip


def tool(name, description, properties, required=()):
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


WEATHER = tool(
    "get_weather",
    "Get the current weather in a city.",
    {
        "city": {"type": "string", "description": "The city, e.g. Paris"},
        "unit": {"type": "string", "description": "of what", "enum": ["celsius", "fahrenheit"]},
    },
    ["city"],
)
SEARCH = tool(
    "web_search",
    "Search the web",
    {
        "query": {"type": "string", "description": "for what"},
        "count": {"type": "integer", "description": "how many", "minimum": 1, "default": 5},
        "sites": {"type": "array", "description": "where", "items": {"type": "string"}},
    },
    ["query"],
)
ODD = tool(
    "make_order",
    "Größe <b>wählen</b> & \"bestellen\" – it's 100 % «完了» 🎉\nsecond line",
    {
        "items": {
            "type": "array",
            "description": "what to order",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": ["integer", "null"]},
                    "price": {"type": "number", "maximum": 1e16, "minimum": 0.5},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "mode": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "express": {"type": "boolean", "default": False, "description": "<|im_end|>"},
        "limit": {"type": "number", "default": 1.0},
        "note": {"type": "string", "enum": ["a b", "it's", 'say "hi"'], "nullable": True},
    },
    ["items"],
)


def call(number, name, arguments):
    function = {"name": name, "arguments": arguments}
    return {"id": f"call{number:05}", "type": "function", "function": function}


def result(number, name, content):
    return {"role": "tool", "content": content, "tool_call_id": f"call{number:05}", "name": name}


def user(text):
    return {"role": "user", "content": text}


def system(text):
    return {"role": "system", "content": text}


def assistant(text, calls=None, **more):
    message = {"role": "assistant", "content": text, **more}
    return {**message, "tool_calls": calls} if calls else message


def talk(name, messages, tools=(), prompt=True, thinking=None, more=None):
    return {
        "name": name,
        "messages": messages,
        "tools": list(tools),
        "add_generation_prompt": prompt,
        "thinking": thinking,
        "more": more or {},
    }


ODD_ARGUMENTS = {
    "items": [{"id": None, "price": 0.1, "tags": ["ä", "<|im_end|>", '"', "\\", "\t"]}, {}],
    "mode": "it's\n</tool_call>",
    "express": True,
    "limit": -2.5e-7,
    "count": 12345678901234,
}
UNICODE = (
    "Grüße, 世界! 🏳️‍🌈 👩🏽‍💻 שלום e\u0301 ΟΔΥΣΣΕΥΣ ǅ ß İ \u00a0nbsp\u2028line\u200bzero\x7f "
    "\ue000\U000f0001\U0010fffd \ufeff"
)
MARKUP = (
    "  \n{{ messages }} {% if true %} {# no #} ${x} %s %d {} {0} <b>&amp;</b> \"'`\\n \\u0041\n\n"
    "|pipe|\t tabs\r\nand returns \n \n"
)

TALKS = [
    talk("plain", [user("Hello, who are you?")]),
    talk("system", [system("You are a helpful assistant."), user("Hi")]),
    talk(
        "several turns",
        [
            system("Be brief."),
            user("What is 2+2?"),
            assistant("4."),
            user("And 3+3?"),
            assistant("6."),
        ],
        prompt=False,
    ),
    talk("tools", [system("Use tools."), user("Weather in Paris?")], [WEATHER, SEARCH]),
    talk(
        "call and result",
        [
            system("Use tools."),
            user("Weather in Paris?"),
            assistant("", [call(1, "get_weather", {"city": "Paris", "unit": "celsius"})]),
            result(1, "get_weather", '{"temperature": 21, "sky": "clear"}'),
        ],
        [WEATHER, SEARCH],
    ),
    talk(
        "two calls",
        [
            user("Weather in Paris and in Rome?"),
            assistant(
                "I shall look.",
                [
                    call(1, "get_weather", {"city": "Paris"}),
                    call(2, "get_weather", {"city": "Rome"}),
                ],
            ),
            result(1, "get_weather", "21 degrees"),
            result(2, "get_weather", "28 degrees"),
            assistant("21 in Paris, 28 in Rome."),
            user("Thanks. And in Oslo?"),
        ],
        [WEATHER],
    ),
    talk(
        "thinking",
        [
            system("Think first."),
            user("17 * 23?"),
            assistant("<think>\n17*20=340, 17*3=51\n</think>\n\n391"),
            user("And 18 * 23?"),
            assistant("414", reasoning_content="391 + 23\n"),
            user("Sure? </think>"),
        ],
        thinking=True,
    ),
    talk("no thinking", [system("/no_think"), user("Hi /think")], thinking=False),
    talk("unicode", [system(UNICODE), user(UNICODE), assistant(UNICODE), user(UNICODE + UNICODE)]),
    talk(
        "control tokens",
        [
            system("Zq" + " Zq".join(HOSTILE)),
            user("".join(HOSTILE)),
            assistant("\n".join(HOSTILE)),
            user(" ".join(HOSTILE) + "<tool_response>x</tool_response><think></think>"),
        ],
    ),
    talk(
        "odd tools",
        [
            system("Order."),
            user("Order it."),
            assistant("", [call(1, "make_order", ODD_ARGUMENTS)]),
            result(1, "make_order", '{"ok": true, "text": "<|im_end|>\\n"}'),
            assistant("Done."),
            user("Again."),
        ],
        [ODD, WEATHER],
    ),
    talk(
        "markup",
        [
            system(MARKUP),
            user(MARKUP),
            assistant(MARKUP),
            user(MARKUP + MARKUP),
            assistant(""),
            user(" "),
        ],
    ),
    talk(
        "more variables",
        [system("S"), user("U <|im_end|>")],
        [WEATHER],
        more={
            "datetime": "Mar 09 2026", "functions": "[{<|im_end|>}]", "reasoning_effort": "high",
            "builtin_tools": ["browser", "python"], "custom_tools": [], "date_string": "9 Mar",
        },
    ),
    talk("two of the user", [user("One."), user("Two."), assistant("Three.")], prompt=False),
    talk("only system", [system("Alone.")]),
    talk(
        "call in thought",
        [
            user("Find it."),
            assistant(
                "Searching.", [call(1, "web_search", {"query": "x", "count": 3})],
                reasoning_content="I should search.",
            ),
            result(1, "web_search", "[]"),
        ],
        [SEARCH],
        thinking=True,
    ),
]
