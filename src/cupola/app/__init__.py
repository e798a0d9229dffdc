"""The composition root: the only place that names concrete adapters and joins the parts.

    state        the home: database, keys, catalog, people, endpoints      (commands use it too)
    models       what a deployment's spec comes to on this machine: engines and weights
    fleet        replicas, as the state wants them
    plane        what requests are served by: the snapshot, and who keeps it true
    management   the management API, imported when the first of its requests comes
    greeting     finding out that the first endpoint answers
    serve        all of it, started and stopped

Begin with `serve.serve`.
"""
