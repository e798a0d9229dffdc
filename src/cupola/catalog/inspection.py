"""What may be believed of a file before any engine sees it: the one place that decides.

Models come as GGUF, or as safetensors with the JSON and the tokenizer beside them. Pickles and
programs are never taken, whatever a repository offers: loading those runs them.
"""

from pathlib import Path
from typing import Final

import msgspec

from cupola.catalog.files import Format
from cupola.engines.gguf_file import BadModelFile, read_metadata
from cupola.engines.safetensors_file import count_weights

CONFIG: Final = "config.json"
BESIDE_SAFETENSORS: Final = frozenset(
    {
        CONFIG, "generation_config.json", "model.safetensors.index.json", "tokenizer.json",
        "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "merges.txt", "chat_template.json", "chat_template.jinja",
        "preprocessor_config.json", "processor_config.json",
    }
)  # fmt: skip
"""Files that engines read with safetensors: data, all of them."""
MAX_JSON: Final = 64 * 1024 * 1024
"""Bytes; the largest tokenizers take some 30 MiB."""


def is_wanted(name: str, format: Format) -> bool:
    """Whether a repository's file belongs to weights of that format."""
    if format is Format.GGUF:
        return name.endswith(".gguf")
    return "/" not in name and (name.endswith(".safetensors") or name in BESIDE_SAFETENSORS)


def check_file(path: Path, name: str) -> None:
    """Check the file at `path` by the kind that `name` says.

    Raises:
        BadModelFile: it is damaged, or of a kind that is not taken.
    """
    if name.endswith(".gguf"):
        read_metadata(path)
    elif name.endswith(".safetensors"):
        count_weights(path)
    elif name.endswith(".json") and name in BESIDE_SAFETENSORS:
        read_json(path)
    elif name not in BESIDE_SAFETENSORS:
        raise BadModelFile(
            f"{name} is neither GGUF nor safetensors nor a file beside these; no other is taken."
        )


def read_json(path: Path) -> object:
    """The JSON in `path`. Raises: BadModelFile, if it is none or too large to be honest."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise BadModelFile(f"{path.name} is larger than {MAX_JSON:,} bytes.")
        return msgspec.json.decode(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadModelFile(f"{path.name} is no valid JSON.", private=str(error)) from error
