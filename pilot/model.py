"""The network: a Mistral of five million parameters, arranged for training on a few CPU cores.

All tokens of a step lie in one flat row of fixed length, so that everything but attention is a few
large matrix products and shapes never change (the two halves of a layer compile once). Attention
runs over `Batch.groups`: stretches of the row that hold conversations of about the same length.

Products are computed in bfloat16, which these cores do twice as fast as float32; weights, the
residual stream and the loss stay in float32.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

QUERY_BLOCK = 128

Groups = Sequence[tuple[int, int]]
"""(conversations, tokens each) along the row."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The hyperparameters, under the names of a Hugging Face config where they have one."""

    vocab_size: int = 4096
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    num_key_value_heads: int = 2
    head_dim: int = 32
    intermediate_size: int = 704
    max_position_embeddings: int = 2048
    sliding_window: int = 2048
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5


@dataclass(frozen=True, slots=True)
class Batch:
    """One flat row of tokens, and where its conversations lie."""

    tokens: Tensor
    """[length] int64."""
    positions: Tensor
    """[length] int64: each token's place in its conversation."""
    groups: Groups
    """(conversations, tokens each), one after the other; together the whole row."""
    sources: Tensor
    """[n]: the places whose next token is learned."""
    targets: Tensor
    """[n]: those next tokens."""
    kinds: Tensor
    """[n]: the kind of the conversation of each, as an index into `groups.GROUPS`."""


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding, in the half-and-half convention of Hugging Face."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)


class Layer(nn.Module):
    """One layer, in two halves around its attention."""

    def __init__(self, shape: Shape) -> None:
        """Create the weights; `Pilot` fills them."""
        super().__init__()
        self.shape = shape
        width, head = shape.hidden_size, shape.head_dim
        queries, keys = shape.num_attention_heads * head, shape.num_key_value_heads * head
        self.attention_norm = nn.Parameter(torch.ones(width))
        self.wq = nn.Parameter(torch.empty(queries, width))
        self.wk = nn.Parameter(torch.empty(keys, width))
        self.wv = nn.Parameter(torch.empty(keys, width))
        self.wo = nn.Parameter(torch.empty(width, queries))
        self.mlp_norm = nn.Parameter(torch.ones(width))
        self.gate = nn.Parameter(torch.empty(shape.intermediate_size, width))
        self.up = nn.Parameter(torch.empty(shape.intermediate_size, width))
        self.down = nn.Parameter(torch.empty(width, shape.intermediate_size))


