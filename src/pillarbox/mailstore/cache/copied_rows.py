"""What the cache is told of messages that were copied, moved or expunged: when clients rest
(mailstore/cache/leisure.py).

DESCRIPTION
    What is known of a message is true of its copy.  Who asks for the copy's rows before they are there waits for
    them, which begins at once then: no file is read for what the cache is about to know.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from pillarbox.mailstore.cache.leisure import Leisure
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import Uid


class CopiedRows:
    """Of one mailbox.  All methods are called on the event loop."""

    def __init__(self, cache: Cache, leisure: Leisure, clock: Clock) -> None:
        self.number = 0
        """The mailbox's in the cache."""
        self._cache = cache
        self._leisure = leisure
        self._clock = clock
        self._coming: asyncio.Future[None] | None = None  # those of the copies that came last

    @property
    def are_coming(self) -> bool:
        """Whether the cache does not know yet what it will of copies that are here."""
        return self._coming is not None and not self._coming.done()

    def forget(self, gone: Sequence[Uid]) -> None:
        """These messages were expunged."""
        self._leisure.add(partial(self._cache.remove, self.number, gone))

    def hand_over(
        self,
        target: "CopiedRows | None",
        pairs: Sequence[tuple[Uid, Uid]],
        *,
        base_of: Callable[[int], bytes],
        gone: Sequence[Uid] = (),
    ) -> None:
        """Messages were copied, (UID, UID of the copy), and some originals are `gone`; a `target` has a cache.

        `base_of` tells in a thread the base of a copy's file name, empty if it is gone.
        """
        saved = int(self._clock.now())
        done = self._leisure.add(partial(self._hand_over, target, pairs, base_of, gone, saved))
        if target is not None:
            target._coming = done

    async def come(self) -> None:
        """Until none are coming."""
        if self.are_coming:
            assert self._coming is not None
            self._leisure.hurry()
            await asyncio.wait([self._coming])

    def when_come(self, then: Callable[[], None]) -> None:
        """Call it as soon as none are coming; some are."""
        assert self._coming is not None
        self._coming.add_done_callback(lambda _: then())
        self._leisure.hurry()

    def _hand_over(
        self,
        target: "CopiedRows | None",
        pairs: Sequence[tuple[Uid, Uid]],
        base_of: Callable[[int], bytes],
        gone: Sequence[Uid],
        saved: int,
    ) -> None:
        if target is not None and target._cache is self._cache:
            bases = [base_of(copy) for _, copy in pairs]
            self._cache.copy(self.number, target.number, pairs, bases, saved=saved)
        if gone:
            self._cache.remove(self.number, gone)
