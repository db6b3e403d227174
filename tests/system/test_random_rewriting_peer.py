"""Random configurations of addresses and routes: what becomes of mail is what Debian's Postfix makes of it.

DESCRIPTION
    RANDOM_WORLDS=first,last plays other seeds than the few that are always played, with more messages each.  Some
    differences are known: the text of discard: without one is the recipient's domain, which is in lower case here;
    Delivered-To: of an address that needs quotes ends a loop here, and not in Postfix, which goes on until there are
    too many hops (1142); forwarded mail is still known to be 8bit, if nothing but BODY= says so (1142); a content_filter
    whose transport is no service is refused (1206); local mail whose sender canonical_maps cannot map waits without a
    look at its content (1202); undisclosed_recipients_header is added once, however often mail is forwarded (1233);
    a copy that an access table wants for each of several recipients is one here, and two in Postfix (1354, 1377);
    what local(8) has passed to smtp(8) does not go to best_mx_transport (1388); one recipient whose aliases have no
    end is enough for the log, where Postfix goes on with the others (1341, 1357); an alias of a quoted address has no
    quotes any more for resolve_dequoted_address = no (1305); a final dot of a domain counts in check_recipient_mx_access
    of Postfix (1387); who is nobody is MAILER-DAEMON from the first, so that orig_to= is logged (1421, 1433);
    with duplicate_filter_limit = 1 its local(8) ends in a circle of .forward files (1320);
    without smtputf8_enable an address outside ASCII has blanks in replies of Postfix (1407, 1464); forwarded mail whose
    aliases have no end is deferred by local(8) without a word (1361); undisclosed_recipients_header = Bcc: is dropped
    and added again with each forwarding (1456, 1484); a luser_relay that is a command with a blank is nobody here, and
    an alias without end there (1520); double_bounce_sender keeps its name whatever canonical_maps say (1604); a domain
    that is listed twice is told of only when an address of it is looked at (1452); a quoted local part loses its quotes
    in Delivered-To: (1425).
    Postfix goes round without end if a list is its own owner's owner, or if postmaster is a list that cannot be
    reached (1454); ours does not (test_local_delivery).
    Another world is not random: what reports say of their encoding, and who hears of success.
"""

