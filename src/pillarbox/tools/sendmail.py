"""sendmail(1), mailq(1), newaliases(1): the programs that others call to send mail.

DESCRIPTION
    sendmail [option …] [recipient …]        a message from standard input, up to its end or a line with a dot

    -t   recipients are those of the header      -f, -r  envelope sender (else the caller)
    -i   a line with a dot is text               -F      full name, for a From: header that is made
    -B   8BITMIME or 7BIT                        -G      the message comes from outside: no headers are added
    -N   never, or success,failure,delay         -R      full or hdrs: what a notice returns
    -V   envelope id                             -XV+=   an envelope sender for each recipient (VERP)
    -v   report on the delivery by mail          -bv     only report what would be done
    -bp  list the queue: mailq                   -bi -I  make alias databases: newaliases
    -bs  speak SMTP on standard input            -bd     start the mail system
    -q   flush the queue    -qIid  one message   -qRsite mail for a site

    What other options mean to other sendmails is nothing to this one; they are taken and ignored.

FAULTS
    75 (try again later) for wrong use and for who is not allowed, as Postfix's; 69 unavailable, 70 protocol error
"""

import os
import pwd
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from pillarbox.config.parameters.local_submission import LocalSubmission
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.snapshot import Snapshot
from pillarbox.message.recipient_headers import HeaderRecipients, addresses_of, as_field_line
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_SMTPUTF8
from pillarbox.queue.records import (
    ATTRIBUTE,
    END,
    EXTRACTED,
    FULL_NAME,
    LINE_LENGTH,
    MESSAGE,
    RECIPIENT,
    SENDER,
    VERP,
    encode_lines,
    encode_record,
    on_one_line,
)
from pillarbox.tables.authorized_users import AuthorizedUsers, user_name
from pillarbox.tables.table import LookupFault
from pillarbox.tools import run_command
from pillarbox.tools.command_settings import EX_TEMPFAIL, Stop, read_settings, tell
from pillarbox.tools.command_settings import fatal as end
from pillarbox.tools.local_submission import Door, open_door
from pillarbox.tools.sendmail_request import Mode, Request, fatal, parse_request, program_of
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.faults import ConfigurationFault

_VERIFY_ONLY: Final = 512
_REPORT: Final = 1024
_PIECE: Final = 65536
_FROM_LINE: Final = re.compile(rb">*From ")


def main(argv: list[str] | None = None) -> int:
    """sendmail, or what its name says."""
    names = {"mailq": Mode.LIST_QUEUE, "newaliases": Mode.NEW_ALIASES}
    mode = names.get(os.path.basename(sys.argv[0]), Mode.SUBMIT) if argv is None else Mode.SUBMIT
    return run(sys.argv[1:] if argv is None else argv, mode)


def mailq(argv: list[str] | None = None) -> int:
    """mailq: the queue, listed."""
    return run(sys.argv[1:] if argv is None else argv, Mode.LIST_QUEUE)


def newaliases(argv: list[str] | None = None) -> int:
    """newaliases: alias databases, made anew."""
    return run(sys.argv[1:] if argv is None else argv, Mode.NEW_ALIASES)


def run(argv: list[str], mode: Mode) -> int:
    """Run the command; the exit status."""
    try:
        request = parse_request(argv, mode)
        return _carry_out(request)
    except Stop as stop:
        return end(program_of(mode), stop)
    except (ConfigurationFault, LookupFault) as fault:
        return end(program_of(mode), fatal(str(fault)))


def _carry_out(request: Request) -> int:
    """Submission needs nothing of the other commands, whose code takes longer to load than a message to queue."""
    configured = ["-c", request.config] if request.config else []
    match request.mode:
        case Mode.NOTHING:
            return 0
        case Mode.LIST_QUEUE:
            return _queue([*configured, "-p"])
        case Mode.FLUSH if request.site:
            return _queue([*configured, "-s", request.site])
        case Mode.FLUSH if request.queue_id:
            return _queue([*configured, "-i", request.queue_id])
        case Mode.FLUSH:
            return _queue([*configured, "-f"])
        case Mode.NEW_ALIASES:
            return _new_aliases(request)
        case Mode.DAEMON:
            from pillarbox.tools import postfix

            return postfix.main([*configured, "start"])
        case Mode.SMTP:
            from pillarbox.tools.sendmail_smtp import serve_standard_input

            settings = _settings(request)
            _check_user(settings)
            return serve_standard_input(settings)
        case Mode.SUBMIT:
            submit(request, _settings(request))
            return 0


