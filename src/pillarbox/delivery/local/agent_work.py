"""What an agent does for one recipient, with the rights of one account.

DESCRIPTION
    `perform()` is a generator: it yields what can be shared or takes its time (a message for a Maildir, a command)
    and is sent the result, so that whoever drives it can store the messages of many jobs in one batch and let
    commands run beside each other.  Its value is the job's result.

    Root's agent runs no command and writes no file but root's mailbox: what else root's .forward lists goes back to
    be done with the rights of default_privs.

    A user's mail: the first file of forward_path that exists is the .forward file.  It must be a regular file, of
    the user or of root, and not writable by everybody; else it is warned of and counts for nothing.  Its lines are
    delivered to in turn, until one has to wait.  Without one, or with an empty one, the mail goes to the mailbox.

    Nothing is done twice for one recipient: what was done stands in `seen`, which comes with the job and goes back
    with the result.

FAULTS
    As pieces of the result; nothing is raised for what happened to mail.

STANDARDS
    local(8), aliases(5)
"""

import os
import stat
from collections.abc import Callable, Generator
from contextlib import suppress
from itertools import chain

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.delivery.local.agent_settings import AgentSettings
from pillarbox.delivery.local.biff import notify
from pillarbox.delivery.local.command import (
    SYSEXITS,
    TIME_IS_OVER,
    CommandResult,
    CommandRun,
    outcome_of,
)
from pillarbox.delivery.local.command_runs import pipe_run, shell_run
from pillarbox.delivery.local.destinations import destinations
from pillarbox.delivery.local.forward_paths import forward_paths
from pillarbox.delivery.local.frames import (
    CommandMail,
    DeliverLocally,
    FileMail,
    IncludeMail,
    LocalJobDone,
    Piece,
    PipeMail,
    Readdressed,
    UserMail,
)
from pillarbox.delivery.local.listed_files import (
    NotRead,
    below_home,
    include_status,
    judge,
    lines_of,
    not_opened,
    not_readable,
    read_list,
)
from pillarbox.delivery.local.message_copy import as_piped, from_line, trace_headers
from pillarbox.delivery.local.spool_rights import SpoolRights
from pillarbox.delivery.mailbox_delivery import maildir_trouble
from pillarbox.delivery.mbox import WRITE_DIAGNOSTIC, MboxFault, append, as_mbox, dsn_of
from pillarbox.delivery.message_text import MessageText
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.deliver import Delivery, Result, Stored, TooLarge, Unreadable, sync_earlier
from pillarbox.queue.delivery_notes import DeliveryNotes, delivery_key
from pillarbox.vocabulary.clock import Clock

Step = Delivery | CommandRun
StepResult = Result | CommandResult
Steps = Generator[Step, StepResult, None]
Check = Callable[[os.stat_result], None]

MAX_NESTING = 100
"""Files within files (:include:)."""

_INCLUDE = b":include:"
_SHOWN_OUTPUT = 100
"""Characters that are shown of what a command of pipe(8) said when it took mail."""


