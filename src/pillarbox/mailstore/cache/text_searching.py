"""The index of one mailbox's texts: asked by SEARCH, and filled when nobody waits.

DESCRIPTION
    A search of header or body asks which messages may hold its text; those that are not indexed may.  Which
    mailboxes are indexed is told by an `IndexPolicy`: those in which a client has searched bodies, unless all or
    none are.  From then on, messages that come are indexed too.

    Indexers do it (mailstore/cache/indexers.py), or a thread, a few messages at a time, and only while no client
    uses the mailbox (mailstore/cache/filling.py).
"""

import asyncio
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from enum import Enum
from functools import partial
from typing import Final

from pillarbox.mailstore.cache.filling import CacheFilling
from pillarbox.mailstore.cache.indexers import Indexers, Source
from pillarbox.mailstore.cache.indexing import MAX_INDEXED, Indexed
from pillarbox.mailstore.cache.message_cache import Cache, file_check
from pillarbox.mailstore.cache.text_index import IndexedText, TextIndex
from pillarbox.mailstore.content.large_content import crlf_in_memory
from pillarbox.mailstore.mailbox import MessageGone, StoreUnavailable, TextPlace
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import base_at
from pillarbox.mailstore.maildir.prompt_work import Run
from pillarbox.message.word_index import ANY_WORDS, MAX_DOCUMENTS, patterns_of, words_of_message

MANY: Final = 64
"""Messages that a search has to read from which on an index is worth it; and that an indexer indexes at once:
20 ms, for which a question of another mailbox may wait."""
FEW: Final = 16
"""Messages that are read rather than asked for; and that a thread indexes at once: three milliseconds."""


class IndexPolicy(Enum):
    """Which mailboxes are indexed."""

    NONE = "none"
    SEARCHED = "searched"
    ALL = "all"


class TextSearching:
    """The index as one mailbox uses it; methods are called on the event loop unless they say otherwise."""

    def __init__(
        self,
        folder: FolderFiles,
        cache: Cache,
        index: TextIndex,
        indexers: Indexers | None,
        policy: IndexPolicy,
        *,
        executor: Executor | None,
        run: Run,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self.filling = CacheFilling(self._fill, slice_size=self._slice_size)
        self._folder = folder
        self._cache = cache
        self._index = index
        self._indexers = indexers
        self._policy = policy
        self._executor = executor
        self._run: Run = run
        self._later = later
        self._cache_number = 0
        self._number = 0  # the same if the mailbox is indexed
        self._has_begun = False
        self._has_dead = False

    def load(self, number: int) -> None:
        """Learn whether the mailbox, which has that number in the cache, is indexed.

        In a thread, when the folder is known.
        """
        self._cache_number = number
        if self._policy is IndexPolicy.NONE or not number:
            return
        if not self._find() and self._policy is IndexPolicy.ALL:
            self._create()

    def fill(self) -> None:
        """The mailbox is used: from now on, keep its index complete, if it has one."""
        if self._number and not self._has_begun:
            self._has_begun = True
            self.filling.want(self._folder.uids.tolist())

    async def complete(self) -> None:
        """Index all messages now, unless no mailbox is to be indexed (doveadm index)."""
        if self._policy is IndexPolicy.NONE:
            return
        if not self._number:
            await self._run(self._create)
        uids = self._folder.uids.tolist()
        for start in range(0, len(uids), MAX_DOCUMENTS):
            await self._run(self._fill_here, uids[start : start + MAX_DOCUMENTS])

    def note_new(self, uids: Sequence[int]) -> None:
        """Messages have come."""
        if self._has_begun:
            self.filling.want(uids)

    def note_expunged(self) -> None:
        """Messages have gone."""
        self._has_dead = True

    def tidy(self) -> None:
        """Nobody uses the mailbox any more: take out what has gone."""
        if self._has_dead and self._number:
            self._has_dead = False
            self._later(partial(self._index.prune, self._number, lambda uid: self._folder.row(uid) >= 0))

    async def may_hold(self, uids: list[int], text: str, places: Collection[TextPlace]) -> list[int]:
        """Those of `uids` (rising) that have to be looked at."""
        patterns = patterns_of(text)
        if self._policy is IndexPolicy.NONE or not patterns or len(uids) < FEW:
            return uids
        found, unknown = uids, len(uids)
        if self._number:
            found, unknown = await self._run(self._index.candidates, self._number, uids, patterns, places)
        if unknown >= MANY and TextPlace.BODY in places and not self._has_begun:
            await self._run(self._create)
            self.fill()
        return found

    def _create(self) -> None:
        if self._cache_number and not self._find():
            others = self._cache.numbers(self._folder.guid)
            self._number = self._index.begin(self._cache_number, self._folder.guid, others)

    def _find(self) -> bool:
        """Whether there is an index, which is of this mailbox; then it is used."""
        newest = self._index.newest_file(self._cache_number)
        if newest is None or not self._has(*newest):
            return False
        self._number = self._cache_number
        return True

    def _has(self, uid: int, file: int) -> bool:
        """Whether the message is that file; one that is gone may have been."""
        row = self._folder.row(uid)
        if row < 0:
            return uid < self._folder.next_uid
        return file == file_check(base_at(self._folder.paths[row]))

    def _fill(self, uids: list[int]) -> "asyncio.Future[int]":
        """Index messages (rising); the result is how many had to be read."""
        loop = asyncio.get_running_loop()
        indexers = self._indexers
        folder = self._folder
        # The loop never waits for the mutex: who has it may be held up by the disk, or by another program's lock.
        if indexers is None or not indexers.ready or not folder.mutex.acquire(blocking=False):
            return loop.run_in_executor(self._executor, self._fill_here, uids)
        try:
            there, paths = folder.paths_of(uids)
        finally:
            folder.mutex.release()
        source = Source(os.fsencode(self._index.directory), self._number, folder.directory)
        counted: asyncio.Future[int] = loop.create_future()
        answer = indexers.ask_texts(source, there, paths)
        answer.add_done_callback(partial(_count, counted))
        return counted

    def _slice_size(self, wanted: int, found: int) -> int:
        indexers = self._indexers
        if indexers is None:
            return FEW
        if found and wanted >= MANY:
            indexers.want()
        return MANY if indexers.ready else FEW

    def _fill_here(self, uids: list[int]) -> int:
        texts = []
        for uid in self._index.missing(self._number, uids):
            path = self._folder.path_of(uid)
            try:
                if path is None or self._folder.files.stat(path).st_size > MAX_INDEXED:
                    texts.append(IndexedText(uid, ANY_WORDS, self._folder.base_of(uid)))
                    continue
                content, _ = self._folder.read(uid)
                words = words_of_message(crlf_in_memory(content))
                texts.append(IndexedText(uid, words, self._folder.base_of(uid)))
            except (MessageGone, StoreUnavailable, OSError):
                continue  # whoever searches is told
        self._index.add(self._number, texts)
        return len(texts)


def _count(counted: "asyncio.Future[int]", answer: "asyncio.Future[Indexed | None]") -> None:
    if not counted.done():
        indexed = None if answer.cancelled() else answer.result()
        counted.set_result(0 if indexed is None else indexed.count)
