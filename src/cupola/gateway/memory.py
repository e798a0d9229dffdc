"""An observer that keeps what it was told."""

from cupola.gateway.passage import Passage


class MemoryObserver:
    """`Observer`."""

    def __init__(self) -> None:
        self.passages: list[Passage] = []

    def observe(self, passage: Passage) -> None:
        self.passages.append(passage)
