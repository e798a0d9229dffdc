"""Begin a run with the weights and the vocabulary of a GGUF file, to train them further.

    python -m pilot.restore src/cupola/catalog/weights/Cupola-Pilot.gguf RUN

Checkpoints are not kept in the repository, the shipped weights are. What is lost is the optimizers'
memory, which they gain again within some hundred steps, and precision beyond F16.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from pilot.export import names
from pilot.model import Shape
from pilot.tokenizer import Tokenizer
from pilot.train import RUNS


def read_vocabulary(reader: gguf.GGUFReader) -> Tokenizer:
    """The vocabulary in the file."""
    fields: Mapping[str, Any] = {
        name: reader.fields[f"tokenizer.ggml.{key}"].contents()
        for name, key in (("tokens", "tokens"), ("scores", "scores"), ("kinds", "token_type"))
    }
    return Tokenizer(**fields)


def read_weights(reader: gguf.GGUFReader, shape: Shape) -> dict[str, Tensor]:
    """The weights in the file, under the names of `model.Pilot`."""
    found = {t.name: torch.from_numpy(t.data.astype(np.float32)) for t in reader.tensors}
    heads = {"wq": shape.num_attention_heads, "wk": shape.num_key_value_heads}
    weights = {}
    for ours, theirs in names(shape, hugging_face=False).items():
        weight = found[theirs]
        kind = ours.rpartition(".")[2]
        weights[ours] = _halved(weight, heads[kind]) if kind in heads else weight
    return weights


def _halved(weight: Tensor, heads: int) -> Tensor:
    """The inverse of `export.interleaved`."""
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("run")
    arguments = parser.parse_args()
    run = RUNS / arguments.run
    if (run / "checkpoint.pt").exists():
        parser.error(f"{run} has a checkpoint already")
    reader = gguf.GGUFReader(arguments.weights)
    tokenizer = read_vocabulary(reader)
    shape = Shape(vocab_size=len(tokenizer))
    run.mkdir(parents=True, exist_ok=True)
    tokenizer.save(run / "tokenizer.json")
    state = {
        "shape": asdict(shape),
        "model": read_weights(reader, shape),
        "step": 0,
        "seconds": 0.0,
        "tokens": 0,
    }
    torch.save(state, run / "checkpoint.pt")


if __name__ == "__main__":
    main()
