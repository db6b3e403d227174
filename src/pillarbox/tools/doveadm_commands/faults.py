"""How a doveadm command ends when it does not go well."""

from collections.abc import Mapping

EX_USAGE = 64
EX_DATAERR = 65
EX_NOUSER = 67
EX_NOTFOUND = 68
EX_TEMPFAIL = 75
EX_NOPERM = 77
EX_CONFIG = 89


class Fatal(Exception):
    """`Fatal: text`"""

    def __init__(self, text: str, *, status: int = EX_TEMPFAIL) -> None:
        super().__init__(text)
        self.status = status


class Usage(Exception):
    """Wrong use: the command's synopsis, or the commands of a group."""

    def __init__(self, synopsis: str, group: Mapping[str, str] | None = None, *, complaint: str = "") -> None:
        """`complaint` stands in the synopsis' place: an option that there is not."""
        super().__init__(synopsis)
        self.synopsis = synopsis
        self.group = group
        self.complaint = complaint


class NoList(Exception):
    """The file of -F cannot be read."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"read({path}) failed: open({path}) failed: {why}")


class MailFault(Exception):
    """`doveadm(user): Error: text`"""

    def __init__(self, user: str, text: str, status: int) -> None:
        super().__init__(text)
        self.user = user
        self.status = status
