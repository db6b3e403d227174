"""`sendmail -bs`: SMTP on standard input and output, for programs that would rather talk than make a file.

DESCRIPTION
    The caller is a local user, so that there are no restrictions and no login; each message goes in by the same
    doors as one that comes as a file.  A recipient that does not exist is told by a notice, not by a reply.

STANDARDS
    RFC 5321; Postfix smtpd(8) -S
"""

import os
import sys
from typing import Final

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.smtp_server import SmtpServer as SmtpSettings
from pillarbox.config.snapshot import Snapshot
from pillarbox.queue.records import (
    ATTRIBUTE,
    END,
    EXTRACTED,
    MESSAGE,
    RECIPIENT,
    SENDER,
    ContentEncoder,
    encode_record,
)
from pillarbox.tools.command_settings import EX_TEMPFAIL, Stop
from pillarbox.tools.local_submission import Door, open_door
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Etrn,
    Grammar,
    Helo,
    Help,
    MailFrom,
    Noop,
    Quit,
    RcptTo,
    Refused,
    Request,
    Rset,
    StartTls,
    Vrfy,
    XClient,
    XForward,
)
from pillarbox.wire.smtp.dot_stream import BareNewline
from pillarbox.wire.smtp.server import AuthResponse, Content, EndOfContent, Pause, SmtpServer

_PIECE: Final = 65536
_OK: Final = {
    MailFrom: b"2.1.0 Ok",
    RcptTo: b"2.1.5 Ok",
    Noop: b"2.0.0 Ok",
    Rset: b"2.0.0 Ok",
}
_ENCODINGS: Final = {True: b"encoding=8bit", False: b"encoding=7bit"}


def serve_standard_input(snapshot: Snapshot) -> int:
    """Speak until QUIT or the end of the input; the exit status."""
    return _Conversation(snapshot).run()


