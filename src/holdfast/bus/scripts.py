"""A Lua script on the server, called by its hash; its text is sent only when the server says it has none."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.bus.connection import Argument, Command


class Script:
    """One script with one key."""

    def __init__(self, text: str) -> None:
        self._text = text
        # The server names scripts by SHA-1; nothing is secured by it.
        self._hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def by_hash(self, key: str, *arguments: Argument) -> Command:
        """Return the command that runs it if the server knows it."""
        return ("EVALSHA", self._hash, 1, key, *arguments)

    def with_text(self, command: Command) -> Command:
        """Return the same call with the script's text, for a server that answered NOSCRIPT."""
        return ("EVAL", self._text, *command[2:])
