"""auth_debug: what is told of a login, and what only auth_debug_passwords tells."""

import asyncio
from typing import Final

import pytest

from auth.test_chains import ME, Users
from pillarbox.auth.login_names import LoginName
from pillarbox.auth.login_trace import LoginTrace
from pillarbox.auth.password_chain import Link, PasswordChain
from pillarbox.auth.user_database import LoginRequest
from pillarbox.config.mailbox_settings import Database
from pillarbox.observability.events import Event, MailboxNotice
from pillarbox.vocabulary.secret import Secret

LINES: Final = (
    (b"AUTH", b"1", b"PLAIN", b"service=imap", b"resp=AG1lAHg="),
    (b"CONT", b"1", b"AG1lAHg="),
    (b"CANCEL", b"1"),
)
HIDDEN: Final = ["client in: AUTH\t1\tPLAIN\tservice=imap\tresp=<hidden>", "client in: CONT<hidden>"]
SENSITIVE: Final = " (previous base64 data may contain sensitive data)"
SHOWN: Final = [
    f"client in: AUTH\t1\tPLAIN\tservice=imap\tresp=AG1lAHg={SENSITIVE}",
    f"client in: CONT\t1\tAG1lAHg={SENSITIVE}",
]
WRONG: Final = [
    "memory(me,192.0.2.1,<AbC>): Performing passdb lookup",
    "memory(me,192.0.2.1,<AbC>): lookup: me",
    "memory(me,192.0.2.1,<AbC>): Finished passdb lookup",
]
MISMATCH: Final = "memory(me,192.0.2.1,<AbC>): PLAIN(wrong) != 'right'"


@pytest.mark.parametrize(
    ("debug", "passwords", "expected"),
    [
        (False, False, []),
        (True, False, [*HIDDEN, "client in: CANCEL\t1", *WRONG]),
        (False, True, [*SHOWN, "client in: CANCEL\t1", *WRONG[:2], MISMATCH, WRONG[2]]),
    ],
    ids=["off", "debug", "passwords"],
)
def test_what_is_told(debug: bool, passwords: bool, expected: list[str]) -> None:
    """Lines of the protocol, and a wrong password."""
    told: list[Event] = []
    trace = LoginTrace(told.append, debug=debug, passwords=passwords)
    for fields in LINES:
        trace.client_said(fields)
    links = [Link(Database(driver="memory"), Users(ME))]
    chain = PasswordChain(links, report=lambda *_: None, report_fault=lambda *_: None, trace=trace)
    request = LoginRequest(user="me", remote="192.0.2.1", session="AbC")
    asyncio.run(chain.verify(LoginName("me"), request, Secret(b"wrong")))
    assert [MailboxNotice("auth", "Debug", text) for text in expected] == told


@pytest.mark.parametrize("passwords", [False, True])
def test_the_cookie_is_told_to_nobody(passwords: bool) -> None:
    """With it a login could be redeemed."""
    told: list[Event] = []
    trace = LoginTrace(told.append, debug=True, passwords=passwords)
    trace.master_said([b"REQUEST", b"7", b"42", b"1", b"c00kie", b"session_pid=9"])
    trace.master_said([b"USER", b"8", b"me", b"service=lmtp"])
    assert [event.text for event in told if isinstance(event, MailboxNotice)] == [
        "master in: REQUEST\t7\t42\t1\t<hidden>\tsession_pid=9",
        "master in: USER\t8\tme\tservice=lmtp",
    ]
