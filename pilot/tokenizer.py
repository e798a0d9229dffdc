"""The tokenizer: 4,096 pieces, so cut that a name looks the same wherever it stands.

The hard skill of a small tool-calling model is to copy a name from its prompt into a call. That is
easy only if the name is the same row of tokens after a space, after a quotation mark and at the
start of a line, so no learned piece crosses a space, a digit, a punctuation mark or a change from
lower to upper case. What this costs in length is won back by *fixed pieces*, which are cut out of
the text before anything else: the boilerplate of JSON, and phrases of common words with a space
at both ends (" of the "), next to which a name still stands alone.

`Tokenizer.encode` does exactly what llama.cpp does with a "llama" (SentencePiece) vocabulary, for
the model is served by it: control tokens and fixed pieces are cut out longest first, then the pair
of neighbours that forms the best-scored piece is joined until none does, then what is no piece
becomes bytes. (That a longer fixed piece wins over an earlier one is why neither SentencePiece nor
`tokenizers` agrees to the letter.)
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path

from pilot.render import CONTROL_TOKENS, render

SPACE = "\u2581"
"""What a space is called inside a learned piece."""

_UPPER = "A-Z\u00c0-\u00d6\u00d8-\u00de"
_LOWER = "a-z\u00df-\u00f6\u00f8-\u024f"
_CHUNK = re.compile(
    f"[{_UPPER}]*[{_LOWER}]+|[{_UPPER}]+"
    "|[\u3041-\u309f]+|[\u30a1-\u30fa\u30fc]+|[\u4e00-\u9fff\u3005]+|.",
    re.DOTALL,
)
"""A stretch that a learned piece may not leave. Where chunks meet depends on the two characters
there alone, so joining pieces chunk by chunk gives what joining over the whole text would."""

_JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object")
JSON_PIECES = (
    ' [{"type": "function", "function": {"name": "',
    '"]}}}, {"type": "function", "function": {"name": "',
    '"]}}, {"type": "function", "function": {"name": "',
    '}}}, {"type": "function", "function": {"name": "',
    '", "description": "',
    '", "parameters": {"type": "object", "properties": {"',
    '", "parameters": {"type": "object", "properties": {}',
    *(f'": {{"type": "{name}", "description": "' for name in _JSON_TYPES),
    *(f'": {{"type": "{name}"' for name in _JSON_TYPES),
    '": {"type": "string", "enum": ["',
    '": {"type": "array", "items": {"type": "',
    '", "items": {"type": "',
    '", "enum": ["',
    '"}}, "required": ["',
    '"]}}, "required": ["',
    '}}, "required": ["',
    '}, "required": ["',
    '"]}}}]',
    '"]}}]',
    "}}}]",
    ' [{"name": "',
    '"}}, {"name": "',
    '}}, {"name": "',
    '", "arguments": {"',
    '", "arguments": {}',
    '"}, "id": "',
    '}, "id": "',
    '"}}]',
    "}}]",
    '"}]',
    "}]",
    ' {"content": {"',
    ' {"content": "',
    ' {"content": ',
    '"}, "call_id": "',
    '", "call_id": "',
    '}, "call_id": "',
    ', "call_id": "',
    '": "',
    '", "',
    '": ',
    ', "',
    ' {"',
    '{"',
    '"}, "',
    '}, "',
    '"}',
    '": {"',
    '": ["',
    '": [',
    '"], "',
    '], "',
    '"]',
    '": true',
    '": false',
    '": null',
)
PUNCTUATION_PIECES = (", ", ". ", "? ", "! ", ": ", "; ", "\n\n", ".\n\n", "?\n\n", " = ", " + ")
PHRASE_ROUNDS = 20
"""Phrases are counted anew after each round, since a chosen one makes those inside it rarer."""
_CAPITALS_IN_PHRASES = frozenset(
    {"The", "A", "I", "You", "It", "In", "La", "Le", "Les", "El", "Los", "What", "Which", "Is"}
)
_ALWAYS_IN_PHRASES = frozenset(
    {
        "the",
        "to",
        "of",
        "from",
        "in",
        "a",
        "la",
        "le",
        "les",
        "de",
        "en",
        "on",
        "at",
        "for",
        "and",
        "is",
    }
)
"""Words that stand beside quotation marks as keys, but are never copied from prose."""
_WORD = re.compile(f"[{_UPPER}{_LOWER}]+")


class Kind(IntEnum):
    """The kinds of tokens, numbered as in a GGUF file."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    BYTE = 6


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary, in the order of its ids."""

    tokens: Sequence[str]
    scores: Sequence[float]
    kinds: Sequence[int]

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        fields = {"tokens": self.tokens, "scores": self.scores, "kinds": self.kinds}
        path.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.tokens)

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of every token's text."""
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def _fixed(self) -> list[str]:
        """The tokens that are cut out of the text first, in the order in which they are tried."""
        fixed = (Kind.UNKNOWN, Kind.CONTROL, Kind.USER_DEFINED)
        texts = [t for t, kind in zip(self.tokens, self.kinds, strict=True) if kind in fixed]
        return _sorted_as_libstdcxx(texts)

    @cached_property
    def _chunks(self) -> dict[str, list[int]]:
        return {}

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, in which the control tokens are recognised."""
        ids = []
        for part in self._partition(text):
            if isinstance(part, int):
                ids.append(part)
                continue
            for chunk in _CHUNK.findall(part.replace(" ", SPACE)):
                known = self._chunks.get(chunk)
                if known is None:
                    known = self._chunks[chunk] = self._merge(chunk)
                ids.extend(known)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that form no character become U+FFFD."""
        raw = bytearray()
        for i in ids:
            token = self.tokens[i]
            match self.kinds[i]:
                case Kind.BYTE:
                    raw.append(int(token[3:5], 16))
                case Kind.NORMAL:
                    raw += token.replace(SPACE, " ").encode()
                case _:
                    raw += token.encode()
        return raw.decode("utf-8", errors="replace")

    def _partition(self, text: str) -> list[str | int]:
        parts: list[str | int] = [text]
        for fixed in self._fixed:
            if fixed not in text:
                continue
            token = self.ids[fixed]
            cut: list[str | int] = []
            for part in parts:
                if isinstance(part, int) or fixed not in part:
                    cut.append(part)
                    continue
                for i, piece in enumerate(part.split(fixed)):
                    if i:
                        cut.append(token)
                    if piece:
                        cut.append(piece)
            parts = cut
        return parts

    def _merge(self, chunk: str) -> list[int]:
        pieces = list(chunk)
        while len(pieces) > 1:
            best, best_score = -1, 0.0
            for i in range(len(pieces) - 1):
                token = self.ids.get(pieces[i] + pieces[i + 1])
                if token is not None and (best < 0 or self.scores[token] > best_score):
                    best, best_score = i, self.scores[token]
            if best < 0:
                break
            pieces[best : best + 2] = [pieces[best] + pieces[best + 1]]
        ids = []
        for piece in pieces:
            if piece in self.ids:
                ids.append(self.ids[piece])
            else:
                ids.extend(self.ids[f"<0x{byte:02X}>"] for byte in piece.encode())
        return ids


