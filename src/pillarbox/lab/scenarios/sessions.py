"""What hosts say, or do instead, from the greeting to the end of data."""

from typing import Final

from pillarbox.lab.behaviour import CUT, DROP, OFFERS, SILENCE, Behaviour, Say
from pillarbox.lab.scenario import Scenario, delivered, expired, host, returned

# Scans are on a grid of five minutes, and on a busy machine the first attempt takes its time: the pause before the
# third one is as long as the message is old then.
_SOON = (290.0, 2700.0)  # at the second or third attempt
_BARE = tuple(offer for offer in OFFERS if offer != "PIPELINING")
_PHASES: Final = {
    "connect": "greeting",
    "EHLO": "hello",
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA": "data",
    ".": "end",
}

BUSY: Final = tuple(
    Scenario(
        name=f"busy-{name}",
        about=f"421 at {phase}, twice",
        hosts=(host(Behaviour(replies={phase: Say("421 4.3.2 Service shutting down", times=2)})),),
        expected={"bob": delivered(0, attempts=3, after=(590.0, 2700.0))},
    )
    for phase, name in _PHASES.items()
)
LOST: Final = tuple(
    Scenario(
        name=f"lost-{name}",
        about=f"the connection is lost at {phase}, once",
        hosts=(host(Behaviour(replies={phase: Say(DROP, times=1)})),),
        expected={"bob": delivered(0, attempts=2, after=_SOON)},
    )
    for phase, name in _PHASES.items()
)
SILENT: Final = tuple(
    Scenario(
        name=f"silent-{_PHASES[phase]}",
        about=f"not a word at {phase}, once",
        hosts=(host(Behaviour(offers=_BARE, replies={phase: Say(SILENCE, times=1)})),),
        expected={"bob": delivered(0, attempts=2, after=_SOON)},
    )
    for phase in ("connect", "EHLO", "MAIL", "RCPT", "DATA", ".")
)
REFUSED: Final = tuple(
    Scenario(
        name=f"refused-{_PHASES[phase]}",
        about=f"{reply} at {phase}",
        hosts=(host(Behaviour(replies={phase: reply})),),
        expected={"bob": returned(reply[4:9], reply[10:])},
    )
    for phase, reply in (
        ("MAIL", "553 5.1.8 Sender address does not exist"),
        ("RCPT", "550 5.1.1 No such user here"),
        ("DATA", "554 5.7.1 No mail from you"),
        (".", "554 5.7.1 This looks like spam"),
    )
)

