"""Live events: in order, none lost, none twice, to many viewers by one reader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from django.db import connections
from django.test import AsyncClient

from tests.webapp.factories import make_network
from webapp.live import hub as hubs
from webapp.live import reading
from webapp.live.reading import Change, read_changes
from webapp.live.stream import encode, stream
from webapp.networks.models import Network
from webapp.runs.models import Run

# The reader reads in a thread of its own: what it is to see must be committed.
pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 20  # seconds until a test that waits for ever fails


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that looks a hundred times a second."""
    monkeypatch.setattr(hubs.Hub.__init__, "__defaults__", (0.01,))


def parse(pieces: list[bytes]) -> list[dict[str, Any]]:
    """Server-sent events as a browser understands them; comments and retry lines left out."""
    events = []
    for block in b"".join(pieces).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in fields:
            events.append({"id": fields.get("id"), "event": fields["event"], "data": json.loads(fields["data"])})
    return events


def write(function: Callable[[], Any]) -> Awaitable[Any]:
    """Writes in the reader's own thread, so that a test's tiny database is never written and read at once."""
    return hubs.hub()._in_thread(function)


async def collect(run_id: int, after: int = 0, *, until: Callable[[list[dict[str, Any]]], bool], **options: Any) -> Any:
    pieces: list[bytes] = []
    async with aclosing(stream(run_id, after, **options)) as source:
        async for piece in source:
            pieces.append(piece)
            if until(parse(pieces)):
                break
    return parse(pieces)


def play(coroutine: Any) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


# --- numbers ------------------------------------------------------------------------------------------


def test_events_are_numbered_without_gaps_per_run(run: Run, other_run: Run) -> None:
    for number in range(1, 6):
        assert run.record("epoch").number == number
        other_run.record("epoch")
    assert [event.number for event in run.events.all()] == [1, 2, 3, 4, 5]
    run.refresh_from_db()
    assert run.last_event == 5


# --- the stream -------------------------------------------------------------------------------------------


def test_a_stream_replays_follows_and_ends(run: Run, quick: None) -> None:
    run.record("queued")
    run.record("started")

    async def watch() -> Any:
        async def happen() -> None:
            await asyncio.sleep(0.05)
            await write(lambda: run.record("generation", generation=1))
            await write(lambda: Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED))

        task = asyncio.create_task(happen())
        events = await collect(run.pk, until=lambda events: False)  # it ends by itself
        await task
        return events

    events = play(watch())
    assert [(event["id"], event["event"]) for event in events] == [
        ("1", "queued"),
        ("2", "started"),
        ("3", "generation"),
        (None, "end"),
    ]
    assert events[2]["data"]["sentence"] == "Generation 1 is complete."
    assert events[2]["data"]["data"] == {"generation": 1}


def test_a_stream_of_an_ended_run_replays_from_a_number_and_ends(run: Run) -> None:
    for _ in range(7):
        run.record("epoch")
    Run.objects.filter(pk=run.pk).update(state=Run.State.FAILED)
    events = play(collect(run.pk, 4, until=lambda events: False))
    assert [event["id"] for event in events] == ["5", "6", "7", None]
    assert events[-1]["event"] == "end"


def test_a_long_past_is_replayed_in_batches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 3)
    monkeypatch.setattr("webapp.live.stream.BATCH", 3)
    monkeypatch.setattr(reading.events_after, "__defaults__", (3,))
    for _ in range(10):
        run.record("epoch")
    Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED)
    events = play(collect(run.pk, until=lambda events: False))
    assert [event["id"] for event in events] == [*map(str, range(1, 11)), None]


