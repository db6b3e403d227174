"""Namespaces of a dovecot.conf: trees of mailboxes, and the names that clients have for them.

FAULTS
    ConfigurationFault  a tree that would not be found, or names that would mean two mailboxes

STANDARDS
    Dovecot 2.3, Namespaces, SharedMailboxes, MailboxSettings
"""

import re
from typing import Final

import msgspec

from pillarbox.config.dovecot.environment import with_environment
from pillarbox.config.dovecot.mail_location import storage
from pillarbox.config.dovecot.plugins import escaping
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.written_settings import Path
from pillarbox.config.mailbox_settings import MailboxDefinition, Namespace, Storage
from pillarbox.vocabulary.faults import ConfigurationFault


def namespaces(configuration: Configuration) -> tuple[Namespace, ...]:
    """The namespace of the user's own mail, then the others."""
    paths = [
        path
        for path in configuration.blocks("namespace")
        if not configuration.yes(*path, "disabled") and not is_virtual(configuration, path)
    ]
    own = next((path for path in paths if configuration.yes(*path, "inbox")), None)
    if own is None:
        own = next((path for path in paths if configuration.value(*path, "type") == "private"), None)
    if own is None:
        main = Namespace(inbox=True, separator=_own_separator(configuration))
    else:
        main = _namespace(configuration, own)
    found = [main]
    for path in paths:
        if path == own:
            continue
        if configuration.yes(*path, "inbox"):
            raise ConfigurationFault(
                configuration.where(*path, "inbox"),
                f"namespace {path[-1]}: There can be only one namespace with inbox=yes",
            )
        namespace = _namespace(configuration, path)
        if namespace.separator != main.separator:
            raise ConfigurationFault(
                configuration.where(*path, "separator"),
                f"namespace {path[-1]}: all namespaces must use the same separator",
                mend=f"separator = {main.separator}",
            )
        if any(namespace.prefix == other.prefix for other in found):
            raise ConfigurationFault(
                _where_of(configuration, path),
                f"namespace {path[-1]}: Duplicate namespace prefix: {namespace.prefix!r}",
            )
        found.append(namespace)
    return tuple(found)


def is_virtual(configuration: Configuration, path: Path) -> bool:
    """Whether a namespace is one of the virtual plugin's, of mailboxes that show messages of others.

    Nothing is delivered into it and no message is in it alone, so that it is left out where it is not served.
    """
    return (
        configuration.value(*path, "location").startswith("virtual:")
        and not configuration.yes(*path, "inbox")
        and "virtual" in configuration.for_protocol("imap").words("mail_plugins")
    )


def _own_separator(configuration: Configuration) -> str:
    """Dovecot's own for Maildirs."""
    location = with_environment(configuration, configuration.value("mail_location"))
    own = storage(location, where=configuration.where("mail_location"))
    return "/" if own.nested else "."


_OWNER: Final = re.compile(r"%%(?:[-.\dA-Z]*[undh]|\{(?:user|username|domain|home)\})")
"""The owner of a shared mailbox in a location, with modifiers: %%Lh."""


def _where_of(configuration: Configuration, path: Path) -> str:
    for known, entry in configuration.root.entries.items():
        if known[: len(path)] == path:
            return f"Error in configuration file {entry.where}"
    return f"Error in configuration file {configuration.path}"


def _namespace(configuration: Configuration, path: Path) -> Namespace:
    kind = configuration.value(*path, "type")
    separator = configuration.value(*path, "separator") or _own_separator(configuration)
    if separator not in ("/", "."):
        raise ConfigurationFault(
            configuration.where(*path, "separator"),
            f"namespace {path[-1]}: separator {separator} is not served",
            mend="/ or .",
        )
    prefix, location = configuration.value(*path, "prefix"), configuration.value(*path, "location")
    where = configuration.where(*path, "location")
    if kind == "shared" and (not re.search("%%[und]", prefix) or not _OWNER.search(location)):
        raise ConfigurationFault(
            _where_of(configuration, path),
            f"namespace {path[-1]}: Shared namespace prefix and location need %%u, %%n or %%d",
            mend=f"prefix = shared{separator}%%u{separator}, location = maildir:%%h/Maildir",
        )
    if kind == "public" and not location:
        raise ConfigurationFault(_where_of(configuration, path), f"namespace {path[-1]} is missing location")
    if kind != "private" and (not prefix or not prefix.endswith(separator)):
        raise ConfigurationFault(
            _where_of(configuration, path),
            f"namespace {path[-1]}: prefix {prefix!r} does not end with the separator",
            mend=f"prefix = {path[-1]}{separator}",
        )
    mark = escaping(configuration)
    location = with_environment(configuration, location.replace("%%", "%"))
    place = _decided(storage(location, where=where, escaping=mark)) if location else None
    usual = with_environment(configuration, configuration.value("mail_location"))
    if kind == "private" and place == _decided(
        storage(usual, where=configuration.where("mail_location"), escaping=mark)
    ):
        place = None
    return Namespace(
        name="" if path[-1].isdigit() else path[-1],  # a number is ours, of a block without a name
        written_location=configuration.value(*path, "location").replace("%%", "%"),
        kind=kind,
        location=place,
        prefix=prefix,
        separator=separator,
        inbox=configuration.yes(*path, "inbox"),
        hidden=configuration.yes(*path, "hidden"),
        list=configuration.value(*path, "list"),
        subscriptions=configuration.yes(*path, "subscriptions"),
        mailboxes=tuple(
            _mailbox(configuration, inner, separator) for inner in configuration.blocks("mailbox", *path)
        ),
    )


def _decided(place: Storage) -> Storage:
    """A place without driver is a Maildir: of a further namespace, one that need not be there yet."""
    return msgspec.structs.replace(place, undecided="")


def _mailbox(configuration: Configuration, path: Path, separator: str) -> MailboxDefinition:
    uses = configuration.words(*path, "special_use")
    for use in uses:
        if not use.startswith("\\") or not use[1:].isalnum():
            raise ConfigurationFault(
                configuration.where(*path, "special_use"),
                f"special_use {use} does not begin with \\",
                mend="\\Sent, \\Drafts, \\Junk, \\Trash, \\Archive, \\All, \\Flagged",
            )
    name = path[-1].replace(separator, "/")
    return MailboxDefinition(
        name=name,
        auto=configuration.value(*path, "auto"),
        special_use=uses,
        autoexpunge=configuration.seconds(*path, "autoexpunge"),
        autoexpunge_max_mails=configuration.number(*path, "autoexpunge_max_mails"),
    )
