"""A whole reply is the fold of its events."""

from dataclasses import dataclass, field
from statistics import fmean

from cupola.ids import new_tool_call_id
from cupola.wire.canonical import Call, Delta, Event, Finish, FinishReason, TokenLogprob, Usage
from cupola.wire.completion import Choice, NamedCall, Reply


@dataclass(slots=True)
class _Answer:
    """What one answer has said so far."""

    texts: list[str] = field(default_factory=list)
    calls: list[NamedCall] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reason: FinishReason = "stop"

    def likelihood(self) -> float:
        """The mean log-probability of its tokens; an empty answer is the least likely one."""
        return fmean([one.chosen.logprob for one in self.logprobs] or [-1e9])


class Fold:
    """Gathers what an engine says until all answers have finished.

    Args:
        per_prompt: How many answers, by their numbers, share a prompt.
        choices: How many of these become choices: the likeliest, if there are more of them.
        tells_logprobs: Whether the caller asked for them; they may have served the ranking only.
    """

    def __init__(
        self, per_prompt: int = 1, choices: int = 1, *, tells_logprobs: bool = True
    ) -> None:
        self._per_prompt = per_prompt
        self._choices = choices
        self._tells_logprobs = tells_logprobs
        self._answers = {0: _Answer()}

    def add(self, event: Event) -> None:
        """One more piece."""
        if isinstance(event, Delta):
            answer = self._answer(event.index)
            answer.texts.append(event.text)
            answer.logprobs += event.logprobs
        elif isinstance(event, Call):
            self._answer(event.index).calls.append(name_call(event))
        elif isinstance(event, Finish):
            self._answer(event.index).reason = event.reason

    def finish(self, end: Finish, usage: Usage) -> Reply:
        """The whole, with its last answer's end."""
        self.add(end)
        answers = [self._answers[i] for i in sorted(self._answers)]
        size = self._per_prompt
        groups = [answers[i : i + size] for i in range(0, len(answers), size)]
        return Reply([self._tell(one) for group in groups for one in self._choose(group)], usage)

    def _choose(self, answers: list[_Answer]) -> list[_Answer]:
        if len(answers) <= self._choices:
            return answers
        return sorted(answers, key=_Answer.likelihood, reverse=True)[: self._choices]

    def _tell(self, answer: _Answer) -> Choice:
        logprobs = tuple(answer.logprobs) if self._tells_logprobs else ()
        return Choice("".join(answer.texts), answer.calls, answer.reason, logprobs)

    def _answer(self, index: int) -> _Answer:
        return self._answers.setdefault(index, _Answer()) if index else self._answers[0]


def name_call(call: Call) -> NamedCall:
    """`call`, with the id by which its result will refer to it."""
    return NamedCall(new_tool_call_id(), call)
