"""Writes GGUF version 3 files tensor by tensor, in bounded memory.

gguf-py's writer wants each tensor whole and metadata as Python values; here a tensor is an iterator
of pieces, and metadata may be the bytes of another file, which keeps them exactly as they are.
"""

import os
import struct
from collections.abc import Callable, Iterable
from enum import IntEnum
from math import prod
from typing import NamedTuple

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

ALIGNMENT = 32
# Value types of the format, as struct codes, and the two that have none.
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
_CODES = {UINT32: "I", INT32: "i", FLOAT32: "f", BOOL: "?"}


class NewerType(IntEnum):
    """Tensor types that gguf-py does not know yet."""

    Q2_0 = 42


_BLOCK_SIZES = GGML_QUANT_SIZES | {NewerType.Q2_0: (64, 18)}


def type_named(name: str) -> IntEnum:
    """The number of a tensor type."""
    known = NewerType if name in NewerType.__members__ else GGMLQuantizationType
    return known[name]


class Tensor(NamedTuple):
    """A tensor to be written: dimensions fastest first, data in pieces of any length, or a hole."""

    name: str
    dimensions: tuple
    type: IntEnum
    pieces: Callable[[], Iterable[bytes]] | None

    def data_bytes(self) -> int:
        block, size = _BLOCK_SIZES[self.type]
        assert self.dimensions[0] % block == 0, self.name
        return prod(self.dimensions) // block * size


def string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, value_type: int, value, element_type: int | None = None) -> bytes:
    """One key and its value."""
    head = string(key) + struct.pack("<I", value_type)
    if value_type == ARRAY:
        head += struct.pack("<IQ", element_type, len(value))
        if element_type == STRING:
            return head + b"".join(map(string, value))
        return head + struct.pack(f"<{len(value)}{_CODES[element_type]}", *value)
    if value_type == STRING:
        return head + string(value)
    return head + struct.pack(f"<{_CODES[value_type]}", value)


def write(path: str, metadata: bytes, entries: int, tensors: list, alignment: int) -> None:
    """Writes the file; `path` appears only when it is complete."""

    def padding(count: int) -> bytes:
        return bytes(-count % alignment)

    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), entries) + metadata
    offset = 0
    for tensor in tensors:
        dimensions = struct.pack(f"<I{len(tensor.dimensions)}Q", len(tensor.dimensions),
                                 *tensor.dimensions)  # fmt: skip
        header += string(tensor.name) + dimensions + struct.pack("<IQ", tensor.type, offset)
        offset += tensor.data_bytes() + len(padding(tensor.data_bytes()))
    part = f"{path}.part-{os.getpid()}"
    try:
        with open(part, "wb") as out:
            out.write(header + padding(len(header)))
            for tensor in tensors:
                if tensor.pieces is None:
                    written = tensor.data_bytes()
                    out.seek(written, os.SEEK_CUR)
                else:
                    written = sum(out.write(piece) for piece in tensor.pieces())
                    assert written == tensor.data_bytes(), f"{tensor.name}: {written} bytes"
                out.write(padding(written))
            out.truncate()
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.unlink(part)
