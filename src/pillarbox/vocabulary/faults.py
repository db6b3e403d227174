"""What goes wrong, with a public face and a private reason.

DESCRIPTION
    A fault that a peer may hear of carries the text for the peer (`public`) apart from the reason for the
    log (`reason`).  The peer never sees a path, a table name or the text of an exception; the log does.

    A TemporaryFault is one that may have gone later: disk full, table not reachable, peer gone.
"""

from pillarbox.vocabulary.status import EnhancedStatus


class Fault(Exception):
    """A failure with an enhanced status code, a public text and a private reason."""

    def __init__(self, status: EnhancedStatus, public: str, *, reason: str = "") -> None:
        super().__init__(reason or public)
        self.status = status
        self.public = public
        self.reason = reason or public


class TemporaryFault(Fault):
    """Trying again later may work (4.x.x)."""


class ConfigurationFault(Exception):
    """A mistake in a configuration file, told so that an admin can mend it.

    `where` is `file`, or `file, line N`.  `str()` gives one line: where, what, how to mend it.
    """

    def __init__(self, where: str, what: str, *, mend: str = "") -> None:
        super().__init__(f"{where}: {what}" + (f" ({mend})" if mend else ""))
        self.where = where
        self.what = what
        self.mend = mend
