"""The models of the proof: one small instance of each architecture, random but always the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    PretrainedConfig,
    PreTrainedModel,
)

from proof.vocabulary import BOS, BYTE_LEVEL, EOS, SENTENCEPIECE, SPELLING, Tokenizer

WINDOW: Final = 48
"""Tokens that a token of the windowed model attends to, itself included."""
_COMMON: Final[Mapping[str, Any]] = {
    "vocab_size": SENTENCEPIECE.size,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "pad_token_id": 0,
}


@dataclass(frozen=True)
class Shape:
    """An architecture to prove."""

    name: str
    config: PretrainedConfig
    tokenizer: Tokenizer
    rope_scaling: Mapping[str, float] = field(default_factory=dict)
    answer: str = ""
    """A reply to score, instead of the greedy one."""


_LLAMA_3: Final = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
_NEMO: Final = {**_COMMON, "num_hidden_layers": 3, "head_dim": 24, "rope_theta": 1e6}
"""As Mistral Nemo: the heads together are wider than the model."""
SHAPES: Final = (
    Shape("mistral", MistralConfig(**_NEMO, sliding_window=None), SENTENCEPIECE),
    # As Mistral-7B v0.1, the only one with a window.
    Shape("windowed", MistralConfig(**_NEMO, sliding_window=WINDOW), SENTENCEPIECE),
    Shape(
        "spelling",
        MistralConfig(**{**_NEMO, "vocab_size": SPELLING.size}, sliding_window=None),
        SPELLING,
        answer=' "a\u3042\u00e9 \U0001f600."',
    ),
    Shape(
        "mixtral",
        MixtralConfig(
            **_COMMON,
            num_hidden_layers=2,
            head_dim=16,
            rope_theta=1e6,
            num_local_experts=4,
            num_experts_per_tok=2,
        ),
        SENTENCEPIECE,
    ),
    Shape(
        "llama3",
        LlamaConfig(
            **_COMMON,
            num_hidden_layers=3,
            head_dim=16,
            rope_theta=5e5,
            rope_scaling={"rope_type": "llama3", **_LLAMA_3},
        ),
        BYTE_LEVEL,
        _LLAMA_3,
    ),
)


def build(shape: Shape, seed: int = 0) -> PreTrainedModel:
    """The model, with weights so large that its every part tells in what it says."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(
        shape.config, dtype=torch.float32, attn_implementation="eager"
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            _fill(name, weight)
        model.get_output_embeddings().weight[EOS] *= 2  # an end may well be the likeliest
    return model.eval()


def _fill(name: str, weight: torch.Tensor) -> None:
    if weight.ndim == 1:  # of a norm
        weight.copy_(1 + 0.2 * torch.randn_like(weight))
        return
    scale = 1.0 if "embed_tokens" in name else _gain(name) / weight.shape[-1] ** 0.5
    weight.copy_(scale * torch.randn_like(weight))


def _gain(name: str) -> float:
    """Sharp attention, so that a position rotated wrongly shows; logits far from uniform."""
    if "q_proj" in name or "k_proj" in name:
        return 1.2
    return 1.7 if "lm_head" in name else 1.0
