"""Shapes of the models that ci/bench-model writes: hyperparameters, and one function per family
that names the tensors of a block.

Numbers are those of the published configurations. Names, dimensions and keys are those that
llama.cpp's converter writes. Vectors are what training starts from: norms are ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


# Deviation of embeddings from which experts are chosen. With the usual one, random attention soon
# drowns the token in what all of the text has in common, and one token after another takes the same
# experts (four of five, in place of one of eight). With this, each chooses for itself, which is the
# worst case for a cache of experts: real text lies between.
DISTINCT = 4.0


class Planned(NamedTuple):
    """A tensor before its type is chosen: dimensions fastest first. `fixed` is a type that no mix
    changes, `spread` the deviation of random values where the format's usual one is not meant,
    `values` all of them where they are not random, `used` how many experts a router takes."""

    name: str
    dimensions: tuple
    fixed: str | None = None
    spread: float | None = None
    values: list | None = None
    used: int | None = None


class Plan(list):
    """Tensors in the order in which they are written."""

    def vector(self, name, values):
        self.append(Planned(name, (len(values),), "F32", values=values))

    def norm(self, name, size):
        self.vector(f"{name}.weight", [1.0] * size)

    def matrix(self, name, *dimensions, fixed=None, spread=None):
        self.append(Planned(f"{name}.weight", dimensions, fixed, spread))

    def convolution(self, name, taps, channels):
        """Taps are few: the usual deviation would leave nothing of the input."""
        self.matrix(name, taps, channels, fixed="F32", spread=taps**-0.5)

    def router(self, name, width, experts, used):
        self.append(Planned(f"{name}.weight", (width, experts), "F32", used=used))


@dataclass(kw_only=True)
class Shape:
    """Hyperparameters as GGUF names them. A list has a number for each block, `head_dim` stands
    where heads times it is not the embedding, `rotated` where RoPE turns a part of a head, and
    `keys` are the architecture's own."""

    embedding: int
    feed_forward: int | list
    blocks: int
    heads: int
    kv_heads: int | list
    vocabulary: int
    context: int
    rope_base: float
    tied: bool
    block: Callable
    architecture: str = "llama"
    head_dim: int = 0
    rotated: int = 0
    epsilon: float = 1e-5
    pieces: str = "letters"
    output_norm: str = "output_norm"
    embedding_spread: float | None = None
    rope_factors: list = field(default_factory=list)
    keys: dict = field(default_factory=dict)

    def __post_init__(self):
        self.head_dim = self.head_dim or self.embedding // self.heads
        self.rotated = self.rotated or self.head_dim

    def plan(self):
        """All tensors of the model."""
        made = Plan()
        made.matrix("token_embd", self.embedding, self.vocabulary, spread=self.embedding_spread)
        if self.architecture == "gemma4":
            gemma4_tables(made, self)
        if self.rope_factors:
            made.vector("rope_freqs.weight", self.rope_factors)
        for block in range(self.blocks):
            self.block(made, self, block)
        made.norm(self.output_norm, self.embedding)
        if not self.tied:
            made.matrix("output", self.embedding, self.vocabulary)
        return made


def attention(made, shape, at, kv_heads, head_dim, gated=False, norm_size=0):
    """Q, K, V and output; `gated` doubles Q's rows, norms of Q and K have `norm_size` weights."""
    query, key = shape.heads * head_dim, kv_heads * head_dim
    made.matrix(f"{at}.attn_q", shape.embedding, query * (2 if gated else 1))
    made.matrix(f"{at}.attn_k", shape.embedding, key)
    made.matrix(f"{at}.attn_v", shape.embedding, key)
    made.matrix(f"{at}.attn_output", query, shape.embedding)
    if norm_size:
        made.norm(f"{at}.attn_q_norm", norm_size)
        made.norm(f"{at}.attn_k_norm", norm_size)


