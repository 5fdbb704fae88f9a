"""From a connection that stands to its end: what it brings goes to the intake, and a younger one may take over."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from videodb_cli.listener.connection import Connection, Ended
from videodb_cli.listener.intake import ConnectionHandler
from videodb_cli.listener.parts import ListenerParts
from videodb_cli.listener.renewal import next_connection
from videodb_cli.listener.updates import (
    Connected,
    Lost,
    Renewed,
)

_log = logging.getLogger(__name__)


class Receiver:
    """Receives from one connection after another, and writes down that each of them stands, and ends."""

    def __init__(self, parts: ListenerParts) -> None:
        self._parts = parts

    async def receive(self, connection: Connection) -> Ended:
        """Receive from a connection, and from those that take over from it in time, until the youngest one ends."""
        previous: Connection | None = None
        while True:
            younger = await self._receive_one(connection, previous)
            if isinstance(younger, Ended):
                return younger
            previous, connection = connection, younger

    async def _receive_one(self, connection: Connection, previous: Connection | None) -> Ended | Connection:
        """Receive until the connection ends, or another one takes over. ``previous``: the one that this one renews."""
        parts = self._parts
        parts.current.connection = connection
        handler = ConnectionHandler(
            connection, parts.intake, on_healthy=parts.retries.forgive, on_new_id=self.on_new_id
        )
        healthy = asyncio.get_running_loop().call_later(parts.policy.healthy_after_s, parts.retries.forgive)
        renewing = asyncio.create_task(
            next_connection(connection, parts.policy.max_age_s, parts.connector.connect, parts.draining.expect_two),
            name="renewal",
        )
        hearing: asyncio.Task[Ended] | None = None
        younger: Connection | None = None
        try:
            update = await self._note(connection, previous)
            # A slow disk may keep us from making this id known, or the one before it: what comes meanwhile goes to the
            # log all the same, and does not wait in memory.
            hearing = asyncio.create_task(connection.hear(handler.handle), name="hear")
            await parts.announcer.announce(update)
            await asyncio.wait({hearing, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done() and not parts.stopping.is_set():
                younger = renewing.result()
                _log.debug("renewal: %s takes over from %s", younger.connection_id, connection.connection_id)
                parts.draining.add(connection, hearing, handler, younger)
                return younger
            ended = await hearing
            _log.debug(
                "connection %s ended: %s, close code %s, %s",
                connection.connection_id,
                ended.reason,
                ended.close_code,
                ended.detail,
            )
        except BaseException:
            if hearing is None:
                connection.hand_over(handler.handle)
            raise
        finally:
            healthy.cancel()
            if younger is None:
                await self._leave(connection, hearing, renewing)
        if not parts.stopping.is_set():
            detail = parts.gaps.note_loss(connection, ended, for_log=handler.gave_up_for_log)
            parts.on_update(Lost(detail, parts.clock.clock.unix_or_none(connection.last_message_at)))
        return ended

    async def _leave(
        self, connection: Connection, hearing: asyncio.Task[Ended] | None, renewing: asyncio.Task[Connection]
    ) -> None:
        parts = self._parts
        parts.current.heard_at = parts.current.last_message_at(parts.draining.last_message_at)
        parts.current.connection = None
        if hearing is not None:
            hearing.cancel()
        if renewing.done() and not renewing.cancelled() and renewing.exception() is None:
            # It came at the very moment of the end: nobody has been told of it.
            renewing.result().abort()
        renewing.cancel()
        parts.draining.expect_one()
        # Also at the end of the run: a socket that goes on would deliver into a log that is being closed.
        connection.abort()
        await parts.files.withdraw()

    async def _note(self, connection: Connection, previous: Connection | None) -> Connected | Renewed:
        """Write down that a connection stands, and the gap before it, which the recovery then reads back."""
        parts = self._parts
        if not parts.log.is_open:
            await parts.log.open()
            if parts.policy.clear and parts.recoverer is not None:
                parts.recoverer.forget_older(parts.clock.clock.unix())
        parts.retries.has_stood = True
        parts.current.stands()
        if previous is not None:
            parts.gaps.note_renewal(connection, previous)
            return Renewed(connection.connection_id)
        with contextlib.nullcontext() if parts.gate is None else parts.gate.front():
            return Connected(connection.connection_id, parts.gaps.note_connection(connection))

    def on_new_id(self, connection: Connection, connection_id: str) -> None:
        """The service replaced the id of an open connection: what was bound to the old one is bound to nothing."""
        self._parts.gaps.note_new_id(connection, connection_id)
        if connection is self._parts.current.connection:
            self._parts.announcer.announce_replaced(connection, connection_id)
