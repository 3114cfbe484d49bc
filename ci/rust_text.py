"""Rust source as text: just enough of its lexical grammar for the checks of ci/tidy.

`code_only` blanks comments and literals and keeps every position, so that a pattern found in the
result is code and its line number is the file's.
"""

import re

_TOKEN = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>\bb?r(?P<hashes>\#*)")
      | (?P<string>b?"(?:\\.|[^"\\])*")
      | (?P<char>b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^\\'])')
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _block_comment_end(text: str, start: int) -> int:
    """Position after the block comment at `start`; block comments nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def code_only(text: str) -> str:
    """`text` with spaces for comments, strings and character literals."""
    parts, at = [], 0
    while token := _TOKEN.search(text, at):
        end = token.end()
        if token["block"]:
            end = _block_comment_end(text, token.start())
        elif token["raw"]:
            close = text.find('"' + token["hashes"], end)
            end = len(text) if close < 0 else close + 1 + len(token["hashes"])
        parts += [text[at : token.start()], _blank(text[token.start() : end])]
        at = end
    return "".join(parts) + text[at:]


def line_of(text: str, position: int) -> int:
    """Line number, from 1, of a position."""
    return text.count("\n", 0, position) + 1


def closing_brace(code: str, opening: int) -> int:
    """Position of the brace that closes the one at `opening`, else the end of the text."""
    depth = 0
    for brace in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return len(code)


def functions(code: str):
    """`(name, first line, last line)` of every function with a body."""
    for match in re.finditer(r"\bfn\s+(\w+)", code):
        # The body opens at the first brace outside the signature's brackets.
        depth = 0
        for sign in re.compile(r"[()\[\];{]").finditer(code, match.end()):
            if sign[0] in "([":
                depth += 1
            elif sign[0] in ")]":
                depth -= 1
            elif depth == 0:
                if sign[0] == "{":
                    last = line_of(code, closing_brace(code, sign.start()))
                    yield match[1], line_of(code, match.start()), last
                break


def inline_module_depth(code: str, position: int) -> int:
    """How many `mod name { … }` enclose a position."""
    return sum(
        module.end() <= position <= closing_brace(code, module.end() - 1)
        for module in re.finditer(r"\bmod\s+\w+\s*\{", code)
    )


def _first_names(group: str) -> list:
    """The first names of the paths in `{a::b, c::{d, e}}`: a and c."""
    names, depth = [], 0
    for part in re.finditer(r"[{},]|\w+", group):
        if part[0] == "{":
            depth += 1
            expecting = True
        elif part[0] == "}":
            depth -= 1
        elif part[0] == ",":
            expecting = True
        elif depth == 1 and expecting:
            names.append(part[0])
            expecting = False
        else:
            expecting = False
    return names


def crate_modules(code: str, module_depth: int):
    """`(module, line)` of each name that a path takes from the crate's root.

    `module_depth` is the number of modules that the file itself lies in: `super` as many times
    leads to the root too.
    """
    path = re.compile(r"(?<!\w)(\$?crate|super(?:\s*::\s*super)*)\s*::\s*(\{|\w+)")
    for match in path.finditer(code):
        if match[1].startswith("super"):
            depth = module_depth + inline_module_depth(code, match.start())
            if match[1].count("super") < depth:
                continue
        line = line_of(code, match.start())
        if match[2] == "{":
            opening = match.end() - 1
            group = code[opening : closing_brace(code, opening) + 1]
            yield from ((name, line) for name in _first_names(group))
        elif match[2] != "super":
            yield match[2], line
