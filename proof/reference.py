"""Write the models, and what the transformers library makes of them, into a folder.

    python -m proof.reference FOLDER

gives a NAME.gguf and a NAME.json for each model.
"""

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from transformers import PreTrainedModel

from proof.gguf_file import write_gguf
from proof.shapes import SHAPES, Shape, build
from proof.vocabulary import BOS, PROMPT_IDS, SPECIAL, read_texts, spell

TEXT, PROMPT, ANSWER = 200, 40, 60
"""Tokens: of the text that is followed step by step, of the prompt that begins it, of a reply."""
BEAMS: Final = 4
BEAM_ANSWER: Final = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for shape in SHAPES:
        model = build(shape)
        write_gguf(folder / f"{shape.name}.gguf", shape, model)
        (folder / f"{shape.name}.json").write_text(json.dumps(refer(shape, model)))


@torch.no_grad()
def refer(shape: Shape, model: PreTrainedModel) -> dict[str, Any]:
    """What the model says, in ids of tokens; distributions are of all of them."""
    draw = random.Random(shape.name)
    text = [BOS, *draw.choices(PROMPT_IDS, k=TEXT - 1)]
    prompt = text[:PROMPT]
    if shape.answer:
        greedy = spell(shape.answer)
    else:
        greedy = _generate(model, prompt, max_new_tokens=ANSWER, suppress_tokens=list(SPECIAL))
    return {
        "tokens": read_texts(shape.tokenizer),
        "text": text,
        "followed": _distributions(model, text),
        "prompt": prompt,
        "greedy": greedy,
        "answered": _distributions(model, prompt + greedy)[PROMPT - 1 : -1],
        "beam": {} if shape.answer else _search(model, prompt),
    }


def _distributions(model: PreTrainedModel, ids: Sequence[int]) -> list[list[float]]:
    """For each position the log-probability of every token to come next."""
    [logits] = model(torch.tensor([list(ids)])).logits
    rows: list[list[float]] = torch.log_softmax(logits.double(), dim=-1).tolist()
    return [[round(value, 7) for value in row] for row in rows]


def _search(model: PreTrainedModel, prompt: Sequence[int]) -> dict[str, Any]:
    """The best beam of replies of one length.

    Among replies that end, transformers takes only an end that ranks among the beams, and counts
    it as part of the length; vLLM 0.5 and Cupola take any, and do not count it.
    """
    best = _generate(
        model,
        prompt,
        num_beams=BEAMS,
        length_penalty=1.0,
        max_new_tokens=BEAM_ANSWER,
        suppress_tokens=list(SPECIAL),
    )
    rows = _distributions(model, [*prompt, *best])[len(prompt) - 1 : -1]
    logprob = sum(row[token] for row, token in zip(rows, best, strict=True))
    return {"beams": BEAMS, "best": best, "logprob": logprob}


def _generate(model: PreTrainedModel, prompt: Sequence[int], **how: Any) -> list[int]:
    ids = torch.tensor([list(prompt)])
    [said] = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, **how)
    answer: list[int] = said[len(prompt) :].tolist()
    return answer


if __name__ == "__main__":
    main()
