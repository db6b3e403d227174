"""bounce, defer and trace logs: what became of each recipient, in a text file beside the queue file.

DESCRIPTION
    A log has the name of its message.  Entries are appended: a line for people, `name=value` lines, an empty
    line.  Addresses are in quoted form, `<>` for the null one.  mailq(1) and bounces read them.

STANDARDS
    Postfix's bounce log format (global/bounce_log)
"""

import os
from collections.abc import Iterator, Sequence

import msgspec

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.vocabulary.digits import decimal, is_decimal
from pillarbox.vocabulary.identifiers import QueueId


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient.  Addresses are in external form."""

    recipient: bytes
    original_recipient: bytes
    offset: int
    dsn_original: bytes = b""
    notify: int = 0
    status: str  # 4.2.0
    action: str  # delayed, failed …
    reason: str
    diagnostic: str = ""  # `smtp; 550 5.1.1 …`
    remote_mta: str = ""  # `dns; mx.example.org`


def append_entries(
    directories: QueueDirectories,
    queue: str,
    queue_id: QueueId,
    entries: Sequence[LogEntry],
    *,
    is_synced: bool = True,
    files: FileSystem = DISK,
) -> None:
    """Append entries to a log and, if `is_synced`, make them survive a crash.  OSError."""
    (fault,) = append_to_logs(directories, queue, [(queue_id, entries)], is_synced=is_synced, files=files)
    if fault is not None:
        raise fault


def append_to_logs(
    directories: QueueDirectories,
    queue: str,
    logs: Sequence[tuple[QueueId, Sequence[LogEntry]]],
    *,
    is_synced: bool = True,
    files: FileSystem = DISK,
) -> list[OSError | None]:
    """The same for the logs of several messages, which are brought to the disk together; a result for each."""
    results: list[OSError | None] = [None] * len(logs)
    opened: list[tuple[int, int]] = []  # number and descriptor
    try:
        for number, (queue_id, entries) in enumerate(logs):
            try:
                descriptor = _open(directories, queue, queue_id, files)
                opened.append((number, descriptor))
                files.write_all(descriptor, [encode_entry(entry) for entry in entries])
            except OSError as error:
                results[number] = error
        faults = (
            files.fsync_all([descriptor for _, descriptor in opened]) if is_synced else [None] * len(opened)
        )
        for (number, _), fault in zip(opened, faults, strict=True):
            results[number] = results[number] or fault
    finally:
        for _, descriptor in opened:
            files.close(descriptor)
    return results


def _open(directories: QueueDirectories, queue: str, queue_id: QueueId, files: FileSystem) -> int:
    """The descriptor of a log that is appended to; it is made if it is missing."""
    path = directories.path(queue, queue_id)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        return files.open(path, flags, 0o600)
    except FileNotFoundError:
        directories.make_hashed(queue, queue_id)
        return files.open(path, flags, 0o600)


def encode_entry(entry: LogEntry) -> bytes:
    """The text of an entry."""
    reason = _one_line(entry.reason.encode("utf-8", "replace"))
    lines = [
        b"",
        b"<%s>: %s" % (_one_line(entry.recipient), reason),
        b"recipient=" + (_one_line(entry.recipient) or b"<>"),
    ]
    if entry.original_recipient and entry.original_recipient.lower() != entry.recipient.lower():
        lines.append(b"original_recipient=" + _one_line(entry.original_recipient))
    if entry.offset > 0:
        lines.append(b"offset=%d" % entry.offset)
    if entry.dsn_original:
        lines.append(b"dsn_orig_rcpt=" + _one_line(entry.dsn_original))
    if entry.notify:
        lines.append(b"notify_flags=%d" % entry.notify)
    lines += [
        b"status=" + entry.status.encode(),
        b"action=" + entry.action.encode(),
    ]
    for field, kind, value in (
        (entry.diagnostic, b"diag_type", b"diag_text"),
        (entry.remote_mta, b"mta_type", b"mta_mname"),
    ):
        name, semicolon, text = field.partition("; ")
        if semicolon and text:
            lines += [
                b"%s=%s" % (kind, name.encode()),
                b"%s=%s" % (value, _one_line(text.encode("utf-8", "replace"))),
            ]
    lines += [b"reason=" + reason, b"", b""]
    return b"\n".join(lines)


def read_entries(content: bytes) -> Iterator[dict[bytes, bytes]]:
    """The `name=value` lines of each entry of a log."""
    for block in content.split(b"\n\n"):
        fields = dict(line.split(b"=", 1) for line in block.split(b"\n") if b"=" in line and line[:1] != b"<")
        if b"recipient" in fields:
            yield fields


def read_reasons(content: bytes) -> list[tuple[bytes, bytes]]:
    """Recipient and reason of each entry of a log, as `read_entries` has them; the reason may be empty."""
    found = []
    for block in content.split(b"\n\n"):
        lines = b"\n%s\n" % block
        at = lines.find(b"\nrecipient=")
        if at >= 0:
            recipient = lines[at + 11 : lines.index(b"\n", at + 11)]
            at = lines.find(b"\nreason=")
            found.append((recipient, lines[at + 8 : lines.index(b"\n", at + 8)] if at >= 0 else b""))
    return found


def log_entries(
    directories: QueueDirectories, queue: str, queue_id: QueueId, *, files: FileSystem = DISK
) -> list[LogEntry]:
    """The entries of a log; none if there is no such log.  OSError."""
    try:
        descriptor = files.open(directories.path(queue, queue_id), os.O_RDONLY)
    except FileNotFoundError:
        return []
    try:
        parts: list[bytes] = []
        while part := files.pread(descriptor, 65536, sum(map(len, parts))):
            parts.append(part)
    finally:
        files.close(descriptor)
    failed = queue != "defer"
    return [_entry(fields, failed=failed) for fields in read_entries(b"".join(parts))]


def _entry(fields: dict[bytes, bytes], *, failed: bool) -> LogEntry:
    def text(name: bytes, default: str = "") -> str:
        return fields.get(name, default.encode()).decode("utf-8", "replace")

    def number(name: bytes) -> int:
        value = fields.get(name, b"0")
        return decimal(value) if is_decimal(value) else 0

    recipient = fields[b"recipient"]
    diagnostic, mta = text(b"diag_text"), text(b"mta_mname")
    return LogEntry(
        recipient=b"" if recipient == b"<>" else recipient,
        original_recipient=fields.get(b"original_recipient", b""),
        offset=number(b"offset"),
        dsn_original=fields.get(b"dsn_orig_rcpt", b""),
        notify=number(b"notify_flags"),
        status=text(b"status", "5.0.0" if failed else "4.0.0"),
        action=text(b"action", "failed" if failed else "delayed"),
        reason=text(b"reason", "(error report unavailable)"),
        diagnostic=f"{text(b'diag_type')}; {diagnostic}" if diagnostic else "",
        remote_mta=f"{text(b'mta_type')}; {mta}" if mta else "",
    )


def discard(
    directories: QueueDirectories, queue: str, queue_id: QueueId, *, files: FileSystem = DISK
) -> None:
    """Remove a log that is out of date."""
    try:
        files.unlink(directories.path(queue, queue_id))
    except FileNotFoundError:
        return


def _one_line(text: bytes) -> bytes:
    return bytes(0x3F if octet < 0x20 or octet == 0x7F else octet for octet in text)