OTHERS: Final = (
    Scenario(
        name="plainrefused",
        about="553 at MAIL, without PIPELINING",
        hosts=(host(Behaviour(offers=_BARE, replies={"MAIL": "553 5.1.8 Sender address does not exist"})),),
        expected={"bob": returned("5.1.8", "Sender address does not exist")},
    ),
    Scenario(
        name="plainunknown",
        about="550 at RCPT, without PIPELINING",
        hosts=(host(Behaviour(offers=_BARE, recipients={"bob": "550 5.1.1 Unknown"})),),
        expected={"bob": returned("5.1.1", "Unknown"), "carol": delivered(0)},
    ),
    Scenario(name="polite", about="takes everything"),
    Scenario(
        name="greylist",
        about="not before five minutes are over",
        hosts=(host(Behaviour(greylist=280.0)),),
        expected={"bob": delivered(0, attempts=2, after=(290.0, 1000.0))},
    ),
    Scenario(
        name="greylist-long",
        about="not before six hours are over",
        hosts=(host(Behaviour(greylist=6 * 3600.0)),),
        expected={"bob": delivered(0, attempts=None, after=(21600.0, 26000.0), late=True)},
    ),
    Scenario(
        name="slow",
        about="waits a while before each reply",
        hosts=(
            host(Behaviour(replies={phase: Say("250 2.0.0 Ok", after=0.15) for phase in ("MAIL", "RCPT")})),
        ),
    ),
    Scenario(
        name="cut",
        about="half of the reply to EHLO, once",
        hosts=(host(Behaviour(replies={"EHLO": Say(CUT, times=1)})),),
        expected={"bob": delivered(0, attempts=2, after=_SOON)},
    ),
    Scenario(
        name="recipients",
        about="one known, one unknown, one whose mailbox is full for a while, one that has moved",
        hosts=(
            host(
                Behaviour(
                    recipients={
                        "carol": "550 5.1.1 <carol@recipients.test>: No such user",
                        "dave": Say("452 4.2.2 Mailbox full", times=1),
                        "erin": "551 5.1.6 User has moved",
                    }
                )
            ),
        ),
        expected={
            "bob": delivered(0),
            "carol": returned("5.1.1", "No such user"),
            "dave": delivered(0, attempts=2, after=_SOON),
            "erin": returned("5.1.6", "User has moved"),
        },
    ),
    Scenario(
        name="nocodes",
        about="replies without enhanced status codes, over several lines",
        hosts=(host(Behaviour(replies={"RCPT": "550 no such user\n550 ask your postmaster"})),),
        expected={"bob": returned("5.0.0", "no such user")},
    ),
    Scenario(
        name="helo",
        about="a host of before 1995, without EHLO",
        hosts=(host(Behaviour(offers=(), replies={"EHLO": "502 5.5.1 What?"})),),
    ),
    Scenario(name="nopipelining", about="one command at a time", hosts=(host(Behaviour(offers=_BARE)),)),
    Scenario(
        name="small",
        about="offers a SIZE that is too small",
        hosts=(host(Behaviour(offers=("PIPELINING", "SIZE 100", "ENHANCEDSTATUSCODES"))),),
        body="A line of some length, to be longer than a hundred octets.\n" * 9,
        expected={"bob": returned("5.3.4", "message size")},
    ),
    Scenario(
        name="toolong",
        about="finds the message too long after the end of data",
        hosts=(host(Behaviour(replies={".": "552 5.3.4 Message too big for system"})),),
        expected={"bob": returned("5.3.4", "Message too big")},
    ),
    Scenario(
        name="seven",
        about="no 8BITMIME, and a message that needs it: as quoted-printable (RFC 6152 §3)",
        hosts=(host(Behaviour(offers=("PIPELINING", "DSN", "ENHANCEDSTATUSCODES"))),),
        parameters=("BODY=8BITMIME",),
        header="MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
        body="Gr\u00fc\u00dfe = \u00a5\u00a3\u20ac, and a line that is long enough to be broken: "
        + "\u00e4 " * 40
        + "\n",
    ),
    Scenario(
        name="noutf8",
        about="no SMTPUTF8, and an address that needs it",
        hosts=(host(Behaviour(offers=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"))),),
        parameters=("SMTPUTF8",),
        expected={"björn": returned("5.6.7", "SMTPUTF8 is required")},
    ),
    Scenario(
        name="utf8",
        about="SMTPUTF8, and an address that needs it",
        parameters=("SMTPUTF8",),
        expected={"björn": delivered(0)},
    ),
    Scenario(
        name="dead",
        about="nobody listens",
        hosts=(host(None),),
        expected={"bob": expired("4.4.1", "Connection refused")},
    ),
    Scenario(
        name="greeting554",
        about="no greeting for us, ever",
        hosts=(host(Behaviour(replies={"connect": "554 5.7.1 Go away"})),),
        expected={"bob": expired("4.7.1", "Go away")},
    ),
    Scenario(
        name="weekend",
        about="down for two days and a half",
        hosts=(host(Behaviour(replies={"connect": Say("421 4.3.2 System not accepting", seconds=216_000)})),),
        expected={"bob": delivered(0, attempts=None, after=(216_000, 220_500), late=True)},
    ),
)

SESSIONS: Final = (*OTHERS, *BUSY, *LOST, *SILENT, *REFUSED)