def _settings(request: Request) -> Snapshot:
    """The configuration; there is a queue, too."""
    snapshot = read_settings(request.config, status=EX_TEMPFAIL)
    _queue_directory(snapshot)
    return snapshot


def _queue(arguments: list[str]) -> int:
    from pillarbox.tools import postqueue

    return postqueue.main(arguments)


def _new_aliases(request: Request) -> int:
    """Names of databases without a `/` are those of files in the queue directory."""
    from pillarbox.tools import postalias

    config = os.path.abspath(request.config) if request.config else ""
    with _in_queue_directory(read_settings(request.config, status=EX_TEMPFAIL)):
        if request.alias_database:
            return postalias.main([*(["-c", config] if config else []), request.alias_database])
        return postalias.newaliases(["-C", f"{config}/main.cf"] if config else [])


def _queue_directory(snapshot: Snapshot) -> str:
    """Where it is, if it is there."""
    directory = snapshot.value("queue_directory")
    if not os.access(directory, os.X_OK):
        reason = "Permission denied" if os.path.isdir(directory) else "No such file or directory"
        raise Stop(f"chdir {directory}: {reason}", EX_TEMPFAIL)
    return directory


@contextmanager
def _in_queue_directory(snapshot: Snapshot) -> Iterator[None]:
    """Work there; whoever calls us comes back to where he was, as far as he may."""
    before = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(_queue_directory(snapshot))
        try:
            yield
        finally:
            with suppress(OSError):
                os.fchdir(before)
    finally:
        os.close(before)


# -- submission ------------------------------------------------------------------------------------------


class Caller:
    """Who runs the command."""

    def __init__(self) -> None:
        self.uid = os.getuid()
        try:
            entry = pwd.getpwuid(self.uid)
        except KeyError:
            raise fatal(f"no login name found for user ID {self.uid}") from None
        self.name = entry.pw_name
        self._gecos = entry.pw_gecos

    @property
    def full_name(self) -> str:
        """NAME of the environment, or the gecos field up to a comma; `&` there is the login name."""
        name = os.environ.get("NAME")
        if name is not None:
            return name
        text = self._gecos.partition(",")[0]
        return text.replace("&", self.name.capitalize())


def submit(request: Request, snapshot: Snapshot) -> None:
    """Take the message from standard input and queue it."""
    _check_user(snapshot)
    caller = Caller()
    sender = _sender(request, caller)
    who = f"{sender.decode('utf-8', 'replace')}({caller.uid})"
    if request.one_by_one and not sender:
        raise fatal(f"{who}: -V option requires non-null sender address")
    _check_delimiters(request, snapshot.group(QueueManager))
    recipients = [address for text in request.recipients for address in _recipients_of(text)]
    if not recipients and not request.from_header:
        raise fatal(f"{who}: Recipient addresses must be specified on the command line or via the -t option")
    door = open_door(snapshot, who)
    try:
        _hand_over(door, request, caller, sender, recipients, who, snapshot)
    except BaseException:
        door.abort()
        raise
    door.commit()
    if request.report or request.verify_only:
        print(f"Mail Delivery Status Report will be mailed to <{sender.decode('utf-8', 'replace')}>.")
        sys.stdout.flush()


def _check_user(snapshot: Snapshot) -> None:
    """Stop if he may not submit mail."""
    uid = os.getuid()
    if not AuthorizedUsers.of(snapshot, "authorized_submit_users", clock=SystemClock()).may(uid):
        raise Stop(f"User {user_name(uid)}({uid}) is not allowed to submit mail", EX_TEMPFAIL)


def _check_delimiters(request: Request, settings: QueueManager) -> None:
    """Fill in those of main.cf, and refuse others than it allows."""
    if not request.one_by_one:
        return
    if request.verp is None:
        request.verp = settings.default_verp_delimiters
    allowed = settings.verp_delimiter_filter
    if len(request.verp) != 2 or not set(request.verp) <= set(allowed):
        raise fatal(f"-V requires two characters from {allowed}")


def _sender(request: Request, caller: Caller) -> bytes:
    if request.sender is None:
        return caller.name.encode()
    found = addresses_of(os.fsencode(request.sender))
    if len(found) > 1:
        tell(request.program, f"warning: -f option specified malformed sender: {request.sender}")
    return found[0] if found else b""


def _recipients_of(text: str) -> list[bytes]:
    return addresses_of(os.fsencode(text)) or [b""]


