"""doveadm mailbox metadata: annotations of mailboxes (RFC 5464), whether or not IMAP serves them.

DESCRIPTION
    With -s an empty name means the account's own.  Without a value `get` shows an empty one; `list` shows those
    that are set, private ones first, without /private and /shared unless -p.

STANDARDS
    doveadm-mailbox(1)
"""

from collections.abc import Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.mailstore.mailbox import Account, AttributesFull, NoSuchMailbox
from pillarbox.tools.doveadm_commands.accounts import COMMON, MailCommand, Prepared, Work, missing, show
from pillarbox.tools.doveadm_commands.common_output import Columns
from pillarbox.tools.doveadm_commands.faults import (
    EX_NOTFOUND,
    EX_TEMPFAIL,
    EX_USAGE,
    Fatal,
    MailFault,
    Usage,
)

USAGE: Final = {
    "get": f"{COMMON} [-s] <mailbox> <key>",
    "list": f"{COMMON} [-s] [-p] <mailbox> [<key prefix>]",
    "set": f"{COMMON} [-s] <mailbox> <key> <value>",
    "unset": f"{COMMON} [-s] <mailbox> <key>",
}
_WORDS: Final = {"get": (2, 2), "list": (1, 2), "set": (3, 3), "unset": (2, 2)}
_TYPES: Final = ("private", "shared")
_SPECIAL_USE: Final = "private/specialuse"


def prepared_metadata(
    configuration: Configuration, form: str, verb: str, arguments: Sequence[str]
) -> Prepared:
    """One of the four.  Usage, Fatal."""
    usage = f"mailbox metadata {verb} {USAGE[verb]}"
    command = MailCommand(configuration, form, usage, "sp" if verb == "list" else "s", arguments)
    fewest, most = _WORDS[verb]
    if not fewest <= len(command.words) <= most:
        raise Usage(usage)
    key = _key(command.words[1]) if len(command.words) > 1 else ""
    match verb:
        case "get":
            command.columns = Columns(("value",), hidden=("value",))
            return Prepared(command, _get(command, key))
        case "list":
            command.columns = Columns(("key",), hidden=("key",))
            return Prepared(command, _list(command, key))
        case _:
            value = command.words[2].encode("utf-8", "surrogateescape") if verb == "set" else None
            return Prepared(command, _change(command, key, value))


def _key(text: str) -> str:
    """`/private/comment` as the store has it."""
    if not any(text == f"/{kind}" or text.startswith(f"/{kind}/") for kind in _TYPES):
        raise Fatal(f"Invalid metadata key '{text}': Must begin with /private or /shared", status=EX_USAGE)
    return text[1:]


def _check_name(command: MailCommand, user: str, what: str) -> None:
    if not command.words[0] and "-s" not in command.options:
        raise MailFault(user, f"Failed to {what} attribute: mailbox name cannot be empty", EX_USAGE)


async def _known(account: Account, name: str) -> dict[str, bytes]:
    """All annotations, with what the mailbox is for."""
    found = dict(await account.attributes(name))
    for entry in await account.list_mailboxes() if name else ():
        if entry.name == name and entry.special_use:
            found[_SPECIAL_USE] = entry.special_use
    return found


def _get(command: MailCommand, key: str) -> Work:
    async def work(user: str, account: Account) -> None:
        _check_name(command, user, "get")
        try:
            known = await _known(account, command.words[0])
        except NoSuchMailbox as fault:
            text = f"Failed to get attribute: {missing(command.words[0])}"
            raise MailFault(user, text, EX_NOTFOUND) from fault
        show(command, user, [[known.get(key, b"").decode("utf-8", "surrogateescape")]])

    return work


def _list(command: MailCommand, prefix: str) -> Work:
    async def work(user: str, account: Account) -> None:
        _check_name(command, user, "list")
        name = command.words[0]
        try:
            known = await _known(account, name)
        except NoSuchMailbox as fault:
            text = f"Mailbox {name}: Failed to iterate mailbox attributes: {missing(name)}"
            raise MailFault(user, text, EX_NOTFOUND) from fault
        rows = []
        for key in sorted(known):
            if key.startswith(prefix):
                rest = key[len(prefix) :] if "/" in prefix else key.partition("/")[2]
                rows.append([f"/{key}" if "-p" in command.options else rest])
        show(command, user, rows)

    return work


def _change(command: MailCommand, key: str, value: bytes | None) -> Work:
    async def work(user: str, account: Account) -> None:
        _check_name(command, user, "set" if value is not None else "unset")
        try:
            await account.change_attributes(command.words[0], {key: value})
        except NoSuchMailbox as fault:
            text = f"Failed to open mailbox: {missing(command.words[0])}"
            raise MailFault(user, text, EX_NOTFOUND) from fault
        except AttributesFull as fault:
            raise MailFault(
                user, "Failed to set attribute: Too many mailbox attributes", EX_TEMPFAIL
            ) from fault

    return work
