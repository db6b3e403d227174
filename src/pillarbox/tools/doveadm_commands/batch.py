"""doveadm batch: several commands for the same users.

DESCRIPTION
    `batch -u USER : mailbox create A : mailbox list` does one after the other.  For a user for whom one failed,
    those behind it are left out.  Only commands that work on mailboxes can be given; whose they are, batch says.

    Each command's rows are printed by themselves, as if it had been given alone.  Dovecot puts them all into one
    table, with as many columns as all commands have together.

FAULTS
    Usage, Fatal  a command that cannot be given, or is wrong in itself: none has been begun

STANDARDS
    doveadm-batch(1)
"""

import getopt
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.tools.doveadm_commands import mailboxes, messages
from pillarbox.tools.doveadm_commands.accounts import Prepared, for_users
from pillarbox.tools.doveadm_commands.acl import prepared_acl
from pillarbox.tools.doveadm_commands.faults import EX_USAGE, Fatal, Usage
from pillarbox.tools.doveadm_commands.options import WHOSE
from pillarbox.tools.doveadm_commands.quota import prepared_quota

USAGE: Final = "<sep> <cmd1> [<sep> <cmd2> [..]]"


def batch(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The command."""
    usage = f"batch {USAGE}"
    try:
        pairs, words = getopt.getopt(list(arguments), WHOSE)
    except getopt.GetoptError as error:
        raise Usage(usage, complaint=f"batch: invalid option -- '{error.opt}'") from error
    commands = _commands(words)
    if not commands:
        raise Usage(usage)
    whose = [text for pair in pairs for text in pair if text]
    prepared = [_prepared(configuration, form, command, whose) for command in commands]
    failed: set[str] = set()
    status = 0
    for one in prepared:
        status = for_users(one.command, one.work, failed=failed) or status
    return status


def _commands(words: Sequence[str]) -> list[list[str]]:
    """The words of each, by the separator that is the first of all."""
    commands: list[list[str]] = []
    for word in words:
        if word == words[0]:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _prepared(
    configuration: Configuration, form: str, words: Sequence[str], whose: Sequence[str]
) -> Prepared:
    """`whose`: the options that say for whom it is, which go in front of the command's own."""
    if words[:2] == ["mailbox", "mutf7"]:
        raise _unknown(words)
    makers: dict[str, Callable[[Configuration, str, Sequence[str]], Prepared]] = {
        name: partial(messages.prepared_messages, name) for name in messages.USAGE
    }
    makers["mailbox"] = mailboxes.prepared_mailbox
    makers["acl"] = prepared_acl
    makers["quota"] = prepared_quota
    maker = makers.get(words[0])
    if maker is None:
        raise _unknown(words)
    at = 1 if words[0] in messages.USAGE and words[0] != "flags" else 2
    if list(words[:2]) in (["mailbox", "metadata"], ["mailbox", "cache"]):
        at = 3
    return maker(configuration, form, [*words[1:at], *(whose if len(words) >= at else ()), *words[at:]])


def _unknown(words: Sequence[str]) -> Fatal:
    return Fatal(f"doveadm batch: '{' '.join(words)}' mail command doesn't exist", status=EX_USAGE)
