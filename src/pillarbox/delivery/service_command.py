"""The command that a service of master.cf runs: its attributes, the user whose rights it has, its environment.

DESCRIPTION
    What follows `pipe` or `spawn` on a service's line are attributes, `argv=` the last of them: all behind it is
    the command.  Its user is named by `user=name` or `user=name:group`, and is neither root nor the mail system's
    owner.

FAULTS
    ValueError      an attribute that does not exist, no command, no user or too powerful a one; in Postfix's words
    UnknownAccount  a user or group that this host does not have; stock files name some

STANDARDS
    pipe(8), spawn(8), postconf(5): export_environment, import_environment
"""

import grp
import os
import pwd
from collections.abc import Collection, Sequence
from typing import Final

from pillarbox.config.logical_lines import BLANKS
from pillarbox.config.parameters.paths import Paths

PIPE_ATTRIBUTES: Final = ("flags", "user", "directory", "size", "eol", "null_sender", "chroot")


class UnknownAccount(ValueError):
    """A user or group that does not exist."""


def attributes(arguments: Sequence[str], names: Collection[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Attributes by name, and the command behind `argv=`."""
    given: dict[str, str] = {}
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if not equals or (name not in names and name != "argv"):
            raise ValueError(f"unknown attribute: {argument}")
        if name == "argv":
            command = (value, *arguments[at + 1 :]) if value else tuple(arguments[at + 1 :])
            if not command:
                break
            return given, command
        given[name] = value
    raise ValueError("missing argv= command-line attribute")


def account(text: str, mail_owner: str) -> tuple[str, int, int]:
    """User name, uid and gid of `user` or `user:group`."""
    name, colon, group = text.partition(":")
    if not name:
        raise ValueError("missing user= command-line attribute")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise UnknownAccount(f"unknown username: {name}") from None
    gid = entry.pw_gid
    if colon:
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            raise UnknownAccount(f"unknown group: {group}") from None
    if entry.pw_uid == 0:
        raise ValueError("user= command-line attribute specifies root privileges")
    if name == mail_owner and os.getuid() == 0:
        raise ValueError(f"user= command-line attribute specifies mail system owner {mail_owner}")
    if gid == 0:
        raise ValueError("user= command-line attribute specifies privileged group id 0")
    return name, entry.pw_uid, gid


def command_environment(config_directory: str, paths: Paths) -> tuple[tuple[bytes, bytes], ...]:
    """PATH, MAIL_CONFIG, and what export_environment has besides, by name or as `name=value`.

    A name stands for what import_environment says of it, or takes from the environment of who started the MTA.
    """
    imported = dict(_variable(item) for item in paths.import_environment)
    found = [(b"PATH", b"/usr/bin:/bin"), (b"MAIL_CONFIG", os.fsencode(config_directory))]
    for item in paths.export_environment:
        name, value = _variable(item)
        if value is None and name in imported:
            value = os.environ.get(name) if imported[name] is None else imported[name]
        if value and name not in ("MAIL_CONFIG", "PATH"):  # which are the same for all commands
            found.append((os.fsencode(name), os.fsencode(value)))
    return tuple(found)


def _variable(item: str) -> tuple[str, str | None]:
    """Name and value, or a name alone."""
    name, equals, value = item.partition("=")
    return (name.strip(BLANKS), value.strip(BLANKS)) if equals else (name, None)
