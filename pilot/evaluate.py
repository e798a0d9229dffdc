"""What Cupola-Pilot can do, asked through a served endpoint: `make eval-pilot`.

Every question goes over HTTP to a running Cupola, with temperature 0, and the reply is judged by
the check of its conversation (`judge`). The same kinds are drawn twice: from the training split
(new draws, though of wordings the model has seen) and from the held-out split, whose wordings,
cities, names and operands training can never produce. Four larger sets are asked besides, 200 of
each: pairs of real cities that training never had (`tools.pairs`), pairs of invented names likewise
(`tools.pairs_invented`), real ones in wordings that no decision about training has seen
(`tools.pairs_fresh`), all with exactly the right call to one or two tools; and questions that no
offered tool is for (`tools.quiet`: no call, whatever else the answer says).

    python -m pilot.evaluate [--per-kind 40] [--json FILE] [--show-failures 3]

Standard library only. Without CUPOLA_EVAL_URI and CUPOLA_EVAL_KEY in the environment it starts a
server of its own in a temporary home, and stops it afterwards.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pilot.conversation import Check, Conversation, Split
from pilot.corpus import mixture, tools
from pilot.corpus.places import REAL, is_training_city
from pilot.judge import passes

PAIRS = QUIET = 200
ASKED_AT_ONCE = 4
DRAWS_PER_GROUP = 1_000
"""Enough for the rarest kinds; a kind that is drawn less often is asked fewer times."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and with which key."""

    uri: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as a client sees it."""

    content: str
    calls: tuple[tuple[str, Any], ...]


def main() -> None:
    """Draw, ask, judge and print."""
    options = _options()
    with _endpoint() as endpoint:
        rows = {
            split: _ask_all(endpoint, questions(split, options.per_kind), options.show_failures)
            for split in ("train", "heldout")
        }
        larger = {
            "tools.pairs": city_pairs(real=True),
            "tools.pairs_invented": city_pairs(real=False),
            "tools.pairs_fresh": fresh_pairs(),
            "tools.quiet": unrelated(),
        }
        rows["heldout"] |= _ask_all(endpoint, larger, options.show_failures)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-kind", type=int, default=40)
    parser.add_argument("--show-failures", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def questions(split: Split, per_kind: int) -> dict[str, list[Conversation]]:
    """At most `per_kind` conversations of every kind, the same ones at every call."""
    asked: dict[str, list[Conversation]] = defaultdict(list)
    for name in mixture.GROUPS:
        supply = mixture.source(name)(split, random.Random(f"evaluation of {name}"))
        for _ in range(DRAWS_PER_GROUP):
            conversation = next(supply)
            if len(asked[conversation.kind]) < per_kind:
                asked[conversation.kind].append(conversation)
    return dict(sorted(asked.items()))


def city_pairs(*, real: bool) -> list[Conversation]:
    """Held-out questions whose right answer is a call with two places never seen in training.

    One half offers one tool, the other two.
    """
    found: list[Conversation] = []
    for kind in ("tools.call", "tools.two"):
        supply = mixture.source("tools")("heldout", random.Random(f"city pairs of {kind}"))
        wanted = (c for c in supply if c.kind == kind and _count_places(c, real=real) == 2)
        found += islice(wanted, PAIRS // 2)
    return found


def fresh_pairs() -> list[Conversation]:
    """Pairs of held-out real cities in wordings that no decision about training has seen."""
    rng = random.Random("fresh city pairs")
    supply = (tools.fresh(rng) for _ in count())
    return list(islice((c for c in supply if _count_places(c, real=True) == 2), PAIRS))


def unrelated() -> list[Conversation]:
    """Held-out questions of fact and small talk with tools offered that are for something else."""
    supply = mixture.source("tools")("heldout", random.Random("unrelated"))
    found = (c for c in supply if c.kind == "tools.none")
    return [replace(next(found), check=Check(no_call=True)) for _ in range(QUIET)]


def _count_places(conversation: Conversation, *, real: bool) -> int:
    """How many arguments of the wanted call are real held-out cities, or invented names."""
    assert conversation.check.call is not None
    values = conversation.check.call[1].values()
    names = [value for value in values if isinstance(value, str) and value[:1].isupper()]
    return sum((name in REAL["heldout"]) is real for name in names if not is_training_city(name))


def _ask_all(
    endpoint: Endpoint, asked: Mapping[str, Sequence[Conversation]], show: int
) -> dict[str, tuple[int, int]]:
    """Per kind: how many replies were right, of how many."""
    flat = [c for conversations in asked.values() for c in conversations]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        answers = list(pool.map(lambda c: _ask(endpoint, c), flat))
    right: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    kinds = [kind for kind, conversations in asked.items() for _ in conversations]
    for kind, conversation, answer in zip(kinds, flat, answers, strict=True):
        if passes(conversation.check, answer.content, answer.calls):
            right[kind] += 1
        elif shown[kind] < show:
            shown[kind] += 1
            _print_failure(kind, conversation, answer)
    return {kind: (right[kind], len(conversations)) for kind, conversations in asked.items()}


def _print_failure(kind: str, conversation: Conversation, answer: Answer) -> None:
    said = [m["content"] for m in conversation.messages[:-1] if m["content"]]
    wanted = conversation.messages[-1]
    print(f"\n[{kind}] {' | '.join(said)}")
    print(f"   wanted: {wanted.get('tool_calls') or wanted['content']}")
    print(f"   got:    {answer.calls or answer.content}")


def _ask(endpoint: Endpoint, conversation: Conversation) -> Answer:
    parts = urlsplit(endpoint.uri)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    headers = {"Content-Type": "application/json", "api-key": endpoint.key}
    body = json.dumps(request_body(conversation))
    connection.request("POST", f"{parts.path}/chat/completions", body, headers)
    reply = connection.getresponse()
    document = json.loads(reply.read())
    connection.close()
    if reply.status != 200:
        return Answer(f"<{reply.status} {document}>", ())
    message = document["choices"][0]["message"]
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return Answer(
        message["content"] or "", tuple((c["name"], json.loads(c["arguments"])) for c in calls)
    )


def request_body(conversation: Conversation) -> dict[str, Any]:
    """The request that asks for the last message of `conversation`."""
    body: dict[str, Any] = {
        "messages": [_on_wire(m) for m in conversation.messages[:-1]],
        "temperature": 0,
        "max_tokens": 200,
    }
    if conversation.tools:
        body["tools"] = list(conversation.tools)
    if conversation.check.json_keys is not None:
        body["response_format"] = {"type": "json_object"}
    return body


def _on_wire(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with the arguments of its calls as JSON text."""
    calls = [
        {**c, "function": {**c["function"], "arguments": json.dumps(c["function"]["arguments"])}}
        for c in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls} if calls else dict(message)


