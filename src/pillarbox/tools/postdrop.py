"""postdrop(1): a message as records on standard input, into the mail system.

DESCRIPTION
    postdrop [-rv] [-c config_dir]

    Programs that know Postfix's sendmail start it; ours has the same doors itself (docs/adr/0007).  The answer goes
    to standard output in postdrop's protocol: a greeting with the queue id, then status and reason.  Input that
    ends before its end record is a message that was given up: nothing is queued, and nothing is answered.

    Envelope records that hold a line break or a NUL are refused: they would be read as two.

FAULTS
    exit 69 and 77 as Postfix's; `postdrop: fatal: …`
"""

import getopt
import os
import sys
from typing import BinaryIO, Final

from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.records import (
    ATTRIBUTE,
    END,
    EXTRACTED,
    FULL_NAME,
    LINE,
    MESSAGE,
    PARTIAL,
    RECIPIENT,
    SENDER,
    VERP,
    encode_record,
    on_one_line,
)
from pillarbox.queue.submission_protocol import PROTOCOL, CleanupStatus
from pillarbox.tables.authorized_senders import AuthorizedSenders
from pillarbox.tables.authorized_users import AuthorizedUsers, user_name
from pillarbox.tables.table import LookupFault
from pillarbox.tools import run_command
from pillarbox.tools.command_settings import (
    EX_NOPERM,
    Stop,
    fatal,
    read_settings,
    tell,
)
from pillarbox.tools.local_submission import Door, open_door
from pillarbox.tools.wrong_options import complaint
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.attributes import END as END_OF_LIST
from pillarbox.wire.attributes import encode

_PROGRAM: Final = "postdrop"
_ENVELOPE: Final = frozenset((FULL_NAME, SENDER, RECIPIENT, VERP, ATTRIBUTE, MESSAGE))
_CONTENT: Final = frozenset((LINE, PARTIAL, EXTRACTED))
_EXTRACTED: Final = frozenset((ATTRIBUTE, RECIPIENT, END))
_ATTRIBUTES: Final = frozenset(
    (
        b"encoding",
        b"envelope_id",
        b"ret_flags",
        b"notify_flags",
        b"dsn_orig_rcpt",
        b"create_time",
        b"rewrite_context",
        b"trace_flags",
    )
)
_IGNORED: Final = frozenset((0x43, 0x77))  # a size before it is known, padding
_LONGEST: Final = 1 << 20
_SENDERS_AT_WILL: Final = AuthorizedSenders(None, null_sender="<>", delimiters="")


class NotAllowed(Exception):
    """The user may not send as this sender."""


class GivenUp(Exception):
    """The input ended before the message did."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    try:
        try:
            given, arguments = getopt.getopt(sys.argv[1:] if argv is None else argv, "c:rv")
        except getopt.GetoptError as error:
            tell(_PROGRAM, complaint(error))
            raise Stop("usage: postdrop [-c config_dir] [-v]") from error
        if arguments:
            raise Stop("usage: postdrop [-c config_dir] [-v]")
        _run(next((value for letter, value in given if letter == "-c"), ""))
    except GivenUp:
        return 0
    except Stop as stop:
        return fatal(_PROGRAM, stop)
    except (ConfigurationFault, LookupFault) as fault:
        return fatal(_PROGRAM, Stop(str(fault)))
    return 0


def _run(directory: str) -> None:
    snapshot = read_settings(directory)
    uid = os.getuid()
    if not AuthorizedUsers.of(snapshot, "authorized_submit_users", clock=SystemClock()).may(uid):
        raise Stop(f"User {user_name(uid)}({uid}) is not allowed to submit mail", EX_NOPERM)
    door = open_door(snapshot, f"uid={uid}", own_postdrop=False)
    senders = AuthorizedSenders.of(snapshot, clock=SystemClock())
    try:
        copy_records(sys.stdin.buffer, door, uid, senders)
    except NotAllowed as reason:
        door.abort()
        _answer([(b"protocol", PROTOCOL), (b"queue_id", door.queue_id.encode())])
        _answer([(b"status", b"%d" % CleanupStatus.WRITE), (b"reason", str(reason).encode())])
        return
    except BaseException:
        door.abort()
        raise
    door.commit()
    _answer([(b"protocol", PROTOCOL), (b"queue_id", door.queue_id.encode())])
    _answer([(b"status", b"%d" % CleanupStatus.OK), (b"reason", b"")])


def _answer(attributes: list[tuple[bytes, bytes]]) -> None:
    sys.stdout.buffer.write(encode(attributes) + END_OF_LIST)
    sys.stdout.buffer.flush()


def copy_records(
    source: BinaryIO, door: Door, uid: int, senders: AuthorizedSenders = _SENDERS_AT_WILL
) -> None:
    """Pass on what a user may say of a message.  Stop for what is no message; NotAllowed."""
    allowed = _ENVELOPE
    waiting: list[bytes] = []
    octets = 0
    while True:
        kind, payload = _read_record(source, uid)
        if kind in _IGNORED:
            continue
        if kind not in allowed:
            raise Stop(f"uid={uid}: unexpected record type: {kind}")
        if kind == FULL_NAME:
            payload = on_one_line(payload)  # as another sendmail(1) leaves it
        if allowed is not _CONTENT and any(octet in payload for octet in (b"\r", b"\n", b"\0")):
            raise Stop(f"uid={uid}: line break or NUL in an envelope record")
        if kind == ATTRIBUTE and payload.partition(b"=")[0].strip() not in _ATTRIBUTES:
            tell(_PROGRAM, f"warning: uid={uid}: ignoring attribute record: {payload[:200]!r}")
            continue
        if kind == SENDER and (objection := senders.objection(uid, payload)):
            raise NotAllowed(objection)
        record = encode_record(kind, payload)
        waiting.append(record)
        octets += len(record)
        if kind == MESSAGE:
            allowed = _CONTENT
        elif kind == EXTRACTED:
            allowed = _EXTRACTED
        if octets > 65536 or kind == END:
            door.write(b"".join(waiting))
            waiting, octets = [], 0
        if kind == END:
            return


def _read_record(source: BinaryIO, uid: int) -> tuple[int, bytes]:
    kind = source.read(1)
    if not kind:
        raise GivenUp
    length = shift = 0
    while True:
        octet = source.read(1)
        if not octet:
            raise _malformed(uid, f"unexpected EOF reading length, record type {kind[0]}")
        length |= (octet[0] & 0x7F) << shift
        if octet[0] < 0x80:
            break
        shift += 7
        if shift > 21:
            raise _malformed(uid, f"too many length bits, record type {kind[0]}")
    if length > _LONGEST:
        raise _malformed(uid, f"record type {kind[0]} length {length}: too long")
    payload = source.read(length)
    if len(payload) != length:
        raise _malformed(uid, f"unexpected EOF in data, record type {kind[0]} length {length}")
    return kind[0], payload


def _malformed(uid: int, what: str) -> Stop:
    tell(_PROGRAM, f"warning: stdin: {what}")
    return Stop(f"uid={uid}: malformed input")


if __name__ == "__main__":
    run_command(main)
