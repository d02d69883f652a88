"""`GET /healthz`: whether Eustress can do its work, for people's monitors and for the supervisor.

200 and `"status": "ok"` when the database and Redis answer, at least one worker lives, and so does what sends
the sweeper's schedule; else 503, `"status": "unwell"`, and `missing` names what is not there.
No sign-in, no secrets, no waiting: every check gives up within a second or so.
"""

from __future__ import annotations

from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webapp.server import presence


@never_cache
@require_safe
@transaction.non_atomic_requests
def healthz(request: HttpRequest) -> JsonResponse:
    found = examine()
    response = JsonResponse(found, status=200 if found["status"] == "ok" else 503)
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django logs a 503 as an error; this one is an answer
    return response


def examine() -> dict[str, Any]:
    """The parts, each "ok" or "down"; `workers` is the number of living processes that train."""
    roles = _roles()
    parts = {
        "database": _database_answers(),
        "redis": roles is not None,
        "workers": bool(roles and roles[presence.TRAINER]),
        "sweeper": bool(roles and roles[presence.BEAT]),
    }
    missing = [name for name, lives in parts.items() if not lives]
    return {
        "status": "unwell" if missing else "ok",
        **{name: "ok" if lives else "down" for name, lives in parts.items()},
        "workers": len(roles[presence.TRAINER]) if roles else 0,
        "version": settings.VERSION,
        **({"missing": missing} if missing else {}),
    }


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone() == (1,)
    except DatabaseError:
        return False


def _roles() -> dict[str, list[str]] | None:
    try:
        return presence.living(settings.REDIS_URL)
    except redis.RedisError:
        return None
