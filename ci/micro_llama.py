"""A llama network small enough to be trained with numpy alone: forward, backward, Adam.

Matrices are `[rows, columns]` as GGUF has them (`out = x @ matrix.T`), pairs to rotate are
neighbours, and the output head is the embedding. The network always computes with its matrices
rounded to Q4_0 and learns as if they were not (the straight-through estimate of Bengio et al.,
2013), so that what is written to the file is what was trained.
"""

import numpy as np

WIDTH, LAYERS, HEADS, HEAD_DIM, FEED_FORWARD = 96, 4, 3, 32, 256
EPSILON, ROPE_BASE = 1e-5, 10000.0
BLOCK = 32


def initial(vocabulary: int, rng) -> dict:
    """Weights before training. One head of keys and values for all heads of queries."""

    def matrix(rows, columns, scale=1.0):
        return (rng.standard_normal((rows, columns)) * scale / columns**0.5).astype(np.float32)

    weights = {"token_embd": matrix(vocabulary, WIDTH), "output_norm": np.ones(WIDTH, np.float32)}
    for layer in range(LAYERS):
        weights |= {
            f"blk.{layer}.attn_norm": np.ones(WIDTH, np.float32),
            f"blk.{layer}.attn_q": matrix(HEADS * HEAD_DIM, WIDTH),
            f"blk.{layer}.attn_k": matrix(HEAD_DIM, WIDTH),
            f"blk.{layer}.attn_v": matrix(HEAD_DIM, WIDTH),
            f"blk.{layer}.attn_output": matrix(WIDTH, HEADS * HEAD_DIM, 0.35),
            f"blk.{layer}.ffn_norm": np.ones(WIDTH, np.float32),
            f"blk.{layer}.ffn_gate": matrix(FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_up": matrix(FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_down": matrix(WIDTH, FEED_FORWARD, 0.35),
        }
    return weights


def q4_0(matrix):
    """`(scales, quants)` of ggml's Q4_0: blocks of 32, the largest value becomes -8 steps."""
    blocks = matrix.reshape(-1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(1)[:, None], 1)
    scales = largest / np.float32(-8)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    quants = np.clip(np.floor(blocks * inverse + np.float32(8.5)), 0, 15)
    return scales.astype(np.float16), quants.astype(np.uint8)


def rounded(matrix):
    """The matrix as its Q4_0 blocks give it back."""
    scales, quants = q4_0(matrix)
    return ((quants.astype(np.float32) - 8) * scales.astype(np.float32)).reshape(matrix.shape)


def _norm(x, weight):
    scale = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
    return x * scale * weight, scale


def _norm_back(d_out, x, scale, weight):
    weighted = d_out * weight
    d_x = scale * (weighted - x * scale**2 * (weighted * x).mean(-1, keepdims=True))
    return d_x, (d_out * x * scale).reshape(-1, WIDTH).sum(0)


def _rotate(x, cosines, sines):
    """Neighbours of the last axis turned; `cosines` and `sines` are `[positions, pairs]`."""
    even, odd = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = even * cosines - odd * sines
    out[..., 1::2] = even * sines + odd * cosines
    return out


def _back(d_out, x, matrix):
    """Gradients of `x @ matrix.T` by `x` and by `matrix`."""
    flat_out, flat_x = d_out.reshape(-1, d_out.shape[-1]), x.reshape(-1, x.shape[-1])
    return d_out @ matrix, flat_out.T @ flat_x


class Angles:
    """RoPE and the causal mask of `positions` positions."""

    def __init__(self, positions):
        exponents = np.arange(0, HEAD_DIM, 2) / HEAD_DIM
        angles = np.arange(positions)[:, None] / ROPE_BASE ** exponents[None, :]
        self.cosines = np.cos(angles).astype(np.float32)
        self.sines = np.sin(angles).astype(np.float32)
        future = np.triu(np.ones((positions, positions), bool), 1)
        self.mask = np.where(future, np.float32(-1e9), np.float32(0))


def _attention(q, k, v, angles):
    """Attention of `[batch, positions, heads * dim]`; the second value is for `_attention_back`."""
    batch, positions, _ = q.shape
    q = q.reshape(batch, positions, HEADS, HEAD_DIM).transpose(0, 2, 1, 3)
    q = _rotate(q, angles.cosines, angles.sines)
    k = _rotate(k, angles.cosines, angles.sines)
    rows = q.reshape(batch, HEADS * positions, HEAD_DIM)
    scores = rows @ k.transpose(0, 2, 1) * np.float32(HEAD_DIM**-0.5)
    scores = scores.reshape(batch, HEADS, positions, positions) + angles.mask
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    out = shares.reshape(batch, HEADS * positions, positions) @ v
    out = out.reshape(batch, HEADS, positions, HEAD_DIM).transpose(0, 2, 1, 3)
    return out.reshape(batch, positions, HEADS * HEAD_DIM), (rows, k, v, shares)


def _attention_back(d_out, saved, angles):
    rows, k, v, shares = saved
    batch, heads, positions, _ = shares.shape
    d_out = d_out.reshape(batch, positions, heads, HEAD_DIM).transpose(0, 2, 1, 3)
    d_out = d_out.reshape(batch, heads * positions, HEAD_DIM)
    flat = shares.reshape(batch, heads * positions, positions)
    d_v = flat.transpose(0, 2, 1) @ d_out
    d_shares = (d_out @ v.transpose(0, 2, 1)).reshape(shares.shape)
    d_scores = shares * (d_shares - (d_shares * shares).sum(-1, keepdims=True))
    d_scores = d_scores.reshape(flat.shape) * np.float32(HEAD_DIM**-0.5)
    d_rows, d_k = d_scores @ k, d_scores.transpose(0, 2, 1) @ rows
    d_q = _rotate(d_rows.reshape(batch, heads, positions, HEAD_DIM), angles.cosines, -angles.sines)
    d_q = d_q.transpose(0, 2, 1, 3).reshape(batch, positions, heads * HEAD_DIM)
    return d_q, _rotate(d_k, angles.cosines, -angles.sines), d_v


def _block(x, w, name, angles):
    """One layer; the second value is for `_block_back`."""
    y, attention_scale = _norm(x, w[f"{name}.attn_norm"])
    q, k, v = (y @ w[f"{name}.attn_{part}"].T for part in "qkv")
    found, attention = _attention(q, k, v, angles)
    middle = x + found @ w[f"{name}.attn_output"].T
    z, scale = _norm(middle, w[f"{name}.ffn_norm"])
    gate, up = z @ w[f"{name}.ffn_gate"].T, z @ w[f"{name}.ffn_up"].T
    sigmoid = 1 / (1 + np.exp(-gate))
    hidden = gate * sigmoid * up
    out = middle + hidden @ w[f"{name}.ffn_down"].T
    saved = (x, y, attention_scale, found, attention, middle, z, scale, gate, up, sigmoid, hidden)
    return out, saved


def _block_back(d_out, saved, w, name, angles, gradients):
    x, y, attention_scale, found, attention, middle, z, scale, gate, up, sigmoid, hidden = saved
    d_hidden, gradients[f"{name}.ffn_down"] = _back(d_out, hidden, w[f"{name}.ffn_down"])
    d_up = d_hidden * gate * sigmoid
    d_gate = d_hidden * up * sigmoid * (1 + gate * (1 - sigmoid))
    d_z, gradients[f"{name}.ffn_gate"] = _back(d_gate, z, w[f"{name}.ffn_gate"])
    more, gradients[f"{name}.ffn_up"] = _back(d_up, z, w[f"{name}.ffn_up"])
    d_middle, gradients[f"{name}.ffn_norm"] = _norm_back(
        d_z + more, middle, scale, w[f"{name}.ffn_norm"]
    )
    d_middle += d_out
    d_found, gradients[f"{name}.attn_output"] = _back(d_middle, found, w[f"{name}.attn_output"])
    d_y = 0
    for part, d_part in zip("qkv", _attention_back(d_found, attention, angles)):
        more, gradients[f"{name}.attn_{part}"] = _back(d_part, y, w[f"{name}.attn_{part}"])
        d_y = d_y + more
    d_x, gradients[f"{name}.attn_norm"] = _norm_back(
        d_y, x, attention_scale, w[f"{name}.attn_norm"]
    )
    return d_x + d_middle


def as_stored(weights):
    """The weights that the file will hold: matrices rounded, vectors as they are."""
    return {name: rounded(w) if w.ndim == 2 else w for name, w in weights.items()}


def loss_and_gradients(weights, tokens, angles):
    """Cross entropy of the next token, in nats; rows of `tokens` end in -1s, which do not count."""
    w = as_stored(weights)
    inputs, targets = np.maximum(tokens[:, :-1], 0), tokens[:, 1:]
    counts = targets >= 0
    x, saved = w["token_embd"][inputs], []
    for layer in range(LAYERS):
        x, kept = _block(x, w, f"blk.{layer}", angles)
        saved.append(kept)
    y, scale = _norm(x, w["output_norm"])
    # Only positions that count have logits.
    rows, wanted = y[counts], targets[counts]
    logits = rows @ w["token_embd"].T
    logits -= logits.max(-1, keepdims=True)
    shares = np.exp(logits)
    shares /= shares.sum(-1, keepdims=True)
    index = np.arange(len(wanted))
    loss = -np.log(shares[index, wanted]).mean()

    gradients = {}
    shares[index, wanted] -= 1
    shares /= np.float32(len(wanted))
    d_rows, d_embedding = _back(shares, rows, w["token_embd"])
    d_y = np.zeros_like(y)
    d_y[counts] = d_rows
    d_x, gradients["output_norm"] = _norm_back(d_y, x, scale, w["output_norm"])
    for layer in reversed(range(LAYERS)):
        d_x = _block_back(d_x, saved[layer], w, f"blk.{layer}", angles, gradients)
    np.add.at(d_embedding, inputs.reshape(-1), d_x.reshape(-1, WIDTH))
    gradients["token_embd"] = d_embedding
    return float(loss), gradients


class Adam:
    """Adam (Kingma and Ba, 2015) with the gradient's norm held to 1."""

    def __init__(self, weights):
        self.means = {name: np.zeros_like(w) for name, w in weights.items()}
        self.squares = {name: np.zeros_like(w) for name, w in weights.items()}
        self.steps = 0

    def step(self, weights, gradients, rate):
        self.steps += 1
        norm = sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients.values()) ** 0.5
        shrink = np.float32(min(1.0, 1.0 / (norm + 1e-9)))
        rate *= (1 - 0.98**self.steps) ** 0.5 / (1 - 0.9**self.steps)
        for name, weight in weights.items():
            gradient = gradients[name] * shrink
            mean, square = self.means[name], self.squares[name]
            mean += np.float32(0.1) * (gradient - mean)
            square += np.float32(0.02) * (gradient * gradient - square)
            weight -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))
