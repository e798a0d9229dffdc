"""From conversations to `model.Batch`es, made ahead of time in a process of their own.

The first steps are drills in copying: random tokens to repeat and to look up. They begin the
copying circuits on which everything else builds, and a few among the conversations go on to keep
them general: not tied to the words that the corpus happens to copy. Drills in choosing, of tools
and of sums (`corpus.tools_drills`), come in between as well.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path

import torch

from pilot.conversation import Conversation, Split
from pilot.corpus.mixture import GROUPS, SHARES, conversations, group, source
from pilot.corpus.tools_drills import Drill, drills
from pilot.model import Batch
from pilot.render import Segment, render, render_drill
from pilot.tokenizer import Tokenizer

ROW = 8192
"""Tokens of a batch."""
LONGEST = 1024
"""Conversations longer than this are not trained on."""
UNLEARNED = -1
FIRST_ORDINARY_TOKEN = 266
COPYING_SHARE, CHOOSING_SHARE = 0.05, 0.2
"""The parts of examples that are drills after the first steps."""
AHEAD = 12
"""Batches waiting in the queue."""


@dataclass(frozen=True, slots=True)
class Example:
    """A tokenized conversation."""

    tokens: Sequence[int]
    learned: Sequence[bool]
    """Of each token: whether the model learns to write it."""
    kind: int
    """The group, as an index into `GROUPS`."""


def encode(conversation: Conversation, tokenizer: Tokenizer) -> Example:
    """Tokenize a conversation. Segments meet at control tokens, so none is cut differently."""
    return _example(render(conversation), tokenizer, group(conversation))


def encode_drill(drill: Drill, tokenizer: Tokenizer) -> Example:
    """Tokenize as much of a drill as `LONGEST` tokens hold."""
    segments: list[Segment] = []
    room = LONGEST
    for part in render_drill(drill.tools, drill.turns):
        room -= sum(len(tokenizer.encode(segment.text)) for segment in part)
        if room < 0:
            break
        segments += part
    return _example(segments, tokenizer, "tools" if drill.tools else "sums")


def _example(segments: Sequence[Segment], tokenizer: Tokenizer, name: str) -> Example:
    tokens: list[int] = []
    learned: list[bool] = []
    for segment in segments:
        ids = tokenizer.encode(segment.text)
        tokens += ids
        learned += [segment.learned] * len(ids)
    return Example(tokens, learned, GROUPS.index(name))


def copying(rng: random.Random, size: int) -> Example:
    """Random tokens to repeat, or pairs of which one is asked for."""
    bos, eos, begin, end = 1, 2, 3, 4

    def word() -> list[int]:
        return [rng.randrange(FIRST_ORDINARY_TOKEN, size) for _ in range(rng.randint(1, 4))]

    if rng.random() < 0.5:
        text = [token for _ in range(rng.randint(2, 12)) for token in word()]
        question, answer = text, text
    else:
        pairs = [(word(), word()) for _ in range(rng.randint(2, 10))]
        key, answer = rng.choice(pairs)
        listed = [token for pair in pairs for half in pair for token in half]
        question = [*listed, end, begin, *key]
    prompt = [bos, begin, *question, end]
    tokens = [*prompt, *answer, eos]
    learned = [False] * len(prompt) + [True] * (len(answer) + 1)
    return Example(tokens, learned, GROUPS.index("copy"))


def pack(supply: Iterator[Example]) -> Iterator[list[Example]]:
    """Fill rows with examples; what did not fit waits for the next row."""
    waiting: list[Example] = []
    while True:
        room, row, kept = ROW, [], []
        misses = 0
        while misses < 24 and room > 16:
            example = waiting.pop() if waiting else next(supply)
            if _padded(len(example.tokens)) <= room:
                row.append(example)
                room -= _padded(len(example.tokens))
            else:
                kept.append(example)
                misses += 1
        waiting = kept + waiting
        yield row


def collate(row: Sequence[Example]) -> Batch:
    """Lay the examples side by side, those of about the same length together."""
    by_length = defaultdict[int, list[Example]](list)
    for example in row:
        by_length[_padded(len(example.tokens))].append(example)
    tokens = torch.zeros(ROW, dtype=torch.int64)
    positions = torch.zeros(ROW, dtype=torch.int64)
    groups, sources, targets, kinds, place = [], [], [], [], 0
    for length, examples in sorted(by_length.items()):
        groups.append((len(examples), length))
        for example in examples:
            tokens[place : place + len(example.tokens)] = torch.tensor(example.tokens)
            positions[place : place + length] = torch.arange(length)
            for i in range(1, len(example.tokens)):
                if example.learned[i]:
                    sources.append(place + i - 1)
                    targets.append(example.tokens[i])
                    kinds.append(example.kind)
            place += length
    rest = ROW - place
    groups += [group for group in ((rest // 64, 64), (1, rest % 64)) if group[0] * group[1]]
    return Batch(
        tokens, positions, groups, torch.tensor(sources), torch.tensor(targets), torch.tensor(kinds)
    )


def _padded(length: int) -> int:
    step = 8 if length <= 128 else 16 if length <= 512 else 32
    return -(-length // step) * step


def examples(
    tokenizer: Tokenizer, split: Split, seed: str, shares: Mapping[str, float] = SHARES
) -> Iterator[Example]:
    """Tokenized conversations of the mixture, none longer than `LONGEST`."""
    for conversation in conversations(split, random.Random(seed), shares):
        example = encode(conversation, tokenizer)
        if len(example.tokens) <= LONGEST:
            yield example


def heldout(tokenizer: Tokenizer, each: int) -> list[Batch]:
    """A fixed set: `each` held-out conversations of every group."""
    found = []
    for name in GROUPS:
        supply = source(name)("heldout", random.Random(f"heldout {name}"))
        encoded = (encode(next(supply), tokenizer) for _ in range(each))
        found += [example for example in encoded if len(example.tokens) <= LONGEST]
    rows: list[list[Example]] = [[]]
    room = ROW
    for example in found:
        if _padded(len(example.tokens)) > room:
            rows.append([])
            room = ROW
        rows[-1].append(example)
        room -= _padded(len(example.tokens))
    return [collate(row) for row in rows]


def stream(tokenizer_path: Path, seed: int, first_step: int, drill_steps: int) -> Iterator[Batch]:
    """The batches of the steps from `first_step` on, made by another process."""
    context = get_context("spawn")
    queue = context.Queue(AHEAD)
    worker = context.Process(
        target=_produce, args=(queue, tokenizer_path, seed, first_step, drill_steps), daemon=True
    )
    worker.start()
    while True:
        yield collate(queue.get())


def _produce(
    queue: Queue, tokenizer_path: Path, seed: int, first_step: int, drill_steps: int
) -> None:
    torch.set_num_threads(1)
    tokenizer = Tokenizer.load(tokenizer_path)
    rng = random.Random(f"{seed} drill {first_step}")

    def begin() -> Iterator[Example]:
        while True:
            yield copying(rng, len(tokenizer))

    def mixed() -> Iterator[Example]:
        choosing = drills(random.Random(rng.random()))
        for example in examples(tokenizer, "train", f"{seed} {first_step}"):
            pick = rng.random()
            if pick < COPYING_SHARE:
                yield copying(rng, len(tokenizer))
            elif pick < COPYING_SHARE + CHOOSING_SHARE:
                yield encode_drill(next(choosing), tokenizer)
            else:
                yield example

    drill_rows, rows = pack(begin()), pack(mixed())
    step = first_step
    while True:
        queue.put(next(drill_rows if step < drill_steps else rows))
        step += 1
