"""Write a checkpoint as a GGUF file and as a Hugging Face model directory.

    python -m pilot.export RUN --gguf cupola-pilot.gguf --safetensors DIRECTORY

The GGUF holds matrices as F16 (they were trained in bfloat16, so Q8_0 would save 5 MB and gain
nothing else). Both files are written beside their destination first and moved into place, so a
reader never sees half of one.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from pilot.model import Shape
from pilot.render import CHAT_TEMPLATE
from pilot.tokenizer import Kind, Tokenizer
from pilot.train import RUNS

NAME, LICENSE = "Cupola-Pilot", "apache-2.0"
_LAYER_NAMES = {
    "attention_norm": ("attn_norm", "input_layernorm"),
    "wq": ("attn_q", "self_attn.q_proj"),
    "wk": ("attn_k", "self_attn.k_proj"),
    "wv": ("attn_v", "self_attn.v_proj"),
    "wo": ("attn_output", "self_attn.o_proj"),
    "mlp_norm": ("ffn_norm", "post_attention_layernorm"),
    "gate": ("ffn_gate", "mlp.gate_proj"),
    "up": ("ffn_up", "mlp.up_proj"),
    "down": ("ffn_down", "mlp.down_proj"),
}
"""What a layer's weight is called in a GGUF and in a Hugging Face file."""
_SPACE = "\u2581"
"""Stands for a space in tokens."""


def interleaved(weight: Tensor, heads: int) -> Tensor:
    """Reorder a query or key matrix for llama.cpp, which rotates neighbours, not halves."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def write_gguf(path: Path, weights: dict[str, Tensor], shape: Shape, tokenizer: Tokenizer) -> None:
    """Write the file that llama.cpp reads."""
    beside = path.with_suffix(".part")
    writer = gguf.GGUFWriter(str(beside), "llama")
    writer.add_name(NAME)
    writer.add_license(LICENSE)
    writer.add_description("A very small instruct model that demonstrates a server.")
    writer.add_languages(["en", "fr", "es", "ja"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.num_key_value_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_sliding_window(shape.sliding_window)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_scores(tokenizer.scores)
    writer.add_token_types(tokenizer.kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, weight in _named(weights, hugging_face=False, shape=shape).items():
        array = weight.float().numpy()
        writer.add_tensor(name, array.astype(np.float16) if array.ndim == 2 else array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    beside.replace(path)


def names(shape: Shape, *, hugging_face: bool) -> dict[str, str]:
    """What each weight of the model is called in a file."""
    if hugging_face:
        found = {"embedding": "model.embed_tokens.weight", "norm": "model.norm.weight"}
    else:
        found = {"embedding": "token_embd.weight", "norm": "output_norm.weight"}
    for i in range(shape.num_hidden_layers):
        for ours, (short, long) in _LAYER_NAMES.items():
            theirs = f"model.layers.{i}.{long}" if hugging_face else f"blk.{i}.{short}"
            found[f"layers.{i}.{ours}"] = f"{theirs}.weight"
    return found


def _named(weights: dict[str, Tensor], *, hugging_face: bool, shape: Shape) -> dict[str, Tensor]:
    heads = {"wq": shape.num_attention_heads, "wk": shape.num_key_value_heads}
    named = {}
    for ours, theirs in names(shape, hugging_face=hugging_face).items():
        weight, kind = weights[ours], ours.rpartition(".")[2]
        turned = kind in heads and not hugging_face
        named[theirs] = interleaved(weight, heads[kind]) if turned else weight
    return named


def write_hugging_face(
    directory: Path, weights: dict[str, Tensor], shape: Shape, tokenizer: Tokenizer
) -> None:
    """Write config, weights, tokenizer and chat template as `transformers` reads them."""
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_key_value_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.max_position_embeddings,
        "sliding_window": shape.sliding_window,
        "rope_theta": shape.rope_theta,
        "rms_norm_eps": shape.rms_norm_eps,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float16",
    }
    named = _named(weights, hugging_face=True, shape=shape)
    halves = {name: weight.to(torch.float16).contiguous() for name, weight in named.items()}
    beside = directory / "model.safetensors.part"
    save_file(halves, beside, metadata={"format": "pt"})
    beside.replace(directory / "model.safetensors")
    specials = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer_config = {
        **specials,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.max_position_embeddings,
        "chat_template": CHAT_TEMPLATE,
    }
    for name, content in (
        ("config.json", config),
        ("tokenizer_config.json", tokenizer_config),
        ("tokenizer.json", _tokenizer_json(tokenizer)),
    ):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (directory / name).write_text(text + "\n", encoding="utf-8")
    (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def _tokenizer_json(tokenizer: Tokenizer) -> dict[str, object]:
    """The vocabulary for `tokenizers`, which cuts overlapping fixed pieces from the left."""
    return {
        "version": "1.0",
        "added_tokens": _added_tokens(tokenizer),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": tokenizer.ids,
            "merges": _merges(tokenizer),
        },
    }


def _added_tokens(tokenizer: Tokenizer) -> list[dict[str, object]]:
    """The pieces that are never made of others."""
    fixed = (Kind.UNKNOWN, Kind.CONTROL, Kind.USER_DEFINED)
    return [
        {
            "id": i,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": kind != Kind.USER_DEFINED,
        }
        for i, (token, kind) in enumerate(zip(tokenizer.tokens, tokenizer.kinds, strict=True))
        if kind in fixed
    ]


def _merges(tokenizer: Tokenizer) -> list[list[str]]:
    """Every way to make a token of two others, in the order of the tokens."""
    kinds = zip(tokenizer.tokens, tokenizer.kinds, strict=True)
    normal = [token for token, kind in kinds if kind == Kind.NORMAL]
    known = set(normal)
    return [
        [token[:cut], token[cut:]]
        for token in normal
        for cut in range(1, len(token))
        if token[:cut] in known and token[cut:] in known
    ]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Export a checkpoint of Cupola-Pilot.")
    parser.add_argument("run", help="name of the run")
    parser.add_argument("--gguf", type=Path, help="the GGUF file to write")
    parser.add_argument("--safetensors", type=Path, help="the model directory to write")
    arguments = parser.parse_args()
    run = RUNS / arguments.run
    saved = torch.load(run / "checkpoint.pt", weights_only=True, map_location="cpu")
    shape, tokenizer = Shape(**saved["shape"]), Tokenizer.load(run / "tokenizer.json")
    if arguments.gguf:
        arguments.gguf.parent.mkdir(parents=True, exist_ok=True)
        write_gguf(arguments.gguf, saved["model"], shape, tokenizer)
    if arguments.safetensors:
        write_hugging_face(arguments.safetensors, saved["model"], shape, tokenizer)


if __name__ == "__main__":
    main()
