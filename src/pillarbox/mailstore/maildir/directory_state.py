"""When a directory was last listed, and whether it must be again: by its mtime.

DESCRIPTION
    A directory whose mtime is the one that it had before the last listing has not changed since.  Two
    exceptions come from the granularity of time stamps: one that changed within the kernel's clock tick
    before it was listed is listed again at the next look; and after a change of our own, which may hide
    another program's at the same moment, it is listed once more when a second has passed.

    Times are nanoseconds since 1970.

STANDARDS
    Dovecot 2.3, Maildir format (what Dovecot does with seconds)
"""

from typing import Final

RECHECK_NS: Final = 1_000_000_000
"""After a change of our own the directory is listed once more when so much time has passed."""
TICK_NS: Final = 20_000_000
"""Two changes within a tick of the kernel's coarse clock may have one time stamp."""


class DirectoryState:
    """What is known of one directory."""

    __slots__ = ("_mtime", "_recheck_at", "_same_tick")

    def __init__(self) -> None:
        self._mtime = -1
        self._recheck_at = 0
        self._same_tick = False

    def is_stale(self, mtime: int, now: int) -> bool:
        """Whether a directory with this mtime must be listed before its state is reported."""
        recheck_at = self._recheck_at
        return mtime != self._mtime or self._same_tick or (recheck_at != 0 and now >= recheck_at)

    def has_changed(self, mtime: int) -> bool:
        """Whether it must be listed before we change it.

        What a change of ours has hidden need not be found first: another one hides nothing more, and the listing
        after it is still to come.
        """
        return mtime != self._mtime or self._same_tick

    def note_listing(self, mtime: int, now: int) -> None:
        """The directory had this mtime before it was listed."""
        granularity = RECHECK_NS if mtime % 1_000_000_000 == 0 else TICK_NS
        self._mtime = mtime
        self._same_tick = -granularity < now - mtime < granularity
        self._recheck_at = 0

    def note_own_change(self, mtime: int, now: int) -> None:
        """We may have changed the directory, and it has this mtime now.

        Of many changes one after the other the first sets the time of the next listing: not each of them must list
        what grows, and what they hide is not hidden for as long as they go on.
        """
        if mtime == self._mtime:
            return
        self._mtime = mtime
        self._same_tick = False
        self._recheck_at = self._recheck_at or now + RECHECK_NS

    @property
    def is_settled(self) -> bool:
        """Whether the mtime alone tells whether the directory has changed since it was listed."""
        return self._mtime != -1 and not self._same_tick and self._recheck_at == 0

    @property
    def mtime(self) -> int:
        """That of the directory as it is known; -1 if it has to be listed."""
        return self._mtime

    def go_on_from(self, mtime: int) -> None:
        """Another process has listed the directory, and its mtime has told all since."""
        self._mtime = mtime
        self._same_tick = False
        self._recheck_at = 0

    def forget(self) -> None:
        """List it next time, whatever its mtime."""
        self._mtime = -1
