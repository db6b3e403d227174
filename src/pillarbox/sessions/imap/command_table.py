"""Which function answers which command, and which commands may be answered beside a long one.

STANDARDS
    RFC 3501 §5.5 (commands in progress), §6
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from pillarbox.sessions.imap import (
    acl_commands,
    append,
    fetch,
    idle,
    listing,
    mailbox_commands,
    message_commands,
    metadata,
    notify,
    quota_commands,
    search,
    selecting,
    session_commands,
    urlauth,
)
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.wire.imap import acl_commands as acl
from pillarbox.wire.imap import commands, notify_commands, urlauth_commands
from pillarbox.wire.imap.commands import Command

COMING: Final = (commands.AppendOffer, commands.AppendData)
"""What precedes the command whose messages come."""
_BESIDE: Final = frozenset(
    (
        commands.Noop,
        commands.Capability,
        commands.Id,
        commands.Namespace,
        commands.List,
        commands.Lsub,
        commands.Status,
        commands.GetQuota,
        commands.GetQuotaRoot,
        commands.GetMetadata,
        acl.GetAcl,
        acl.ListRights,
        acl.MyRights,
        commands.Refused,
    )
)
"""Commands that change nothing that a search or a FETCH looks at."""


def may_run_beside(command: Command) -> bool:
    """Whether a command may be answered while a long one goes on."""
    if isinstance(command, commands.Fetch):
        return not command.items.marks_seen
    return type(command) in _BESIDE


# Each handler takes commands of its own type only, which a dict cannot say.
Handler = Callable[[Conversation, Any], Awaitable[None]]
HANDLERS: Final[dict[type[Command], Handler]] = {
    commands.Capability: session_commands.capability,
    commands.Noop: session_commands.noop,
    commands.Id: session_commands.identify,
    commands.Compress: session_commands.compress,
    commands.Enable: session_commands.enable,
    commands.Select: selecting.select,
    commands.Examine: selecting.examine,
    commands.Create: mailbox_commands.create,
    commands.Delete: mailbox_commands.delete,
    commands.Rename: mailbox_commands.rename,
    commands.Subscribe: mailbox_commands.subscribe,
    commands.Unsubscribe: mailbox_commands.unsubscribe,
    commands.List: listing.list_mailboxes,
    commands.Lsub: listing.lsub,
    commands.Namespace: mailbox_commands.namespace,
    commands.Status: mailbox_commands.status,
    commands.GetMetadata: metadata.get_metadata,
    commands.SetMetadata: metadata.set_metadata,
    commands.AppendOffer: append.append_offer,
    commands.AppendData: append.append_data,
    commands.Append: append.append,
    commands.Replace: append.replace,
    urlauth_commands.GenUrlAuth: urlauth.gen_url_auth,
    urlauth_commands.ResetKey: urlauth.reset_key,
    urlauth_commands.UrlFetch: urlauth.url_fetch,
    commands.GetQuota: quota_commands.get_quota,
    commands.GetQuotaRoot: quota_commands.get_quota_root,
    commands.SetQuota: quota_commands.set_quota,
    acl.GetAcl: acl_commands.get_acl,
    acl.SetAcl: acl_commands.set_acl,
    acl.DeleteAcl: acl_commands.delete_acl,
    acl.ListRights: acl_commands.list_rights,
    acl.MyRights: acl_commands.my_rights,
    commands.Idle: idle.idle,
    notify_commands.Notify: notify.notify,
    commands.Check: message_commands.check,
    commands.Close: selecting.close,
    commands.Unselect: selecting.unselect,
    commands.Expunge: message_commands.expunge,
    commands.Search: search.search,
    commands.Sort: search.sort,
    commands.Thread: search.thread,
    commands.CancelUpdate: search.cancel_update,
    commands.Fetch: fetch.fetch,
    commands.Store: message_commands.store,
    commands.Copy: message_commands.copy,
    commands.Move: message_commands.move,
}
