"""GETQUOTA, GETQUOTAROOT, SETQUOTA.

DESCRIPTION
    Every mailbox of a namespace, existing or not, belongs to all quotas of the account, but for those of other
    users, whose quotas are not shown.  Resources without a limit are not told,
    nor are quotas without any; if there is no other, GETQUOTAROOT finds no quota, as in Dovecot.
    Limits are set in the configuration only.  Without imap_quota among mail_plugins the commands
    do not exist (sessions/imap/options.py).

STANDARDS
    RFC 2087, RFC 9208 (QUOTA): STORAGE in units of 1024 octets, MESSAGE
"""

from pillarbox.mailstore.mailbox import MailboxNameRefused, QuotaState
from pillarbox.mailstore.namespaces.namespaced_account import OutsideNamespace
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import GetQuota, GetQuotaRoot, SetQuota


async def get_quota(conversation: Conversation, command: GetQuota) -> None:
    """GETQUOTA."""
    for state in await conversation.account.quotas() or ():
        if state.root.encode() == command.root:
            if state.max_octets or state.max_messages:
                conversation.engine.untagged(_rendered(state))
            conversation.ok(command.tag, b"Getquota completed")
            return
    conversation.no(command.tag, b"Quota root doesn't exist")


async def get_quota_root(conversation: Conversation, command: GetQuotaRoot) -> None:
    """GETQUOTAROOT."""
    account = conversation.account
    if isinstance(account, UnitedAccount):
        if account.is_of_another(command.mailbox):
            conversation.no(command.tag, b"Not showing other users' quota")
            return
        try:
            await account.store_name(command.mailbox)
        except OutsideNamespace:
            raise
        except MailboxNameRefused:
            pass  # no mailbox, but within a quota
    states = [state for state in await account.quotas() or () if not state.is_hidden]
    told = [state for state in states if state.max_octets or state.max_messages]
    if not told:
        conversation.ok(command.tag, b"No quota")
        return
    names = [responses.mailbox(conversation.name(command.mailbox))]
    names += [responses.astring(state.root.encode()) for state in states]
    conversation.engine.untagged(b"QUOTAROOT " + b" ".join(names))
    for state in told:
        conversation.engine.untagged(_rendered(state))
    conversation.ok(command.tag, b"Getquotaroot completed")


async def set_quota(conversation: Conversation, command: SetQuota) -> None:
    """SETQUOTA."""
    conversation.no(command.tag, b"Quota can be changed only by admin")


def _rendered(state: QuotaState) -> bytes:
    """`QUOTA "User quota" (STORAGE 11 512)`"""
    resources = []
    if state.max_octets:
        resources.append(b"STORAGE %d %d" % (_kilobytes(state.octets), _kilobytes(state.max_octets)))
    if state.max_messages:
        resources.append(b"MESSAGE %d %d" % (state.messages, state.max_messages))
    return b"QUOTA %b (%b)" % (responses.astring(state.root.encode()), b" ".join(resources))


def _kilobytes(octets: int) -> int:
    return -(-octets // 1024)
