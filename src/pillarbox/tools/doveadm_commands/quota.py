"""doveadm quota: what users' mailboxes hold, and counting it anew.

    doveadm quota get    [-u <user>|-A]    a line for each resource of each quota, storage in KiB
    doveadm quota recalc [-u <user>|-A]    count the mail again, whatever maildirsize says

FAULTS
    MailFault  the user does not exist; his rules cannot be understood
"""

from collections.abc import Sequence
from typing import Final

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.mailstore.mailbox import Account
from pillarbox.tools.doveadm_commands.accounts import COMMON, MailCommand, Prepared, Work, for_users, show
from pillarbox.tools.doveadm_commands.common_output import Columns
from pillarbox.tools.doveadm_commands.faults import Fatal, Usage

USAGE: Final = {"get": COMMON, "recalc": COMMON}
_COLUMNS: Final = ("root", "type", "value", "limit", "percent")
_TITLES: Final = ("Quota name", "Type", "Value", "Limit", "%")


def quota(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The command."""
    prepared = prepared_quota(configuration, form, arguments)
    return for_users(prepared.command, prepared.work)


def prepared_quota(configuration: Configuration, form: str, arguments: Sequence[str]) -> Prepared:
    """What it is to do.  Usage, Fatal."""
    if not arguments or arguments[0] not in USAGE:
        raise Usage("quota <command> [<args>]", USAGE)
    name = arguments[0]
    if not mailbox_settings(configuration, hostname="localhost").has_plugin("quota"):
        raise Fatal("Unknown command 'quota', but plugin quota exists. Try to set mail_plugins=quota")
    command = MailCommand(configuration, form, f"quota {name} {USAGE[name]}", "", arguments[1:])
    if command.words:
        raise Usage(command.usage)
    if name == "get":
        command.columns = Columns(_COLUMNS, "table", titles=_TITLES, right=_COLUMNS[2:])
    return Prepared(command, _get(command) if name == "get" else _recalculate())


def _get(command: MailCommand) -> Work:
    async def work(user: str, account: Account) -> None:
        rows: list[tuple[str, ...]] = []
        for state in await account.quotas() or ():
            rows.append(_row(state.root, "STORAGE", _kilobytes(state.octets), _kilobytes(state.max_octets)))
            rows.append(_row(state.root, "MESSAGE", state.messages, state.max_messages))
        show(command, user, rows)

    return work


def _row(root: str, kind: str, value: int, limit: int) -> tuple[str, ...]:
    if not limit:
        return root, kind, str(value), "-", "0"
    return root, kind, str(value), str(limit), str(value * 100 // limit)


def _kilobytes(octets: int) -> int:
    return -(-octets // 1024)


def _recalculate() -> Work:
    async def work(_user: str, account: Account) -> None:
        await account.recalculate_quotas()

    return work
