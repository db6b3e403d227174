"""XCLIENT and XFORWARD: a proxy or filter that we trust tells whose mail it brings.

DESCRIPTION
    After XCLIENT the session is that client's: name, address, HELO name and login are those that were told,
    access rules and logs see them, and the conversation begins anew with a greeting.  An address that comes without
    a name leaves the one that was known, as with Postfix.  XFORWARD only changes what the log says of the client
    who brought the next message to the proxy.

    Both are for the hosts of smtpd_authorized_xclient_hosts and smtpd_authorized_xforward_hosts.

STANDARDS
    XCLIENT_README; XFORWARD_README
"""

from ipaddress import ip_address
from typing import Final

from pillarbox.sessions.smtp.client_records import ClientRecords
from pillarbox.sessions.smtp.early_refusals import greeting
from pillarbox.sessions.smtp.session_state import OK, SessionState
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import XClient, XForward
from pillarbox.wire.smtp.forwarded_attributes import (
    NOT_NOW,
    XCLIENT,
    XFORWARD,
    BadAttribute,
    parse_attributes,
)

_NOT_AUTHORIZED = Reply(550, (b"5.7.0 Error: insufficient authorization",))
_UNKNOWN: Final = {
    b"NAME": b"unknown",
    b"ADDR": b"unknown",
    b"PORT": b"unknown",
    b"PROTO": b"unknown",
    b"HELO": b"",
    b"IDENT": b"",
    b"SOURCE": b"",
}
"""What XFORWARD does not tell of."""
_IN_TRANSACTION = Reply(503, (b"5.5.1 Error: MAIL transaction in progress",))


async def xclient(session: SessionState, command: XClient) -> Reply:
    """220 and the greeting, as the client's own session would begin."""
    if session.engine.in_transaction:
        return _IN_TRANSACTION
    if not command.attributes:
        return Reply(501, (b"5.5.4 Syntax: XCLIENT attribute=value...",))
    if not session.may_use_xclient:
        return _NOT_AUTHORIZED
    try:
        values = parse_attributes(list(command.attributes), XCLIENT, verb=b"XCLIENT")
    except BadAttribute as fault:
        return Reply(501, (b"5.5.4 " + fault.text,))
    _become(session, values)
    session.abort_transaction()
    session.records = ClientRecords()
    return await greeting(session, "XCLIENT")


def _become(session: SessionState, values: dict[bytes, bytes | None]) -> None:
    client = session.client
    text = {name: value.decode("utf-8", "replace") for name, value in values.items() if value}
    if b"ADDR" in values:
        told = text.get(b"ADDR")
        client.move_to(ip_address(told) if told else None)
    for name in values:  # in the order told: a NAME is the reverse name, too, until another is told
        if name == b"NAME":
            client.name = text.get(name, "unknown")
            client.may_get_name = values[name] == NOT_NOW
            if name in text:
                client.reverse_name, client.may_get_reverse_name = client.name, False
        elif name == b"REVERSE_NAME":
            client.reverse_name = text.get(name, "unknown")
            client.may_get_reverse_name = values[name] == NOT_NOW
    _know_networks(session)
    if b"PORT" in values:
        client.port = int(text.get(b"PORT", "0"))
    client.helo = values.get(b"HELO") or b""
    client.protocol = text.get(b"PROTO", "SMTP").upper()
    client.sasl_username = text.get(b"LOGIN", "")  # whoever was logged in before is somebody else
    client.sasl_method = "XCLIENT" if client.sasl_username else ""
    if b"DESTADDR" in values:
        client.server_address = text.get(b"DESTADDR", "unknown")
    if b"DESTPORT" in values:
        client.server_port = int(text.get(b"DESTPORT", "0"))


def _know_networks(session: SessionState) -> None:
    """What the client that has been told of may do; of one without an address nothing is known."""
    client, policy = session.client, session.policy
    policy.know_networks(client)
    listed = policy.server.smtpd_authorized_xclient_hosts.contains(client.address, client.name)
    if client.address_text == "unknown":
        client.is_mynetworks = listed = False
    session.may_use_xclient = listed
    if session.rate is not None:
        session.rate = session.rate.of(client.address)
    session.know_address()


async def xforward(session: SessionState, command: XForward) -> Reply:
    """What the log and the queue file say of the client of the next message, and whether it is a local one."""
    if session.engine.in_transaction:
        return _IN_TRANSACTION
    if not command.attributes:
        return Reply(501, (b"5.5.4 Syntax: XFORWARD attribute=value...",))
    if not session.may_use_xforward:
        return _NOT_AUTHORIZED
    try:
        values = parse_attributes(list(command.attributes), XFORWARD, verb=b"XFORWARD")
    except BadAttribute as fault:
        return Reply(501, (b"5.5.4 " + fault.text,))
    if b"SOURCE" in values:
        session.forwarded_source = (values[b"SOURCE"] or b"LOCAL").upper()
    told = {name: _UNKNOWN[name] if value is None else value for name, value in values.items()}
    if told.keys() - {b"SOURCE"}:
        session.forwarded = (session.forwarded or _UNKNOWN) | told  # the first command makes all else unknown
        session.records = ClientRecords()
    return OK
