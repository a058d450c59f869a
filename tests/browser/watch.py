"""What a page must never do: throw, complain, or ask the network for anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import BrowserContext, ConsoleMessage, WebError

INSIDE = {"data", "blob", "about"}  # addresses that never leave the browser


class Watch:
    """Notes each error and each request that leaves `host`, on every page of a context.

    `noise` are the patterns of troubles that belong to others and are always allowed.
    """

    def __init__(self, context: BrowserContext, host: str, noise: Iterable[str] = ()) -> None:
        self._host = host
        self._noise = [re.compile(pattern) for pattern in noise]
        self._allowed: list[re.Pattern[str]] = []
        self._troubles: list[str] = []
        context.on("weberror", self._error)
        context.on("console", self._console)
        context.on("request", lambda request: self._address(request.url))
        context.on("page", lambda page: page.on("websocket", lambda socket: self._address(socket.url)))

    def allow(self, *patterns: str) -> None:
        """Expect troubles with these words (regular expressions), until the next `take`."""
        self._allowed += map(re.compile, patterns)

    def take(self) -> list[str]:
        """The troubles since the last call, without those that were allowed."""
        allowed = self._noise + self._allowed
        troubles = [text for text in self._troubles if not any(pattern.search(text) for pattern in allowed)]
        self._troubles, self._allowed = [], []
        return troubles

    def _error(self, error: WebError) -> None:
        self._troubles.append(f"page error: {error.error.stack or error.error.message}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "assert"}:
            self._troubles.append(f"console: {message.text}")

    def _address(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in INSIDE and address.hostname != self._host:
            self._troubles.append(f"request: {url}")
