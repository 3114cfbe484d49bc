"""The words that schemas and instances of this folder are written with."""

import copy

D4 = "http://json-schema.org/draft-04/schema#"
D6 = "http://json-schema.org/draft-06/schema#"
D7 = "http://json-schema.org/draft-07/schema#"
D19 = "https://json-schema.org/draft/2019-09/schema"
D20 = "https://json-schema.org/draft/2020-12/schema"


def _typed(kind, description, more):
    return {"type": kind} | ({"description": description} if description else {}) | more


def text(description=None, **more):
    return _typed("string", description, more)


def whole(description=None, **more):
    return _typed("integer", description, more)


def number(description=None, **more):
    return _typed("number", description, more)


def flag(description=None, **more):
    return _typed("boolean", description, more)


def choice(values, description=None, **more):
    """Some texts, given as words."""
    return _typed("string", description, {"enum": values.split()} | more)


def array(items, description=None, **more):
    return _typed("array", description, {"items": items} | more)


def texts(description=None, **more):
    return array({"type": "string"}, description, **more)


def record(properties, required="", description=None, **more):
    """An object of which others may be members, too; `required` are words."""
    needed = {"required": required.split()} if required else {}
    return _typed("object", description, {"properties": properties} | needed | more)


def closed(properties, required="", description=None, **more):
    """An object of just these members."""
    return record(properties, required, description, additionalProperties=False, **more)


def table(values=None, description=None, **more):
    """An object whose members all have such a value, texts if nothing is said."""
    values = {"type": "string"} if values is None else values
    return _typed("object", description, {"additionalProperties": values} | more)


def ref(name, where="definitions"):
    return {"$ref": f"#/{where}/{name}"}


def ref2(name):
    return ref(name, "$defs")


def document(draft, title, schema, **more):
    """A whole schema as it begins in a file; no draft is named where there is none."""
    return ({"$schema": draft} if draft else {}) | {"title": title} | schema | more


def _place(instance, path):
    keys = path.split("|")
    for key in keys[:-1]:
        instance = instance[int(key) if isinstance(instance, list) else key]
    return instance, int(keys[-1]) if isinstance(instance, list) else keys[-1]


def but(instance, path, value):
    """The instance with another value at a path, whose keys `|` separates."""
    changed = copy.deepcopy(instance)
    where, key = _place(changed, path)
    where[key] = value
    return changed


def without(instance, path):
    """The instance without what is at a path."""
    changed = copy.deepcopy(instance)
    where, key = _place(changed, path)
    del where[key]
    return changed
