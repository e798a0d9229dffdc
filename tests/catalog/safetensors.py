"""Safetensors files and folders, built as the format's description has it."""

import json
import struct
from pathlib import Path

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 16,
    "vocab_size": 32,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
    "torch_dtype": "bfloat16",
}


def build_safetensors(tensors: int = 2, size: int = 64) -> bytes:
    """A file of `tensors` matrices of BF16, `size` numbers each."""
    header = {
        f"layer.{number}": {
            "dtype": "BF16",
            "shape": [size // 8, 8],
            "data_offsets": [number * 2 * size, (number + 1) * 2 * size],
        }
        for number in range(tensors)
    }
    return pack({"__metadata__": {"format": "pt"}, **header}, bytes(range(128)) * tensors)


def pack(header: object, data: bytes) -> bytes:
    """The file with that header, right or wrong."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def build_folder(folder: Path) -> Path:
    """A model as publishers lay it out."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(build_safetensors())
    (folder / "README.md").write_text("Not taken.")
    return folder