def feed_forward(made, shape, at, hidden):
    made.matrix(f"{at}.ffn_gate", shape.embedding, hidden)
    made.matrix(f"{at}.ffn_up", shape.embedding, hidden)
    made.matrix(f"{at}.ffn_down", hidden, shape.embedding)


def llama_block(made, shape, block):
    """Qwen 3 differs by its norms of Q and K."""
    at = f"blk.{block}"
    made.norm(f"{at}.attn_norm", shape.embedding)
    norm_size = shape.head_dim if shape.architecture == "qwen3" else 0
    attention(made, shape, at, shape.kv_heads, shape.head_dim, norm_size=norm_size)
    made.norm(f"{at}.ffn_norm", shape.embedding)
    feed_forward(made, shape, at, shape.feed_forward)


def lfm2_block(made, shape, block):
    """A block without KV heads is a short convolution between two projections."""
    at, width = f"blk.{block}", shape.embedding
    made.norm(f"{at}.attn_norm", width)
    if shape.kv_heads[block]:
        attention(made, shape, at, shape.kv_heads[block], shape.head_dim, norm_size=shape.head_dim)
    else:
        made.convolution(f"{at}.shortconv.conv", shape.keys["shortconv.l_cache"], width)
        made.matrix(f"{at}.shortconv.in_proj", width, 3 * width)
        made.matrix(f"{at}.shortconv.out_proj", width, width)
    made.norm(f"{at}.ffn_norm", width)
    feed_forward(made, shape, at, shape.feed_forward)


def qwen35_block(made, shape, block):
    """A gated delta net; gated attention at the end of each interval."""
    at, width = f"blk.{block}", shape.embedding
    made.norm(f"{at}.attn_norm", width)
    if (block + 1) % shape.keys["full_attention_interval"] == 0:
        size = shape.head_dim
        attention(made, shape, at, shape.kv_heads, size, gated=True, norm_size=size)
    else:
        state, heads = shape.keys["ssm.state_size"], shape.keys["ssm.time_step_rank"]
        inner = shape.keys["ssm.inner_size"]
        channels = 2 * state * shape.keys["ssm.group_count"] + inner
        made.matrix(f"{at}.attn_qkv", width, channels)
        made.matrix(f"{at}.attn_gate", width, inner)
        made.convolution(f"{at}.ssm_conv1d", shape.keys["ssm.conv_kernel"], channels)
        # Steps from 0.001 to 0.1 and rates from 1 to 16, as Mamba starts: heads forget within one
        # token to a thousand, and none keeps everything. The file has the inverse of softplus.
        parts = [head / max(heads - 1, 1) for head in range(heads)]
        steps = [0.001 * 100**part for part in parts]
        made.vector(f"{at}.ssm_dt.bias", [math.log(math.expm1(step)) for step in steps])
        made.vector(f"{at}.ssm_a", [-(1.0 + 15.0 * part) for part in parts])
        made.matrix(f"{at}.ssm_beta", width, heads)
        made.matrix(f"{at}.ssm_alpha", width, heads)
        made.norm(f"{at}.ssm_norm", state)
        made.matrix(f"{at}.ssm_out", inner, width)
    made.norm(f"{at}.post_attention_norm", width)
    feed_forward(made, shape, at, shape.feed_forward)


def experts_block(made, shape, block):
    """OLMoE norms all of Q and K at once, Qwen 3 each head."""
    at, width, count = f"blk.{block}", shape.embedding, shape.keys["expert_count"]
    hidden = shape.keys.get("expert_feed_forward_length", shape.feed_forward)
    made.norm(f"{at}.attn_norm", width)
    norm_size = width if shape.architecture == "olmoe" else shape.head_dim
    attention(made, shape, at, shape.kv_heads, shape.head_dim, norm_size=norm_size)
    made.norm(f"{at}.ffn_norm", width)
    made.router(f"{at}.ffn_gate_inp", width, count, shape.keys["expert_used_count"])
    made.matrix(f"{at}.ffn_gate_exps", width, hidden, count)
    made.matrix(f"{at}.ffn_up_exps", width, hidden, count)
    made.matrix(f"{at}.ffn_down_exps", hidden, width, count)


