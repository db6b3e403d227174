"""How the commands of local(8) and pipe(8) are run: with what environment, where, and for how long.

FAULTS
    ExpansionError  command_execution_directory has a `$` that means nothing

STANDARDS
    local(8), EXTERNAL COMMAND DELIVERY; pipe(8)
"""

import os
from collections.abc import Iterable, Mapping
from typing import Final

from pillarbox.config.name_expansion import expand_names
from pillarbox.delivery.local.agent_settings import AgentSettings
from pillarbox.delivery.local.command import CommandRun, censored
from pillarbox.delivery.local.frames import DeliverLocally, PipeMail
from pillarbox.delivery.local.local_names import LocalNames

_CLIENT: Final = {
    b"CLIENT_HOSTNAME": b"log_client_name",
    b"CLIENT_ADDRESS": b"log_client_address",
    b"CLIENT_HELO": b"log_helo_name",
    b"CLIENT_PROTOCOL": b"log_protocol_name",
    b"SASL_METHOD": b"sasl_method",
    b"SASL_SENDER": b"sasl_sender",
    b"SASL_USERNAME": b"sasl_username",
}
"""Names in a command's environment of attributes of the queue file."""
_ALWAYS: Final = (b"LOGNAME", b"USER", b"SENDER", b"RECIPIENT", b"LOCAL")
"""What is in the environment even if it is empty."""


def client_environment(attributes: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """What a command is told of the client that the message came from."""
    return [(name, value) for name, key in _CLIENT.items() if (value := attributes.get(key))]


def shell_run(
    request: DeliverLocally, command: bytes, settings: AgentSettings, content: Iterable[bytes]
) -> CommandRun:
    """A command that an alias, a .forward file or mailbox_command names.  ExpansionError."""
    directory = _directory(request, settings)
    return CommandRun(
        name=command.decode("utf-8", "replace"),
        command=command,
        shell=os.fsencode(settings.local.local_command_shell),
        content=content,
        environment=(*settings.environment, *_environment(request, settings)),
        directory=directory or os.fsencode(settings.queue_directory),
        must_enter=bool(directory),
        time_limit=settings.local.command_time_limit,
        file_size_limit=settings.local.mailbox_size_limit,
        recipient=request.recipient.user,
    )


def pipe_run(work: PipeMail, settings: AgentSettings, content: Iterable[bytes]) -> CommandRun:
    """The command of a pipe(8) service."""
    return CommandRun(
        name=os.fsdecode(work.arguments[0]),
        arguments=tuple(work.arguments),
        content=content,
        environment=settings.environment,
        directory=work.directory or os.fsencode(settings.queue_directory),
        must_enter=bool(work.directory),
        time_limit=work.time_limit,
    )


def _directory(request: DeliverLocally, settings: AgentSettings) -> bytes:
    """command_execution_directory; empty for none."""
    local = settings.local
    expanded = expand_names(
        local.command_execution_directory,
        LocalNames.of(request),
        allowed=local.execution_directory_expansion_filter,
    )
    return os.fsencode(expanded.text)


def _environment(request: DeliverLocally, settings: AgentSettings) -> list[tuple[bytes, bytes]]:
    """What a command is told of the mail."""
    who, account = request.recipient, request.account
    named = [
        (b"HOME", account.home),
        (b"LOGNAME", who.user),
        (b"USER", who.user),
        (b"SENDER", who.sender),
        (b"RECIPIENT", who.address),
        (b"LOCAL", who.local),
        (b"SHELL", account.shell),
        (b"DOMAIN", who.domain),
        (b"EXTENSION", who.extension or b""),
        (b"ORIGINAL_RECIPIENT", who.original),
        *request.client,
    ]
    allowed = settings.local.command_expansion_filter
    return [(name, censored(value, allowed)) for name, value in named if value or name in _ALWAYS]
