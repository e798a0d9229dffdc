"""The catalog: which models there are, what each can do, and where its weights lie.

An entry is a data file in `models/`, so that no code names a model. Begin with `model`.
"""
