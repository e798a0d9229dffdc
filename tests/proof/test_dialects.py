"""What a client reads of a running Cupola is what the transformers library says."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.proof.references import TOLERANCE, Place, Reference
from tests.running import Running, cupola

ROUTES = ("chat/completions", "models/chat/completions", "v1/chat/completions")
"""Azure's, that of its project-wide form, and OpenAI's and Mistral's."""
WAYS = {
    "flag": {"logprobs": True, "top_logprobs": 5},
    "number": {"logprobs": 5},  # as Llama's had it: so many, and the token that was chosen
}


@dataclass(frozen=True)
class Served:
    """A Cupola that serves the model of `reference`."""

    running: Running
    reference: Reference

    def ask(self, route: str, **fields: Any) -> list[dict[str, Any]]:
        """The only choice of the reply; one for each chunk of a stream."""
        messages = [{"role": "user", "content": self.reference.content(self.reference.prompt)}]
        body = {"messages": messages, "temperature": 0, "ignore_eos": True, **fields}
        headers = {
            "Authorization": f"Bearer {self.running.key}",
            "Content-Type": "application/json",
            "extra-parameters": "pass-through",
        }
        url = f"{self.running.target_uri}/{route}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            said = response.read()
        if fields.get("stream"):
            said = [line[6:] for line in said.split(b"\n\n") if b"{" in line]
            return [choice for event in said for choice in json.loads(event)["choices"]]
        return list(json.loads(said)["choices"])


@pytest.fixture(scope="module")
def served(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The model takes the place of the included one."""
    home: Path = tmp_path_factory.mktemp(reference.name) / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / "Cupola-Pilot.gguf").symlink_to(reference.weights)
    with cupola(home) as server:
        yield Served(server.wait_ready(), reference)


def content(choices: list[dict[str, Any]]) -> str:
    parts = [choice.get("message") or choice.get("delta") or {} for choice in choices]
    return "".join([part.get("content") or "" for part in parts])


def places(choices: list[dict[str, Any]]) -> list[Place]:
    """What is told, once its form is what clients read."""
    told = [place for c in choices if c.get("logprobs") for place in c["logprobs"]["content"]]
    for place in told:
        assert ["token", "logprob", "bytes", "token_id", "top_logprobs"] == list(place)
        for one in (place, *place["top_logprobs"]):
            assert one["token"] == bytes(one["bytes"]).decode()
    return [
        Place(
            (place["token"], place["logprob"]),
            [(one["token"], one["logprob"]) for one in place["top_logprobs"]],
        )
        for place in told
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_greedy_reply(served: Served, route: str, way: str, stream: bool) -> None:
    """The same tokens with the same log-probabilities, and they join to the text."""
    reference = served.reference
    choices = served.ask(route, max_tokens=len(reference.greedy), stream=stream, **WAYS[way])

    told = places(choices)
    assert reference.say(reference.greedy) == content(choices)
    assert [reference.tokens[token] for token in reference.greedy] == [p.chosen[0] for p in told]
    assert {5} == {len(place.likely) for place in told}
    assert reference.measure(told, reference.answered) <= TOLERANCE


@pytest.mark.parametrize("route", ROUTES)
def test_a_number_adds_the_chosen_token(served: Served, route: str) -> None:
    """One that is not among the likeliest comes after them, as likely as it was unforced."""
    reference = served.reference
    distribution = reference.answered[0]
    unlikely = distribution.index(min(distribution[3:]))
    forced = {"max_tokens": 1, "logit_bias": {str(unlikely): 100}}

    [by_number] = places(served.ask(route, logprobs=2, **forced))
    [by_flag] = places(served.ask(route, logprobs=True, top_logprobs=2, **forced))

    assert reference.tokens[unlikely] == by_number.chosen[0]
    assert by_number.chosen == by_number.likely[2]
    assert by_flag == Place(by_number.chosen, by_number.likely[:2])
    assert reference.measure([by_flag], [distribution]) <= TOLERANCE


@pytest.mark.parametrize("route", ROUTES)
def test_only_the_chosen_tokens(served: Served, route: str) -> None:
    """`logprobs` alone tells of no alternatives."""
    reference = served.reference

    told = places(served.ask(route, max_tokens=12, logprobs=True))

    assert [()] * 12 == [tuple(place.likely) for place in told]
    assert reference.measure(told, reference.answered[:12]) <= TOLERANCE
