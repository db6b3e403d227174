"""Frames between the queue manager and those who write new messages (smtpd)."""

import msgspec


class MessagesQueued(msgspec.Struct, tag=True):
    """Writer → queue manager: these are in incoming now."""

    ids: list[str]
    wanted: int = 0
    """Files of finished messages that the writer could use, in addition to those it asked for before."""


class FilesFree(msgspec.Struct, tag=True):
    """Queue manager → writer: these files in incoming are yours to write new messages into."""

    paths: list[str]


class Flow(msgspec.Struct, tag=True):
    """Queue manager → writer: whether mail comes faster than it is taken up (in_flow_delay)."""

    is_behind: bool
