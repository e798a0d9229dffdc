"""What engines have told so far of one request: what is known of it, however it ends.

An answer that comes to its end says what it used. Of one that is cut, the tallies of its
generations tell, which the engines keep while they answer: the prompt from when an engine has begun
with it, and each token of the answer from when it has come here.
"""

from cupola.gateway.directory import Served
from cupola.gateway.plan import Plan, estimate
from cupola.wire.canonical import Usage


class Told:
    """The tallies of one request's generations."""

    __slots__ = ("_generations", "_served", "_step")

    def __init__(self, plan: Plan, served: Served) -> None:
        self._generations = plan.generations
        self._served = served
        self._step = len(plan.generations) * plan.per_prompt // plan.answers

    def count(self) -> Usage:
        """Tokens so far. A prompt that an engine began with, but has not counted, is as long as it
        was estimated to be; one that no engine began with is not counted at all."""
        if len(self._generations) == 1:
            prompt, cached = self._count_prompt(0)
            return Usage(prompt, self._generations[0].tally.completion, cached)
        prompts = [self._count_prompt(i) for i in range(0, len(self._generations), self._step)]
        return Usage(
            sum([prompt for prompt, _ in prompts]),
            sum([one.tally.completion for one in self._generations]),
            sum([cached for _, cached in prompts]),
        )

    @property
    def was_taken(self) -> bool:
        """Whether an engine began with any of it."""
        return any(one.tally.taken for one in self._generations)

    @property
    def waited(self) -> float:
        """Seconds in which engines had the request, and were busy with others."""
        if len(self._generations) == 1:
            return self._generations[0].tally.waited or 0.0
        return max([one.tally.waited or 0.0 for one in self._generations])

    @property
    def replica(self) -> str:
        """Who was asked; several generations may have gone to several."""
        if len(self._generations) == 1:
            return self._generations[0].tally.replica
        return " ".join(sorted({one.tally.replica for one in self._generations} - {""}))

    def _count_prompt(self, first: int) -> tuple[int, int]:
        """Of the prompt that is first asked in this generation: its tokens, and those of them that
        had been read before."""
        asked = self._generations[first : first + self._step]
        taken = [one.tally for one in asked if one.tally.taken]
        if not taken:
            return 0, 0
        prompt = max([tally.prompt for tally in taken])
        return prompt or estimate(asked[0], self._served), min([tally.cached for tally in taken])
