"""An observer that keeps what it was told."""

from cupola.gateway.journey import Journey


class MemoryObserver:
    """`Observer`."""

    def __init__(self) -> None:
        self.journeys: list[Journey] = []

    def observe(self, journey: Journey) -> None:
        self.journeys.append(journey)
