"""lazy_expunge beside Dovecot's: what is left of messages that are expunged, moved, or deleted with their mailbox."""

import re
from pathlib import Path
from typing import Final

import pytest

from fakes.configured_imap import answers_of_both
from fakes.doveadm import Doveadm

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

MAIL: Final = (
    b'x APPEND INBOX (\\Seen \\Deleted x) "01-Jan-2024 10:00:00 +0000" {1+}\r\na',
    b"x APPEND INBOX (\\Deleted) {2+}\r\nbb",
    b"x APPEND INBOX {3+}\r\nccc",
    b"x CREATE Sub/x",
    b"x CREATE Sent",
    b"x SELECT INBOX",
)
LOOK: Final = b"x FETCH 1:* (UID FLAGS RFC822.SIZE)"
NAMED: Final = (
    *MAIL, b"x EXPUNGE", b'x LIST "" *', b'x LSUB "" *', b"x STATUS Expunged (MESSAGES)", b"x MOVE 1 Sent",
    b"x STATUS Expunged (MESSAGES)", b"x SELECT Expunged", LOOK, b"x FETCH 1 INTERNALDATE",
    b"x STORE 1 +FLAGS \\Deleted", b"x EXPUNGE", b"x COPY 1 Sub/x", b"x UNSELECT", b"x DELETE Sub/x",
    b"x STATUS Expunged (MESSAGES)", b"x RENAME Expunged Other", b"x SELECT Sent", b"x STORE 1 +FLAGS (\\Deleted y)",
    b"x CLOSE", b'x LIST "" *', b"x SELECT Expunged", LOOK, b"x UNSELECT", b"x DELETE Expunged", b'x LIST "" *',
)  # fmt: skip
LAST: Final = (
    *MAIL, b"x COPY 1 INBOX", b"x COPY 2 Sent", b"x EXPUNGE", b"x STATUS Expunged (MESSAGES)", b"x MOVE 1 Sub/x",
    b"x STATUS Expunged (MESSAGES)", b"x SELECT Sent", b"x STORE 1:* +FLAGS.SILENT \\Deleted", b"x EXPUNGE",
    b"x DELETE Sub/x", b"x SELECT Expunged", LOOK,
)  # fmt: skip
IN_NAMESPACE: Final = (
    *MAIL, b"x COPY 3 Sub/x", b"x EXPUNGE", b'x LIST "" *', b"x NAMESPACE", b'x LIST "" .EXPUNGED/*',
    b"x STATUS .EXPUNGED/INBOX (MESSAGES)", b"x DELETE Sub/x",
    b'x LIST "" .EXPUNGED/*', b"x CREATE .EXPUNGED/q", b"x CREATE z", b"x RENAME z .EXPUNGED/z",
    b"x RENAME .EXPUNGED/q .EXPUNGED/r", b"x RENAME .EXPUNGED/nope z", b"x COPY 1 .EXPUNGED/q",
    b"x SELECT .EXPUNGED/INBOX", LOOK, b"x STORE 1 +FLAGS.SILENT \\Deleted", b"x EXPUNGE",
    b"x STATUS .EXPUNGED/Sub/x (MESSAGES)", b"x UNSELECT", b"x DELETE .EXPUNGED/INBOX", b'x LIST "" .EXPUNGED/*',
)  # fmt: skip
EXCLUDED: Final = (
    b"x CREATE Trash", b"x CREATE Spam", b"x CREATE a/b", b"x APPEND Trash (\\Deleted) {1+}\r\na", b"x SELECT Trash",
    b"x EXPUNGE", b"x APPEND Spam (\\Deleted) {1+}\r\na", b"x SELECT Spam", b"x EXPUNGE",
    b"x APPEND a/b (\\Deleted) {1+}\r\na", b"x SELECT a/b", b"x EXPUNGE", b'x LIST "" *',
    b"x APPEND INBOX (\\Deleted) {1+}\r\na", b"x SELECT INBOX", b"x EXPUNGE", b"x STATUS Expunged (MESSAGES)",
)  # fmt: skip
FAILING: Final = (*MAIL, b"x EXPUNGE", b"x FETCH 1:* (UID)", b"x DELETE Sub/x", b'x LIST "" *')
FULL: Final = (
    *MAIL, b"x EXPUNGE", b"x STATUS Expunged (MESSAGES)", b"x COPY 1 Sent",
    b"x APPEND INBOX {1+}\r\na", b"x DELETE Sent", b"x STATUS Expunged (MESSAGES)",
)  # fmt: skip
NAMESPACE: Final = """
namespace expunged {{
  prefix = .EXPUNGED/
  hidden = yes
  list = no
  separator = /
  location = maildir:{base}/Maildir/expunged
}}
"""


_WHEN: Final = re.compile(rb" \[20[0-9-]{8} [0-9:]{8}\]")
_RECENT: Final = re.compile(rb" \\Recent|\\Recent ?")
_VALIDITY: Final = re.compile(rb"\bV[0-9]+\b")


def comparable(lines: list[bytes]) -> list[bytes]:
    """Without the time of an error, and UIDVALIDITYs, of which each tree may have the same.

    Without \\Recent, too, which Dovecot does not give to copies that have flags here.
    """
    texts = [_VALIDITY.sub(b"V", _WHEN.sub(b"", line)) for line in lines if not line.endswith(b" RECENT")]
    return [_RECENT.sub(b"", text) for text in texts]


def lazy(*settings: str, plugins: str = "", more: str = "") -> str:
    """Lines of dovecot.conf."""
    lines = "\n".join(settings)
    return f"mail_plugins = {plugins} lazy_expunge\nplugin {{{{\n{lines}\n}}}}\n{more}"


CASES: Final = {
    "a mailbox": (lazy("lazy_expunge = Expunged"), NAMED),
    "the last instance": (
        lazy("lazy_expunge = Expunged", "lazy_expunge_only_last_instance = yes"),
        LAST,
    ),
    "a namespace": (lazy("lazy_expunge = .EXPUNGED/", more=NAMESPACE), IN_NAMESPACE),
    "what is excluded": (
        lazy(
            "lazy_expunge = Expunged",
            "lazy_expunge_exclude = \\Junk",
            "lazy_expunge_exclude2 = Tr*",
            "lazy_expunge_exclude3 = %",
            "lazy_expunge_exclude4 = a*",
            "lazy_expunge_exclude6 = INBOX",
            more="namespace inbox {{\n mailbox Spam {{\n  special_use = \\Junk\n }}\n}}\n",
        ),
        EXCLUDED,
    ),
    "no place": (lazy("lazy_expunge = a//b"), FAILING),
    "not set": (lazy("lazy_expunge_only_last_instance = yes"), (*MAIL, b"x EXPUNGE", b'x LIST "" *')),
    "a quota": (
        lazy(
            "lazy_expunge = Expunged",
            "quota = maildir:User quota",
            "quota_rule = *:messages=4",
            plugins="quota",
        ),
        FULL,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_expunged_goes_where_dovecot_puts_it(name: str, tmp_path: Path) -> None:
    """Step by step the same answers."""
    more, steps = CASES[name]
    found = [
        (step, one, other)
        for step, (one, other) in zip(steps, answers_of_both(tmp_path, more, steps), strict=True)
        if comparable(one) != comparable(other)
    ]
    assert not found, "\n".join(
        f"{step!r}\n  Dovecot: {one}\n  ours:    {other}" for step, one, other in found
    )