class AgentWork:
    """One job."""

    def __init__(
        self,
        request: DeliverLocally,
        text: MessageText,
        *,
        notes: DeliveryNotes,
        settings: AgentSettings,
        clock: Clock,
        spool: SpoolRights,
        files: FileSystem = DISK,
    ) -> None:
        self._request = request
        self._recipient = request.recipient
        self._account = request.account
        self._text = text
        self._notes = notes
        self._settings = settings
        self._clock = clock
        self._spool = spool
        self._files = files
        self._seen = set(request.seen)
        self._done = LocalJobDone(request.job)
        self._done.pieces, self._done.addresses, self._done.warnings = [], [], []

    def perform(self) -> Generator[Step, StepResult, LocalJobDone]:
        """Do it.  The value is the result."""
        work = self._request.work
        if isinstance(work, UserMail):
            yield from self._user(work)
        elif isinstance(work, CommandMail):
            yield from self._command(work.command)
        elif isinstance(work, FileMail):
            yield from self._file(work.path)
        elif isinstance(work, IncludeMail):
            yield from self._include(work.path, depth=0)
        else:
            yield from self._pipe(work)
        self._done.seen = sorted(self._seen)
        return self._done

    # -- a user ----------------------------------------------------------------------------------------

    def _user(self, work: UserMail) -> Steps:
        home = self._account.home
        if self._settings.local.require_home_directory:
            try:
                self._files.stat(home)
            except OSError as error:
                text = f"cannot access home directory {os.fsdecode(home)}: {error.strerror}"
                self._tell(Piece("deferred", "4.3.0", text))
                return
        if work.forward and (yield from self._dot_forward()):
            return
        if not work.mailbox:
            self._done.handled = False
            return
        if self._is_repeated(b"mailbox %s" % self._recipient.local):
            return
        settings = self._settings.local
        if work.command:
            yield from self._command(work.command)
        elif settings.home_mailbox.endswith("/"):
            yield from self._maildir(b"%s/%s" % (home, os.fsencode(settings.home_mailbox)))
        elif settings.home_mailbox:
            self._mailbox_file(b"%s/%s" % (home, os.fsencode(settings.home_mailbox)))
        elif settings.mail_spool_directory.endswith("/"):
            spool = os.fsencode(settings.mail_spool_directory)
            yield from self._maildir(b"%s%s/" % (spool, self._recipient.user))
        else:
            path = b"%s/%s" % (os.fsencode(settings.mail_spool_directory), self._recipient.user)
            with self._spool:
                is_there = os.path.isdir(settings.mail_spool_directory)
                self._mailbox_file(path, lock_file_may_fail=self._spool.lock_file_may_fail and is_there)

    def _dot_forward(self) -> Generator[Step, StepResult, bool]:
        """Whether a .forward file took the mail."""
        found = self._forward_file()
        if found is None:
            return False
        path, keep_extension, status = found
        if self._is_repeated(b"forward %s" % path):
            return b"forward-done %s" % path in self._seen
        shown, owners = os.fsdecode(path), (0, self._account.uid)
        try:
            judge(status, f"file {shown}", owners)
            text = read_list(path, self._files, what=f"file {shown}", owners=owners, flags=os.O_NOFOLLOW)
        except NotRead as fault:
            self._warn(str(fault))
            return False
        except OSError as error:
            self._warn(f"cannot open file {shown}: {error.strerror}")
            return False
        if self._request.is_probe:
            self._tell(Piece("sent", "2.0.0", f"forward via file: {shown}"))
            return True
        self._done.forward_path = path
        count = yield from self._lines(text, where="forward", keep_extension=keep_extension, depth=0)
        return count > 0

    def _forward_file(self) -> tuple[bytes, bool, os.stat_result] | None:
        """The first file of forward_path that is there, and whether addresses in it get the extension."""
        local = self._settings.local
        for place in forward_paths(self._request, local.forward_path, allowed=local.forward_expansion_filter):
            with suppress(OSError):
                status = os.lstat(place.path)
                keep = not place.names_extension and "forward" in self._settings.propagate
                return place.path, keep, status
        return None

    # -- what a file lists -----------------------------------------------------------------------------

    def _lines(
        self, text: bytes, *, where: str, keep_extension: bool, depth: int
    ) -> Generator[Step, StepResult, int]:
        """Deliver to what the lines list; how many destinations there were.  A line that waits is the last."""
        count = 0
        for line in lines_of(text, self._settings.line_limit):
            for destination in destinations(line):
                count += 1
                yield from self._destination(destination, where, keep_extension, depth)
            if any(piece.status == "deferred" for piece in self._done.pieces):
                break
        return count

    def _destination(self, text: bytes, where: str, keep_extension: bool, depth: int) -> Steps:
        if self._account.uid == 0 and text[:1] in (b"/", b"~", b"|"):
            home = self._account.home if text.startswith(b"~/") else b""
            found = Readdressed(home + text[1:] if home else text, where == "include", keep_extension)
            self._done.addresses.append(found)
        elif text.startswith(b"/"):
            yield from self._file(text, where=where)
        elif text.startswith(b"~"):
            yield from self._below_home(text, where)
        elif text.startswith(b"|"):
            if self._settings.may("commands", where):
                yield from self._command(text[1:])
            else:
                self._tell(Piece("bounced", "5.7.1", "mail to command is restricted", to_owner=True))
        elif text[: len(_INCLUDE)].lower() == _INCLUDE:
            yield from self._include(text[len(_INCLUDE) :], depth=depth + 1)
        else:
            address = Readdressed(text, where == "include", keep_extension)
            if address not in self._done.addresses:
                self._done.addresses.append(address)

    def _below_home(self, text: bytes, where: str) -> Steps:
        try:
            path = below_home(text, self._account.home)
        except NotRead as fault:
            self._not_read(fault)
            return
        yield from self._file(path, where=where)

    def _include(self, path: bytes, *, depth: int) -> Steps:
        shown = os.fsdecode(path)
        if depth > MAX_NESTING:
            self._warn(f":include: nesting limit exceeded for {shown}")
            self._tell(Piece("bounced", "5.4.6", ":include: nesting limit exceeded"))
            return
        if self._is_repeated(b"include %d %s" % (self._account.uid, path)):
            return
        is_there = False
        try:
            include_status(path, self._files)
            is_there = True
            text = read_list(path, self._files, what=f":include: file {shown}")
        except OSError as error:
            self._not_read(not_opened(path, error) if is_there else not_readable(path, error))
            return
        except NotRead as fault:
            self._not_read(fault)
            return
        keep = "include" in self._settings.propagate
        yield from self._lines(text, where="include", keep_extension=keep, depth=depth)

    def _not_read(self, fault: NotRead) -> None:
        self._warn(str(fault))
        self._tell(Piece("bounced", "5.3.5", "mail system configuration error"))

    # -- mailboxes and files ---------------------------------------------------------------------------

    def _file(self, path: bytes, *, where: str = "") -> Steps:
        """Append to a file; `where` it stands, if that has not been judged already."""
        if self._is_repeated(b"file %d %s" % (self._account.uid, path)):
            return
        if where and not self._settings.may("files", where):
            self._tell(Piece("bounced", "5.7.1", "mail to file is restricted", to_owner=True))
            return
        shown = os.fsdecode(path)
        if self._only_traces(f"file: {shown}"):
            return
        if path.endswith(b"/"):
            yield from self._maildir(path)
            return
        try:
            self._append(path, check=_check_not_executable, lock_file_may_fail=True, warn=self._warn)
        except MboxFault as fault:
            text = f"cannot append message to file {shown}: {fault.text}"
            self._tell(_failed(fault.dsn, text, fault.diagnostic, to_owner=True))
        except Unreadable as fault:
            self._unreadable(fault)
        else:
            self._tell(Piece("sent", "2.0.0", f"delivered to file: {shown}"))

    def _mailbox_file(self, path: bytes, *, lock_file_may_fail: bool = False) -> None:
        if self._only_traces("mailbox"):
            return
        shown = os.fsdecode(path)
        try:
            offset = self._append(
                path,
                check=lambda status: self._check_mailbox(shown, status),
                lock_file_may_fail=lock_file_may_fail,
                warn=lambda text: None,  # that no lock file can be made in root's spool is nobody's mistake
            )
        except MboxFault as fault:
            user = self._recipient.user.decode("utf-8", "replace")
            text = f"cannot update mailbox {shown} for user {user}. {fault.text}"
            self._tell(_failed(fault.dsn, text, fault.diagnostic))
        except Unreadable as fault:
            self._unreadable(fault)
        else:
            if self._settings.local.biff and offset is not None:
                notify(self._recipient.user, offset)
            self._tell(Piece("sent", "2.0.0", "delivered to mailbox"))

    def _check_mailbox(self, shown: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise MboxFault("5.2.0", f"destination {shown} is not a regular file")
        if self._settings.local.strict_mailbox_ownership and status.st_uid != self._account.uid:
            self._warn('specify "strict_mailbox_ownership = no" to ignore mailbox ownership mismatch')
            raise MboxFault("4.2.0", f"destination {shown} is not owned by recipient")

    def _append(
        self, path: bytes, *, check: Check, lock_file_may_fail: bool, warn: Callable[[str], None]
    ) -> int | None:
        """Where the message begins; None if it has been there before."""
        head = self._headers("file")
        key = self._key(b"file", path, head)
        if self._notes.has(key):
            if (fault := sync_earlier(os.path.dirname(os.fsdecode(path)), files=self._files)) is not None:
                raise MboxFault("4.2.0", str(fault))
            return None
        head = from_line(self._recipient.sender, now=self._clock.now()) + head
        return append(
            path,
            chain((head,), as_mbox(self._text.blocks())),
            locks=self._settings.locks,
            size_limit=self._settings.local.mailbox_size_limit,
            check=check,
            lock_file_may_fail=lock_file_may_fail,
            warn=warn,
            written=lambda: self._notes.make(key),
            undone=lambda: self._notes.withdraw(key),
            files=self._files,
        )

    def _maildir(self, path: bytes) -> Steps:
        if self._only_traces("maildir"):
            return
        limit = self._settings.local.mailbox_size_limit
        maildir, head = os.fsdecode(path.rstrip(b"/")), self._headers("file")
        key = self._key(b"maildir", path, head)
        result: StepResult | None
        try:
            if self._notes.has(key):
                result = sync_earlier(maildir, files=self._files)
            else:
                result = yield self._text.delivery(
                    maildir, head, size_limit=limit, named=lambda: self._notes.make(key)
                )
                if not isinstance(result, Stored):
                    self._notes.withdraw(key)
        except TooLarge as fault:
            result = fault
        if result is None or isinstance(result, Stored):
            self._tell(Piece("sent", "2.0.0", "delivered to maildir"))
            return
        assert not isinstance(result, CommandResult)
        if isinstance(result, TooLarge):
            text = "maildir delivery failed: error writing message: File too large"
            self._tell(_failed("5.2.2", text, WRITE_DIAGNOSTIC))
            return
        if isinstance(result, Unreadable):
            self._unreadable(result)
            return
        cause = result.__cause__
        dsn = dsn_of(cause, "5.2.0") if isinstance(cause, OSError) else "4.2.0"
        text = maildir_trouble(cause) if isinstance(cause, OSError) else str(result)
        if isinstance(cause, PermissionError):
            account = self._account
            self._warn(f"maildir access problem for UID/GID={account.uid}/{account.gid}: {text}")
            self._warn("perhaps you need to create the maildirs in advance")
        is_of_writing = isinstance(cause, OSError) and cause.filename is None
        diagnostic = WRITE_DIAGNOSTIC if is_of_writing else ""
        self._tell(_failed(dsn, f"maildir delivery failed: {text}", diagnostic))

    # -- commands --------------------------------------------------------------------------------------

    def _command(self, command: bytes) -> Steps:
        account, settings = self._account, self._settings
        if self._is_repeated(b"command %s:%d %s" % (self._recipient.user, account.uid, command)):
            return
        if self._only_traces(f"command: {command.decode('utf-8', 'replace')}"):
            return
        head = from_line(self._recipient.sender, now=self._clock.now()) + self._headers("command")
        try:
            run = shell_run(self._request, command, settings, chain((head,), self._text.blocks()))
        except ExpansionError:
            template = settings.local.command_execution_directory
            self._warn(f"bad parameter value syntax for command_execution_directory: {template}")
            self._tell(Piece("deferred", "4.3.5", "mail system configuration error"))
            return
        result = yield from self._ran(run, self._key(b"command", command, self._headers("command")))
        if result is not None:
            self._tell(outcome_of(run, result))

    def _pipe(self, work: PipeMail) -> Steps:
        if self._settings.root_fault:
            self._warn(self._settings.root_fault)
            self._tell(_failed(*SYSEXITS[os.EX_TEMPFAIL]))
            return
        run = pipe_run(work, self._settings, as_piped(self._text.blocks(), work.content))
        result = yield from self._ran(run, self._key(work.service.encode(), b"\0".join(work.arguments), b""))
        if result is None:
            return
        piece = outcome_of(run, result)
        if piece.status == "sent":
            output = f" ({result.output.rstrip()[:_SHOWN_OUTPUT]})" if result.output else ""
            piece = Piece("sent", "2.0.0", f"delivered via {work.service} service{output}")
        self._tell(piece)

    def _ran(self, run: CommandRun, key: bytes) -> Generator[Step, StepResult, CommandResult | None]:
        """How it ended; None if the message could not be read."""
        if self._notes.has(key):
            return CommandResult(0, "")
        result = yield run
        if isinstance(result, Unreadable):
            self._unreadable(result)
            return None
        assert isinstance(result, CommandResult)
        if result.timed_out:
            self._warn(TIME_IS_OVER)
        if not result.status and not result.timed_out:
            self._notes.make(key)
        return result

    # -- common ----------------------------------------------------------------------------------------

    def _key(self, kind: bytes, place: bytes, head: bytes) -> bytes:
        """Of a delivery of this job (delivery_notes.py)."""
        who = b"%s %d %s" % (kind, self._account.uid, place)
        return delivery_key(self._request.offset, who, head)

    def _headers(self, kind: str) -> bytes:
        wanted = kind in self._settings.local.prepend_delivered_header
        original = self._settings.writes_original
        return trace_headers(self._recipient, delivered_to=wanted, original=original)

    def _unreadable(self, fault: Unreadable) -> None:
        self._warn(f"queue file read error: {fault}")
        self._tell(Piece("deferred", "4.3.0", "queue file read error"))

    def _only_traces(self, where: str) -> bool:
        """Whether nothing may be delivered; then it has been told where the mail would go."""
        if self._request.trace_only:
            self._tell(Piece("sent", "2.0.0", f"delivers to {where}"))
        return self._request.trace_only

    def _is_repeated(self, what: bytes) -> bool:
        if what in self._seen:
            return True
        self._seen.add(what)
        return False

    def _tell(self, piece: Piece) -> None:
        self._done.pieces.append(piece)

    def _warn(self, text: str) -> None:
        self._done.warnings.append(text)


def _check_not_executable(status: os.stat_result) -> None:
    if status.st_mode & 0o111:
        raise MboxFault("5.7.1", "file is executable")


def _failed(dsn: str, text: str, diagnostic: str = "", *, to_owner: bool = False) -> Piece:
    status = "deferred" if dsn.startswith("4") else "bounced"
    return Piece(status, dsn, text, to_owner=to_owner, diagnostic=diagnostic)
