"""The engine `upstream`: a model that somebody else runs, behind an endpoint that speaks a dialect.

    config    what the operator writes down, as a file; `address` takes its URL apart
    request   canonical -> the upstream's bytes, by `dialect`
    events    the upstream's bytes -> events of a stream -> `reply` -> canonical
    refusal   its errors -> ours
    replica   all of it, as the port wants it

Begin with `replica`. Callers choose neither host nor path: both come from the operator alone.
"""
