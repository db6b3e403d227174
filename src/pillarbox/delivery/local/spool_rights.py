"""What an agent needs of the mail spool besides its user's own rights."""

import os


class SpoolRights:
    """The group of the mail spool, taken for as long as a mailbox there is locked and opened.

    The agent has it as its saved group id, which no command that it starts inherits.
    """

    def __init__(self, own_gid: int, spool_gid: int | None, *, lock_file_may_fail: bool = False) -> None:
        """`spool_gid` is None if no group is needed; `lock_file_may_fail`: nobody but root can make one there."""
        self._own = own_gid
        self.gid = spool_gid
        self.lock_file_may_fail = lock_file_may_fail

    def __enter__(self) -> None:
        if self.gid is not None:
            os.setegid(self.gid)

    def __exit__(self, *_: object) -> None:
        if self.gid is not None:
            os.setegid(self._own)
