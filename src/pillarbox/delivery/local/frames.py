"""What local delivery asks of a user's agent, and what it hears back.

DESCRIPTION
    An agent has the rights of one account and does for it what needs them: it looks for .forward files, stores
    messages, runs commands, reads :include: files.  Addresses that it finds go back to who asked, since an agent
    knows no aliases and may not queue mail.

    Addresses are in internal form; texts of people's making are octets.
"""

import msgspec


class Account(msgspec.Struct, frozen=True, array_like=True):
    """Whose rights are used, and where that account lives; `home` is empty if there is none to speak of."""

    uid: int
    gid: int
    name: bytes = b""
    home: bytes = b""
    shell: bytes = b""


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """A recipient at some stage of its expansion."""

    address: bytes
    original: bytes  # as the client named it; empty if nobody may know
    delivered: bytes  # for Delivered-To:
    sender: bytes
    local: bytes  # local part in lower case
    user: bytes  # without extension
    domain: bytes
    extension: bytes | None = None
    delimiter: bytes = b""  # between user and extension


class UserMail(msgspec.Struct, frozen=True, tag=True):
    """Deliver to the user: by a .forward file if there is one, else into the mailbox."""

    forward: bool  # whether .forward files count
    mailbox: bool  # whether the agent stores or pipes the mail itself
    command: bytes = b""  # that takes the mail instead of a mailbox


class CommandMail(msgspec.Struct, frozen=True, tag=True):
    """Run a command."""

    command: bytes


class FileMail(msgspec.Struct, frozen=True, tag=True):
    """Append to a file, or store in a Maildir."""

    path: bytes


class IncludeMail(msgspec.Struct, frozen=True, tag=True):
    """Deliver to what a file lists."""

    path: bytes


class PipeMail(msgspec.Struct, frozen=True, tag=True):
    """Run pipe(8)'s command, its arguments made up already."""

    arguments: list[bytes]
    content: "PipeContent"
    service: str
    time_limit: float
    directory: bytes = b""


class PipeContent(msgspec.Struct, frozen=True, array_like=True):
    """How pipe(8) hands over the message: its flags."""

    prefix: bytes = b""  # header lines in front, LF line ends
    line_end: bytes = b"\n"
    escape_from: bool = False  # > flag: `>From `
    dot_stuffing: bool = False  # . flag
    blank_line: bool = False  # B flag


Work = UserMail | CommandMail | FileMail | IncludeMail | PipeMail


class DeliverLocally(msgspec.Struct, tag=True):
    """Local delivery → agent; the queue file's descriptor is passed along."""

    job: int
    data_offset: int
    recipient: Recipient
    account: Account
    work: Work
    service: str = "local"
    client: list[tuple[bytes, bytes]] = []  # CLIENT_ADDRESS and others, for a command's environment
    seen: list[bytes] = []  # what has been done for this recipient already
    trace_only: bool = False  # nothing is stored or run; the result says what would be
    is_probe: bool = False  # for verify(8): a .forward file is not read
    offset: int = 0  # of the recipient's record in the queue file
    is_noted: bool = False  # the queue file may have notes of earlier deliveries


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """What became of one destination."""

    status: str  # sent, deferred, bounced
    dsn: str
    text: str
    to_owner: bool = False  # a bounce goes to the alias's owner
    diagnostic: str = ""  # `x-unix; user unknown`, for Diagnostic-Code: (RFC 3464 §2.3.6)


class Readdressed(msgspec.Struct, frozen=True, array_like=True):
    """An address that was found in a file; in one of root's, also a command or a file, which root does not do."""

    address: bytes
    from_include: bool
    keep_extension: bool


class LocalJobDone(msgspec.Struct, tag=True):
    """Agent → local delivery."""

    job: int
    pieces: list[Piece] = []
    addresses: list[Readdressed] = []
    seen: list[bytes] = []
    handled: bool = True  # False: there was no .forward file, and the mailbox is not the agent's business
    forward_path: bytes = b""  # of the .forward file that was used
    warnings: list[str] = []
