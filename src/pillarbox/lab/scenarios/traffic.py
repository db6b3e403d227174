"""More than one message: limits of large providers, sessions that serve again, traps, mail from outside."""

from typing import Final

from pillarbox.lab.behaviour import Behaviour, Rate, Say
from pillarbox.lab.scenario import Expected, Scenario, delivered, expired, host, returned

TRAFFIC: Final = (
    Scenario(
        name="provider",
        about="twelve messages, five are taken in half an hour: 421 4.7.28",
        hosts=(host(Behaviour(rate=Rate(5, 1800.0))),),
        messages=12,
        expected={"bob": delivered(0, attempts=None)},
    ),
    Scenario(
        name="mailboxrate",
        about="six messages, one mailbox takes two in an hour: 450 4.2.1",
        hosts=(
            host(
                Behaviour(
                    rate=Rate(
                        2,
                        3600.0,
                        "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents"
                        "\n450 4.2.1 additional messages from being delivered. Please resend your message later.",
                        "RCPT",
                    )
                )
            ),
        ),
        messages=6,
        expected={"bob": delivered(0, attempts=None)},
    ),
    Scenario(
        name="crowded",
        about="twenty messages, two connections at once",
        hosts=(host(Behaviour(connections=2, replies={"MAIL": Say("250 2.1.0 Ok", after=0.02)})),),
        messages=20,
        expected={"bob": delivered(0, attempts=None)},
    ),
    Scenario(
        name="onepersession",
        about="five messages, one for each connection",
        hosts=(host(Behaviour(messages=1)),),
        messages=5,
        expected={"bob": delivered(0, attempts=None)},
    ),
    Scenario(
        name="reuse",
        about="ten messages that waited together, over one connection after the other (smtp with one process)",
        hosts=(
            host(
                Behaviour(
                    replies={
                        "connect": Say("421 4.3.2 Not yet", seconds=200),
                        "MAIL": Say(
                            "250 2.1.0 Ok", after=0.05
                        ),  # so that those behind it have come meanwhile
                    }
                )
            ),
        ),
        transport="reuse:reuse.test",
        service="reuse unix - - n - 1 smtp",
        messages=10,
        expected={"bob": delivered(0, attempts=None, after=(200.0, 2700.0))},
    ),
    Scenario(
        name="paced",
        about="five messages, one in ten minutes (paced_destination_rate_delay)",
        transport="paced:paced.test",
        service="paced unix - - n - - smtp",
        settings="paced_destination_rate_delay = 600s",
        messages=5,
        expected={"bob": delivered(0, attempts=1, after=(2350.0, 3400.0))},
    ),
    Scenario(
        name="narrow",
        about="twenty messages that waited together, two at a time (narrow_destination_concurrency_limit)",
        hosts=(
            host(
                Behaviour(
                    replies={
                        "connect": Say("421 4.3.2 Not yet", seconds=200),
                        "MAIL": Say("250 2.1.0 Ok", after=0.01),
                    }
                )
            ),
        ),
        transport="narrow:narrow.test",
        service="narrow unix - - n - - smtp",
        settings="narrow_destination_concurrency_limit = 2",
        messages=20,
        expected={"bob": delivered(0, attempts=None, after=(200.0, 2700.0))},
    ),
    Scenario(
        name="down",
        about="ten messages for a host that is down for an hour: it is not asked ten times",
        hosts=(host(Behaviour(replies={"connect": Say("421 4.3.2 Down", seconds=3600)})),),
        messages=10,
        expected={"bob": delivered(0, attempts=None, after=(3500.0, 9500.0))},
    ),
    Scenario(
        name="fewrecipients",
        about="takes two recipients with each message",
        hosts=(host(Behaviour(recipient_limit=2)),),
        expected={name: delivered(0, attempts=None) for name in ("bob", "carol", "dave", "erin", "frank")},
    ),
    Scenario(
        name="trap",
        about="a spam trap: who writes to it is not served any more",
        hosts=(host(Behaviour(traps=frozenset(["trap"]))),),
        expected={"trap": delivered(0)},
    ),
    Scenario(
        name="trapped",
        about="the next message after the trap's",
        at=3600.0,
        hosts=(),
        records="@ IN MX 10 mx0.trap.test.",
        expected={"bob": expired("4.7.1", "sent mail to a spam trap")},
    ),
    Scenario(
        name="fallback",
        about="nobody listens, and the smtp_fallback_relay takes it",
        hosts=(host(None), host(preference=None)),
        transport="fallback:fallback.test",
        service="fallback unix - - n - - smtp -o smtp_fallback_relay=[mx1.{name}]",
        expected={"bob": delivered(1)},
    ),
    Scenario(
        name="nofallback",
        about="5xx is an answer: no smtp_fallback_relay for that",
        hosts=(host(Behaviour(replies={"RCPT": "550 5.1.1 Unknown"})), host(preference=None)),
        transport="nofallback:nofallback.test",
        service="nofallback unix - - n - - smtp -o smtp_fallback_relay=[mx1.{name}]",
        expected={"bob": returned("5.1.1", "Unknown")},
    ),
    Scenario(
        name="lmtp",
        about="an LMTP server: each recipient has its own answer at the end",
        hosts=(host(Behaviour(lmtp=True, recipients={"carol": "550 5.1.1 No such mailbox"})),),
        transport="lmtp:inet:mx0.{name}:{port}",
        expected={"bob": delivered(0), "carol": returned("5.1.1", "No such mailbox")},
    ),
    Scenario(
        name="friend",
        about="mail from outside, by a client with a name",
        client="mail.friend.test",
        hosts=(host(),),
        sender="fred@friend.test",
        expected={"alice@pillarbox.test": delivered()},
    ),
    Scenario(
        name="foe",
        about="mail from outside, by a client on a block list",
        client="mail.foe.test",
        listed=True,
        hosts=(host(),),
        sender="fred@foe.test",
        expected={"alice@pillarbox.test": Expected(fate="refused", text="blocked using bl.test")},
    ),
    Scenario(
        name="stranger",
        about="mail from outside to a third host: we are no open relay",
        client="mail.stranger.test",
        hosts=(host(),),
        sender="fred@stranger.test",
        expected={"bob@polite.test": Expected(fate="refused", text="Relay access denied")},
    ),
)
