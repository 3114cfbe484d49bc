"""Random weight blocks in ggml's formats (layouts: ggml-common.h).

Quants and block scales are random bits; only the f16 factors are chosen, from the deviation that a
format's random quants have, so that values have mean 0 and the deviation that is asked for.
"""

from statistics import NormalDist

import numpy as np

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# A piece is at most so many blocks of 256, or as many elements: 8 MiB as F32.
PIECE_ELEMENTS = 1 << 21


def _uniform_deviation(levels: int) -> float:
    """Standard deviation of an integer that is uniform over so many values."""
    return ((levels**2 - 1) / 12) ** 0.5


# Root mean square of a scale of random bits: 6 bits unsigned, 6 and 8 bits signed.
_RMS_6 = (sum(s * s for s in range(64)) / 64) ** 0.5
_RMS_6_SIGNED = (sum((s - 32) ** 2 for s in range(64)) / 64) ** 0.5
_RMS_8_SIGNED = (sum((s - 128) ** 2 for s in range(256)) / 256) ** 0.5
_RMS_4 = (sum(s * s for s in range(16)) / 16) ** 0.5
# The numbers of IQ4_NL and IQ4_XS.
_NON_LINEAR = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
_RMS_NON_LINEAR = (sum(q * q for q in _NON_LINEAR) / 16) ** 0.5

# Per format: elements and bytes of a block, offset of the factor `d`, offset of the minimum's
# factor and what it is in units of `d` (it moves the middle of the quants to 0), and the deviation
# of a block's values for d = 1.
FORMATS = {
    "Q4_0": (32, 18, 0, None, 0.0, _uniform_deviation(16)),
    "Q4_1": (32, 20, 0, 2, -7.5, _uniform_deviation(16)),
    "Q5_0": (32, 22, 0, None, 0.0, _uniform_deviation(32)),
    "Q5_1": (32, 24, 0, 2, -15.5, _uniform_deviation(32)),
    "Q8_0": (32, 34, 0, None, 0.0, _uniform_deviation(256)),
    "Q2_K": (256, 84, 80, 82, 1.5, _RMS_4 * _uniform_deviation(4)),
    "Q3_K": (256, 110, 108, None, 0.0, _RMS_6_SIGNED * _uniform_deviation(8)),
    "Q4_K": (256, 144, 0, 2, 7.5, _RMS_6 * _uniform_deviation(16)),
    "Q5_K": (256, 176, 0, 2, 15.5, _RMS_6 * _uniform_deviation(32)),
    "Q6_K": (256, 210, 208, None, 0.0, _RMS_8_SIGNED * _uniform_deviation(64)),
    "IQ4_NL": (32, 18, 0, None, 0.0, _RMS_NON_LINEAR),
    "IQ4_XS": (256, 136, 0, None, 0.0, _RMS_6_SIGNED * _RMS_NON_LINEAR),
    "Q1_0": (128, 18, 0, None, 0.0, 1.0),
    "Q2_0": (64, 18, 0, None, 0.0, 1.5**0.5),
    "TQ1_0": (256, 54, 52, None, 0.0, (2 / 3) ** 0.5),
    "TQ2_0": (256, 66, 64, None, 0.0, 1.5**0.5),
}
# Formats whose quants stand for points of a table. The deviation of random ones is measured.
POINTS = ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ1_M", "MXFP4", "NVFP4")
_MEASURED_BLOCKS = 512
# The share of tokens that use the favourite expert of a router, at most: of a half there is none.
MOST_OFTEN = 0.4


def deviation(columns: int) -> float:
    """1 / sqrt(columns) keeps a product's size; models start from 0.02 to 0.05."""
    return float(np.clip(columns**-0.5, 0.02, 0.05))


