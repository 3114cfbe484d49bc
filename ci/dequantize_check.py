"""The comparison of ci/dequantize-check: PROGRAM [BLOCKS [TYPE...]]."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Offsets of a block's f16 fields (scale, then minimum where there is one); a type whose scale is of
# another kind has none, and its random blocks have every scale.
HALVES = {
    "F32": [], "F16": [0], "BF16": [0],
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "NVFP4": [], "TQ1_0": [52], "TQ2_0": [64],
    "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0],
    "IQ3_XXS": [0], "IQ3_S": [0], "Q1_0": [0], "Q2_0": [0],
}
# Types that gguf-py has no code for: elements and bytes of a block, bits of a weight, and its value
# as a multiple of the scale, by what is stored. ggml reads a byte's lowest bits first.
PLAIN = {"Q1_0": (128, 18, 1, [-1, 1]), "Q2_0": (64, 18, 2, [-1, 0, 1, 2])}
# Blocks that are compared at a time: at most 64 MiB of values.
PIECE_BLOCKS = 1 << 16


def sizes(name):
    """Elements and bytes of a block."""
    return PLAIN[name][:2] if name in PLAIN else GGML_QUANT_SIZES[GGMLQuantizationType[name]]


def theirs_of(name, blocks):
    """The values of blocks."""
    if name not in PLAIN:
        return dequantize(blocks, GGMLQuantizationType[name])
    bits, values = PLAIN[name][2:]
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    stored = (blocks[:, 2:, None] >> shifts & ((1 << bits) - 1)).reshape(len(blocks), -1)
    return scale * np.array(values, dtype=np.float32)[stored]


def pieces(name, count, generator):
    """Arrays of blocks [n, block_bytes]: all scales at each offset, all minima, then random."""
    block_bytes = sizes(name)[1]
    patterns = np.arange(1 << 16, dtype="<u2").view(np.uint8).reshape(-1, 2)
    for offset in HALVES[name]:
        # Random quants, but also all-zero and all-one ones: the products 0 * inf, -0, overflow.
        for fill in (None, 0x00, 0xFF):
            blocks = generator.integers(0, 256, (1 << 16, block_bytes), dtype=np.uint8)
            if fill is not None:
                blocks[:] = fill
                for other in HALVES[name]:
                    blocks[:, other : other + 2] = (0x00, 0x3C)  # 1.0
            blocks[:, offset : offset + 2] = patterns
            yield blocks
    while count > 0:
        rows = min(count, PIECE_BLOCKS)
        yield generator.integers(0, 256, (rows, block_bytes), dtype=np.uint8)
        count -= rows


def check(program, name, count):
    """Number of blocks compared; raises where a value differs."""
    elements = sizes(name)[0]
    generator = np.random.default_rng(0x91C0)
    compared = 0
    for blocks in pieces(name, count, generator):
        # Files, not pipes: nobody waits for a full pipe, and memory stays that of a piece.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made:
            given.write(blocks.tobytes())
            given.seek(0)
            subprocess.run([program, name], stdin=given, stdout=made, check=True)
            made.seek(0)
            ours = np.frombuffer(made.read(), dtype="<u4")
        with np.errstate(all="ignore"):
            theirs = theirs_of(name, blocks).astype("<f4", copy=False).reshape(-1).view("<u4")
        if ours.shape != theirs.shape:
            sys.exit(f"{name}: {ours.size} values, gguf-py has {theirs.size}")
        both_nan = ((ours & 0x7FFFFFFF) > 0x7F800000) & ((theirs & 0x7FFFFFFF) > 0x7F800000)
        different = np.flatnonzero((ours != theirs) & ~both_nan)
        if different.size:
            at = int(different[0])
            sys.exit(
                f"{name}: {different.size} values differ, first in element {at % elements} of "
                f"block {blocks[at // elements].tobytes().hex()}: "
                f"ours {ours[at]:08x}, gguf-py {theirs[at]:08x}"
            )
        compared += len(blocks)
    return compared


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    names = sys.argv[3:] or list(HALVES)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, compared in zip(names, pool.map(partial(check, program, count=count), names)):
            print(f"{name}: {compared} blocks equal", flush=True)


if __name__ == "__main__":
    main()
