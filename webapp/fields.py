"""Model fields of our own."""

from __future__ import annotations

from typing import Any

from django.db import models


class OrderedJSONField(models.JSONField):
    """JSON whose objects keep their keys' order, as layers in forward order do.

    PostgreSQL's `jsonb`, which Django takes, sorts keys by length; its `json` keeps the text. That has no equality, so
    such a field cannot be filtered by, nor be in a DISTINCT. SQLite keeps the text anyway.
    """

    def db_type(self, connection: Any) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        # Django stops psycopg from reading `jsonb`, so as to do so itself; `json` has been read already.
        return value if connection.vendor == "postgresql" else super().from_db_value(value, expression, connection)
