"""Where a message goes that names a mailbox: user+mailbox of LMTP, `dovecot-lda -m`.

DESCRIPTION
    The mailbox may lie in the user's own mail or in another namespace with a place of its own.  Where there are
    access lists the user needs the right `p` (RFC 4314 §4, post) on it, and `k` on the one above if it has to be
    made, unless the configuration has it made; INBOX takes everything.  What cannot be opened is told, and the
    message goes into INBOX.

FAULTS
    Unreachable         why a mailbox cannot be opened, for the log
    ConfigurationFault  the user's settings make no sense

STANDARDS
    RFC 4314 §4; Dovecot 2.3, lmtp_save_to_detail_mailbox, ACL
"""

import os
from contextlib import suppress
from typing import Final

import msgspec

from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.mailbox_settings import MailboxSettings, Namespace, Storage
from pillarbox.daemons.account_namespaces import acl_name
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.deliver import make_maildir
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.mailbox import MailboxNameRefused, StoreUnavailable
from pillarbox.mailstore.mailbox_names import INBOX, normalise
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.default_mailboxes import DefaultMailboxes
from pillarbox.mailstore.maildir.mailbox_tree import tree_at
from pillarbox.mailstore.namespaces.namespaced_account import PublicNames, as_named
from pillarbox.mailstore.sharing.acl import AccessLists, AclUser
from pillarbox.mailstore.sharing.acl_file import Rights
from pillarbox.net.handover import Letter
from pillarbox.net.system_clock import SystemClock

_MISSING: Final = "Mailbox doesn't exist: {}"
_DENIED: Final = "Permission denied"


class Unreachable(Exception):
    """`str()` is why."""


class DeliveryMailbox(msgspec.Struct, frozen=True):
    """`name` as the user has it, and the directory."""

    name: str
    maildir: str
    is_own: bool = True
    """Whether it counts towards the user's quota."""


def delivery_mailbox(settings: MailboxSettings, letter: Letter, place: Storage) -> DeliveryMailbox:
    """The mailbox that the letter's detail names; blocks, and makes it if that is wished.  Unreachable."""
    name = letter.detail
    namespace, own_place = _namespace_of(settings, name), place
    if namespace is not settings.namespaces[0] and namespace.location is not None:
        place = place_of(namespace.location, "", user=letter.user, home=letter.home)
    account = MaildirAccount(place)
    try:
        stored = normalise(as_named(account, namespace).store_name(name))
        directory = account.path(stored)
    except MailboxNameRefused as fault:
        raise Unreachable(str(fault)) from None
    except ValueError:
        raise Unreachable(_MISSING.format(name)) from None
    if stored == INBOX and namespace is settings.namespaces[0]:
        return DeliveryMailbox(INBOX, place.path)
    is_own = namespace.kind == "private"
    lists = None
    if settings.has_plugin("acl", "lmtp"):
        groups = tuple(letter.fields.get("acl_groups", "").replace(",", " ").split())
        name_in_lists = acl_name(settings, letter.user, letter.home, letter.fields) or letter.user
        lists = AccessLists(
            tree_at(place),
            AclUser(name=name_in_lists, groups=groups, is_owner=is_own and name_in_lists == letter.user),
            files=DISK,
            clock=SystemClock(),
            global_file=settings.acl_file,
            public_name=PublicNames(namespace).to_client,
            default=settings.acl_default_of(namespace),
        )
    try:
        tree = tree_at(place)
        subscriptions = _subscriptions(place)
        defaults = DefaultMailboxes(tree, subscriptions, namespace.mailboxes)
        if defaults.make_one(stored):
            if lists is not None:
                lists.inherit(stored)
        elif not os.path.isdir(f"{directory}/cur"):
            if not settings.lda_mailbox_autocreate:
                raise Unreachable(_MISSING.format(name))
            if lists is not None and Rights.CREATE not in lists.rights_above(stored):
                raise Unreachable(_DENIED)
            make_maildir(directory)
            if lists is not None:
                lists.inherit(stored)
            if settings.lda_mailbox_autosubscribe:
                with suppress(OSError, StoreUnavailable, ValueError):  # the message counts more
                    if namespace.subscriptions:
                        subscriptions.add(stored)
                    else:
                        own = as_named(MaildirAccount(own_place), settings.namespaces[0])
                        _subscriptions(own_place).add(normalise(own.store_name(name)))
        if lists is not None and Rights.POST not in (rights := lists.rights(stored)):
            raise Unreachable(_DENIED if Rights.LOOKUP in rights else _MISSING.format(name))
    except StoreUnavailable as fault:  # a list that makes no sense
        raise Unreachable(str(fault)) from fault
    return DeliveryMailbox(name, directory, is_own)


def _subscriptions(place: Storage) -> Subscriptions:
    tree = tree_at(place)
    separator = b"/" if place.nested else b"."
    return Subscriptions(tree.control, DISK, separator=separator, escaping=tree.escaping)


def _namespace_of(settings: MailboxSettings, name: str) -> Namespace:
    """That whose prefix is the longest that the name begins with; other users' mail is not delivered into."""
    own = settings.namespaces[0]
    fitting = [
        one
        for one in settings.namespaces[1:]
        if one.kind != "shared" and one.prefix and name.startswith(one.prefix)
    ]
    return max(fitting, key=lambda one: len(one.prefix), default=own)
