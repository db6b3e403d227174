"""Where a recipient's .forward file may be: forward_path with its names replaced.

DESCRIPTION
    What an agent delivers goes to few users, and mostly to the one of the message before: the paths of the last
    recipients are remembered.  Whether there is a file is looked at for each message.

STANDARDS
    local(8); postconf(5), forward_path and forward_expansion_filter
"""

import os
from functools import lru_cache

import msgspec

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.name_expansion import expand_names
from pillarbox.delivery.local.frames import Account, DeliverLocally, Recipient
from pillarbox.delivery.local.local_names import LocalNames


class ForwardPath(msgspec.Struct, frozen=True):
    """A place for the file."""

    path: bytes
    names_extension: bool
    """Whether the path has the extension of the address; else addresses in the file may get it."""


def forward_paths(request: DeliverLocally, template: str, *, allowed: str) -> tuple[ForwardPath, ...]:
    """The places, in order; `allowed` are the characters that values may bring in (forward_expansion_filter).

    A path with a name that has no value here is none, nor is one in bad syntax.
    """
    # What no name stands for is left out, so that other messages of the recipient find the same.
    recipient = msgspec.structs.replace(request.recipient, sender=b"", original=b"", delivered=b"")
    return _paths(template, allowed, recipient, request.account)


@lru_cache(maxsize=256)
def _paths(template: str, allowed: str, recipient: Recipient, account: Account) -> tuple[ForwardPath, ...]:
    names = LocalNames(recipient, account)
    paths: list[ForwardPath] = []
    for text in template.replace(",", " ").split():
        try:
            expanded = expand_names(text, names, allowed=allowed)
        except ExpansionError:
            continue
        if not expanded.undefined:
            paths.append(ForwardPath(os.fsencode(expanded.text), "extension" in expanded.names))
    return tuple(paths)
