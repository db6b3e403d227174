"""An alias and its owner, as the alias tables have them.

FAULTS
    LookupFault  a table cannot be asked
    UserFault    the owner of a table has no account

STANDARDS
    aliases(5); local(8), DELIVERY RIGHTS
"""

import os

from pillarbox.delivery.local.destinations import destinations
from pillarbox.delivery.local.frames import Account
from pillarbox.delivery.local.means import Means, UserFault
from pillarbox.delivery.local.users import account_of
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.address import Address


def find_alias(means: Means, name: bytes) -> tuple[bytes, Account | None] | None:
    """What the alias lists, and whose rights what it lists is done with: None for default_privs."""
    key = os.fsdecode(name)
    for table in means.tables.aliases:
        value = table.query(key)
        if value is not None:
            return value.encode("utf-8", "surrogateescape"), _owner(table)
    return None


def owner_of_alias(means: Means, name: bytes) -> bytes | None:
    """The address of the alias's owner, if it has one."""
    if not means.settings.owner_request_special:
        return None
    owner = b"owner-" + name
    found = find_alias(means, owner)
    if found is None:
        return None
    if means.settings.expand_owner_alias:
        listed = destinations(found[0])
        owner = listed[0] if listed else owner
    return means.resolver.complete(Address.from_internal(owner)).internal


def _owner(table: LookupTable) -> Account | None:
    """Whose table it is; None for root's."""
    if table.owner_uid == 0:
        return None
    account = account_of(table.owner_uid)
    if account is None:
        raise UserFault(f"cannot find alias database owner for {table.name}")
    return account
