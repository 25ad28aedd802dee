"""Bringing a file to the disk every so often, without anybody waiting for it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import trio


class IntervalSync:
    """Syncs a file at most `interval` seconds after it was written to, in a thread.

    Args:
        interval: In seconds.
    """

    def __init__(self, interval: float) -> None:
        self.error: OSError | None = None
        """What the last sync failed with; it's for its finder to clear."""
        self._interval = interval
        self._descriptor = -1
        self._due = False
        self._running: trio.Event | None = None
        self._hurry = threading.Event()

    def written(self, descriptor: int) -> None:
        """Take note that there's something to bring to the disk."""
        self._descriptor = descriptor
        if not self._due:
            self._due = True
            if self._running is None:
                self._start()

    async def finish(self) -> None:
        """Wait until nothing is under way; what is due is left to the caller."""
        while self._running is not None:
            self._due = False
            self._hurry.set()
            await self._running.wait()

    def _start(self) -> None:
        self._running = trio.Event()
        self._hurry.clear()
        token = trio.lowlevel.current_trio_token()

        def sync() -> None:
            self._hurry.wait(self._interval)
            if self._due:
                self._due = False  # what is written from here on is for the next time
                os.fdatasync(self._descriptor)

        def deliver(outcome: object) -> None:
            error = getattr(outcome, "error", None)
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._done, error)

        trio.lowlevel.start_thread_soon(sync, deliver, "axiom journal sync")

    def _done(self, error: OSError | None) -> None:
        assert self._running is not None
        self.error = self.error or error
        self._running.set()
        self._running = None
        if self._due:
            self._start()
