"""An HTTP connection that is closed when its client sends or reads too slowly, and whose errors are JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CHECK_SECONDS = 15.0
"""Time a client has to send the head of a request, and to read some of an answer; at most twice as long, since it is
checked this often."""


class ImpatientConnection(H11Protocol):
    """Uvicorn's connection, closed when it has not moved between two checks.

    A request that is being decoded is not the client's fault and keeps the connection open.
    """

    def connection_made(self, transport: Any) -> None:
        """Begin the checks."""
        super().connection_made(transport)
        self._was_idle, self._num_unread = False, 0
        self._check: asyncio.TimerHandle = self.loop.call_later(CHECK_SECONDS, self._close_if_stuck)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the checks."""
        self._check.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        body = b'{"error":"%s"}' % msg.encode("ascii")
        head = [
            (b"Content-Type", b"application/json"),
            (b"Content-Length", str(len(body)).encode()),
            (b"Connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, reason=b"Bad Request", headers=head),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _close_if_stuck(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        num_unread = self.transport.get_write_buffer_size()
        is_unread = num_unread > 0 and num_unread == self._num_unread
        if (is_idle and self._was_idle) or is_unread:
            self.transport.abort()
            return
        self._was_idle, self._num_unread = is_idle, num_unread
        self._check = self.loop.call_later(CHECK_SECONDS, self._close_if_stuck)
