"""However many want to watch, a process carries only so many streams; the others are asked to poll."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.webapp import test_live
from tests.webapp.test_live import play, signed_in
from webapp.runs.models import Run

pytestmark = test_live.pytestmark
quick = test_live.quick


def test_beyond_its_limit_a_process_asks_viewers_to_poll(
    run: Run, ada: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.stream.MOST", 1)

    async def watch() -> tuple[int, int, int]:
        client = await signed_in(ada)
        first = await client.get(f"/runs/{run.pk}/events")
        source = first.streaming_content.__aiter__()
        await anext(source)
        second = await client.get(f"/runs/{run.pk}/events")
        waiting = asyncio.ensure_future(anext(source))
        await asyncio.sleep(0.05)
        waiting.cancel()  # as a server does whose viewer has gone
        await asyncio.wait([waiting])
        third = await client.get(f"/runs/{run.pk}/events")
        return first.status_code, second.status_code, third.status_code

    assert play(watch()) == (200, 503, 200)