class _Conversation:
    def __init__(self, snapshot: Snapshot) -> None:
        identity, settings = snapshot.group(Identity), snapshot.group(SmtpSettings)
        self._snapshot = snapshot
        self._host = identity.myhostname.encode()
        self._limit = settings.message_size_limit
        self._smtputf8 = settings.smtputf8_enable
        self._engine = SmtpServer(
            self._host,
            grammar=Grammar(smtputf8=self._smtputf8),
            max_message=self._limit,
            bare_newline=BareNewline.NO,  # a local program; nobody smuggles anything past anybody
        )
        self._engine.greet(Reply(220, (b"%s ESMTP %s" % (self._host, identity.mail_name.encode()),)))
        self._mail: MailFrom | None = None
        self._recipients: list[RcptTo] = []
        self._door: Door | None = None
        self._encoder = ContentEncoder()
        self._octets = 0
        self._fault: Stop | None = None

    def run(self) -> int:
        while True:
            command = self._engine.next_command()
            if command is Pause.NEED_DATA:
                self._send()
                data = os.read(0, _PIECE)
                if not data:
                    self._forget()
                    return 0
                self._engine.receive_data(data)
            elif isinstance(command, Pause):
                self._send()
                return 0
            elif isinstance(command, Content):
                self._take_content(command.data)
            else:
                self._engine.reply(self._answer(command))
                if isinstance(command, Quit):
                    self._send()
                    self._forget()
                    return 0

    def _send(self) -> None:
        sys.stdout.buffer.write(self._engine.data_to_send())
        sys.stdout.buffer.flush()

    def _answer(self, command: Request | Refused | EndOfContent | AuthResponse) -> Reply:
        if isinstance(command, Refused):
            return command.reply
        if isinstance(command, EndOfContent):
            return self._end(command)
        if isinstance(command, Helo):
            self._forget()
            return Reply(250, (self._host,))
        if isinstance(command, Ehlo):
            self._forget()
            return Reply(250, (self._host, *self._keywords()))
        if isinstance(command, MailFrom):
            if command.size and self._limit and command.size > self._limit:
                return Reply(552, (b"5.3.4 Message size exceeds fixed limit",))
            self._forget()
            self._mail = command
        elif isinstance(command, RcptTo):
            self._recipients.append(command)
        elif isinstance(command, Rset):
            self._forget()
        elif isinstance(command, Data):
            return Reply(354, (b"End data with <CR><LF>.<CR><LF>",))
        elif isinstance(command, Quit):
            return Reply(221, (b"2.0.0 Bye",))
        elif isinstance(command, Vrfy):
            return Reply(252, (b"2.0.0 " + command.address.external,))
        return _plain(command)

    def _keywords(self) -> tuple[bytes, ...]:
        size = b"SIZE %d" % self._limit if self._limit else b"SIZE"
        words = (b"PIPELINING", size, b"VRFY", b"ENHANCEDSTATUSCODES", b"8BITMIME", b"DSN")
        return (*words, *((b"SMTPUTF8",) if self._smtputf8 else ()), b"CHUNKING")

    # -- one message ---------------------------------------------------------------------------------

    def _forget(self) -> None:
        if self._door is not None:
            self._door.abort()
        self._mail, self._recipients, self._door, self._fault = None, [], None, None
        self._encoder, self._octets = ContentEncoder(), 0

    def _take_content(self, content: bytes) -> None:
        self._octets += len(content)
        if self._fault is not None:
            return
        try:
            if self._limit and self._octets > self._limit:
                raise Stop("message file too big")
            self._opened().write(self._encoder.feed(content))
        except Stop as stop:
            self._fault = stop

    def _opened(self) -> Door:
        if self._door is None:
            self._door = open_door(self._snapshot, f"({os.getuid()})")
            self._door.write(self._envelope())
        return self._door

    def _envelope(self) -> bytes:
        mail = self._mail
        assert mail is not None, "the engine gives content after MAIL only"
        attributes = [b"rewrite_context=local"]
        if mail.envelope_id:
            attributes.insert(0, b"envelope_id=" + mail.envelope_id)
        if mail.ret:
            attributes.insert(-1, b"ret_flags=%d" % mail.ret)
        parts = [encode_record(ATTRIBUTE, attribute) for attribute in attributes]
        parts.append(encode_record(SENDER, mail.sender.internal))
        if mail.eight_bit is not None:
            parts.append(encode_record(ATTRIBUTE, _ENCODINGS[mail.eight_bit]))
        for recipient in self._recipients:
            if recipient.notify:
                parts.append(encode_record(ATTRIBUTE, b"notify_flags=%d" % recipient.notify))
            if recipient.dsn_original:
                parts.append(encode_record(ATTRIBUTE, b"dsn_orig_rcpt=" + recipient.dsn_original))
            parts.append(encode_record(RECIPIENT, recipient.recipient.internal))
        return b"".join([*parts, encode_record(MESSAGE, b"")])

    def _end(self, end: EndOfContent) -> Reply:
        if not end.last:
            return Reply(250, (b"2.0.0 Ok: %d bytes" % end.size,))
        if self._fault is None:
            try:
                door = self._opened()
                door.write(self._encoder.finish() + encode_record(EXTRACTED, b"") + encode_record(END, b""))
                door.commit()
                self._door = None
                queued = b"queued as " + door.queue_id.encode() if door.queue_id else b"queued"
                size = b"%d bytes " % end.total if end.chunked else b""
                return Reply(250, (b"2.0.0 Ok: " + size + queued,))
            except Stop as stop:
                self._fault = stop
                self._door = None
        fault = self._fault
        self._forget()
        if "too big" in str(fault):
            return Reply(552, (b"5.3.4 Error: message file too big",))
        if fault.status == EX_TEMPFAIL:
            return Reply(451, (b"4.3.0 Error: queue file write error",))
        return Reply(554, (b"5.3.0 Error: " + str(fault).encode(),))


def _plain(command: Request | AuthResponse) -> Reply:
    """Answers that depend on nothing."""
    if isinstance(command, Auth | AuthResponse):
        return Reply(503, (b"5.5.1 Error: authentication not enabled",))
    if isinstance(command, StartTls):
        return Reply(502, (b"5.5.1 Error: command not implemented",))
    if isinstance(command, Etrn):
        return Reply(502, (b"5.5.1 Error: command not implemented",))
    if isinstance(command, XClient | XForward):
        return Reply(550, (b"5.7.0 Error: insufficient authorization",))
    if isinstance(command, Help):
        return Reply(214, (b"2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT",))
    if isinstance(command, Bdat):
        return Reply(250, (b"2.0.0 Ok",))
    return Reply(250, (_OK[type(command)],))