def gemma4_tables(made, shape):
    """The embeddings that blocks have of their own. llama.cpp keeps their projection as the
    checkpoint has it."""
    size = shape.keys["embedding_length_per_layer_input"]
    made.matrix("per_layer_token_embd", size * shape.blocks, shape.vocabulary)
    made.matrix("per_layer_model_proj", shape.embedding, size * shape.blocks, fixed="BF16")
    made.norm("per_layer_proj_norm", size)


def gemma4_block(made, shape, block):
    """Local or global attention. Blocks that share an earlier block's keys have K and V, too, which
    nobody reads: the published checkpoint has them, and so have files made of it."""
    at, width = f"blk.{block}", shape.embedding
    local = shape.keys["attention.sliding_window_pattern"][block]
    head_dim = shape.keys["attention.key_length_swa"] if local else shape.head_dim
    per_layer = shape.keys["embedding_length_per_layer_input"]
    made.norm(f"{at}.attn_norm", width)
    attention(made, shape, at, shape.kv_heads, head_dim, norm_size=head_dim)
    made.norm(f"{at}.post_attention_norm", width)
    made.norm(f"{at}.ffn_norm", width)
    feed_forward(made, shape, at, shape.feed_forward[block])
    made.norm(f"{at}.post_ffw_norm", width)
    made.matrix(f"{at}.inp_gate", width, per_layer)
    made.matrix(f"{at}.proj", per_layer, width)
    made.norm(f"{at}.post_norm", width)
    made.norm(f"{at}.layer_output_scale", 1)


