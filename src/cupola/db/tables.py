"""The tables as the code expects them. A change here needs a revision in `migrations/versions`.

A test compares the two, so that neither is changed alone.
"""

from sqlalchemy import Column, Integer, MetaData, String, Table

metadata = MetaData()

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("model", String, nullable=False),
    Column("created", Integer, nullable=False),
    Column("primary_generation", Integer, nullable=False),
    Column("secondary_generation", Integer, nullable=False),
)
