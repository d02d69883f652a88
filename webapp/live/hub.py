"""One reader a process: it asks the database about once a second for all watched runs, and feeds their viewers.

However many people watch, there is one query for new events and one for living networks. A viewer's queue is
bounded: who cannot keep up loses nothing, because her stream is told so and reads what she missed from the database.
No viewer holds a database connection, and the reader lets go of its own when nobody watches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from webapp.live.reading import Change, last_numbers, read_changes, release_connections

log = logging.getLogger(__name__)

PERIOD = 1.0  # seconds between two looks
QUEUE = 256  # changes that wait for one viewer


@dataclass(eq=False)
class Subscription:
    """One viewer of one run. `lagging` is set when her queue overflowed: she must read from the database again."""

    run_id: int
    queue: asyncio.Queue[Change] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    lagging: bool = False

    def offer(self, change: Change) -> None:
        try:
            self.queue.put_nowait(change)
        except asyncio.QueueFull:
            while not self.queue.empty():
                self.queue.get_nowait()
            self.lagging = True
            self.queue.put_nowait(change)  # wakes the viewer, who then catches up


class Hub:
    """The reader of one event loop. Make it by :func:`hub`; tests may make their own, with a shorter period."""

    def __init__(self, period: float = PERIOD):
        self.period = period
        self._viewers: dict[int, set[Subscription]] = {}
        self._numbers: dict[int, int] = {}
        self._lives: dict[int, Any] = {}
        self._task: asyncio.Task[None] | None = None
        # A thread of its own: the connection it opens belongs to it alone, and no request's end closes it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")

    async def subscribe(self, run_id: int) -> Subscription:
        """Changes after this moment arrive in the subscription's queue; replay what came before it separately."""
        subscription = Subscription(run_id)
        if run_id not in self._viewers:
            numbers = await self._in_thread(last_numbers, [run_id])
            if run_id not in self._viewers:  # nobody was quicker while we read
                self._numbers[run_id] = numbers.get(run_id, 0)
        self._viewers.setdefault(run_id, set()).add(subscription)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read(), name="live reader")
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        viewers = self._viewers.get(subscription.run_id)
        if viewers is None:
            return
        viewers.discard(subscription)
        if not viewers:
            for known in (self._viewers, self._numbers, self._lives):
                known.pop(subscription.run_id, None)

    @property
    def watched(self) -> Iterable[int]:
        return self._viewers.keys()

    @property
    def viewers(self) -> int:
        """How many subscriptions there are, to all runs together."""
        return sum(map(len, self._viewers.values()))

    async def _read(self) -> None:
        """Looks while anybody watches. A database that is away for a while is waited for."""
        try:
            while self._viewers:
                try:
                    await self._look()
                except Exception:
                    log.warning("The live reader could not read; it tries again.", exc_info=True)
                await asyncio.sleep(self.period)
        finally:
            self._thread.submit(release_connections)

    async def _look(self) -> None:
        after = dict(self._numbers)
        for change in await self._in_thread(read_changes, after):
            if change.run_id not in self._viewers:
                continue
            if change.number is not None:
                self._numbers[change.run_id] = change.number
            elif change.kind == "living":
                if self._lives.get(change.run_id) == change.data:
                    continue
                self._lives[change.run_id] = change.data
            for viewer in tuple(self._viewers[change.run_id]):
                viewer.offer(change)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """This event loop's reader; an application server has one loop a process."""
    loop = asyncio.get_running_loop()
    for other in [known for known in _hubs if known.is_closed()]:
        del _hubs[other]
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
