"""Entries for models that nobody wrote one for: what files and hubs say, made an entry.

What is not said stays unknown, and what a person adds goes before what is found. An entry made so
is a beginning: it lies in the home as TOML and may be corrected by hand.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cupola.catalog.architecture import Architecture
from cupola.catalog.fetch_events import Described, Listed
from cupola.catalog.files import File, Format, Quantisation, Weights, is_safe_name
from cupola.catalog.model import Capability, Model, Task, ToolSyntax
from cupola.engines.gguf_file import BadModelFile, Contents
from cupola.ids import ModelName
from cupola.kit.errors import Invalid

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of an entry: it names a file, and stands in paths and replies."""
UNKNOWN_LICENSE: Final = "LicenseRef-Unknown"

_BY_FILE_TYPE: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16", 38: "MXFP4",
}  # fmt: skip
"""`general.file_type`, as the ggml repository numbers them."""
_BY_TENSOR_TYPE: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K",
    11: "Q3_K_M", 12: "Q4_K_M", 13: "Q5_K_M", 14: "Q6_K", 20: "IQ4_NL", 23: "IQ4_XS", 30: "BF16",
    39: "MXFP4",
}  # fmt: skip
"""What most numbers of a file are stored in; of mixtures the usual one."""
_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class Told:
    """What a person says of a model; None: what the files say, or nothing."""

    publisher: str | None = None
    collection: str | None = None
    summary: str | None = None
    license: str | None = None
    terms: str | None = None
    """The address of the licence's text."""
    context_length: int | None = None


NOTHING_TOLD: Final = Told()


@dataclass(frozen=True, slots=True)
class Found:
    """What files or a hub say of a model."""

    origin: str
    """For the summary: where it came from."""
    context_length: int | None
    parameters: int | None
    chat_template: str | None
    architecture: Architecture | None
    weights: tuple[Weights, ...]
    license: str | None = None
    publisher: str | None = None


def check_name(name: str) -> ModelName:
    """`name`, if an entry may have it. Raises: Invalid."""
    if not NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} cannot be a model's name: use 1 to 64 letters, digits, '.', '_' and '-', "
            "the first a letter or digit.",
            path=("name",),
        )
    return ModelName(name)


def introduce(name: ModelName, found: Found, told: Told) -> Model:
    """The entry. Raises: Invalid, if nobody says how long the model's context is."""
    context_length = told.context_length or found.context_length
    if not context_length:
        raise Invalid(
            f"Nothing says how many tokens {name} can read: give its context length.",
            path=("context_length",),
        )
    template = found.chat_template or ""
    chats = bool(template) or found.weights[0].format is Format.SAFETENSORS
    return Model(
        name=name,
        publisher=told.publisher or found.publisher or "unknown",
        collection=told.collection or "Own models",
        summary=told.summary or f"Added from {found.origin}.",
        task=Task.CHAT_COMPLETIONS if chats else Task.TEXT_GENERATION,
        license=told.license or found.license or UNKNOWN_LICENSE,
        terms=told.terms or "",
        preview=False,
        languages=(),
        context_length=context_length,
        capabilities=frozenset(_find_capabilities(template)),
        engines=("llamacpp",) if found.weights[0].format is Format.GGUF else ("vllm",),
        deployments=("serverless", "managed"),
        default_temperature=0.7,
        parameters=found.parameters,
        tool_syntax=_find_tool_syntax(template) if chats else None,
        architecture=found.architecture,
        weights=found.weights,
    )


def read_gguf(contents: Contents, files: tuple[File, ...], origin: str) -> Found:
    """What a GGUF file says. Raises: BadModelFile, if it names no quantisation that is known."""
    pairs = contents.metadata
    kind = str(pairs.get("general.architecture"))
    weights = Weights(find_quantisation(contents), Format.GGUF, files)
    return Found(
        origin=origin,
        context_length=_positive(pairs.get(f"{kind}.context_length")),
        parameters=sum(contents.weights.values()),
        chat_template=_text(pairs.get("tokenizer.chat_template")),
        architecture=_shape_of_gguf(pairs, kind),
        weights=(weights,),
        license=_text(pairs.get("general.license")),
        publisher=_text(pairs.get("general.organization")),
    )