def test_what_happens_while_it_replays_comes_once_and_in_order(
    run: Run, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.record("queued")
    real, happened = reading.events_after, []

    def slowly(run_id: int, number: int, limit: int = 500) -> list[Change]:
        changes = real(run_id, number, limit)
        if not happened:  # after the first read of the replay, and before the stream has followed on
            happened.append(run.record("started"))
            happened.append(run.record("generation"))
        return changes

    monkeypatch.setattr("webapp.live.stream.events_after", slowly)

    async def watch() -> Any:
        task = asyncio.create_task(collect(run.pk, until=lambda events: len(events) >= 4))
        while not happened:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await write(lambda: run.record("tested"))
        return await task

    assert [event["id"] for event in play(watch())] == ["1", "2", "3", "4"]


def test_a_viewer_who_cannot_keep_up_misses_nothing(run: Run, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "QUEUE", 4)

    async def watch() -> Any:
        async with aclosing(stream(run.pk, 0)) as source:
            pieces = [await anext(source)]
            waiting = asyncio.ensure_future(anext(source))
            await asyncio.sleep(0.05)
            for _ in range(40):
                await write(lambda: run.record("epoch"))
            await asyncio.sleep(0.1)
            pieces.append(await waiting)
            while len(parse(pieces)) < 40:
                pieces.append(await anext(source))
            return parse(pieces)

    assert [event["id"] for event in play(watch())] == [str(number) for number in range(1, 41)]


def test_silence_is_filled_with_comments(run: Run, quick: None) -> None:
    async def watch() -> list[bytes]:
        async with aclosing(stream(run.pk, 0, heartbeat=0.03)) as source:
            return [await anext(source) for _ in range(3)]

    pieces = play(watch())
    assert pieces[0].startswith(b"retry:")
    assert pieces[1:] == [b": still here\n\n"] * 2


def test_living_networks_tell_their_progress_once_a_change(run: Run, quick: None) -> None:
    network = make_network(run, "ancestor", state="living", phase="growth", progress=0.25, images_per_second=512.0)

    async def watch() -> Any:
        task = asyncio.create_task(collect(run.pk, until=lambda events: len(events) >= 2))
        await asyncio.sleep(0.15)
        await write(lambda: Network.objects.filter(pk=network.pk).update(progress=0.5))
        return await task

    first, second = play(watch())
    assert first["event"] == second["event"] == "living"
    assert first["id"] is None
    assert first["data"]["networks"] == [
        {
            "name": "ancestor",
            "phase": "growth",
            "doing": "growing",
            "progress": 0.25,
            "images_per_second": 512.0,
            "speed": "512 images/s",
        }
    ]
    assert second["data"]["networks"][0]["progress"] == 0.5


def test_a_run_that_is_deleted_ends_its_streams(run: Run) -> None:
    number = run.pk
    run.delete()
    assert [event["event"] for event in play(collect(number, until=lambda events: False))] == ["end"]


def test_events_hold_no_line_breaks() -> None:
    piece = encode(Change(1, "note", 7, {"sentence": "one\ntwo\r\nthree\u2028"}))
    assert piece.count(b"\n") == 4
    assert parse([piece])[0]["data"]["sentence"] == "one\ntwo\r\nthree\u2028"


# --- the reader ---------------------------------------------------------------------------------------------


def test_one_reader_feeds_all_viewers_and_rests_when_they_leave(
    run: Run, other_run: Run, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[dict[int, int]] = []

    def counted(after: dict[int, int]) -> list[Change]:
        looks.append(dict(after))
        return read_changes(after)

    monkeypatch.setattr(hubs, "read_changes", counted)

    async def watch() -> tuple[list[Any], Any]:
        reader = hubs.hub()
        viewers = [asyncio.create_task(collect(r.pk, until=bool)) for r in (run, other_run) for _ in range(60)]
        while sum(map(len, reader._viewers.values())) < 120:
            await asyncio.sleep(0.01)
        await write(lambda: run.record("started"))
        await write(lambda: other_run.record("started"))
        events = await asyncio.gather(*viewers)
        task = reader._task
        assert task is not None
        await task  # nobody watches: it ends by itself
        return events, reader

    events, reader = play(watch())
    assert all([event["id"] for event in viewer] == ["1"] for viewer in events)
    assert all(set(look) <= {run.pk, other_run.pk} for look in looks)
    assert not reader._viewers
    assert not reader._numbers


def test_many_watched_runs_cost_three_queries(run: Run, other_run: Run, django_assert_num_queries: Any) -> None:
    for _ in range(20):
        run.record("epoch", network=None)
    with django_assert_num_queries(3):
        changes = read_changes({run.pk: 0, other_run.pk: 0})
    assert len(changes) == 20
    assert read_changes({}) == []


def test_the_end_waits_for_the_last_event(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        run.record("epoch")
    Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED)
    monkeypatch.setattr(reading, "BATCH", 3)
    assert [change.kind for change in read_changes({run.pk: 0})] == ["epoch"] * 3
    assert [change.kind for change in read_changes({run.pk: 3})] == ["epoch"] * 2 + ["end"]


def test_a_reader_whose_database_is_away_tries_again(run: Run, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    failures = iter([OperationalError("away"), OperationalError("still away")])

    def flaky(after: dict[int, int]) -> list[Change]:
        error = next(failures, None)
        if error is not None:
            raise error
        return read_changes(after)

    monkeypatch.setattr(hubs, "read_changes", flaky)

    async def watch() -> Any:
        task = asyncio.create_task(collect(run.pk, until=bool))
        await asyncio.sleep(0.05)
        await write(lambda: run.record("started"))
        return await task

    assert [event["id"] for event in play(watch())] == ["1"]


# --- over HTTP ----------------------------------------------------------------------------------------------


async def signed_in(user: Any) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(user)
    return client


async def all_of(response: Any) -> list[dict[str, Any]]:
    source: AsyncIterator[bytes] = response.streaming_content
    return parse([piece async for piece in source])


def test_the_address_streams_to_members(run: Run, vic: Any) -> None:
    for _ in range(3):
        run.record("epoch")
    Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED)

    async def watch() -> Any:
        client = await signed_in(vic)
        response = await client.get(f"/runs/{run.pk}/events?after=1")
        assert response["Content-Type"].startswith("text/event-stream")
        assert response["Cache-Control"] == "no-store"
        back = await client.get(f"/runs/{run.pk}/events?after=0", headers={"last-event-id": "2"})
        return await all_of(response), await all_of(back)

    first, back = play(watch())
    assert [event["id"] for event in first] == ["2", "3", None]
    assert [event["id"] for event in back] == ["3", None]  # a browser that comes back knows best


def test_the_address_is_closed_to_others(run: Run, olga: Any) -> None:
    async def knock() -> tuple[int, int, int]:
        stranger, nobody = await signed_in(olga), AsyncClient()
        return (
            (await stranger.get(f"/runs/{run.pk}/events")).status_code,
            (await stranger.get(f"/runs/{run.pk}/events.json")).status_code,
            (await nobody.get(f"/runs/{run.pk}/events")).status_code,
        )

    assert play(knock()) == (404, 404, 302)


def test_a_waiting_stream_holds_no_connection(run: Run, ada: Any, quick: None) -> None:
    """Between two looks, no thread that served the stream keeps its database connection."""
    open_ones: list[int] = []

    async def watch() -> None:
        client = await signed_in(ada)
        response = await client.get(f"/runs/{run.pk}/events")
        source = response.streaming_content.__aiter__()
        await anext(source)
        waiting = asyncio.ensure_future(anext(source))
        await asyncio.sleep(0.1)
        from asgiref.sync import sync_to_async

        def look() -> int:
            return sum(1 for connection in connections.all(initialized_only=True) if connection.connection is not None)

        open_ones.append(await sync_to_async(look)())
        waiting.cancel()

    play(watch())
    assert open_ones == [0]


def test_without_asgi_the_page_is_told_to_poll(client_of: Any, ada: Any, run: Run) -> None:
    response = client_of(ada).get(f"/runs/{run.pk}/events")
    assert response.status_code == 501
    assert b"events.json" in response.content


# --- polling ---------------------------------------------------------------------------------------------------


def test_polling_tells_the_same(client_of: Any, ada: Any, run: Run) -> None:
    network = make_network(run, "ancestor", state="living", phase="growth", progress=0.5)
    for _ in range(3):
        run.record("shock", network=network, accuracy=0.5)
    client = client_of(ada)
    answer = client.get(f"/runs/{run.pk}/events.json", {"after": 1}).json()
    assert [event["number"] for event in answer["events"]] == [2, 3]
    assert answer["events"][0]["network"] == "ancestor"
    assert answer["events"][0]["sentence"].startswith("The ancestor: 50.0 %")
    assert (answer["last"], answer["more"], answer["ended"]) == (3, False, False)
    assert answer["living"][0]["doing"] == "growing"
    Run.objects.filter(pk=run.pk).update(state=Run.State.CANCELLED)
    again = client.get(f"/runs/{run.pk}/events.json", {"after": 3}).json()
    assert (again["events"], again["last"], again["ended"]) == ([], 3, True)


@pytest.mark.parametrize("after", ["", "-1", "x", "9" * 40, "١"])
def test_a_number_that_is_none_means_from_the_beginning(client_of: Any, ada: Any, run: Run, after: str) -> None:
    run.record("queued")
    answer = client_of(ada).get(f"/runs/{run.pk}/events.json", {"after": after}).json()
    assert answer["last"] == 1


def test_much_at_once_is_told_in_batches(client_of: Any, ada: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.live.stream.BATCH", 2)
    monkeypatch.setattr(reading.events_after, "__defaults__", (2,))
    for _ in range(3):
        run.record("epoch")
    client = client_of(ada)
    first = client.get(f"/runs/{run.pk}/events.json").json()
    assert (first["last"], first["more"]) == (2, True)
    second = client.get(f"/runs/{run.pk}/events.json", {"after": 2}).json()
    assert (second["last"], second["more"]) == (3, False)
