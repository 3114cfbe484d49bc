"""What `ci/constrained` generates: schemas as people write them, and grammars with a check each.

The checks share nothing with the engine: a schema's is the package jsonschema, JSON's is Python's
own parser, a grammar's is a regular expression or a few lines of Python that say what it means.
"""

import json
import re
from decimal import Decimal

NAME = {"type": "string", "minLength": 1, "maxLength": 24}


def record(required=None, **properties):
    """An object of just these properties; all are required if not said otherwise."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def listed(items, least=0, most=None):
    schema = {"type": "array", "items": items}
    if least:
        schema["minItems"] = least
    if most is not None:
        schema["maxItems"] = most
    return schema


DATE = {"type": "string", "format": "date"}
MONEY = {"type": "number", "minimum": 0, "exclusiveMaximum": 1000000, "multipleOf": 0.25}


SCHEMAS = {
    "tool_call": record(
        tool_calls=listed(
            record(
                id={"type": "string", "pattern": "^call_[A-Za-z0-9]{4,8}$"},
                name={"enum": ["read_file", "write_file", "list_directory", "run"]},
                arguments={"type": "object", "maxProperties": 5,
                           "propertyNames": {"pattern": "^[a-z][a-z_]{0,11}$"}},
            ),
            1, 3,
        )
    ),
    "tool_choice": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "one of three tools",
        "oneOf": [
            record(name={"const": "get_weather"}, city=NAME, unit={"enum": ["C", "F", None]}),
            record(name={"const": "set_timer"},
                   seconds={"type": "integer", "minimum": 1, "maximum": 86400}),
            record(name={"const": "wake"}, at={"type": "string", "format": "time"}),
        ],
    },
    "person": record(
        name=NAME,
        age={"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
        email={"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
        born=DATE,
        married={"type": "boolean"},
    ),
    "optional": {
        **record(["id"], id={"type": "integer"}, note={"type": "string"},
                 score={"type": "number", "exclusiveMinimum": -1.5, "maximum": 12.25},
                 done={"type": "boolean"}, tags=listed(NAME)),
        "dependentRequired": {"score": ["done"]},
        "maxProperties": 4,
    },
    "nested": {
        "allOf": [
            {"type": "object", "required": ["a", "f"],
             "properties": {"a": {"$ref": "#inner"}}},
            {"properties": {"f": {"type": ["string", "null"], "maxLength": 12}}},
        ],
        "unevaluatedProperties": False,
        "$defs": {
            "a": {"$anchor": "inner"}
            | record(b=record(c=record(d=listed(record(e={"type": "number"}), 1)))),
        },
    },
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": record(["value"], value={"type": "integer", "exclusiveMinimum": -100},
                           children=listed({"$ref": "#/$defs/node"}, 0, 3)),
        },
    },
    "linked_list": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/definitions/list",
        "definitions": {
            "list": {"anyOf": [
                {"type": "null"},
                record(head={"type": "boolean"}, tail={"$ref": "#/definitions/list"}),
            ]},
        },
    },
    "expression": {
        "$ref": "#/$defs/value",
        "$defs": {
            "value": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/operation"}]},
            "operation": record(op={"enum": ["+", "-", "*", "/"]},
                                left={"$ref": "#/$defs/value"}, right={"$ref": "#/$defs/value"}),
        },
    },
    "map_of_numbers": {
        "type": "object",
        "properties": {"total": {"type": "integer", "multipleOf": 5, "maximum": 1000}},
        "patternProperties": {"^[a-z]{1,9}$": {"type": "number"}, "_id$": {"type": "string"}},
        "additionalProperties": {"type": "null"},
    },
    "map_of_lists": {"type": "object", "minProperties": 1, "maxProperties": 3,
                     "additionalProperties": listed(NAME, 2, 4)},
    "matrix": listed({
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"enum": ["x", "y"]}, {"const": [0, None]}],
        "items": {"type": "boolean"}, "minItems": 2, "maxItems": 5,
    }, 2, 2),
    "exact_length": listed({"type": "string", "minLength": 5, "maxLength": 5}, 2, 5),
    "long_text": record(
        text={"type": "string", "minLength": 40, "maxLength": 90},
        title={"type": "string", "pattern": "^[A-Z][a-z]+( [a-z]+){2,}[.!?]$", "maxLength": 60},
    ),
    "many_items": {**listed({"type": "boolean"}, 17, 60),
                   "contains": {"const": True}, "minContains": 3, "maxContains": 20},
    "sentiment": {
        **record(["label", "confidence"], label={"enum": ["positive", "negative", "neutral"]},
                 confidence={"type": "number", "minimum": 0, "maximum": 1}, why=NAME),
        "if": {"properties": {"label": {"const": "negative"}}},
        "then": {"required": ["why"]},
    },
    "values": {
        "enum": ["a", "b c", 1, -2.5, True, None, [1, 2], {"k": "v"}, "not this", 7],
        "not": {"enum": ["not this", 7]},
    },
    "mixed": {
        "oneOf": [
            {"type": "integer", "multipleOf": 3, "minimum": -300, "maximum": 300},
            {"type": "boolean"},
            {"type": "string", "pattern": "^(?:[01]{8}|0x[0-9a-f]+)$", "maxLength": 20},
            {"const": None},
        ],
    },
    "anything": True,
    "formats": record(
        id={"type": "string", "format": "uuid"},
        at={"type": "string", "format": "date-time"},
        takes={"type": "string", "format": "duration"},
        host={"anyOf": [{"type": "string", "format": kind}
                        for kind in ("hostname", "ipv4", "ipv6")]},
        link={"type": "string", "format": "uri"},
        place={"type": "string", "format": "json-pointer", "maxLength": 30},
    ),
    "draft_4": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "http://example.com/root.json",
        **record(["ratio", "child"],
                 ratio={"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1},
                 child={"$ref": "child.json"}),
        "definitions": {"child": {"id": "child.json", "type": "array", "hint": "unknown",
                                  "items": [{"type": "integer"}, NAME],
                                  "additionalItems": False}},
    },
    "prices": record(
        price={"type": "number", "minimum": 0, "maximum": 1000, "multipleOf": 0.01},
        odd={"type": "integer", "minimum": -99, "maximum": 99, "not": {"multipleOf": 2}},
        code={"type": "string", "pattern": "^(?=.*[0-9])(?!00)[A-Z0-9]{4,8}$"},
        point={"enum": [{"x": 1, "y": [2.0, 3]}, {"x": 0, "y": []}]},
    ),
    "either": {
        "oneOf": [
            {"type": "array", "items": NAME, "maxItems": 3},
            {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
            {"type": "object", "properties": {"a": NAME, "b": {"type": "integer"}},
             "additionalProperties": False},
            {"type": "object", "properties": {"b": {"type": "integer"}, "c": NAME},
             "required": ["b"]},
        ],
    },
    "families": {
        "type": "object",
        "patternProperties": {"^a": {"type": "integer"}, "^b": {"type": "boolean"},
                              "^c": {"type": "null"}, "^d": NAME, "_$": {"minimum": 3},
                              "^x-": True},
        "additionalProperties": False, "maxProperties": 4,
    },
    "not_all": {
        "type": "array", "items": {"enum": [1, 2, 3]}, "maxItems": 6,
        "not": {"contains": {"const": 1}, "minContains": 2, "maxContains": 3},
    },
    "extraction": record(
        invoice=record(["number", "lines"], date=DATE,
                       number={"type": "string", "pattern": "^[A-Z]{2}-\\d{4,6}$"},
                       lines=listed(record(text=NAME, amount=MONEY,
                                           count={"type": "integer", "minimum": 1}), 1, 4)),
        languages={"type": "array", "items": {"enum": ["de", "en", "fr", "日本語", "it's"]},
                   "uniqueItems": True, "minItems": 1},
    ),
    "different": record(
        tags={**listed({"type": "string", "maxLength": 2}, 2), "uniqueItems": True},
        counts={**listed({"type": ["number", "boolean", "null"]}, 1, 9), "uniqueItems": True},
        ports={**listed({"type": "integer", "minimum": 1, "maximum": 20}), "uniqueItems": True},
        days={**listed(DATE, 2), "uniqueItems": True},
    ),
}  # fmt: skip


class Unparsed(Exception):
    """The text is not what its grammar says."""


def matches(pattern):
    compiled = re.compile(pattern, re.DOTALL)

    def check(text):
        if not compiled.fullmatch(text):
            raise Unparsed(f"does not match {pattern}")

    return check


def check_sum(text):
    """Lines of arithmetic, by recursive descent."""

    def term(at):
        if text[at : at + 1] == "(":
            at = expression(at + 1)
            if text[at : at + 1] != ")":
                raise Unparsed(f") is missing at {at}")
            return at + 1
        found = re.compile(r"-?(?:0|[1-9][0-9]{0,4})").match(text, at)
        if not found:
            raise Unparsed(f"no term at {at}")
        return found.end()

    def expression(at):
        at = term(at)
        while text[at : at + 3] in (" + ", " - ", " * ", " / "):
            at = term(at + 3)
        return at

    at = 0
    while True:
        at = expression(at)
        if text[at : at + 2] != ";\n":
            raise Unparsed(f"; is missing at {at}")
        at += 2
        if at == len(text):
            return


def check_lisp(text):
    """Balanced, with words of letters between: taken apart from the inside."""
    inner = re.compile(r"\((?:[a-z]+|%)(?: (?:[a-z]+|%))*\)|\(\)")
    if "%" in text:
        raise Unparsed("a character that is in no word")
    while text != "%":
        text, count = inner.subn("%", text)
        if not count:
            raise Unparsed("not balanced")


def check_mirror(text):
    half = len(text) // 2
    if len(text) % 2 == 0 or text[half] != "|" or text[:half] != text[:half:-1]:
        raise Unparsed("the halves differ")
    if set(text) - set("ab|"):
        raise Unparsed("other letters")


GRAMMARS = {
    "choice": (r'root ::= "yes" | "no" | "maybe" | "yesterday" "!"{2}',
               matches(r"yes|no|maybe|yesterday!!")),
    "dates": (r"""
