"""mail_debug: what a mail session has been given, told in Dovecot's lines when it begins.

DESCRIPTION
    Whose rights it has, and where its mail is looked for:

        imap(me)<42><AbC>: Debug: Effective uid=1000, gid=1000, home=/home/me
        imap(me)<42><AbC>: Debug: Namespace inbox: type=private, prefix=, sep=/, inbox=yes, …
        imap(me)<42><AbC>: Debug: maildir++: root=/home/me/Maildir, index=, indexpvt=, control=, inbox=…, alt=

STANDARDS
    Dovecot 2.3, mail_debug
"""

import os
from collections.abc import Iterator

from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.mailbox_settings import MailboxSettings, Namespace, Storage
from pillarbox.vocabulary.faults import ConfigurationFault


def session_facts(settings: MailboxSettings, *, user: str, home: str, place: Storage) -> Iterator[str]:
    """One text a line; `place` is that of the user's own mail."""
    yield f"Effective uid={os.getuid()}, gid={os.getgid()}, home={home}"
    if home and not os.path.isdir(home):
        yield f"Home dir not found: {home}"
    for namespace in settings.namespaces:
        if namespace.name is not None:
            yield _declared(namespace, settings.mail_location)
        if namespace.kind == "shared":
            continue  # where that is depends on whose it is
        there = place
        if namespace.location is not None and namespace is not settings.namespaces[0]:
            try:
                there = place_of(namespace.location, "", user=user, home=home)
            except ConfigurationFault as fault:
                yield f"Namespace {namespace.name}: {fault}"
                continue
        yield _found(there, has_inbox=namespace.inbox)


def _declared(namespace: Namespace, usual: str) -> str:
    texts = {
        "type": namespace.kind,
        "prefix": namespace.prefix.replace("%%", "%"),
        "sep": namespace.separator,
        "inbox": _yes_or_no(namespace.inbox),
        "hidden": _yes_or_no(namespace.hidden),
        "list": namespace.list,
        "subscriptions": _yes_or_no(namespace.subscriptions),
    }
    told = ", ".join(f"{name}={text}" for name, text in texts.items())
    return f"Namespace {namespace.name}: {told} location={namespace.written_location or usual}"


def _found(place: Storage, *, has_inbox: bool) -> str:
    layout = "fs" if place.nested else "maildir++"
    inbox = place.path if has_inbox else ""
    places = f"root={place.path}, index={place.index}, indexpvt=, control={place.control}"
    return f"{layout}: {places}, inbox={inbox}, alt="


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
