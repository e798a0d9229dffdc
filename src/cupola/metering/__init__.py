"""What was used and what it costs: the ledger, prices, roll-ups, budgets. Begin with `model`, then
`writer`, where a request's record becomes durable."""
