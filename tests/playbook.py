"""A conversation with a state machine as one expression: `>>` happens, `<<` is expected."""

from collections.abc import Callable, Iterable
from typing import Any, Self


class Playbook:
    """A script of inputs and expected outputs; true if the machine follows it to the letter.

    Args:
        receive: Takes what happens; returns, in order, what comes of it.
    """

    def __init__(self, receive: Callable[[Any], Iterable[object]]) -> None:
        self._receive = receive
        self._actual: list[object] = []
        self._expected: list[object] = []

    def __rshift__(self, happening: Any) -> Self:
        assert self._expected == self._actual
        self._actual += self._receive(happening)
        return self

    def __lshift__(self, output: object) -> Self:
        self._expected.append(output)
        return self

    def __bool__(self) -> bool:
        assert self._expected == self._actual
        return True
