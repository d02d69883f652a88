"""A stream ends soon after the permission to watch: with the membership, the account, the session or its password."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from django.test import AsyncClient

from tests.webapp import test_live
from tests.webapp.test_live import parse, play, signed_in, write
from webapp.live.permission import while_allowed
from webapp.runs.models import Run

pytestmark = test_live.pytestmark
quick = test_live.quick


async def sign_out(client: AsyncClient, _user: Any) -> None:
    assert (await client.post("/sign-out/")).status_code == 302


async def change_password(_client: AsyncClient, user: Any) -> None:
    """As in another browser, or by the owner of the installation."""
    user.set_password("another-horse-battery")
    await write(user.save)


async def leave(_client: AsyncClient, user: Any) -> None:
    await write(user.memberships.all().delete)


async def be_shut_out(_client: AsyncClient, user: Any) -> None:
    user.is_active = False
    await write(user.save)


async def sign_out_elsewhere(_client: AsyncClient, user: Any) -> None:
    other = await signed_in(user)
    await sign_out(other, user)


async def watched(run: Run, user: Any, end: Callable[[AsyncClient, Any], Any] | None) -> list[str]:
    """What the browser is told of three events, the first before `end`; the last says that the run has ended."""
    client = await signed_in(user)
    response = await client.get(f"/runs/{run.pk}/events")
    pieces: list[bytes] = []
    async with aclosing(response.streaming_content) as source:
        async for piece in source:
            pieces.append(piece)
            if end is not None and any(event["event"] == "epoch" for event in parse(pieces)):
                await end(client, user)
                end = None
                await write(lambda: run.record("note"))
                await write(lambda: Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED))
    return [event["event"] for event in parse(pieces) if event["event"] != "living"]


@pytest.mark.parametrize("end", [sign_out, change_password, leave, be_shut_out])
def test_a_stream_ends_with_the_permission(
    run: Run, vic: Any, quick: None, monkeypatch: pytest.MonkeyPatch, end: Any
) -> None:
    monkeypatch.setattr(while_allowed, "__defaults__", (0.0,))
    run.record("epoch")
    assert play(watched(run, vic, end)) == ["epoch"]


def test_signing_out_elsewhere_ends_no_stream_here(
    run: Run, vic: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(while_allowed, "__defaults__", (0.0,))
    run.record("epoch")
    assert play(watched(run, vic, sign_out_elsewhere)) == ["epoch", "note", "end"]
