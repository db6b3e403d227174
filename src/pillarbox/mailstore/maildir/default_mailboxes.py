"""Mailboxes that are there because the configuration says so: `auto = create` and `auto = subscribe`.

DESCRIPTION
    They are made when an account is opened and when a message is delivered into one by name.  One that a client
    deletes is there again at once, empty, as with Dovecot, where such mailboxes are always listed and made when
    somebody opens them.  Until then a client may CREATE them: some empty their Trash by DELETE and CREATE.

    Blocks; called in worker threads.

STANDARDS
    Dovecot 2.3, MailboxSettings
"""

from collections.abc import Sequence

from pillarbox.config.mailbox_settings import MailboxDefinition
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.faults import MailboxExists
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree


class DefaultMailboxes:
    """Of one tree."""

    def __init__(
        self, tree: MailboxTree, subscriptions: Subscriptions, definitions: Sequence[MailboxDefinition]
    ) -> None:
        self._tree = tree
        self._subscriptions = subscriptions
        self._definitions = {one.name: one for one in definitions if one.auto != "no"}

    def take(self, name: str) -> bool:
        """Whether that is a default one that nobody has used yet: as good as one that is made now."""
        return name in self._definitions and self._tree.is_untouched(name)

    def make(self) -> None:
        """All that are missing."""
        for name in self._definitions:
            self.make_one(name)

    def make_one(self, name: str) -> bool:
        """This one if it is missing; whether it was, and is a default one."""
        definition = self._definitions.get(name)
        if definition is None or self._tree.is_mailbox(name):
            return False
        try:
            self._tree.create(name)
        except MailboxExists:  # somebody else has been faster
            return False
        if definition.auto == "subscribe":
            self._subscriptions.add(name)
        return True
