"""PAM: is this the user's password, and may he log in?  By libpam, called through ctypes.

DESCRIPTION
    `check()` runs pam_authenticate and pam_acct_mgmt, and on request pam_setcred and a session that is opened
    and closed at once (pam_mkhomedir needs that).  The conversation answers every question that is not to be
    echoed with the password, and others with the user's name.  PAM's own delay after a failure is switched off:
    whoever asks holds the answer back without holding a process.

    It blocks, and belongs in a process of its own with root's rights.

FAULTS
    PamFault  libpam cannot be loaded, or PAM itself does not work (a service file that is missing or wrong)

STANDARDS
    pam(3), pam_conv(3), pam_fail_delay(3)
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import msgspec

PAM_SUCCESS: Final = 0
_PAM_BUF_ERR: Final = 5
_PAM_AUTH_ERR: Final = 7
_PAM_USER_UNKNOWN: Final = 10
_PAM_MAXTRIES: Final = 11
_PAM_NEW_AUTHTOK_REQD: Final = 12
_PAM_ACCT_EXPIRED: Final = 13
_PAM_PERM_DENIED: Final = 6
_PAM_RHOST: Final = 4
_PAM_RUSER: Final = 8
_PAM_TTY: Final = 3
_PAM_FAIL_DELAY: Final = 10
_PAM_PROMPT_ECHO_OFF: Final = 1
_PAM_PROMPT_ECHO_ON: Final = 2
_PAM_ERROR_MSG: Final = 3
_PAM_TEXT_INFO: Final = 4
_PAM_ESTABLISH_CRED: Final = 2
_PAM_SILENT: Final = 0x8000
_REFUSALS: Final = frozenset({_PAM_AUTH_ERR, _PAM_MAXTRIES, _PAM_PERM_DENIED})
_EXPIRED: Final = frozenset({_PAM_NEW_AUTHTOK_REQD, _PAM_ACCT_EXPIRED})


class PamFault(Exception):
    """PAM does not work; `str()` is for the log."""


class PamAnswer(msgspec.Struct, frozen=True):
    """What PAM says.  `status` is right, wrong, expired or unknown; `message` is what a module said to the user."""

    status: str
    reason: str = ""
    message: str = ""


class _Message(ctypes.Structure):
    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


class _Response(ctypes.Structure):
    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


_Converse = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)),
    ctypes.c_void_p,
)
_Delay = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class _Conversation(ctypes.Structure):
    _fields_ = (("converse", _Converse), ("data", ctypes.c_void_p))


class _Library:
    """libpam and what the conversation needs of libc."""

    def __init__(self) -> None:
        try:
            self.pam = ctypes.CDLL("libpam.so.0")
        except OSError as error:
            raise PamFault(f"libpam cannot be loaded: {error}") from error
        libc = ctypes.CDLL(None)
        self.calloc = libc.calloc
        self.calloc.restype = ctypes.c_void_p
        self.calloc.argtypes = (ctypes.c_size_t, ctypes.c_size_t)
        self.strdup = libc.strdup
        self.strdup.restype = ctypes.c_void_p
        self.strdup.argtypes = (ctypes.c_char_p,)
        pointer = ctypes.c_void_p
        self.pam.pam_start.argtypes = (
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.POINTER(_Conversation),
            ctypes.POINTER(pointer),
        )
        self.pam.pam_set_item.argtypes = (pointer, ctypes.c_int, pointer)
        self.pam.pam_strerror.argtypes = (pointer, ctypes.c_int)
        self.pam.pam_strerror.restype = ctypes.c_char_p
        for name in ("authenticate", "acct_mgmt", "setcred", "open_session", "close_session", "end"):
            getattr(self.pam, f"pam_{name}").argtypes = (pointer, ctypes.c_int)


@cache
def _library() -> _Library:
    return _Library()


def _wait_not(_status: int, _microseconds: int, _data: int) -> None:
    """PAM_FAIL_DELAY: the answer is held back elsewhere."""


_NO_DELAY: Final = _Delay(_wait_not)


def load() -> None:
    """Load libpam now.  PamFault."""
    _library()


def check(
    service: str, user: str, password: bytes, *, remote: str, session: bool, credentials: bool
) -> PamAnswer:
    """PAM's answer.  PamFault."""
    if "\0" in user or b"\0" in password or "/" in service:
        return PamAnswer("wrong", "user name or password with a NUL, or service with a slash")
    library, said = _library(), list[str]()
    converse = _Converse(_conversation(library, user.encode(), password, said))
    conversation = _Conversation(converse, None)
    handle = ctypes.c_void_p()
    status = library.pam.pam_start(
        service.encode(), user.encode(), ctypes.byref(conversation), ctypes.byref(handle)
    )
    if status != PAM_SUCCESS:
        raise PamFault(f"pam_start() failed: {_text(library, handle, status)}")
    try:
        pam = library.pam
        if remote:
            pam.pam_set_item(
                handle, _PAM_RHOST, ctypes.cast(ctypes.c_char_p(remote.encode()), ctypes.c_void_p)
            )
        pam.pam_set_item(handle, _PAM_RUSER, ctypes.cast(ctypes.c_char_p(user.encode()), ctypes.c_void_p))
        pam.pam_set_item(handle, _PAM_TTY, ctypes.cast(ctypes.c_char_p(b"dovecot"), ctypes.c_void_p))
        pam.pam_set_item(handle, _PAM_FAIL_DELAY, ctypes.cast(_NO_DELAY, ctypes.c_void_p))
        steps: list[tuple[str, int]] = [("authenticate", 0)]
        steps += [("setcred", _PAM_ESTABLISH_CRED)] if credentials else []
        steps += [("acct_mgmt", 0)]
        steps += [("open_session", _PAM_SILENT), ("close_session", _PAM_SILENT)] if session else []
        for name, flags in steps:
            status = getattr(pam, f"pam_{name}")(handle, flags)
            if status != PAM_SUCCESS:
                return _refusal(name, status, _text(library, handle, status), said)
        return PamAnswer("right")
    finally:
        library.pam.pam_end(handle, status)


