"""The control events that don't come out of a child's channel, such as `Started` and `Intervention`.

They go into the log at once, and those who only want to hear what happens are told.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

import trio

from axiom_trio.engine.notices import Notices
from axiom_trio.sansio.events import Delivery, Idle, Intervention, Started

if TYPE_CHECKING:
    from axiom_trio.engine.child import Child
    from axiom_trio.engine.notices import Notice
    from axiom_trio.engine.services import Services
    from axiom_trio.sansio.events import Receipt


def random_id() -> str:
    """32 hexadecimal digits."""
    return os.urandom(16).hex()


class Recorder:
    """Records what happens to the children of one aggregator."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._log = services.log
        self._notices: weakref.WeakSet[Notices] = weakref.WeakSet()

    def notices(self) -> Notices:
        """Tells of what a person may want to be told from now on."""
        notices = Notices()
        self._notices.add(notices)
        return notices

    def started(self, child: Child, pid: int | None) -> None:
        """An attempt of the child runs."""
        now = trio.current_time()
        child.pid = pid
        child._port.meter.start(now)
        if child._port.echo is not None:
            child._port.echo = child._port.echo.renewed()
        self._services.patrol.watch(child)
        tty = child._executor.tty
        if self._services.formatter is not None:
            self._services.formatter.add(child.id, child.name, child.index, pid, tty=tty)
        self._log.append(
            Started(
                cursor=self._log.next,
                time=now + self._services.wall_offset,
                child=child.id,
                name=child.name,
                index=child.index,
                pid=pid,
                tty=tty,
                metadata=child.metadata,
            )
        )
        self._log.publish()
        child._running.set()

    def idle(self, child: Child, silent: float) -> None:
        """The child has been silent for so many seconds."""
        event = Idle(
            cursor=self._log.next,
            time=trio.current_time() + self._services.wall_offset,
            child=child.id,
            idle=silent,
        )
        self._log.append(event)
        self._log.publish()
        self.tell(event)

    def intervened(self, child: Child, text: str, receipt: str, rule: str | None = None) -> None:
        """A text is about to be written into the child."""
        event = Intervention(
            cursor=self._log.next,
            time=trio.current_time() + self._services.wall_offset,
            child=child.id,
            count=child._port.meter.interventions + 1,
            origin="user" if rule is None else "rule",
            text=text,
            receipt=receipt,
            rule=rule,
        )
        self._services.merger.intervened(child._port, event)
        self._log.publish()
        self.tell(event)

    def delivered(self, child: Child, receipt: Receipt, rule: str | None = None) -> None:
        """What became of a message, or why a rule did not make one."""
        if self._log.closed:  # the run is over: nobody reads any more
            return
        event = Delivery(
            cursor=self._log.next,
            time=trio.current_time() + self._services.wall_offset,
            child=child.id,
            receipt=None if receipt.state == "suppressed" else receipt.id,
            state=receipt.state,
            reason=receipt.reason,
            rule=rule,
        )
        self._log.append(event)
        self._log.publish()
        self.tell(event)

    def tell(self, event: Notice) -> None:
        """Tell those who listen."""
        for notices in self._notices:
            notices.add(event)
