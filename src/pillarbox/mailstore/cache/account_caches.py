"""What the mailboxes of an account share of what may be lost: rows, words, and who writes them.

DESCRIPTION
    All of it lies in one directory, where Dovecot's indexes would be, and may be deleted at any time.  A mailbox
    is known there by its GUID and its place (mailstore/cache/cached_mailboxes.py); whoever deletes or renames a
    mailbox tells it here.
"""

from concurrent.futures import Executor

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache.cached_mailboxes import CachedPlaces
from pillarbox.mailstore.cache.indexers import Indexers
from pillarbox.mailstore.cache.leisure import Leisure
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.cache.text_index import TextIndex
from pillarbox.mailstore.cache.text_searching import IndexPolicy


class AccountCaches:
    """Of one account.  `forget`, `rename` and `close` block; `leisure` belongs to the event loop."""

    def __init__(
        self,
        directory: str,
        control: bytes,
        files: FileSystem,
        *,
        is_apart: bool,
        executor: Executor | None = None,
        indexers: Indexers | None = None,
        index_policy: IndexPolicy = IndexPolicy.NONE,
    ) -> None:
        """`control`: the tree's directory of control files; `is_apart`: `directory` is that of INDEX=."""
        self.rows = Cache(directory, makes_directory=is_apart)
        self.places = CachedPlaces(control, files, with_index=is_apart)
        self.words = TextIndex(directory, makes_directory=is_apart)
        self.index_policy = index_policy
        self.indexers = indexers
        self.leisure = Leisure(executor)

    def forget(self, guid: bytes, control: bytes) -> None:
        """The mailbox with those control files was deleted; others that were copied from it stay known."""
        self.rows.forget(guid, self.places.place_of(control))
        self.words.forget(guid, self.rows.numbers(guid))

    def rename(self, before: bytes, after: bytes) -> None:
        """A mailbox's control files are in another directory now."""
        if self.rows.exists():
            self.rows.rename(self.places.place_of(before), self.places.place_of(after))

    def close(self) -> None:
        """Give back the files."""
        self.rows.close()
        self.words.close()
