"""What postqueue(1) does, with the whole configuration read: postqueue.py says what that is.

FAULTS
    69 the mail system is down; wrong use; not allowed, as in Postfix    70 the other side speaks otherwise
"""

import os
import sys
from collections.abc import Iterator
from typing import Final

from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.system_clock import SystemClock
from pillarbox.net.unix_client import bare_connection
from pillarbox.queue.flush_protocol import FlushRequest, FlushStatus, ask_flush
from pillarbox.queue.listed_message import ListedMessage
from pillarbox.queue.maildrop import has_postdrop
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.queue.queue_listing import list_queue
from pillarbox.routing.configured_routes import fast_flush_domains
from pillarbox.tables.authorized_users import AuthorizedUsers, user_name
from pillarbox.tables.table import LookupFault
from pillarbox.tools.command_line import parsed_options
from pillarbox.tools.command_settings import (
    EX_SOFTWARE,
    EX_UNAVAILABLE,
    Stop,
    fatal,
    queue_of,
    read_settings,
    tell,
)
from pillarbox.tools.queue_report import print_json, print_traditional
from pillarbox.tools.quick_listing import messages_from
from pillarbox.tools.triggers import FLUSH_ALL, WAKE_UP, trigger
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.attributes import AttributeFault
from pillarbox.wire.smtp.paths import is_address_literal, is_host_name

_PROGRAM: Final = "postqueue"
_USAGE: Final = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site"
_DOWN: Final = "Cannot flush mail queue - mail system is down"


def carry_out(arguments: list[str]) -> int:
    """Run the command; the exit status.  BrokenPipeError if nobody reads on."""
    try:
        _run(arguments)
        sys.stdout.buffer.flush()
    except Stop as stop:
        return fatal(_PROGRAM, stop)
    except (ConfigurationFault, LookupFault) as fault:
        return fatal(_PROGRAM, Stop(str(fault), EX_UNAVAILABLE))
    return 0


def _run(arguments: list[str]) -> None:
    given, rest = parsed_options(_PROGRAM, arguments, "c:fi:jps:v", usage=_USAGE, status=EX_UNAVAILABLE)
    actions = [(letter, value) for letter, value in given if letter not in ("-c", "-v")]
    if len(actions) != 1 or rest:
        raise Stop(_USAGE, EX_UNAVAILABLE)
    (action, value) = actions[0]
    directory = next((value for letter, value in given if letter == "-c"), "")
    snapshot = read_settings(directory, status=EX_UNAVAILABLE)
    if action in ("-p", "-j"):
        show_queue(snapshot, as_json=action == "-j")
    elif action == "-f":
        flush_queue(snapshot)
    elif action == "-i":
        flush_message(snapshot, value)
    else:
        flush_site(snapshot, value)


def show_queue(snapshot: Snapshot, *, as_json: bool) -> None:
    """List the queue on standard output."""
    _gain_rights(snapshot, "-j" if as_json else "-p")
    _check(snapshot, "authorized_mailq_users", "view the mail queue")
    messages = _messages(snapshot)
    try:
        if as_json:
            print_json(messages, write=sys.stdout.buffer.write)
        else:
            long_ids = snapshot.group(QueueManager).enable_long_queue_ids
            print_traditional(messages, long_ids=long_ids, write=sys.stdout.buffer.write)
    except AttributeFault as fault:
        sys.stdout.buffer.flush()
        raise Stop(f"malformed showq server response: {fault}", EX_SOFTWARE) from fault


def _messages(snapshot: Snapshot) -> Iterator[ListedMessage]:
    queue_directory = snapshot.group(Paths).queue_directory
    try:
        server = bare_connection(queue_directory, "public/showq")
    except OSError as error:
        why = f"(Connect to the {_mail_name(snapshot)} showq service: {error.strerror})"
        if os.geteuid() != 0:
            raise Stop(f"Queue report unavailable - mail system is down {why}", EX_UNAVAILABLE) from error
        tell(_PROGRAM, f"warning: Mail system is down -- accessing queue directly {why}")
        _look_into_directories(queue_directory)
        empty = snapshot.group(QueueManager).empty_address_recipient.encode()
        return list_queue(queue_of(snapshot), empty_address=empty)
    return messages_from(server)


