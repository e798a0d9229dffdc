"""The database: SQLite in the home. `database` opens it, `migration` brings its schema up to date.

Domains write their own statements in their `store`; only the tables' shapes live here (`tables`),
because a migration has to see all of them at once.
"""
