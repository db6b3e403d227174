"""Another user's rights instead of root's, for good.

STANDARDS
    credentials(7): groups first, for who is no longer root cannot change them
"""

import os
from collections.abc import Sequence


def become(uid: int, gid: int, groups: Sequence[int] | None = None, *, saved_gid: int | None = None) -> None:
    """Have a user's rights, and none of root's any more.  OSError.

    `groups` besides `gid` itself; `saved_gid` is one that this process alone can take again (setresgid(2)).
    """
    os.setgroups([gid] if groups is None else list(groups))
    os.setresgid(gid, gid, gid if saved_gid is None else saved_gid)
    os.setresuid(uid, uid, uid)