def _hand_over(
    door: Door,
    request: Request,
    caller: Caller,
    sender: bytes,
    recipients: list[bytes],
    who: str,
    snapshot: Snapshot,
) -> None:
    door.write(_envelope(request, caller, sender, recipients))
    header = HeaderRecipients() if request.from_header else None
    limit = snapshot.group(SmtpServer).message_size_limit
    octets = 0
    longest = limit + 2 if limit else -1
    if request.verify_only:
        lines = _probe(sender, recipients)
    else:
        mends = snapshot.group(LocalSubmission).sendmail_fix_line_endings
        lines = _lines(request, header, longest, mends=mends)
    for records in _in_pieces(lines):
        octets += len(records)
        if limit and octets > limit:
            tell("postdrop", f"warning: uid={caller.uid}: File too large")
            tell(request.program, "warning: mail_stream_cleanup: close error")
            raise Stop(f"{who}: message file too big", EX_TEMPFAIL)
        door.write(records)
    door.write(encode_record(EXTRACTED, b""))
    if header is not None:
        if not recipients and not header.recipients:
            raise fatal(f"{who}: No recipient addresses found in message header")
        door.write(b"".join(_recipient(address, request) for address in header.recipients))
    door.write(encode_record(END, b""))


def _envelope(request: Request, caller: Caller, sender: bytes, recipients: list[bytes]) -> bytes:
    attributes: list[bytes] = []
    if request.envelope_id:
        attributes.append(b"envelope_id=" + os.fsencode(request.envelope_id))
    if request.ret:
        attributes.append(b"ret_flags=%d" % request.ret)
    if options := SEND_REQUIRES_TLS * request.requires_tls | SEND_SMTPUTF8 * request.smtputf8:
        attributes.append(b"sendopts=%d" % options)
    attributes.append(b"rewrite_context=" + (b"remote" if request.remote else b"local"))
    name = request.full_name if request.full_name is not None else caller.full_name
    parts = [encode_record(ATTRIBUTE, attribute) for attribute in attributes]
    parts.append(encode_record(FULL_NAME, on_one_line(os.fsencode(name))))
    parts.append(encode_record(SENDER, on_one_line(sender)))
    if request.encoding:
        parts.append(encode_record(ATTRIBUTE, b"encoding=" + request.encoding.encode()))
    trace = _VERIFY_ONLY * request.verify_only or _REPORT * request.report
    if trace:
        parts.append(encode_record(ATTRIBUTE, b"trace_flags=%d" % trace))
    if request.one_by_one and request.verp is not None:
        parts.append(encode_record(VERP, request.verp.encode()))
    parts += [_recipient(address, request) for address in recipients]
    parts.append(encode_record(MESSAGE, b""))
    return b"".join(parts)


def _recipient(address: bytes, request: Request) -> bytes:
    notify = encode_record(ATTRIBUTE, b"notify_flags=%d" % request.notify) if request.notify else b""
    return notify + encode_record(RECIPIENT, on_one_line(address))


def _probe(sender: bytes, recipients: list[bytes]) -> Iterator[bytes]:
    if sender:
        yield b"From: " + sender
    yield b"Subject: probe"
    names = [b"\t" + (Address.from_internal(address).external or b'""') for address in recipients]
    yield b"To:" + names[0] + (b"," if names[1:] else b"")
    for at, name in enumerate(names[1:], start=2):
        yield name + (b"," if at < len(names) else b"")


def _lines(request: Request, header: HeaderRecipients | None, longest: int, *, mends: str) -> Iterator[bytes]:
    """The lines of the message without their ends; one of more than `longest` octets is too long anyway.

    `mends` is sendmail_fix_line_endings.
    """
    source = sys.stdin.buffer
    first = True
    strips_cr: bool | None = True if mends == "always" else None  # None: the first line will tell
    while line := source.readline(longest):
        ended = line.endswith(b"\n")
        line = line.removesuffix(b"\n")
        if strips_cr is None and ended:
            strips_cr = mends == "strict" and line.endswith(b"\r")
        if first and ended and _FROM_LINE.match(line) is not None:
            continue  # of an mbox file
        first = False
        if strips_cr and ended:
            line = line.rstrip(b"\r")
        if line == b"." and not request.dots_are_text:
            break
        if header is not None and header.in_header:
            if header.feed(line):
                line = as_field_line(line)
            elif line:
                yield b""
        yield line
    if header is not None and header.in_header:
        header.finish()


def _in_pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Records of lines, some at a time."""
    waiting: list[bytes] = []
    octets = 0
    for line in lines:
        waiting.append(line)
        octets += len(line) + LINE_LENGTH // 64
        if octets > _PIECE:
            yield encode_lines(waiting)
            waiting, octets = [], 0
    if waiting:
        yield encode_lines(waiting)


if __name__ == "__main__":
    run_command(main)
