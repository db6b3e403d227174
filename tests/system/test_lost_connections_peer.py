"""Clients that hang up: what smtpd of either product logs, and how it counts the command that was under way.

Who hangs up after its message was taken has done no harm, and no reader of logs hears of it.
"""

import re
from typing import Final

import pytest

from fakes.host import Host
from fakes.mail_system import until
from fakes.tutorial_products import play_to_both, start_mail

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "rsyslogd", "unshare")]

_BEGIN: Final = b"EHLO x|MAIL FROM:<a@x.test>|RCPT TO:<bob@tutorial.test>|"
_MESSAGE: Final = b"Subject: x\r\n\r\nx\r\n"
CASES: Final = {
    "before anything": (b"", b""),
    "after EHLO": (b"EHLO x|", b""),
    "in a command": (b"EHLO x|", b"MAIL FR"),
    "after QUIT": (b"EHLO x|QUIT|", b""),
    "after the message": (_BEGIN + b"DATA|", _MESSAGE + b".\r\n"),
    "after the message, in a command": (_BEGIN + b"DATA|", _MESSAGE + b".\r\nQU"),
    "after the command behind the message": (_BEGIN + b"DATA|", _MESSAGE + b".\r\nNOOP\r\n"),
    "at the begin of content": (_BEGIN + b"DATA|", b""),
    "in content": (_BEGIN + b"DATA|", _MESSAGE),
    "in a line of content": (_BEGIN + b"DATA|", _MESSAGE + b"..half"),
    "after a refused DATA": (b"EHLO x|MAIL FROM:<a@x.test>|DATA|", b""),
    "after a chunk": (_BEGIN + b"BDAT 5\r\nx\r\ny\n|", b""),
    "in a chunk": (_BEGIN, b"BDAT 50\r\nabc\r\nde"),
    "in the second chunk": (_BEGIN + b"BDAT 5\r\na\r\nbc|", b"BDAT 50\r\nabc\r\nde"),
    "after the last chunk": (_BEGIN + b"BDAT 5 LAST\r\nx\r\ny\n|", b""),
    "after a refused chunk": (b"EHLO x|MAIL FROM:<a@x.test>|BDAT 5\r\na\r\nbc|", b""),
}
"""Commands that are answered, and what is sent after them before the client hangs up."""


def play(host: Host, product: str) -> dict[str, list[str]]:
    """What is logged of each."""
    start_mail(host)
    until(lambda: "disconnect from" in host.log(), what="the connection that has seen it start is over")
    return {name: _hang_up(host, *case) for name, case in CASES.items()}


def _hang_up(host: Host, commands: bytes, more: bytes) -> list[str]:
    mark = len(host.log())
    with host.connect(25) as connection, connection.makefile("rb") as replies:
        replies.readline()
        for command in commands.split(b"|")[:-1]:
            connection.sendall(command + b"\r\n" * (not command.startswith(b"BDAT")))
            while replies.readline()[3:4] == b"-":
                pass
        connection.sendall(more)
        if more.endswith((b".\r\n", b"QU", b"NOOP\r\n")):
            replies.readline()
        if more.endswith(b"NOOP\r\n"):
            replies.readline()
    until(lambda: "disconnect from" in host.log()[mark:], what="it is told")
    lines = [line for line in host.log()[mark:].splitlines() if "postfix/smtpd[" in line]
    return [re.sub(r"^.*?\]: ", "", line) for line in lines if re.search(r"lost|disconnect", line)]


def test_the_log_is_the_same() -> None:
    """Lost connections with the octets that had come, and the counts."""
    theirs, ours = play_to_both(play)
    assert theirs == ours
    assert ["lost connection after DATA (17 bytes) from localhost[127.0.0.1]"] == ours["in content"][:1]
    assert len(ours["after the message"]) == 1
