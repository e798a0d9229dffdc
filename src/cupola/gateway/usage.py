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
        self._settled = self._prompt = self._completion = 0

    def record(self, settle: Settle, served: Served, request_id: str) -> None:
        """Count one completion."""
        usage = settle.usage
        self._settled += 1
        self._prompt += usage.prompt
        self._completion += usage.completion
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
        return UsageTotals(self._settled, self._prompt, self._completion)