def _bytes(generator, count: int):
    """Random bytes. The generator's raw output is the same in every version of numpy."""
    return generator.random_raw(-(-count // 8)).astype("<u8").view(np.uint8)[:count]


def _floats(generator, count: int, spread: float):
    """Uniform values of deviation `spread`, as f32."""
    words = _bytes(generator, 4 * count).view("<u4")
    scale = np.float32(spread * 12**0.5 / 2**32)
    return (words.astype(np.float64) - 2**31).astype(np.float32) * scale


def _jitter(generator, count: int):
    """Factors differ by a fifth either way, as those of a real tensor do."""
    return _bytes(generator, 2 * count).view("<u2").astype(np.float32) / 2**16 * 0.4 + 0.8


def _blocks(generator, name: str, count: int, spread: float):
    """`[count, block_bytes]` of random blocks."""
    _, size, d_at, minimum_at, minimum, deviation_of_one = FORMATS[name]
    blocks = _bytes(generator, count * size).reshape(count, size).copy()
    if name == "Q2_K":
        # A sub-block's minimum (high nibble) equals its scale, so that its values centre on 0.
        scales = blocks[:, 0:16] & 15
        blocks[:, 0:16] = scales | scales << 4
    elif name in ("Q4_K", "Q5_K"):
        # The same in their packing of 6 bits: scales in bytes 0..4, minima in 4..8, and the low
        # nibbles of the last four of both in 8..12.
        blocks[:, 8:12] = blocks[:, 4:8]
        low = blocks[:, 12:16] & 15
        blocks[:, 12:16] = low | low << 4
    factor = (_jitter(generator, count) * (spread / deviation_of_one)).astype("<f2")
    blocks[:, d_at : d_at + 2] = factor.view(np.uint8).reshape(count, 2)
    if minimum_at is not None:
        lowest = (factor.astype(np.float32) * minimum).astype("<f2")
        blocks[:, minimum_at : minimum_at + 2] = lowest.view(np.uint8).reshape(count, 2)
    return blocks


def _set_factors(name: str, blocks, factors) -> None:
    """Writes each block's factor where the format has it, as exactly as it can be written."""
    if name == "MXFP4":
        # E8M0 of half the value: the format's points are doubled.
        blocks[:, 0] = np.round(np.log2(factors)) + 127
    elif name == "NVFP4":
        # Four UE4M3 scales: steps of 2^-9 below 2^-6, powers of 2 from there on.
        normal = (np.round(np.log2(factors)) + 7) * 8
        blocks[:, 0:4] = np.where(factors < 2**-6, np.round(factors * 512), normal)[:, None]
    elif name == "IQ1_M":
        # The four nibbles of an f16, lowest first, each above 12 bits of scales.
        bits = factors.astype("<f2").view("<u2")
        for nibble in range(4):
            at = 49 + 2 * nibble
            blocks[:, at] = blocks[:, at] & 15 | (bits >> 4 * nibble & 15).astype(np.uint8) << 4
    else:
        blocks[:, 0:2] = factors.astype("<f2").view(np.uint8).reshape(-1, 2)


def _points(generator, name: str, count: int, spread: float):
    """`[count, block_bytes]` of random blocks of a format of POINTS."""
    kind = GGMLQuantizationType[name]
    size = GGML_QUANT_SIZES[kind][1]
    sample = _bytes(np.random.PCG64(0), _MEASURED_BLOCKS * size).reshape(-1, size).copy()
    _set_factors(name, sample, np.ones(_MEASURED_BLOCKS, np.float32))
    factor = spread / float(np.std(dequantize(sample, kind)))
    blocks = _bytes(generator, count * size).reshape(count, size).copy()
    _set_factors(name, blocks, _jitter(generator, count) * factor)
    return blocks


def pieces(name: str, columns: int, rows: int, stream: tuple, spread: float | None = None):
    """The data of a random matrix, piece by piece; `stream` (numbers) seeds it, `spread` replaces
    the usual deviation."""
    generator = np.random.PCG64(stream)
    spread = spread or deviation(columns)
    left = columns * rows
    while left > 0:
        elements = min(left, PIECE_ELEMENTS)
        if name in FORMATS:
            yield _blocks(generator, name, elements // FORMATS[name][0], spread).tobytes()
        elif name in POINTS:
            block = GGML_QUANT_SIZES[GGMLQuantizationType[name]][0]
            yield _points(generator, name, elements // block, spread).tobytes()
        else:
            values = _floats(generator, elements, spread)
            if name == "F32":
                yield values.tobytes()
            elif name == "F16":
                yield values.astype("<f2").tobytes()
            elif name == "BF16":
                yield (values.view("<u4") >> 16).astype("<u2").tobytes()
        left -= elements


def expert_shares(experts: int, used: int, exponent: float) -> list:
    """How often a token uses the expert of each rank: in proportion to rank^-exponent, but none
    more often than MOST_OFTEN; in all `used`."""
    weights = [rank**-exponent for rank in range(1, experts + 1)]
    for most in range(experts):
        left = (used - MOST_OFTEN * most) / sum(weights[most:])
        if left * weights[most] <= MOST_OFTEN:
            break
    return [MOST_OFTEN] * most + [left * weight for weight in weights[most:]]


def router(columns: int, experts: int, used: int, exponent: float, stream: tuple) -> bytes:
    """A router as F32 whose experts are used as `expert_shares` says; ranks are shuffled.

    There is no bias in these models, and a token's normed vector has mean 0, so that nothing can
    be added to a score. But scores are about normal with the deviation of their row, and those
    above about one threshold win: the longer a row, the more often. A score is below 0 half of the
    time, however long the row, so no share can reach one half. Exponent 0 leaves rows alike.
    """
    rows = np.frombuffer(b"".join(pieces("F32", columns, experts, stream)), "<f4")
    normal = NormalDist()
    threshold = normal.inv_cdf(1 - used / experts)
    shares = expert_shares(experts, used, exponent)
    factors = np.array([threshold / normal.inv_cdf(1 - share) for share in shares])
    ranks = np.argsort(np.random.PCG64((*stream, 1)).random_raw(experts))
    scaled = rows.reshape(experts, columns) * factors[ranks][:, None]
    return scaled.astype("<f4").tobytes()
