"""Values of main.cf that only this host can judge: accounts, groups, addresses.

DESCRIPTION
    `check_host_values()` is for before a start, a reload and `postfix check`.  The owner of the queue, the
    account of commands that nobody else answers for, and the group of postdrop(1) must be three parties: who
    shares an id with one of them could do what only that one may.

FAULTS
    ConfigurationFault  an account or group that does not exist, that has root's rights, or that shares an id
                        with another; an address or protocol that this host does not have.  In Postfix's words.
    AccountToCome       the same of an account or group that an installation makes

SOURCE
    postconf(5): mail_owner, setgid_group, default_privs, inet_interfaces, inet_protocols
"""

import grp
import pwd
from typing import Final

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.own_addresses import IP_VERSIONS
from pillarbox.supervisor.inet_addresses import interface_addresses
from pillarbox.vocabulary.faults import ConfigurationFault

_MADE: Final = ("postfix", "postdrop")
"""Account and group that an installation makes."""


class AccountToCome(ConfigurationFault):
    """An account or group of Pillarbox's own that this host does not have yet."""


def check_host_values(snapshot: Snapshot) -> None:
    """ConfigurationFault for the first value that is wrong here."""
    owner, group = mail_owner(snapshot), setgid_group(snapshot)
    name = snapshot.group(Paths).default_privs
    privileges = _user(snapshot, "default_privs", name)
    where = snapshot.where("default_privs")
    if privileges.pw_uid == owner.pw_uid:
        raise ConfigurationFault(
            where, f"parameters default_privs and mail_owner specify the same user {owner.pw_name}"
        )
    if privileges.pw_gid == owner.pw_gid:
        raise ConfigurationFault(
            where,
            f"parameters default_privs and mail_owner: users {name} and {owner.pw_name} "
            f"have the same group ID: {owner.pw_gid}",
        )
    for parameter, user in (("mail_owner", owner), ("default_privs", privileges)):
        if user.pw_gid == group.gr_gid:
            raise ConfigurationFault(
                snapshot.where("setgid_group"),
                f"parameters {parameter} and setgid_group: user {user.pw_name} and group {group.gr_name} "
                f"have the same group ID: {group.gr_gid}",
            )
    _check_addresses(snapshot)


def mail_owner(snapshot: Snapshot) -> pwd.struct_passwd:
    """Who owns the queue."""
    return _user(snapshot, "mail_owner", snapshot.group(Paths).mail_owner)


def setgid_group(snapshot: Snapshot) -> grp.struct_group:
    """The group that puts mail into maildrop."""
    name, where = snapshot.group(Paths).setgid_group, snapshot.where("setgid_group")
    try:
        group = grp.getgrnam(name)
    except KeyError:
        raise _missing(where, f"parameter setgid_group: unknown group name: {name}", name) from None
    if group.gr_gid == 0:
        raise ConfigurationFault(where, f"parameter setgid_group: group {name} has privileged group ID")
    return group


def _user(snapshot: Snapshot, parameter: str, name: str) -> pwd.struct_passwd:
    where = snapshot.where(parameter)
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise _missing(where, f"parameter {parameter}: unknown user name value: {name}", name) from None
    for number, kind in ((user.pw_uid, "user"), (user.pw_gid, "group")):
        if number == 0:
            raise ConfigurationFault(where, f"parameter {parameter}: user {name} has privileged {kind} ID")
    return user


def _missing(where: str, what: str, name: str) -> ConfigurationFault:
    if name in _MADE:
        return AccountToCome(where, what, mend="`pillarbox install` makes the accounts")
    return ConfigurationFault(where, what)


def _check_addresses(snapshot: Snapshot) -> None:
    identity = snapshot.group(Identity)
    for word in identity.inet_protocols:
        if word not in IP_VERSIONS:
            raise ConfigurationFault(
                snapshot.where("inet_protocols"),
                f'unknown inet_protocols value "{word}" in "{snapshot.value("inet_protocols")}"',
                mend="all, ipv4 or ipv6",
            )
    interface_addresses(snapshot)
