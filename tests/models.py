"""Tiny models with random weights: enough for an engine to load, serve and be constrained."""

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

CONTROL_TOKENS = (
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)
BOS, EOS, TOOL_CALLS = 1, 2, 5
LLAMA_TOKENS = (
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|python_tag|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
)
MESSAGE_END, PYTHON_TAG = 3, 4
"""As ids, behind `<|end_of_text|>`."""
TEMPLATE = "{{ bos_token }}[INST] {{ messages[-1]['content'] }}[/INST]"

_SPACE = "\u2581"
_FIXED_PIECES = (' [{"name": "', " the ")
"""USER_DEFINED pieces, as the included model has them: cut out of text before anything else."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a tiny Mistral."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    vocabulary: int = 512
    context_length: int = 2048


def build_tiny_model(
    path: Path,
    *,
    add_space_prefix: bool = False,
    tool_calls: bool = True,
    llama: bool = False,
    template: str = TEMPLATE,
    shape: Shape | None = None,
) -> Path:
    """Write a random llama-architecture model with Mistral's v3 control tokens to `path`.

    Args:
        tool_calls: False: without the token that opens calls, as in models before v3.
        llama: With Llama 3.1's kind of vocabulary and control tokens instead.
    """
    shape = shape or Shape()
    writer = gguf.GGUFWriter(path, "llama")
    _add_sizes(writer, shape)
    if llama:
        _add_byte_level_vocabulary(writer, shape.vocabulary)
    else:
        _add_vocabulary(writer, shape.vocabulary, tool_calls=tool_calls)
        writer.add_add_space_prefix(add_space_prefix)
    writer.add_chat_template(template)
    _add_tensors(writer, shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_sizes(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("tiny")
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(2 * shape.width)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _add_vocabulary(writer: gguf.GGUFWriter, size: int, *, tool_calls: bool) -> None:
    kind = gguf.TokenType
    tokens = [("<unk>", kind.UNKNOWN, 0.0)]
    control = [t if tool_calls or t != "[TOOL_CALLS]" else "<unused>" for t in CONTROL_TOKENS]
    tokens += [(text, kind.CONTROL, 0.0) for text in control]
    tokens += [(f"<0x{byte:02X}>", kind.BYTE, -1000.0) for byte in range(256)]
    printable = [_SPACE, *map(chr, range(33, 127))]
    tokens += [(char, kind.NORMAL, -float(rank)) for rank, char in enumerate(printable)]
    tokens += [(text, kind.USER_DEFINED, 0.0) for text in _FIXED_PIECES]
    tokens += [(f"<x{i}>", kind.NORMAL, -float(i)) for i in range(len(tokens), size)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _, _ in tokens])
    writer.add_token_types([kind for _, kind, _ in tokens])
    writer.add_token_scores([score for _, _, score in tokens])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)


def _add_byte_level_vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    """A token for each byte, one merge, for there must be one, and fillers."""
    kind = gguf.TokenType
    control = ["<|end_of_text|>", *LLAMA_TOKENS]
    texts = [*control, *write_bytes(), "~~"]
    texts += [f"<x{i}>" for i in range(len(texts), size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(texts)
    writer.add_token_types([kind.CONTROL if text in control else kind.NORMAL for text in texts])
    writer.add_token_merges(["~ ~"])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_add_bos_token(True)


def write_bytes() -> list[str]:
    """Every byte, as byte-level BPE writes it."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (byte for byte in range(256) if byte not in printable)
    written = {byte: chr(byte) for byte in printable}
    written |= {byte: chr(0x100 + i) for i, byte in enumerate(others)}
    return [written[byte] for byte in range(256)]


def _add_tensors(writer: gguf.GGUFWriter, shape: Shape) -> None:
    random = np.random.default_rng(seed=0)
    width, keys = shape.width, shape.width // 2

    def weights(rows: int, columns: int, scale: float = 0.08) -> NDArray[np.float32]:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    ones = np.ones(width, np.float32)
    writer.add_tensor("token_embd.weight", weights(shape.vocabulary, width, 0.4))
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", weights(shape.vocabulary, width, 0.24))
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_q.weight", weights(width, width))
        writer.add_tensor(block + "attn_k.weight", weights(keys, width))
        writer.add_tensor(block + "attn_v.weight", weights(keys, width))
        writer.add_tensor(block + "attn_output.weight", weights(width, width))
        writer.add_tensor(block + "ffn_gate.weight", weights(2 * width, width))
        writer.add_tensor(block + "ffn_up.weight", weights(2 * width, width))
        writer.add_tensor(block + "ffn_down.weight", weights(width, 2 * width))
        writer.add_tensor(block + "attn_norm.weight", ones)
        writer.add_tensor(block + "ffn_norm.weight", ones)