def learn(texts: Sequence[str], size: int = 4096, phrases: int = 600) -> Tokenizer:
    """Learn a vocabulary of `size` tokens from rendered conversations."""
    fixed = [*JSON_PIECES, *PUNCTUATION_PIECES]
    names = _words_beside_quotes(texts)
    rests = _cut(texts, [*CONTROL_TOKENS, *fixed])
    for _ in range(PHRASE_ROUNDS):
        chosen = _best_phrases(rests, names, phrases // PHRASE_ROUNDS)
        if not chosen:
            break
        fixed += chosen
        rests = _cut(rests, chosen)
    characters = _characters(rests)
    special = [*CONTROL_TOKENS, *(f"<0x{byte:02X}>" for byte in range(256)), *fixed]
    pieces = _learn_pieces(rests, size - len(special) - len(characters))
    normal = [*pieces, *characters]
    return Tokenizer(
        tokens=[*special, *normal],
        scores=[0.0] * len(special) + [-float(i) for i in range(len(normal))],
        kinds=[
            Kind.UNKNOWN,
            *[Kind.CONTROL] * (len(CONTROL_TOKENS) - 1),
            *[Kind.BYTE] * 256,
            *[Kind.USER_DEFINED] * len(fixed),
            *[Kind.NORMAL] * len(normal),
        ],
    )


def _cut(texts: Iterable[str], fixed: Iterable[str]) -> list[str]:
    """What is left of the texts between the fixed pieces."""
    longest_first = sorted(fixed, key=lambda piece: -len(piece.encode()))
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return [part for text in texts for part in pattern.split(text) if part]


def _words_beside_quotes(texts: Iterable[str]) -> set[str]:
    """The words that are, or begin or end, names and values: no phrase may swallow them."""
    beside, everywhere = Counter[str](), Counter[str]()
    for text in texts:
        for match in _WORD.finditer(text):
            around = text[match.start() - 1 : match.start()] + text[match.end() : match.end() + 1]
            everywhere[match.group()] += 1
            beside[match.group()] += any(mark in around for mark in '"_')
    often = {word for word, count in beside.items() if count > 0.03 * everywhere[word]}
    return often - _ALWAYS_IN_PHRASES


def _best_phrases(rests: Iterable[str], names: set[str], count: int) -> list[str]:
    """The phrases of up to four words that would save the most tokens."""
    found = Counter[str]()
    for rest in rests:
        words = rest.split(" ")
        usable = [
            bool(_WORD.fullmatch(word.replace("'", "")))
            and word not in names
            and (word.islower() or word in _CAPITALS_IN_PHRASES)
            for word in words
        ]
        for start in range(1, len(words) - 1):
            for end in range(start + 1, min(start + 5, len(words))):
                if not usable[end - 1]:
                    break
                found[f" {' '.join(words[start:end])} "] += 1
    saved = Counter({p: n * (2 * p.count(" ") - 2) for p, n in found.items() if n >= 12})
    return [phrase for phrase, _ in saved.most_common(count)]


def _characters(rests: Iterable[str]) -> list[str]:
    seen = Counter("".join(rests).replace(" ", SPACE))
    printable = [chr(code) for code in range(33, 127)]
    latin = [chr(code) for code in range(0xC0, 0x100) if chr(code) not in "\u00d7\u00f7"]
    return list(
        dict.fromkeys([SPACE, "\n", *printable, *latin, *(c for c, _ in seen.most_common())])
    )


def _learn_pieces(rests: Iterable[str], count: int) -> list[str]:
    """Byte-pair encoding over the chunks, best pairs first."""
    chunks = Counter(chunk for rest in rests for chunk in _CHUNK.findall(rest) if len(chunk) > 1)
    words = [list(chunk) for chunk in chunks]
    counts = list(chunks.values())
    pairs, places = Counter[tuple[str, str]](), defaultdict[tuple[str, str], set[int]](set)
    for i, word in enumerate(words):
        for pair in pairwise(word):
            pairs[pair] += counts[i]
            places[pair].add(i)
    pieces: dict[str, None] = {}
    while len(pieces) < count and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 2:
            break
        pieces["".join(best)] = None
        for i in places.pop(best):
            word = words[i]
            for pair in pairwise(word):
                pairs[pair] -= counts[i]
            words[i] = word = _joined(word, best)
            for pair in pairwise(word):
                pairs[pair] += counts[i]
                places[pair].add(i)
        del pairs[best]
    return list(pieces)


def _joined(word: Sequence[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    for piece in word:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _sorted_as_libstdcxx(texts: Sequence[str]) -> list[str]:
    """Longest first in bytes, with equals in the order in which `std::sort` leaves them.

    llama.cpp sorts its fixed tokens with `std::sort`, which is not stable, and the order of equals
    decides how " to for " is cut. This is the introsort of GNU's library, without its fallback for
    degenerate input. Another library's order costs a token here and there, no more.
    """
    items = [(-len(text.encode()), text) for text in texts]

    def less(a: tuple[int, str], b: tuple[int, str]) -> bool:
        return a[0] < b[0]

    def median_to(result: int, a: int, b: int, c: int) -> None:
        if less(items[a], items[b]):
            chosen = b if less(items[b], items[c]) else c if less(items[a], items[c]) else a
        else:
            chosen = a if less(items[a], items[c]) else c if less(items[b], items[c]) else b
        items[result], items[chosen] = items[chosen], items[result]

    def loop(first: int, last: int) -> None:
        while last - first > 16:
            median_to(first, first + 1, first + (last - first) // 2, last - 1)
            low, high, pivot = first + 1, last, items[first]
            while True:
                while less(items[low], pivot):
                    low += 1
                high -= 1
                while less(pivot, items[high]):
                    high -= 1
                if low >= high:
                    break
                items[low], items[high] = items[high], items[low]
                low += 1
            loop(low, last)
            last = low

    loop(0, len(items))
    return [text for _, text in sorted(items, key=lambda item: item[0])]


def main() -> None:
    """Run the command line: learn a vocabulary from the corpus and write it."""
    from pilot.corpus.mixture import GROUPS, source

    parser = argparse.ArgumentParser(description="Learn the vocabulary of Cupola-Pilot.")
    parser.add_argument("path", type=Path, help="where to write it, as JSON")
    parser.add_argument("--conversations", type=int, default=2000, help="of each group")
    arguments = parser.parse_args()
    texts = []
    for name in GROUPS:
        supply = source(name)("train", random.Random(f"tokenizer {name}"))
        drawn = islice(supply, arguments.conversations)
        texts += ["".join(segment.text for segment in render(each)) for each in drawn]
    arguments.path.parent.mkdir(parents=True, exist_ok=True)
    learn(texts).save(arguments.path)


if __name__ == "__main__":
    main()