def read_safetensors(
    config: Mapping[str, Any], counts: Mapping[str, int], files: tuple[File, ...], origin: str
) -> Found:
    """What a folder with a publisher's safetensors says."""
    dtype = max(counts, key=lambda kind: counts[kind])
    if dtype not in ("F32", "BF16", "F16"):
        raise BadModelFile(f"The weights are {dtype}; F32, BF16 and F16 are taken.")
    return Found(
        origin=origin,
        context_length=_positive(config.get("max_position_embeddings")),
        parameters=sum(counts.values()),
        chat_template=None,  # it lies with the tokenizer, where the engine finds it
        architecture=_shape_of_config(config),
        weights=(Weights(Quantisation(dtype), Format.SAFETENSORS, files),),
    )


def read_repository(repository: str, described: Described) -> Found:
    """What a hub says of a repository: its GGUF files, or else its safetensors.

    Raises: Invalid, if it has neither.
    """
    config = described.config or {}
    listed = [each for each in described.files if is_safe_name(each.name)]
    weights = _group_gguf(repository, described, listed)
    if not weights:
        weights = _take_safetensors(repository, described, listed)
    if not weights:
        raise Invalid(
            f"{repository} has neither GGUF files whose names say a known quantisation nor "
            "safetensors. Pickled weights are not taken, because loading them runs programs.",
            path=("repository",),
        )
    return Found(
        origin=f"{repository} at {described.revision[:12]}",
        context_length=described.context_length or _positive(config.get("max_position_embeddings")),
        parameters=described.parameters,
        chat_template=described.chat_template,
        architecture=_shape_of_config(config),
        weights=weights,
        license=described.license,
        publisher=repository.partition("/")[0],
    )


def find_quantisation(contents: Contents) -> Quantisation:
    """As the file says it, else what most of its numbers are stored in. Raises: BadModelFile."""
    said = _BY_FILE_TYPE.get(contents.metadata.get("general.file_type", -1))
    most = Counter(contents.weights).most_common(1)[0][0]
    name = said or _BY_TENSOR_TYPE.get(most)
    if name is None:
        raise BadModelFile(f"The model file has a quantisation that is not known (type {most}).")
    return Quantisation(name)


def _group_gguf(
    repository: str, described: Described, listed: Sequence[Listed]
) -> tuple[Weights, ...]:
    """One `Weights` for each quantisation, its parts in order; the usual ones first."""
    groups: dict[Quantisation, list[Listed]] = {}
    for each in sorted(listed, key=lambda file: file.name):
        name = each.name.rpartition("/")[2].casefold()
        if not name.endswith(".gguf") or "mmproj" in name or name.startswith("imatrix"):
            continue
        if (kind := _quantisation_in(name)) and _belongs(groups.get(kind, []), each):
            groups.setdefault(kind, []).append(each)
    usual = [Quantisation.Q4_K_M, Quantisation.Q8_0]
    order = [kind for kind in dict.fromkeys((*usual, *Quantisation)) if kind in groups]
    return tuple(
        Weights(kind, Format.GGUF, _files(groups[kind]), repository, described.revision,
                described.gated)
        for kind in order
    )  # fmt: skip


def _belongs(group: Sequence[Listed], file: Listed) -> bool:
    """Whether `file` is the first of its quantisation, or a further part of the first."""
    return not group or bool(
        _PART.search(file.name) and _PART.sub("", file.name) == _PART.sub("", group[0].name)
    )