import difflib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.mail_system import until
from fakes.random_address_lists import random_fields
from fakes.random_commands import with_commands
from fakes.random_local_delivery import more_configuration
from fakes.random_rewriting import RandomConfiguration, RandomMessage, random_configuration
from fakes.random_wider import wider_configuration
from fakes.rewriting_play import MAIN_CF, USERS, ZONES, Played, load, prepare
from fakes.rewriting_world import RewritingWorld
from fakes.smtp_submission import SmtpClient

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewritingWorld]:
    """The hosts, once for all seeds."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = RewritingWorld(directory, MAIN_CF, zones=ZONES, users=USERS)
    try:
        prepare(made)
        yield made
    finally:
        made.end()


_ALWAYS: Final = (720, 722, 1403)
_WITH_COMMANDS: Final = 1400
"""The first seed of which clients say more than it takes to send mail."""


def _worlds() -> Iterator[tuple[int, int]]:
    """Seeds and numbers of messages."""
    wanted = os.environ.get("RANDOM_WORLDS", "")
    if not wanted:
        yield from ((seed, 6) for seed in _ALWAYS)
        return
    first, last = map(int, wanted.split(","))
    yield from ((seed, 14) for seed in range(first, last))


@pytest.mark.parametrize(("seed", "messages"), list(_worlds()))
def test_random_worlds(world: RewritingWorld, seed: int, messages: int, subtests: pytest.Subtests) -> None:
    """Replies, envelopes, contents, reports and what the log says of every message."""
    configuration = more_configuration(random_configuration(seed, messages), seed)
    configuration = wider_configuration(configuration, seed)
    _compare(world, with_commands(configuration, seed) if seed >= _WITH_COMMANDS else configuration, subtests)


def _compare(world: RewritingWorld, configuration: RandomConfiguration, subtests: pytest.Subtests) -> None:
    load(world, configuration)
    with ThreadPoolExecutor(2) as threads:
        played = [Played(world, host, configuration) for host in world.hosts]
        list(threads.map(Played.play, played))
    theirs, ours = (one.results for one in played)
    for name in sorted({*theirs, *ours}):
        with subtests.test(name):
            expected, found = theirs.get(name, ""), ours.get(name, "")
            message = next((repr(one) for one in configuration.messages if one.name == name), name)
            assert expected == found, "\n".join(
                (
                    configuration.settings,
                    message,
                    *difflib.ndiff(expected.split("\n"), found.split("\n")),
                )
            )


def _reported(
    name: str,
    sender: str,
    recipient: str,
    *options: str,
    local: bool = False,
    field: str = "From: a@out.test",
) -> RandomMessage:
    content = f"X-Row: {name}.\nMessage-ID: <{name}@out.test>\n{field}\n\nbody\n".encode()
    recipients = (recipient if local else f"<{recipient}> NOTIFY=SUCCESS,FAILURE",)
    return RandomMessage(
        name=name, local=local, sender=sender, recipients=recipients, options=options, content=content
    )


_REPORTED: Final = (
    _reported("m0", "alice@here.test", "refused@out.test"),
    _reported("m1", "alice@here.test", "refused@out.test", "BODY=7BIT"),
    _reported("m2", "alice@here.test", "refused@out.test", "BODY=8BITMIME"),
    _reported("m3", "alice@here.test", "bob@here.test", "BODY=8BITMIME", field="Subject: gr\u00fcn"),
    _reported("m4", "gr\u00fcn@here.test", "bob@here.test", "SMTPUTF8"),
    _reported("m5", "", "refused@out.test"),
    _reported("m6", "double-bounce@mail.here.test", "refused@out.test"),
    _reported("m7", "alice@here.test", "refused@out.test", local=True, field="From: gr\u00fcn@out.test"),
    _reported("m8", "", "bob@here.test", "-v", local=True),
    _reported("m9", "alice@here.test", "postmaster@x@here.test"),
    _reported("m10", "carol@relay.test", "gr\u00fcn@alias.test", local=True),
    _reported("m11", "list+gr\u00fcn@relay.test", "refused@out.test", local=True),
    _reported("m12", "carol@relay.test", f"refused{30 * chr(252)}@out.test", local=True),
    _reported("m13", "carol@relay.test", "bob@b\u00fccher.test", local=True),
    _reported("m14", "carol@relay.test", "gr\u00fcn@out.test", "SMTPUTF8"),
    _reported("m15", "", "refused@out.test", "RET=HDRS"),  # postmaster sees all of what nobody else will see
)


@pytest.mark.parametrize(
    "settings",
    [
        "notify_classes = bounce, 2bounce\n",
        "smtputf8_enable = no\nheader_address_token_limit = 9\nnotify_classes = bounce\n",
    ],
    ids=["utf8", "ascii"],
)
def test_reports(world: RewritingWorld, settings: str, subtests: pytest.Subtests) -> None:
    """Charset, encoding and types of reports on mail of every kind; what becomes of those that nobody asked for."""
    configuration = RandomConfiguration(
        settings="relayhost = [10.53.0.20]\n" + settings, files={}, messages=_REPORTED, queries=()
    )
    _compare(world, configuration, subtests)


_WITHOUT_ANSWER: Final = """\
relayhost = [10.53.0.20]
relay_domains = relay.test, fail:domains
transport_maps = inline:{ { * = : } { Bob@here.test = : } }, fail:routes
sender_dependent_relayhost_maps = inline:{ { <> = : } { "<>" = : } }, fail:senders
"""


def test_tables_that_cannot_answer(world: RewritingWorld, subtests: pytest.Subtests) -> None:
    """Whose tables they are, and what was asked, stands in the log; a sender's are asked at MAIL."""
    messages = (
        _reported("m0", "Alice@Here.test", "Bob.B+X@Out.Test"),
        _reported("m1", "Al.Ice@Relay.test", "Carol@relay.test"),
        _reported("m2", "", "Bob@here.test"),
        _reported("m3", "Bob@here.test", "Bob.C@Box.Test"),
    )
    _compare(
        world,
        RandomConfiguration(settings=_WITHOUT_ANSWER, files={}, messages=messages, queries=()),
        subtests,
    )


