"""The auth worker: PAM and shadow passwords, with root's rights; the only part of authentication that has them.

DESCRIPTION
    The auth role connects to its socket and asks one question at a time on each connection.  Each connection is
    served by a child, because PAM blocks, and because what a PAM module does to a process ends with it: a child
    ends after `_REQUESTS` questions, a minute without one, or with the role, whatever its PAM modules wait for.

    The role parses frames of the auth role and nothing that a peer sent in another form.

FAULTS
    PAM that does not work is an answer of its own: the login fails for the time being.
"""

import ctypes
import functools
import os
import selectors
import signal
import socket
import syslog
from typing import Final

import msgspec

from pillarbox.auth import pam
from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.auth.system_users import CheckByPam, CheckByShadow, Checked, Question
from pillarbox.daemons.startup import open_log
from pillarbox.net import last_seconds
from pillarbox.net.accepting import Acceptor
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.forks import fork
from pillarbox.net.startup import Ready, Startup
from pillarbox.observability.events import EventSink, MailboxNotice

_REQUESTS: Final = 100
_IDLE_SECONDS: Final = 60.0


class _Spwd(ctypes.Structure):
    """struct spwd of shadow.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("password", ctypes.c_char_p),
        *(
            (name, ctypes.c_long)
            for name in ("changed", "minimum", "maximum", "warning", "inactive", "expires")
        ),
        ("flag", ctypes.c_ulong),
    )


def check_by_shadow(question: CheckByShadow) -> Checked:
    """Whether it is the password that shadow(5), or NSS in its place, has."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.getspnam.restype = ctypes.POINTER(_Spwd)
    libc.getspnam.argtypes = (ctypes.c_char_p,)
    if "\0" in question.user:
        return Checked("unknown")
    found = libc.getspnam(question.user.encode())
    if not found:
        return Checked("unknown")
    stored: bytes = found.contents.password or b""
    if len(stored) < 2 or stored[:1] in b"*!":
        return Checked("wrong", "Password is disabled")
    try:
        right = verify(question.password, b"{CRYPT}" + stored)
    except UnknownScheme as fault:
        return Checked("fault", str(fault))
    return Checked("right") if right else Checked("wrong", "Password mismatch")


def check_by_pam(question: CheckByPam) -> Checked:
    """What PAM says."""
    try:
        answer = pam.check(
            question.service,
            question.user,
            question.password,
            remote=question.remote,
            session=question.session,
            credentials=question.credentials,
        )
    except pam.PamFault as fault:
        return Checked("fault", str(fault))
    return Checked(answer.status, answer.reason, answer.message)


def serve_questions(sock: socket.socket) -> None:
    """A child's life: questions in, answers out, one after the other."""
    reader: FrameReader[Question] = FrameReader(msgspec.msgpack.Decoder(Question))
    sock.settimeout(_IDLE_SECONDS)
    answered = 0
    while answered < _REQUESTS:
        try:
            data, _ = receive_available(sock)
            frames = reader.feed(data)
        except (OSError, ChannelClosed):
            return
        if not data:
            return
        for question, _ in frames:
            answer = check_by_pam(question) if isinstance(question, CheckByPam) else check_by_shadow(question)
            writer = FrameWriter()
            writer.put(answer)
            writer.write_to(sock)
            answered += 1


class AuthWorker:
    """The role's loop: the listener and the control channel."""

    def __init__(self, listener: socket.socket, control: socket.socket, tell: EventSink) -> None:
        self._listener = listener
        self._control = control
        self._tell = tell
        self._acceptor = Acceptor(listener, tell=self._tell_error)

    def serve(self) -> None:
        """Run until the supervisor says Stop or is gone."""
        ready = FrameWriter()
        ready.put(Ready(os.getpid()))
        ready.write_to(self._control)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._control:
                        return
                    self._accept()

    def _accept(self) -> None:
        client = self._acceptor.accept()
        if client is None:
            return
        with client:
            try:
                fork(functools.partial(self._answer, client))
            except OSError as error:
                self._tell_error(f"fork() failed: {error.strerror}")

    def _tell_error(self, text: str) -> None:
        self._tell(MailboxNotice("auth-worker", "Error", text))

    def _answer(self, client: socket.socket) -> None:
        """In a child."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # pam_unix waits for its helper
        self._listener.close()
        self._control.close()
        serve_questions(client)


def main(startup: Startup) -> None:
    """Entry of the role."""
    last_seconds.begin_with_parents_end(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    os.umask(0o077)
    syslog.openlog(
        "auth"
    )  # PAM's modules log by syslog(3); in Dovecot they do so as auth, for which log readers look
    tell = open_log(startup)
    try:
        pam.load()
    except pam.PamFault as fault:
        tell(MailboxNotice("auth-worker", "Error", str(fault)))
    listener = socket.socket(fileno=startup.listeners["auth-worker"])
    AuthWorker(listener, socket.socket(fileno=startup.control), tell).serve()
