"""Which command may come in which state of an IMAP connection, and who reads what is behind its name.

DESCRIPTION
    `COMMANDS` is the table of states: a command that has no entry for the state is refused.  The other tables say
    of single commands what their arguments may be.

STANDARDS
    RFC 3501 §3 (states), §6 (commands)
"""

from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Final

from pillarbox.wire.imap import (
    acl_grammar,
    append_grammar,
    mailbox_grammar,
    message_grammar,
    metadata_grammar,
    notify_grammar,
    quota_grammar,
    search_grammar,
    session_grammar,
    sort_grammar,
    urlauth_grammar,
)
from pillarbox.wire.imap.commands import Command
from pillarbox.wire.imap.scanner import Scanner


class State(Enum):
    """RFC 3501 §3; logout is the end of the connection."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()


Parser = Callable[[bytes, Scanner], Command]

_ANY: Final[dict[bytes, Parser]] = {
    b"CAPABILITY": session_grammar.capability,
    b"NOOP": session_grammar.noop,
    b"LOGOUT": session_grammar.logout,
    b"ID": session_grammar.identify,
    b"ENABLE": session_grammar.enable,
}
_NOT_AUTHENTICATED: Final[dict[bytes, Parser]] = {
    **_ANY,
    b"STARTTLS": session_grammar.start_tls,
    b"LOGIN": session_grammar.login,
    b"AUTHENTICATE": session_grammar.authenticate,
}
_AUTHENTICATED: Final[dict[bytes, Parser]] = {
    **_ANY,
    b"SELECT": mailbox_grammar.select,
    b"EXAMINE": mailbox_grammar.examine,
    b"CREATE": mailbox_grammar.create,
    b"DELETE": mailbox_grammar.delete,
    b"RENAME": mailbox_grammar.rename,
    b"SUBSCRIBE": mailbox_grammar.subscribe,
    b"UNSUBSCRIBE": mailbox_grammar.unsubscribe,
    b"LIST": mailbox_grammar.list_mailboxes,
    b"XLIST": mailbox_grammar.list_mailboxes,  # before RFC 6154 this was how to ask for special uses
    b"LSUB": mailbox_grammar.lsub,
    b"NAMESPACE": session_grammar.namespace,
    b"STATUS": mailbox_grammar.status,
    b"APPEND": append_grammar.append,
    b"GETMETADATA": metadata_grammar.get_metadata,
    b"SETMETADATA": metadata_grammar.set_metadata,
    b"COMPRESS": session_grammar.compress,
    b"GENURLAUTH": urlauth_grammar.gen_url_auth,
    b"RESETKEY": urlauth_grammar.reset_key,
    b"URLFETCH": urlauth_grammar.url_fetch,
    b"IDLE": session_grammar.idle,
    b"NOTIFY": notify_grammar.notify,
    b"GETQUOTA": quota_grammar.get_quota,
    b"GETQUOTAROOT": quota_grammar.get_quota_root,
    b"SETQUOTA": quota_grammar.set_quota,
    b"GETACL": acl_grammar.get_acl,
    b"SETACL": acl_grammar.set_acl,
    b"DELETEACL": acl_grammar.delete_acl,
    b"LISTRIGHTS": acl_grammar.list_rights,
    b"MYRIGHTS": acl_grammar.my_rights,
}
OFFERS: Final = {
    b"APPEND": append_grammar.append_offer,
    b"REPLACE": append_grammar.replace_offer,
    b"UID REPLACE": append_grammar.replace_offer,
}
"""Commands whose literals are messages."""
WITH_LITERAL8: Final = (*OFFERS, b"SETMETADATA")
"""RFC 3516 §4.4, RFC 6855 §4, RFC 5464 §5"""
_SELECTED: Final[dict[bytes, Parser]] = {
    **_AUTHENTICATED,
    b"CHECK": session_grammar.check,
    b"CLOSE": session_grammar.close,
    b"UNSELECT": session_grammar.unselect,
    b"EXPUNGE": partial(message_grammar.expunge, by_uid=False),
    b"SEARCH": partial(search_grammar.search, by_uid=False),
    b"SORT": partial(sort_grammar.sort, by_uid=False),
    b"THREAD": partial(sort_grammar.thread, by_uid=False),
    b"CANCELUPDATE": message_grammar.cancel_update,
    b"FETCH": partial(message_grammar.fetch, by_uid=False),
    b"STORE": partial(message_grammar.store, by_uid=False),
    b"COPY": partial(message_grammar.copy, by_uid=False),
    b"MOVE": partial(message_grammar.move, by_uid=False),
    b"REPLACE": partial(append_grammar.replace, by_uid=False),
    b"UID REPLACE": partial(append_grammar.replace, by_uid=True),
    b"UID EXPUNGE": partial(message_grammar.expunge, by_uid=True),
    b"UID SEARCH": partial(search_grammar.search, by_uid=True),
    b"UID SORT": partial(sort_grammar.sort, by_uid=True),
    b"UID THREAD": partial(sort_grammar.thread, by_uid=True),
    b"UID FETCH": partial(message_grammar.fetch, by_uid=True),
    b"UID STORE": partial(message_grammar.store, by_uid=True),
    b"UID COPY": partial(message_grammar.copy, by_uid=True),
    b"UID MOVE": partial(message_grammar.move, by_uid=True),
}
COMMANDS: Final[dict[State, dict[bytes, Parser]]] = {
    State.NOT_AUTHENTICATED: _NOT_AUTHENTICATED,
    State.AUTHENTICATED: _AUTHENTICATED,
    State.SELECTED: _SELECTED,
}
"""Who may say what when."""
SELECTING: Final = frozenset((b"SELECT", b"EXAMINE"))
"""RFC 3501 §6.3.1: when "a SELECT command that fails is attempted, no mailbox is selected" """
REST_UNREAD: Final = frozenset(
    (
        b"CAPABILITY",
        b"NOOP",
        b"LOGOUT",
        b"STARTTLS",
        b"NAMESPACE",
        b"IDLE",
        b"CHECK",
        b"CLOSE",
        b"UNSELECT",
        b"EXPUNGE",
        b"DELETE",
        b"SUBSCRIBE",
        b"UNSUBSCRIBE",
    )
)
"""Whatever is behind them, or behind their only argument, is not looked at, as Dovecot does."""
