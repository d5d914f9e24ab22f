"""An HTTP connection that is closed when its client is too slow to send a request."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 15.0
"""Time a client has to send the head of a request; at most twice as long, since it is checked this often."""


class ImpatientConnection(H11Protocol):
    """Uvicorn's connection; one on which no request is at work for two checks in a row is closed."""

    def connection_made(self, transport: Any) -> None:
        """Begin the checks."""
        super().connection_made(transport)
        self._was_idle = False
        self._check: asyncio.TimerHandle = self.loop.call_later(REQUEST_SECONDS, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the checks."""
        self._check.cancel()
        super().connection_lost(exc)

    def _close_if_idle(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self._was_idle:
            self.transport.close()
            return
        self._was_idle = is_idle
        self._check = self.loop.call_later(REQUEST_SECONDS, self._close_if_idle)
