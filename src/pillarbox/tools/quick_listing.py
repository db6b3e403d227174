"""The listing of postqueue and mailq where nothing special is asked or configured: it begins at once.

DESCRIPTION
    Reading a configuration with all that may stand in it takes tens of milliseconds, nearly all of them to import
    what knows of it.  A listing needs three parameters.  Where main.cf gives each as plain text, or not at all, and
    everybody may list the queue, nothing else is imported, and nearly all of that while the server begins: before
    it is asked not even typing and socket are, which take longer than all else.  In all other cases, and whenever
    anything is wrong, `list_quickly` has done nothing and queue_requests.py does it all.

FAULTS
    70, as queue_requests.py, if the server stops in between
"""

import _socket
import os
import sys

from pillarbox.config.logical_lines import LogicalLine, logical_lines, read_text, split_name_value
from pillarbox.net.unix_client import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from pillarbox.queue.listed_message import ListedMessage

DIRECTORY: "Final" = "/etc/postfix"
DEFAULTS: "Final" = {
    "queue_directory": "/var/spool/postfix",
    "authorized_mailq_users": "static:anyone",
    "enable_long_queue_ids": "no",
}
"""What is needed, with the defaults of config/parameters/."""
EX_SOFTWARE: "Final" = 70
_RECEIVED_AT_ONCE: "Final" = 65536


def list_quickly(arguments: "Sequence[str]") -> bool:
    """List the queue on standard output; False if that takes more than is known here, and nothing was done.

    Ends the process if the server stops in between.  OSError while it lists.
    """
    directory, action = os.environ.get("MAIL_CONFIG", "") or DIRECTORY, arguments
    if len(arguments) == 3 and arguments[0] == "-c" and arguments[1]:
        directory, action = arguments[1], arguments[2:]
    if len(action) != 1 or action[0] not in ("-p", "-j"):
        return False
    values = plain_values(os.path.join(directory, "main.cf"))
    if values is None:
        return False
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connect(server, values["queue_directory"], "public/showq")
    except OSError:
        server.close()
        return False
    # What shows the queue is loaded while the server looks for the first message.
    from pillarbox.tools.queue_report import print_json, print_traditional
    from pillarbox.wire.attributes import AttributeFault

    output = sys.stdout.buffer
    messages = messages_from(server)
    try:
        if action[0] == "-j":
            print_json(messages, write=output.write)
        else:
            long_ids = values["enable_long_queue_ids"] == "yes"
            print_traditional(messages, long_ids=long_ids, write=output.write)
    except AttributeFault as fault:
        output.flush()
        print(f"postqueue: fatal: malformed showq server response: {fault}", file=sys.stderr)
        sys.exit(EX_SOFTWARE)
    return True


def messages_from(server: _socket.socket) -> "Iterator[ListedMessage]":
    """What showq sends; what was printed is shown before it is waited for more.  AttributeFault if it stops."""
    from pillarbox.queue.queue_listing_protocol import read_messages

    def receive() -> bytes:
        sys.stdout.buffer.flush()
        try:
            return server.recv(_RECEIVED_AT_ONCE)
        except ConnectionError:
            return b""

    messages = read_messages(receive)
    try:
        for message in messages:
            yield message
            break
        sys.stdout.buffer.flush()  # the first message, whatever else has come
        yield from messages
    finally:
        server.close()


def plain_values(main_cf: str) -> dict[str, str] | None:
    """What main.cf says of the parameters that are needed; None if that is not to be seen at first sight.

    Not if the caller may not list the queue, or only some may.
    """
    values = dict(DEFAULTS)
    try:
        for line in logical_lines(read_text(main_cf)):
            if isinstance(line, LogicalLine):
                name, text = split_name_value(line.text)
                if name in values:
                    values[name] = text
    except (OSError, ValueError):
        return None
    if any("$" in text for text in values.values()) or not os.path.isabs(values["queue_directory"]):
        return None
    everybody = values["authorized_mailq_users"] == DEFAULTS["authorized_mailq_users"] or not os.getuid()
    if not everybody or values["enable_long_queue_ids"] not in ("yes", "no"):
        return None
    return values