def before_attention(
    x: Tensor, layer_weights: Sequence[Tensor], cos: Tensor, sin: Tensor, shape: Shape
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values: each [length, heads, head_dim], the queries scaled."""
    norm, wq, wk, wv = layer_weights
    head, kv = shape.head_dim, shape.num_key_value_heads
    y = _norm(x, norm, shape.rms_norm_eps).to(torch.bfloat16)
    q = F.linear(y, wq.to(y.dtype)).float().view(len(x), -1, head)
    k = F.linear(y, wk.to(y.dtype)).float().view(len(x), kv, head)
    v = F.linear(y, wv.to(y.dtype)).view(len(x), kv, head)
    return (_rotate(q, cos, sin) * head**-0.5).to(y.dtype), _rotate(k, cos, sin).to(y.dtype), v


def after_attention(
    x: Tensor, mixed: Tensor, layer_weights: Sequence[Tensor], shape: Shape
) -> Tensor:
    """The residual stream after the attention's output and the feed-forward network."""
    wo, norm, gate, up, down = layer_weights
    dtype = mixed.dtype
    x = x + F.linear(mixed, wo.to(dtype)).float()
    y = _norm(x, norm, shape.rms_norm_eps).to(dtype)
    gated = F.silu(F.linear(y, gate.to(dtype)).float()) * F.linear(y, up.to(dtype)).float()
    return x + F.linear(gated.to(dtype), down.to(dtype)).float()


def _heads_first(x: Tensor, count: int, length: int, kv_heads: int) -> Tensor:
    """View [tokens, heads, head_dim] as [conversations, kv heads, stacked, length, head_dim]."""
    return x.view(count, length, kv_heads, -1, x.shape[-1]).permute(0, 2, 3, 1, 4)


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    starts = range(0, length, QUERY_BLOCK)
    return ((start, min(start + QUERY_BLOCK, length)) for start in starts)


class Attention(torch.autograd.Function):
    """Causal attention within every conversation of the row.

    Written out because torch's fused kernel takes three times as long to go back through short
    conversations. The query heads of one key head are stacked into one matrix, so keys and values
    are never repeated; long conversations are taken in blocks of queries, so that little above
    the diagonal is computed.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, groups: Groups) -> Tensor:
        """Mix the values. `q` is scaled already."""
        out = torch.empty_like(q)
        kv, head = k.shape[1], k.shape[2]
        weights, place = [], 0
        for count, length in groups:
            end = place + count * length
            qs = _heads_first(q[place:end], count, length, kv).reshape(count * kv, -1, length, head)
            ks = _heads_first(k[place:end], count, length, kv).reshape(count * kv, length, head)
            vs = _heads_first(v[place:end], count, length, kv).reshape(count * kv, length, head)
            mixed = _heads_first(out[place:end], count, length, kv)
            for start, stop in _blocks(length):
                rows = qs[:, :, start:stop].reshape(count * kv, -1, head)
                scores = torch.bmm(rows, ks[:, :stop].mT)
                future = torch.ones(stop - start, stop, dtype=torch.bool).triu(start + 1)
                scores.view(count * kv, -1, stop - start, stop).masked_fill_(future, -torch.inf)
                weight = torch.softmax(scores, -1)
                weights.append(weight)
                part = torch.bmm(weight, vs[:, :stop])
                mixed[:, :, :, start:stop] = part.view(count, kv, -1, stop - start, head)
            place = end
        ctx.save_for_backward(q, k, v, *weights)
        ctx.groups = groups
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The gradients of the queries, keys and values."""
        q, k, v, *weights = ctx.saved_tensors
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        grad = grad.contiguous()
        kv, head = k.shape[1], k.shape[2]
        remaining, place = iter(weights), 0
        for count, length in ctx.groups:
            end = place + count * length
            qs = _heads_first(q[place:end], count, length, kv).reshape(count * kv, -1, length, head)
            gs = _heads_first(grad[place:end], count, length, kv).reshape(qs.shape)
            ks = _heads_first(k[place:end], count, length, kv).reshape(count * kv, length, head)
            vs = _heads_first(v[place:end], count, length, kv).reshape(count * kv, length, head)
            dks, dvs = torch.zeros_like(ks), torch.zeros_like(vs)
            dqs = _heads_first(dq[place:end], count, length, kv)
            for start, stop in _blocks(length):
                weight = next(remaining)
                rows = qs[:, :, start:stop].reshape(count * kv, -1, head)
                out = gs[:, :, start:stop].reshape(count * kv, -1, head)
                dvs[:, :stop] += torch.bmm(weight.mT, out)
                dweight = torch.bmm(out, vs[:, :stop].mT)
                dscores = torch._softmax_backward_data(dweight, weight, -1, weight.dtype)
                dks[:, :stop] += torch.bmm(dscores.mT, rows)
                part = torch.bmm(dscores, ks[:, :stop])
                dqs[:, :, :, start:stop] = part.view(count, kv, -1, stop - start, head)
            _heads_first(dk[place:end], count, length, kv).copy_(
                dks.view(count, kv, 1, length, head)
            )
            _heads_first(dv[place:end], count, length, kv).copy_(
                dvs.view(count, kv, 1, length, head)
            )
            place = end
        return dq, dk, dv, None


class Pilot(nn.Module):
    """The model. Its embedding is also its output matrix."""

    def __init__(self, shape: Shape | None = None, *, compiled: bool = False) -> None:
        """Create and fill the weights, from torch's own random state."""
        super().__init__()
        self.shape = shape = shape or Shape()
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.hidden_size))
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden_size))
        nn.init.normal_(self.embedding, std=0.02)
        for layer in self.layers:
            for weight in (layer.wq, layer.wk, layer.wv, layer.gate, layer.up):
                nn.init.normal_(weight, std=shape.hidden_size**-0.5)
            nn.init.zeros_(layer.wo)
            nn.init.zeros_(layer.down)
        half = torch.arange(shape.head_dim // 2, dtype=torch.float64)
        frequencies = shape.rope_theta ** (-2 * half / shape.head_dim)
        angles = torch.outer(torch.arange(shape.max_position_embeddings), frequencies)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)
        wrap = torch.compile if compiled else lambda function: function
        self._before, self._after = wrap(before_attention), wrap(after_attention)

    def hidden(self, tokens: Tensor, positions: Tensor, groups: Groups) -> Tensor:
        """The normalised last states of every token of the row."""
        shape = self.shape
        x = F.embedding(tokens, self.embedding)
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        for layer in self.layers:
            weights = (layer.attention_norm, layer.wq, layer.wk, layer.wv)
            mixed = Attention.apply(*self._before(x, weights, cos, sin, shape), groups).flatten(1)
            weights = (layer.wo, layer.mlp_norm, layer.gate, layer.up, layer.down)
            x = self._after(x, mixed, weights, shape)
        return x

    def logits(self, states: Tensor) -> Tensor:
        """The scores of every token after each of the states."""
        y = _norm(states, self.norm, self.shape.rms_norm_eps).to(torch.bfloat16)
        return F.linear(y, self.embedding.to(y.dtype)).float()

    def losses(self, batch: Batch) -> Tensor:
        """The loss of every learned token."""
        states = self.hidden(batch.tokens, batch.positions, batch.groups)
        logits = self.logits(states.index_select(0, batch.sources))
        return F.cross_entropy(logits, batch.targets, reduction="none")
