"""A model of the transformers library as the GGUF file that llama.cpp reads, all in F32."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from proof.rope import find_divisors
from proof.shapes import Shape
from proof.vocabulary import add_vocabulary

_OUTER = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
_IN_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.experts.down_proj": "ffn_down_exps",
}
_GATE_AND_UP = "mlp.experts.gate_up_proj"


def write_gguf(path: Path, shape: Shape, model: PreTrainedModel) -> None:
    """Write `model` to `path`."""
    writer = gguf.GGUFWriter(str(path), "llama")
    _add_sizes(writer, shape)
    add_vocabulary(writer, shape.tokenizer)
    for name, weight in _tensors(shape, model):
        writer.add_tensor(name, weight.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_sizes(writer: gguf.GGUFWriter, shape: Shape) -> None:
    config = shape.config
    writer.add_name(f"proof-{shape.name}")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(shape.tokenizer.size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(_theta(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if experts := getattr(config, "num_local_experts", None):
        writer.add_expert_count(experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
    if window := getattr(config, "sliding_window", None):
        writer.add_sliding_window(window)


def _theta(config: PretrainedConfig) -> float:
    return float(config.rope_parameters["rope_theta"])


def _tensors(shape: Shape, model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    if shape.rope_scaling:
        config = shape.config
        divisors = find_divisors(config.head_dim, _theta(config), shape.rope_scaling)
        yield "rope_freqs.weight", torch.from_numpy(divisors)
    for name, weight in model.state_dict().items():
        name = name.removesuffix(".weight")
        if name in _OUTER:
            yield f"{_OUTER[name]}.weight", weight
        else:
            layer, _, part = name.removeprefix("model.layers.").partition(".")
            for short, tensor in _in_layer(part, weight, shape.config):
                yield f"blk.{layer}.{short}.weight", tensor


def _in_layer(part: str, weight: Tensor, config: PretrainedConfig) -> Iterator[tuple[str, Tensor]]:
    if part == _GATE_AND_UP:
        gate, up = weight.chunk(2, dim=1)
        yield "ffn_gate_exps", gate
        yield "ffn_up_exps", up
    elif part in ("self_attn.q_proj", "self_attn.k_proj"):
        yield _IN_LAYER[part], _interleave(weight, config.head_dim)
    else:
        yield _IN_LAYER[part], weight


def _interleave(weight: Tensor, head_dim: int) -> Tensor:
    """Reorder a query or key matrix for llama.cpp, which rotates neighbours, not halves."""
    rows, columns = weight.shape
    halves = weight.view(rows // head_dim, 2, head_dim // 2, columns)
    return halves.transpose(1, 2).reshape(rows, columns)