def _look_into_directories(queue_directory: str) -> None:
    """Stop if one is not there: a queue that cannot be seen is not an empty one."""
    for name in ("maildrop", "active", "incoming", "deferred", "hold"):
        try:
            os.scandir(os.path.join(queue_directory, name)).close()
        except OSError as error:
            tell(_PROGRAM, f"warning: scan_dir_push: open directory {name}: {error.strerror}")
            raise Stop("malformed showq server response", EX_UNAVAILABLE) from error


def _mail_name(snapshot: Snapshot) -> str:
    return snapshot.value("mail_name")


def flush_queue(snapshot: Snapshot) -> None:
    """Try all deferred mail now."""
    _gain_rights(snapshot, "-f")
    _check(snapshot, "authorized_flush_users", "flush the mail queue")
    queue_directory = snapshot.group(Paths).queue_directory
    for service, request in (("qmgr", FLUSH_ALL), ("pickup", WAKE_UP)):
        try:
            trigger(queue_directory, f"public/{service}", request)
        except OSError as error:
            if not isinstance(error, ConnectionError):
                tell(_PROGRAM, f"warning: unable to look up public/{service}: {error.strerror}")
            raise Stop(_DOWN, EX_UNAVAILABLE) from error


def flush_message(snapshot: Snapshot, queue_id: str) -> None:
    """Try one message now."""
    _gain_rights(snapshot, "-i", queue_id)
    _check(snapshot, "authorized_flush_users", "flush the mail queue")
    if not is_queue_id(queue_id):
        raise Stop(f'Cannot flush queue ID - invalid name: "{queue_id[:100]}"', EX_UNAVAILABLE)
    _ask(snapshot, FlushRequest(queue_id=queue_id.encode()), queue_id)


def flush_site(snapshot: Snapshot, site: str) -> None:
    """Try mail for one site now."""
    _gain_rights(snapshot, "-s", site)
    _check(snapshot, "authorized_flush_users", "flush the mail queue")
    name = os.fsencode(site)
    if not (is_address_literal(name) if site.startswith("[") else is_host_name(name)):
        raise Stop(f'Cannot flush mail queue - invalid destination: "{site[:100]}"', EX_UNAVAILABLE)
    if not fast_flush_domains(snapshot, clock=SystemClock()).holds(site.lower()):
        raise Stop(f'Flush service is not configured for destination "{site}"', EX_UNAVAILABLE)
    _ask(snapshot, FlushRequest(site=site.encode()), site)


def _ask(snapshot: Snapshot, request: FlushRequest, shown: str) -> None:
    try:
        status = ask_flush(snapshot.group(Paths).queue_directory, request)
    except OSError as error:
        tell(_PROGRAM, f"warning: connect to public/flush: {error.strerror}")
        raise Stop(_DOWN, EX_UNAVAILABLE) from error
    except AttributeFault as fault:
        raise Stop(f"Unexpected flush server reply: {fault}", EX_UNAVAILABLE) from fault
    if status is FlushStatus.DENIED:
        raise Stop(f'Flush service is not configured for destination "{shown}"', EX_UNAVAILABLE)
    if status is FlushStatus.BAD:
        raise Stop(f'Invalid request: "{shown}"', EX_UNAVAILABLE)


def _gain_rights(snapshot: Snapshot, *arguments: str) -> None:
    """Become a real Postfix's setgid postqueue where the sockets are for its group, as if there is one."""
    paths = snapshot.group(Paths)
    if os.access(f"{paths.queue_directory}/public", os.X_OK) or not has_postdrop(paths, _PROGRAM):
        return
    sys.stdout.flush()
    os.execv(f"{paths.command_directory}/{_PROGRAM}", [_PROGRAM, *arguments])  # noqa: S606 - no shell is wanted


def _check(snapshot: Snapshot, parameter: str, what: str) -> None:
    uid = os.getuid()
    if not AuthorizedUsers.of(snapshot, parameter, clock=SystemClock()).may(uid):
        raise Stop(f"User {user_name(uid)}({uid}) is not allowed to {what}", EX_UNAVAILABLE)