def llama(embedding, feed_forward, blocks, heads, kv_heads, vocabulary, context, rope_base, tied,
          rope_factor=None, **more):  # fmt: skip
    factors = llama3_factors(embedding // heads, rope_base, rope_factor) if rope_factor else []
    return Shape(embedding=embedding, feed_forward=feed_forward, blocks=blocks, heads=heads,
                 kv_heads=kv_heads, vocabulary=vocabulary, context=context, rope_base=rope_base,
                 tied=tied, rope_factors=factors, block=llama_block, **more)  # fmt: skip


def llama3_factors(head_dim, rope_base, factor):
    """`rope_freqs.weight` as Llama 3.1 and later define it (original context 8192)."""

    def one(exponent):
        wavelength = 2 * math.pi * rope_base**exponent
        # From factor 1 at 4 turns in the original context to the full factor at 1 turn.
        smooth = min(max((8192 / wavelength - 1.0) / (4.0 - 1.0), 0.0), 1.0)
        return 1.0 / ((1.0 - smooth) / factor + smooth)

    return [one(pair / head_dim) for pair in range(0, head_dim, 2)]


def qwen3(embedding, feed_forward, blocks, heads):
    """A dense Qwen 3 below 8 billion parameters; Bonsai models have these shapes, too."""
    return llama(embedding, feed_forward, blocks, heads, 8, 151936, 40960, 1e6, tied=True,
                 architecture="qwen3", head_dim=128)  # fmt: skip


def lfm2_350m():
    """The configuration's 6656 hidden units are two thirds of that, in whole 256s."""
    attends = (2, 5, 8, 10, 12, 14)
    return Shape(
        architecture="lfm2", block=lfm2_block, output_norm="token_embd_norm",
        embedding=1024, feed_forward=4608, blocks=16, heads=16,
        kv_heads=[8 if block in attends else 0 for block in range(16)],
        vocabulary=65536, context=128000, rope_base=1e6, tied=True,
        keys={"shortconv.l_cache": 3},
    )  # fmt: skip


def qwen35_08b():
    """Without its block that predicts a second token: llama.cpp does not run it either."""
    return Shape(
        architecture="qwen35", block=qwen35_block, epsilon=1e-6,
        embedding=1024, feed_forward=3584, blocks=24, heads=8, kv_heads=2, head_dim=256,
        vocabulary=248320, context=262144, rope_base=1e7, rotated=64, tied=True,
        keys={
            "rope.dimension_sections": [11, 11, 10, 0], "full_attention_interval": 4,
            "ssm.conv_kernel": 4, "ssm.state_size": 128, "ssm.group_count": 16,
            "ssm.time_step_rank": 16, "ssm.inner_size": 2048,
        },
    )  # fmt: skip


def olmoe_1b_7b():
    return Shape(
        architecture="olmoe", block=experts_block, embedding_spread=DISTINCT,
        embedding=2048, feed_forward=1024, blocks=16, heads=16, kv_heads=16,
        vocabulary=50304, context=4096, rope_base=1e4, tied=False,
        keys={"expert_count": 64, "expert_used_count": 8},
    )  # fmt: skip


def qwen3_30b_a3b():
    return Shape(
        architecture="qwen3moe", block=experts_block, epsilon=1e-6, embedding_spread=DISTINCT,
        embedding=2048, feed_forward=6144, blocks=48, heads=32, kv_heads=4, head_dim=128,
        vocabulary=151936, context=40960, rope_base=1e6, tied=False,
        keys={
            "expert_count": 128, "expert_used_count": 8, "expert_feed_forward_length": 768,
        },
    )  # fmt: skip


def gemma4_e2b():
    """Every fifth block attends to all; the last 20 share keys and are twice as wide."""
    return Shape(
        architecture="gemma4", block=gemma4_block, epsilon=1e-6,
        embedding=1536, feed_forward=[6144] * 15 + [12288] * 20, blocks=35,
        heads=8, kv_heads=1, head_dim=512, vocabulary=262144, context=131072, rope_base=1e6,
        # A quarter of a global head's pairs turn.
        tied=True, rope_factors=[1.0] * 64 + [1e30] * 192,
        keys={
            "rope.freq_base_swa": 1e4, "rope.dimension_count_swa": 256,
            "attention.key_length_swa": 256, "attention.value_length_swa": 256,
            "attention.sliding_window": 512, "attention.shared_kv_layers": 20,
            "attention.sliding_window_pattern": [block % 5 != 4 for block in range(35)],
            "embedding_length_per_layer_input": 256, "final_logit_softcapping": 30.0,
        },
    )  # fmt: skip


SHAPES = {
    "tinyllama-1.1b": llama(2048, 5632, 22, 32, 4, 32000, 2048, 1e4, tied=False),
    "smollm2-135m": llama(576, 1536, 30, 9, 3, 49152, 8192, 1e5, tied=True),
    "smollm2-360m": llama(960, 2560, 32, 15, 5, 49152, 8192, 1e5, tied=True),
    "llama-3.2-1b": llama(2048, 8192, 16, 32, 8, 128256, 131072, 5e5, tied=True, rope_factor=32.0),
    "llama-2-7b": llama(4096, 11008, 32, 32, 32, 32000, 4096, 1e4, tied=False),
    "qwen3-0.6b": qwen3(1024, 3072, 28, 16),
    "qwen3-1.7b": qwen3(2048, 6144, 28, 16),
    "qwen3-4b": qwen3(2560, 9728, 36, 32),
    "lfm2-350m": lfm2_350m(),
    "qwen3.5-0.8b": qwen35_08b(),
    "gemma4-e2b": gemma4_e2b(),
    "olmoe-1b-7b": olmoe_1b_7b(),
    "qwen3-30b-a3b": qwen3_30b_a3b(),
    # Whole 256-blocks in every row, so that all types fit: half a megabyte in four bits.
    "micro": llama(256, 256, 2, 4, 2, 384, 512, 1e4, tied=False),
    # The same with tokens that JSON is made of, most of them across its parts.
    "micro-json": llama(256, 256, 2, 4, 2, 1536, 4096, 1e4, tied=False, pieces="json"),
}