# dates, one a line, a space before each
root  ::= (" " date "\n")+
date  ::= [0-9]{4} "-" month "-" day
month ::= "0" [1-9] | "1" [0-2]
day   ::= "0" [1-9] | [12] [0-9] | "3" [01]
""", matches(r"(?: [0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])\n)+")),
    "chess": (r"""
root    ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")*
move    ::= (pawn | nonpawn | castle) [+#]?
nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn    ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle  ::= "O-O" "-O"?
""", None),
    "list": (r"""
root ::= item+
item ::= "- " [^\r\n\x0b\x0c\x85\u2028\u2029]+ "\n"
""", matches("(?:- [^\r\n\x0b\x0c\x85\u2028\u2029]+\n)+")),
    "sums": (r"""
root ::= (sum ";\n")+
sum  ::= term (" " [-+*/] " " term)*
term ::= "(" sum ")" | "-"? ("0" | [1-9] [0-9]{0,4})
""", check_sum),
    "lisp": (r"""
root ::= "(" ( item (" " item)* )? ")"
item ::= [a-z]+ | root
""", check_lisp),
    "csv": (r"""
root  ::= field ("," field){3} ("\r\n" field ("," field){3}){0,9}
field ::= [^",\r\n]* | "\"" ([^"] | "\"\"")* "\""
""", None),
    "scripts": (r"root ::= [ぁ-ゖ]{3,20} | [à-öø-ÿ]+ | [\U0001F600-\U0001F64F]{2} | [^\x00-\x7f]{4}",
                matches("[ぁ-ゖ]{3,20}|[à-öø-ÿ]+|[\U0001f600-\U0001f64f]{2}|[^\x00-\x7f]{4}")),
    "counted": (r'root ::= ("ab" | "a" "b"{2,5} | [c-e]{0,3} "f"){3,7} " end" ([.] | "!" "?")*',
                matches(r"(?:ab|ab{2,5}|[c-e]{0,3}f){3,7} end(?:\.|!\?)*")),
    "mirror": (r'root ::= "|" | "a" root "a" | "b" root "b"', check_mirror),
}

_MOVE = (r"(?:(?:[a-h]x)?[a-h][1-8](?:=[NBKQR])?|[NBKQR][a-h]?[1-8]?x?[a-h][1-8]|O-O(?:-O)?)[+#]?")
_FIELD = r'(?:[^",\r\n]*|"(?:[^"]|"")*")'
_CHECKS = {
    "chess": matches(rf"1\. {_MOVE} {_MOVE}\n(?:[1-9][0-9]?\. {_MOVE} {_MOVE}\n)*"),
    "csv": matches(rf"{_FIELD}(?:,{_FIELD}){{3}}(?:\r\n{_FIELD}(?:,{_FIELD}){{3}}){{0,9}}"),
}


def _constant(name):
    raise Unparsed(f"{name} is no JSON")


def _first(pairs):
    return dict(reversed(pairs))


def values(text):
    """What the text says: a name that comes twice counts by its first and by its last value."""
    for hook in (dict, _first):
        yield json.loads(text, parse_constant=_constant, object_pairs_hook=hook,
                         parse_float=Decimal)


def check_json(text):
    for value in values(text):
        if not isinstance(value, dict | list):
            raise Unparsed("neither an object nor an array")


def formats(schema):
    """The formats that a schema asks for."""
    if isinstance(schema, list):
        return {kind for item in schema for kind in formats(item)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["format"]} if isinstance(schema.get("format"), str) else set()
    return own.union(*map(formats, schema.values()))


def check_schema(schema):
    import jsonschema

    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    kind.check_schema(schema)
    # Formats are checked by packages of their own: without one, nothing would be.
    unchecked = formats(schema) - set(kind.FORMAT_CHECKER.checkers)
    if unchecked:
        raise LookupError(f"nothing checks {unchecked}")
    # Decimals as they are written: 0.07 is a multiple of 0.01, and in binary it is not.
    exact = json.loads(json.dumps(schema), parse_float=Decimal)
    validator = kind(exact, format_checker=kind.FORMAT_CHECKER)

    def check(text):
        for value in values(text):
            validator.validate(value)

    return check


def cases():
    """`(name, options, source or None, check)`: the source belongs into a file behind them."""
    yield "json", ["--json"], None, check_json
    for name, schema in SCHEMAS.items():
        yield name, ["--schema"], json.dumps(schema, ensure_ascii=False), check_schema(schema)
    for name, (source, check) in GRAMMARS.items():
        yield name, ["--grammar"], source, check or _CHECKS[name]
