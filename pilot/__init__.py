"""Cupola-Pilot, the included model: its corpus, tokenizer, training and evaluation.

Begin with `conversation` (what one example is), then `corpus.mixture` (what the model sees),
`train` (how it learns) and `evaluate` (what it can do, through a served endpoint).
"""
