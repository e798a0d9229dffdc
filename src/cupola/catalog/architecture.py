"""The shape of a transformer, as its publisher's configuration gives it."""

from dataclasses import dataclass

_BYTES = 2
"""Of a cached number: engines keep keys and values in 16 bits."""


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How positions reach beyond the length of the first training (the kind named `llama3`)."""

    factor: float
    """Wavelengths longer than `original_context / low` are stretched by it."""
    low: float
    """Between `low` and `high`, factors of frequency, the stretching is blended in."""
    high: float
    original_context: int
    """Tokens of the first training."""


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture: each token passes through a few of many feed-forward networks."""

    count: int
    """In each layer."""
    used: int
    """By each token."""


@dataclass(frozen=True, slots=True)
class Vision:
    """How images reach a text model."""

    cross_attention_layers: int
    """Beside the layers of text."""
    tile_pixels: int
    """An image is cut into squares with this edge."""
    most_tiles: int
    """Of one image."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder of the family that Llama began: RMSNorm, SwiGLU, rotary positions."""

    layers: int
    """Without those that look at images."""
    hidden: int
    """Numbers that stand for a token between layers."""
    heads: int
    """Of queries."""
    kv_heads: int
    """Of keys and values; fewer than `heads` is grouped-query attention."""
    head_dim: int
    """Numbers of a head."""
    feed_forward: int
    """Inner width; of each expert, where there are experts."""
    vocabulary: int
    """Tokens."""
    rope_theta: float
    """Base of the rotary frequencies."""
    norm_epsilon: float = 1e-5
    """Added under the root of each norm."""
    tied_embeddings: bool = False
    """Whether one matrix reads tokens in and writes them out."""
    window: int | None = None
    """Tokens that attention reaches back; None: all."""
    rope_scaling: RopeScaling | None = None
    experts: Experts | None = None
    vision: Vision | None = None

    def count_parameters(self) -> int:
        """Of the text part; what looks at images is not counted."""
        embeddings = self.vocabulary * self.hidden * (1 if self.tied_embeddings else 2)
        return embeddings + self.layers * self._count_layer() + self.hidden

    def cache_bytes(self, tokens: int) -> int:
        """Keys and values of a conversation of `tokens` tokens."""
        return 2 * self.layers * self.kv_heads * self.head_dim * tokens * _BYTES

    def _count_layer(self) -> int:
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        network = 3 * self.hidden * self.feed_forward
        if self.experts:
            network = self.experts.count * (network + self.hidden)  # and a row of the router
        return attention + network + 2 * self.hidden
