"""IDLE: changes are told as they happen, until DONE.

DESCRIPTION
    While the session waits for DONE it watches the selected mailbox; a change ends the wait, is told, and
    the wait begins again.  Every two minutes (imap_idle_notify_interval) without one the client hears `* OK Still
    here`, so that routers on the way do not forget the connection.  Nothing is polled.

STANDARDS
    RFC 2177
"""

from collections.abc import Callable
from typing import Final

from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.endings import Parking
from pillarbox.sessions.imap.waiting import Woken
from pillarbox.wire.imap.commands import Idle, Line
from pillarbox.wire.pause import Pause

STILL_HERE: Final = b"OK Still here"
NEVER: Final = 1e9
"""Seconds: with imap_idle_notify_interval = 0 nothing is said unasked."""


async def idle(conversation: Conversation, command: Idle) -> None:
    """IDLE to DONE, or to the end of the connection."""
    engine = conversation.engine
    engine.go_ahead(b"idling")
    engine.expect_line(command.tag)
    await go_on_idling(conversation, command)


async def go_on_idling(conversation: Conversation, command: Idle) -> None:
    """The same, from where another process has left it."""
    end_watch: Callable[[], None] | None = None
    if conversation.view is not None:
        end_watch = conversation.view.mailbox.watch(conversation.waiting.mailbox_changed)
    conversation.waiting.mailbox_changed()  # perhaps before the watch began
    try:
        line = await _wait_for_done(conversation)
    finally:
        if end_watch is not None:
            end_watch()
    if line is None:
        return  # the client has gone, or we are going: the session's loop sees it, too
    await conversation.tell_changes(asked=True)
    if line.text is not None and line.text.strip(b" ").upper() == b"DONE":
        conversation.ok(command.tag, b"Idle completed")
    else:
        conversation.bad(command.tag, b"Expected DONE")


async def _wait_for_done(conversation: Conversation) -> Line | None:
    engine = conversation.engine
    interval = conversation.options.idle_notify_interval or NEVER
    while True:
        if conversation.waiting.take_change():
            await conversation.refresh()
            await conversation.tell_changes(asked=True)
            conversation.tell_untold_modseq()
            if conversation.notifications is not None:
                await conversation.notifications.tell()
        await conversation.flush()
        command = engine.next_command()
        if isinstance(command, Line):
            return command
        if command is Pause.CLOSED:
            return None
        match await conversation.waiting.receive(limit=interval, heed_changes=True):
            case bytes() as data:
                engine.receive_data(data)
            case Woken.TIME_UP:
                engine.untagged(STILL_HERE)
            case Woken.SHUTDOWN:
                return None
            case Woken.PARK:
                raise Parking
            case Woken.CHANGE | Woken.CALLED:
                continue
