"""Model fields of our own."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.fields.json import KeyTransform


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

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        adapted = super().get_db_prep_value(value, connection, prepared)
        if connection.vendor != "postgresql" or not hasattr(adapted, "obj"):
            return adapted
        from psycopg.types.json import Json

        return Json(adapted.obj)  # as `jsonb`, Django's way, it would lose its order on the way


def key_of(field: str, key: str) -> KeyTransform:
    """A key of a JSON field, for `values_list`.

    Django's spelling "field__key" gets there by an exception that it keeps, and with it everything that the callers
    have read, thousands of networks, until the garbage collector comes by.
    """
    return KeyTransform(key, field)