def _refusal(step: str, status: int, text: str, said: list[str]) -> PamAnswer:
    reason = f"pam_{step}() failed: {text}"
    message = " ".join(said)
    if step == "authenticate" and status == _PAM_AUTH_ERR:
        return PamAnswer("wrong", f"{reason} (Password mismatch?)", message)
    if status == _PAM_USER_UNKNOWN:
        return PamAnswer("unknown", reason, message)
    if status in _EXPIRED:
        return PamAnswer("expired", reason, message)
    if status in _REFUSALS:
        return PamAnswer("wrong", reason, message)
    raise PamFault(reason)


def _text(library: _Library, handle: ctypes.c_void_p, status: int) -> str:
    text: bytes | None = library.pam.pam_strerror(handle, status)
    return (text or b"unknown error").decode("utf-8", "replace")


_Conversing = Callable[[int, Any, Any, int], int]
"""pam_conv(3); ctypes has no types for pointers to pointers."""


def _conversation(library: _Library, user: bytes, password: bytes, said: list[str]) -> _Conversing:
    """pam_conv(3): hidden questions get the password, others the name; libpam frees the answers."""

    def converse(
        count: int,
        messages: Any,  # noqa: ANN401 - struct pam_message **
        responses: Any,  # noqa: ANN401 - struct pam_response **
        _data: int,
    ) -> int:
        memory = library.calloc(count, ctypes.sizeof(_Response))
        if not memory:
            return _PAM_BUF_ERR
        answers = ctypes.cast(memory, ctypes.POINTER(_Response))
        for at in range(count):
            message = messages[at].contents
            if message.style == _PAM_PROMPT_ECHO_OFF:
                answers[at].text = library.strdup(password)
            elif message.style == _PAM_PROMPT_ECHO_ON:
                answers[at].text = library.strdup(user)
            elif message.style in (_PAM_ERROR_MSG, _PAM_TEXT_INFO):
                said.append((message.text or b"").decode("utf-8", "replace"))
        responses[0] = answers
        return PAM_SUCCESS

    return converse
