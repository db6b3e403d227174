"""A client that waits for long hears that its command is worked on: `* OK [INPROGRESS ("a1" NIL NIL)] …`

How much there is to do is not told.

STANDARDS
    RFC 9585 §3
"""

import asyncio
from typing import Final

from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.wire.imap import commands

INTERVAL: Final = 10.0
"""Seconds until the client is told for the first time, and between two of these (RFC 9585 §3 recommends it)."""
SLOW: Final = frozenset(
    (
        *(commands.Search, commands.Sort, commands.Thread, commands.Store, commands.Expunge),
        *(commands.Copy, commands.Move),
    )
)
"""Commands that may say nothing for long."""


class Progress:
    """Tells of one command until its end."""

    __slots__ = ("_conversation", "_tag", "_timer")

    def __init__(self, conversation: Conversation, tag: bytes) -> None:
        self._conversation = conversation
        self._tag = tag
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._tell)

    def end(self) -> None:
        """The command is answered."""
        self._timer.cancel()

    def _tell(self) -> None:
        engine = self._conversation.engine
        engine.untagged(b'OK [INPROGRESS ("%b" NIL NIL)] Still working' % self._tag)
        self._conversation.transport.send(engine.data_to_send())
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._tell)