def _quantisation_in(name: str) -> Quantisation | None:
    """The longest that the file's name says between dots and dashes."""
    said = [
        kind
        for kind in Quantisation
        if re.search(rf"(^|[-._]){re.escape(kind.casefold())}([-._]|$)", name)
    ]
    return max(said, key=len, default=None)


def _take_safetensors(
    repository: str, described: Described, listed: Sequence[Listed]
) -> tuple[Weights, ...]:
    if not any(each.name.endswith(".safetensors") for each in listed):
        return ()
    dtype = str((described.config or {}).get("torch_dtype", "bfloat16"))
    kind = {"float32": Quantisation.F32, "float16": Quantisation.F16}.get(dtype, Quantisation.BF16)
    return (Weights(kind, Format.SAFETENSORS, (), repository, described.revision, described.gated),)


def _files(listed: Sequence[Listed]) -> tuple[File, ...]:
    return tuple(File(each.name, each.size, each.sha256) for each in listed)


def _find_capabilities(template: str) -> set[Capability]:
    said = {Capability.STREAMING}
    if "tools" in template:
        said.add(Capability.TOOLS)
    if "system" in template:
        said.add(Capability.SYSTEM)
    return said


def _find_tool_syntax(template: str) -> ToolSyntax:
    """By the marks that templates of a family have; without any, the functions are told in words.

    Templates of Mistral's from v3 on write results with an id; those of v7 text before calls.
    """
    if "tools" not in template:
        return ToolSyntax.PLAIN_JSON
    if "[TOOL_CALLS]" in template:
        if "[SYSTEM_PROMPT]" in template:
            return ToolSyntax.MISTRAL_V7
        return ToolSyntax.MISTRAL_V3 if "id" in template else ToolSyntax.MISTRAL_V2
    return ToolSyntax.LLAMA_JSON if "<|eom_id|>" in template else ToolSyntax.PLAIN_JSON


def _shape_of_gguf(pairs: Mapping[str, Any], kind: str) -> Architecture | None:
    def get(key: str) -> int | None:
        return _positive(pairs.get(f"{kind}.{key}"))

    hidden, heads = get("embedding_length"), get("attention.head_count")
    return _shape(
        layers=get("block_count"),
        hidden=hidden,
        heads=heads,
        kv_heads=get("attention.head_count_kv") or heads,
        head_dim=get("attention.key_length"),
        feed_forward=get("feed_forward_length"),
        vocabulary=get("vocab_size") or len(pairs.get("tokenizer.ggml.tokens", ())),
        rope_theta=pairs.get(f"{kind}.rope.freq_base"),
        # llama.cpp minds the windows of other families; of this one it ignores them.
        window=get("attention.sliding_window") if kind == "llama" else None,
    )


def _shape_of_config(config: Mapping[str, Any]) -> Architecture | None:
    def get(key: str) -> int | None:
        return _positive(config.get(key))

    heads = get("num_attention_heads")
    return _shape(
        layers=get("num_hidden_layers"),
        hidden=get("hidden_size"),
        heads=heads,
        kv_heads=get("num_key_value_heads") or heads,
        head_dim=get("head_dim"),
        feed_forward=get("intermediate_size"),
        vocabulary=get("vocab_size"),
        rope_theta=config.get("rope_theta"),
        window=get("sliding_window") if config.get("model_type") == "mistral" else None,
    )


def _shape(
    *, head_dim: int | None, rope_theta: object, window: int | None, **sizes: int | None
) -> Architecture | None:
    """None if a size is missing: what is reckoned from half a shape would be wrong."""
    known = {name: size for name, size in sizes.items() if size}
    if len(known) < len(sizes):
        return None
    theta = float(rope_theta) if isinstance(rope_theta, int | float) else 10_000.0
    head_dim = head_dim or known["hidden"] // known["heads"]
    shape = {**known, "head_dim": head_dim, "rope_theta": theta, "window": window}
    return msgspec.convert(shape, Architecture)


def _positive(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