def table(rows: Mapping[str, Mapping[str, tuple[int, int]]]) -> str:
    """The figures as a Markdown table, one kind a line."""
    kinds = sorted(rows["train"].keys() | rows["heldout"].keys())
    lines = ["| kind | seen wordings | held out |", "| --- | ---: | ---: |"]
    for kind in kinds:
        cells = (_share(rows[split].get(kind)) for split in ("train", "heldout"))
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(row: tuple[int, int] | None) -> str:
    if row is None or row[1] == 0:
        return "-"
    right, asked = row
    return f"{100 * right / asked:.1f} % ({right}/{asked})"


@contextmanager
def _endpoint() -> Iterator[Endpoint]:
    """The endpoint named by the environment, or one of our own."""
    if uri := os.environ.get("CUPOLA_EVAL_URI"):
        yield Endpoint(uri.rstrip("/"), os.environ["CUPOLA_EVAL_KEY"])
        return
    with tempfile.TemporaryDirectory() as home:
        ready = Path(home) / "ready"
        command = [sys.executable, "-m", "cupola"]
        where = ["--home", f"{home}/home"]
        server = subprocess.Popen(
            [*command, "up", "--port", "0", *where, "--ready-file", str(ready)],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(ready, server)
            shown = subprocess.check_output(
                [*command, "endpoints", "show", "pilot", "--json", *where]
            )
            described = json.loads(shown)
            yield Endpoint(described["target_uri"], described["primary_key"])
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(ready: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not ready.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit("The server did not become ready; try `cupola doctor`.")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
