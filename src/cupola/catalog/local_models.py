"""Models that lie on this machine: read and checked, before an entry is made of them."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cupola.catalog.files import is_safe_name
from cupola.catalog.inspection import BESIDE_SAFETENSORS, CONFIG, check_file, read_json
from cupola.catalog.introduce import Found, read_gguf, read_safetensors
from cupola.engines.gguf import read_header
from cupola.engines.gguf_file import BadModelFile, read_contents
from cupola.engines.safetensors_file import count_weights

_PART: Final = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")


def read_local_gguf(path: Path) -> tuple[Found, Sequence[Path]]:
    """What the GGUF file at `path` says, and its files: several if it is a part of a model.

    Raises: BadModelFile, if it is not there, damaged, or cannot be served.
    """
    if not path.is_file():
        raise BadModelFile("There is neither a file nor a folder at that path.", path=("path",))
    files = _find_parts(path)
    read_header(files[0])  # what cannot be prompted cannot be served
    contents = read_contents(files[0])
    for file in files[1:]:
        more = read_contents(file).weights
        contents = type(contents)(contents.metadata, Counter(contents.weights) + Counter(more))
    return read_gguf(contents, (), files[0].name), files


def read_local_safetensors(folder: Path) -> tuple[Found, Sequence[Path]]:
    """What a folder says that has a publisher's safetensors and config.json.

    Raises: BadModelFile, if it has not, or a file is damaged.
    """
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix == ".safetensors" or path.name in BESIDE_SAFETENSORS
    )
    weights = [path for path in files if path.suffix == ".safetensors"]
    if not weights or not (folder / CONFIG).is_file():
        raise BadModelFile(
            "The folder is no model: it needs config.json and files that end with .safetensors. "
            "A GGUF file is added by its own path.",
            path=("path",),
        )
    counts: Counter[str] = Counter()
    for path in files:
        _refuse_odd(path)
        check_file(path, path.name)
    for path in weights:
        counts.update(count_weights(path))
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict):
        raise BadModelFile("config.json is no object.")
    known: dict[str, Any] = config
    beside = [path for path in files if path not in weights]
    return read_safetensors(known, counts, (), folder.name), [*weights, *beside]


def _find_parts(path: Path) -> Sequence[Path]:
    """All parts of the model, in order, if the file's name says that it is one of several."""
    _refuse_odd(path)
    if not (match := _PART.search(path.name)):
        return [path]
    base, count = path.name[: match.start()], match[1]
    parts = [
        path.with_name(f"{base}-{number:05}-of-{count}.gguf") for number in range(1, int(count) + 1)
    ]
    if missing := [part.name for part in parts if not part.is_file()]:
        raise BadModelFile(f"Parts of the model are missing: {', '.join(missing[:5])}.")
    return parts


def _refuse_odd(path: Path) -> None:
    if not is_safe_name(path.name):
        raise BadModelFile(f"A file's name cannot be used: {path.name!r}. Rename it.")
