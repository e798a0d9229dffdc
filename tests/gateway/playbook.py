"""Write a conversation with a state machine as one expression: `>>` happens, `<<` is expected."""

from typing import Any, Protocol, Self


class Machine(Protocol):
    def receive(self, event: Any) -> Any: ...


class Playbook:
    """A script of inputs and expected outputs; true if the machine follows it to the letter."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.actual: list[object] = []
        self.expected: list[object] = []

    def __rshift__(self, event: object) -> Self:
        assert self.expected == self.actual
        self.actual += self.machine.receive(event)
        return self

    def __lshift__(self, output: object) -> Self:
        self.expected.append(output)
        return self

    def __bool__(self) -> bool:
        assert self.expected == self.actual
        return True