_OWN: Final = "-o syslog_name=own -o info_log_address_format=internal -o delay_logging_resolution_limit=0"
_OWN_SERVICES: Final = f"""\
owned-pipe    unix - n n - - pipe {_OWN} flags=q user=nobody argv=/bin/true
owned-local   unix - n n - - local {_OWN}
owned-virtual unix - n n - - virtual {_OWN}
owned-smtp    unix - - n - - smtp {_OWN}
owned-discard unix - - n - - discard {_OWN}
"""


def test_lines_of_services(world: RewritingWorld) -> None:
    """Names, addresses and delays in lines of a service are as options of its own say."""
    names = [line.split()[0] for line in _OWN_SERVICES.splitlines()]
    users = [f'"{name} x"@{name}.test' for name in names]
    routes = " ".join(f"{{ {name}.test = {name}: }}" for name in names)
    for host in world.hosts:
        master = host.file("/etc/postfix/master.cf")
        master.write_text(master.read_text() + _OWN_SERVICES)
    world.load(f"transport_maps = inline:{{ {routes} }}\nrelayhost = [10.53.0.20]\n")
    found = []
    for host in world.hosts:
        before = len(host.log())
        with SmtpClient(host) as client:
            client.submit(sender="", recipients=users, message=b"Subject: x\r\n\r\nbody\r\n")
        until(lambda: host.log().count(": removed", before), what="it is done")  # noqa: B023 - at once
        lines = re.findall(r" (\S+/\w+)\[\d+\]: \w+: (to=.* status=\w+)", host.log()[before:])
        found.append([(tag, re.sub(r"(?<=delay=|elays=)[\d./]+", _places, text)) for tag, text in lines])
    theirs, ours = map(sorted, found)
    assert ours == theirs
    assert len(ours) == len(names)


def _places(found: re.Match[str]) -> str:
    """Whether delays have digits behind the point."""
    return "D.D" if "." in found[0] else "D"


_FIELDS: Final = [
    # settings, field, seed
    ("local_header_rewrite_clients = static:all\n", "To", 77),
    (
        "remote_header_rewrite_domain = x.invalid\nappend_dot_mydomain = yes\nheader_address_token_limit = 30\n"
        "masquerade_domains = masq.test\nmasquerade_exceptions = bob\nallow_percent_hack = no\n"
        'canonical_maps = inline:{ {"a b"@out.test = q@new.test} {a@b@out.test = never@new.test}\n'
        ' {"a@b"@out.test = "x y"@new.test} {@lone = @two.test} {alice@out.test = bob, carol } {bob@here.test=bob}}\n'
        'smtp_generic_maps = inline:{ {"x y"@new.test = q@new.test} {@two.test = @three.test} {list+x@out.test=z}}\n'
        "local_header_rewrite_clients =\n",
        "From",
        80,
    ),
]


@pytest.mark.parametrize(("settings", "name", "seed"), _FIELDS, ids=["completed", "mapped"])
def test_fields_of_addresses(world: RewritingWorld, settings: str, name: str, seed: int) -> None:
    """Fields in which all is there that mail programs write, and much that they should not: as Postfix leaves them."""
    values = random_fields(seed, 250)
    world.load(f"relayhost = [10.53.0.20]\n{settings}")
    left = []
    for host in world.hosts:
        server = world.servers(host)[0]
        server.transactions.clear()
        with SmtpClient(host) as client:
            client.submit(sender="a@out.test", recipients=["b@out.test"], message=_message(name, values))
        until(lambda server=server: server.transactions, what="mail has come")  # type: ignore[misc]
        left.append(_fields(name, server.transactions[0][2]))
    for value, theirs, ours in zip(values, *left, strict=True):
        assert ours == theirs, repr(value)


def _message(name: str, values: list[str]) -> bytes:
    """Behind each field, another that shows where it ends."""
    text = "".join(f"{name}: {value}\nX-End: {at}\n" for at, value in enumerate(values))
    return ("Message-Id: <a@b>\nX-End: no\n" + text + "\nbody\n").replace("\n", "\r\n").encode()


def _fields(name: str, content: bytes) -> list[bytes]:
    return re.findall(rb"(?ms)^X-End: \w+\r\n(%b:.*?)(?=^X-End: \d)" % name.encode(), content)
