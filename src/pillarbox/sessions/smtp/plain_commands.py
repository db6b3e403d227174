"""RSET, NOOP, HELP and QUIT: commands that give us nothing to do with a message."""

from pillarbox.sessions.smtp.command_counts import VERBS
from pillarbox.sessions.smtp.session_state import OK, SessionState
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import Help, Noop, Quit, Rset


async def rset(session: SessionState, command: Rset) -> Reply:
    """RFC 5321 §4.1.1.5."""
    session.abort_transaction()
    return OK


async def noop(session: SessionState, command: Noop) -> Reply:
    """RFC 5321 §4.1.1.9."""
    return OK


async def help_(session: SessionState, command: Help) -> Reply:
    """The commands there are."""
    verbs = " ".join(verb.upper() for verb in VERBS.values() if not verb.startswith("x"))
    return Reply(214, (b"2.0.0 Commands: " + verbs.encode(),))


async def quit_(session: SessionState, command: Quit) -> Reply:
    """RFC 5321 §4.1.1.10: the server MUST NOT close before it has answered."""
    return Reply(221, (b"2.0.0 Bye",))
