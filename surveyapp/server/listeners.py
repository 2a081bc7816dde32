"""The sockets on which clients arrive."""

from __future__ import annotations

import selectors
from collections.abc import Sequence
from typing import Any


class Listeners:
    """`sockets` listen already; other workers share them. Clients that are not accepted wait in the
    system's backlog.
    """

    def __init__(self, sockets: Sequence[Any], selector: selectors.BaseSelector) -> None:
        self.accepting = False
        self._sockets = sockets
        self._selector = selector

    def accept_if(self, wanted: bool) -> None:
        """Whether the selector reports new connections from now on. Their key has `data` set to
        this object.
        """
        if wanted is self.accepting:
            return
        self.accepting = wanted
        for listener in self._sockets:
            if wanted:
                listener.setblocking(False)
                self._selector.register(listener, selectors.EVENT_READ, self)
            else:
                self._selector.unregister(listener)

    def close(self) -> None:
        """Accepts nothing any more: a new client goes to another worker at once."""
        self.accept_if(False)
        for listener in self._sockets:
            listener.close()
