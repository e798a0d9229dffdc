"""What was used, counted: the place where a ledger will stand."""

import logging
from dataclasses import dataclass

from cupola.gateway.directory import Served
from cupola.gateway.relay import Settle

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Sums since the process started."""

    settled: int
    """Completions that ended, however they ended."""
    prompt: int
    """Tokens, as far as engines counted them."""
    completion: int


class UsageCount:
    """Takes each completion's settlement, once."""

    def __init__(self) -> None:
        self._totals = UsageTotals(0, 0, 0)

    def record(self, settle: Settle, served: Served, request_id: str) -> None:
        """Count one completion."""
        usage, before = settle.usage, self._totals
        self._totals = UsageTotals(
            before.settled + 1, before.prompt + usage.prompt, before.completion + usage.completion
        )
        _log.debug(
            "%s %s: prompt %d, completion %d%s",
            request_id,
            served.endpoint,
            usage.prompt,
            usage.completion,
            "" if settle.counted else " (not counted by the engine)",
        )

    def statistics(self) -> UsageTotals:
        """The sums so far."""
        return self._totals
