"""Which command may come when, and what a client is told whose command is out of place.

DESCRIPTION
    `AFTER_SUCCESS` is the table of states; a command that has no entry for the state is refused, mostly with 503.
    More than the table says depends on settings and on chunks that were refused before: `misplaced`.

STANDARDS
    RFC 5321 §4.1.4; RFC 3030 §2 (BDAT); RFC 3207 §4.2; RFC 4954 §4; Postfix's reply texts
"""

from enum import IntEnum, auto
from typing import Final

from pillarbox.wire.smtp.commands import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Etrn,
    Helo,
    Help,
    MailFrom,
    Noop,
    Quit,
    RcptTo,
    Refused,
    Rset,
    StartTls,
    Vrfy,
    XClient,
    XForward,
    refusal,
)


class State(IntEnum):
    """Where a conversation stands.  Numbers, because tables are asked for it with each command."""

    START = auto()  # connected, no HELO yet
    READY = auto()  # after HELO or EHLO
    MAIL = auto()  # a sender is known
    RCPT = auto()  # and at least one recipient
    DATA = auto()  # content after 354
    BDAT = auto()  # a chunk of content
    CHUNKING = auto()  # between chunks: only BDAT, RSET and the like
    AUTH = auto()  # a SASL exchange
    CLOSED = auto()


_BETWEEN: Final = (State.START, State.READY, State.MAIL, State.RCPT, State.CHUNKING)
"""States in which a command line is expected."""

AFTER_SUCCESS: Final[dict[tuple[State, type], State]] = {
    # RFC 5321 §4.1.4: EHLO and HELO may come at any time and reset, like RSET.
    **{(state, hello): State.READY for state in _BETWEEN for hello in (Ehlo, Helo)},
    **{(state, Rset): State.READY for state in _BETWEEN if state is not State.START},
    (State.START, Rset): State.START,
    **{(state, command): state for state in _BETWEEN for command in (Noop, Vrfy, Help, Etrn)},
    **{(state, Quit): State.CLOSED for state in _BETWEEN},
    (State.START, MailFrom): State.MAIL,  # unless smtpd_helo_required
    (State.READY, MailFrom): State.MAIL,
    (State.MAIL, RcptTo): State.RCPT,
    (State.RCPT, RcptTo): State.RCPT,
    (State.RCPT, Data): State.DATA,
    (State.RCPT, Bdat): State.CHUNKING,
    (State.CHUNKING, Bdat): State.CHUNKING,
    # RFC 3207 §4.2: forget what the client said before, a transaction with it.
    **{(state, StartTls): State.START for state in _BETWEEN},
    # XCLIENT_README: as if the client had just connected.
    **{(state, XClient): State.START for state in _BETWEEN},
    **{(state, XForward): state for state in _BETWEEN},
    (State.READY, Auth): State.READY,
    (State.START, Auth): State.START,
}

BY_VERB: Final[dict[bytes, type]] = {
    b"MAIL": MailFrom, b"RCPT": RcptTo, b"DATA": Data, b"BDAT": Bdat, b"RSET": Rset, b"VRFY": Vrfy, b"ETRN": Etrn,
    b"AUTH": Auth,
}  # fmt: skip
"""Verbs whose place is looked at before their arguments are."""

_VERBS: Final = {kind: verb for verb, kind in BY_VERB.items()} | {
    Help: b"HELP", XClient: b"XCLIENT", XForward: b"XFORWARD",
}  # fmt: skip
_BEFORE_TLS: Final = (Ehlo, Helo, Noop, Quit, StartTls, XClient)

IN_TRANSACTION: Final = (State.MAIL, State.RCPT, State.CHUNKING)
_HELLO_FIRST: Final = (MailFrom, Vrfy, Auth, Etrn, RcptTo)


def misplaced(
    kind: type,
    state: State,
    *,
    chunks_failed: bool,
    helo_required: bool,
    tls_required: bool,
    auth_enabled: bool,
) -> Refused | None:
    """Why a command may not come here."""
    after_chunk = state is State.CHUNKING or chunks_failed
    if tls_required and kind not in _BEFORE_TLS:
        return refusal(_VERBS[kind], 530, b"5.7.0 Must issue a STARTTLS command first")
    if helo_required and state is State.START and kind in _HELLO_FIRST and kind is not RcptTo:
        code = b"" if kind is Etrn else b"5.5.1 "
        return refusal(_VERBS[kind], 503, code + b"Error: send HELO/EHLO first")
    if kind is MailFrom:
        if state in IN_TRANSACTION:
            return refusal(b"MAIL", 503, b"5.5.1 Error: nested MAIL command")
        return refusal(b"MAIL", 503, b"5.5.1 Error: MAIL after BDAT") if after_chunk else None
    if kind is RcptTo:
        if state not in IN_TRANSACTION:
            return refusal(b"RCPT", 503, b"5.5.1 Error: need MAIL command")
        return refusal(b"RCPT", 503, b"5.5.1 Error: RCPT after BDAT") if after_chunk else None
    if kind is Data:
        if after_chunk:
            return refusal(b"DATA", 503, b"5.5.1 Error: DATA after BDAT")
        return without_recipients(b"DATA", state)
    if kind is Etrn and state in IN_TRANSACTION:
        return refusal(b"ETRN", 503, b"Error: MAIL transaction in progress")
    if kind is Auth and not auth_enabled:
        return refusal(b"AUTH", 503, b"5.5.1 Error: authentication not enabled")
    if kind is Auth and state in IN_TRANSACTION:
        return refusal(b"AUTH", 503, b"5.5.1 Error: MAIL transaction in progress")
    return None


def without_recipients(verb: bytes, state: State) -> Refused | None:
    """Why content may not come: no recipient has been taken."""
    if state is State.MAIL:
        return refusal(verb, 554, b"5.5.1 Error: no valid recipients")
    if state not in IN_TRANSACTION:
        return refusal(verb, 503, b"5.5.1 Error: need RCPT command")
    return None
