"""Where addresses lead: classes, relays by sender, transport tables in all forms of keys."""

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.address_lookup import without_extension
from pillarbox.routing.configured_routes import configured_routes, mailbox_routes
from pillarbox.routing.resolution import NullTransport, Resolver
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.clock import ManualClock

SETTINGS = {
    "myhostname": "mx.here.test",
    "mydomain": "here.test",
    "mydestination": "here.test, mx.here.test",
    "local_recipient_maps": "",
    "relay_domains": "relay.test",
    "virtual_mailbox_domains": "box.test",
    "virtual_mailbox_maps": "static:x",
    "virtual_alias_domains": "alias.test",
    "virtual_alias_maps": "inline:{ a@alias.test=b@here.test }",
    "recipient_delimiter": "+",
}
TABLES = {
    "transport_maps": "inline:{ { user@map.test=slow:one } { map.test=slow: } { .map.test=:[hub] } "
    "{ user+ext@map.test=slow:two } { keep.test=: } { here.test=smtp:[elsewhere] } { alias.test=discard:x } "
    "{ port.test=smtp:[hub]:587 } { many.test=smtp:a, b } { text.test=error:5.7.1 not here: go away } }",
}
SENDERS = {
    "relayhost": "[relay]",
    "sender_dependent_relayhost_maps": "inline:{ { me@here.test=[mine]:587 } { @other.test=[theirs] } "
    "{ plain@other.test=DUNNO } { <>=[bounces] } { bare=[ours] } }",
    "sender_dependent_default_transport_maps": "inline:{ { me@here.test=slow: } { <>=slow:[null] } }",
}
RESOLUTIONS = [  # settings, sender, address, transport, nexthop
    ({}, "", "x@here.test", "local", "mx.here.test"),
    ({}, "", "x", "local", "mx.here.test"),
    ({}, "", "x@box.test", "virtual", "box.test"),
    ({}, "", "x@relay.test", "relay", "relay.test"),
    ({}, "", "x@alias.test", "error", "5.1.1 User unknown in virtual alias table"),
    ({}, "", "x@World.TEST", "smtp", "world.test"),
    ({"default_transport": "smtp:[out]"}, "", "x@world.test", "smtp", "[out]"),
    ({"relayhost": "[out]:587"}, "", "x@world.test", "smtp", "[out]:587"),
    ({"relayhost": "[out]"}, "", "x@relay.test", "relay", "[out]"),
    (TABLES, "", "user@map.test", "slow", "one"),
    (TABLES, "", "user+ext@map.test", "slow", "two"),
    (TABLES, "", "user+other@map.test", "slow", "one"),
    (TABLES, "", "nobody@map.test", "slow", "map.test"),
    (TABLES, "", "x@a.b.map.test", "smtp", "[hub]"),
    (TABLES, "", "x@keep.test", "smtp", "keep.test"),
    (TABLES, "", "x@here.test", "smtp", "[elsewhere]"),
    (TABLES, "", "x@alias.test", "error", "5.1.1 User unknown in virtual alias table"),
    (TABLES, "", "x@port.test", "smtp", "[hub]:587"),
    (TABLES, "", "x@many.test", "smtp", "a, b"),
    (TABLES, "", "x@text.test", "error", "5.7.1 not here: go away"),
    (TABLES | {"relayhost": "[out]"}, "", "x@keep.test", "smtp", "[out]"),
    ({"sender_dependent_relayhost_maps": "inline:{ <>=[bare] }"}, "", "x@keep.test", "smtp", "[bare]"),
    (
        {"sender_dependent_relayhost_maps": 'inline:{ <>=[bare] "<>"=[quoted] }'},
        "",
        "x@keep.test",
        "smtp",
        "[quoted]",
    ),
    ({"transport_maps": "inline:{ *=smtp:[all] }"}, "", "x@world.test", "smtp", "[all]"),
    ({"transport_maps": "inline:{ *=smtp:[all] }"}, "", "x@box.test", "smtp", "[all]"),
    (
        {"transport_maps": "inline:{ { *=smtp:[all] } { box.test=: } }"},
        "",
        "x@box.test",
        "virtual",
        "box.test",
    ),
    ({"transport_maps": "regexp:{{/[*]/ slow:[star]}}"}, "", "a@world.test", "slow", "[star]"),
    ({"transport_maps": "regexp:{{/^a@/ slow:}}"}, "", "a@world.test", "slow", "world.test"),
    ({"transport_maps": "regexp:{{/^world.test$$/ slow:}}"}, "", "a@world.test", "smtp", "world.test"),
    (
        {"transport_maps": "inline:{ map.test=slow: }", "parent_domain_matches_subdomains": "transport_maps"},
        "",
        "x@a.map.test",
        "slow",
        "a.map.test",
    ),
    (SENDERS, "me@here.test", "x@world.test", "slow", "[mine]:587"),
    (SENDERS, "me+x@here.test", "x@world.test", "slow", "[mine]:587"),
    (SENDERS, "any@other.test", "x@world.test", "smtp", "[theirs]"),
    (SENDERS, "plain@other.test", "x@world.test", "smtp", "[relay]"),
    (SENDERS, "", "x@world.test", "slow", "[null]"),
    (SENDERS, "any@other.test", "x@here.test", "local", "mx.here.test"),
    (SENDERS, "any@other.test", "x@relay.test", "relay", "[theirs]"),
    (SENDERS, "me@here.test", "x@relay.test", "relay", "[mine]:587"),
    (SENDERS, "bare@here.test", "x@world.test", "smtp", "[ours]"),
    (SENDERS, "bare+x@mx.here.test", "x@world.test", "smtp", "[ours]"),
    (SENDERS, "bare@world.test", "x@world.test", "smtp", "[relay]"),
    (
        {"sender_dependent_relayhost_maps": "regexp:{ {/^me@here/ [whole]} }"},
        "me+x@here.test",
        "x@world.test",
        "smtp",
        "world.test",
    ),
    *(
        (
            {parameter: "regexp:{ {/^(.*)@evil/ $$1:x} }"},
            "slow@evil.test",
            "slow@evil.test",
            "smtp",
            "evil.test",
        )
        for parameter in (
            "transport_maps",
            "sender_dependent_relayhost_maps",
            "sender_dependent_default_transport_maps",
        )
    ),
    ({}, "", "@world.test", "smtp", "world.test"),
    # Routes in our own domains; quotes do not help, unless main.cf says so.
    ({}, "", "a%world.test@here.test", "smtp", "world.test"),
    ({}, "", "world.test!a@here.test", "smtp", "world.test"),
    ({}, "", "a b%world.test@here.test", "smtp", "world.test"),
    ({}, "", "a b@world.test@here.test", "smtp", "world.test"),
    ({}, "", "a@here.test@here.test", "local", "mx.here.test"),
    ({}, "", "a%b%box.test@here.test", "virtual", "box.test"),
    ({"resolve_dequoted_address": "no"}, "", "a b@world.test@here.test", "local", "mx.here.test"),
    ({"allow_percent_hack": "no"}, "", "a%world.test@here.test", "local", "mx.here.test"),
    ({"swap_bangpath": "no"}, "", "world.test!a@here.test", "local", "mx.here.test"),
    ({"resolve_null_domain": "yes"}, "", "a@", "local", "mx.here.test"),
    ({"resolve_numeric_domain": "yes"}, "", "a@192.0.2.1", "smtp", "[192.0.2.1]"),
    ({}, "", "a@x..y@here.test", "error", "5.1.3 bad address syntax"),
    # A key with quotes counts before one without.
    (
        {"transport_maps": 'pcre:{ {/^a b@x/ plain:} {/^"a b"@x/ quoted:} {/^c d@x/ bare:} }'},
        "",
        "a b@x.test",
        "quoted",
        "x.test",
    ),
    ({"transport_maps": "pcre:{ {/^c d@x/ bare:} }"}, "", "c d@x.test", "bare", "x.test"),
    ({"empty_address_recipient": "x@box.test"}, "", "@here.test", "virtual", "box.test"),
    ({}, "", "x@world.test..", "error", "5.1.3 bad address syntax"),
    ({"smtputf8_enable": "yes"}, "", "x@b\u00fccher.test", "smtp", "b\u00fccher.test"),
    ({"smtputf8_enable": "no"}, "", "x@b\u00fccher.test", "error", "5.1.3 bad address syntax"),
    (
        {"relocated_maps": "inline:{ { x@world.test=x@new.test } { x=y@new.test } }"},
        "",
        "x@world.test",
        "error",
        "5.1.6 User has moved to x@new.test",
    ),
    (
        {"relocated_maps": "inline:{ x=y@new.test }"},
        "",
        "x@here.test",
        "error",
        "5.1.6 User has moved to y@new.test",
    ),
    ({"relocated_maps": "inline:{ x=y@new.test }"}, "", "x@world.test", "smtp", "world.test"),
    (
        {"relocated_maps": "regexp:{ {/^(.*)@World/ $$1@new.test} }"},
        "",
        "Mixed@World.test",
        "error",
        "5.1.6 User has moved to Mixed@new.test",
    ),
]


LISTS = [
    # list, whether parents match, domain, held
    ("a.test, .b.test", False, "a.test", True),
    ("a.test, .b.test", False, "x.a.test", False),
    ("a.test, .b.test", False, "b.test", False),
    ("a.test, .b.test", False, "y.x.b.test", True),
    ("a.test, .b.test", True, "y.x.a.test", True),
    ("a.test, .b.test", True, "x.b.test", False),
    ("inline:{ { a.test = x } { .b.test = x } }", False, "x.b.test", True),
    ("inline:{ { a.test = x } { .b.test = x } }", True, "x.a.test", True),
    ("inline:{ { a.test = x } { .b.test = x } }", True, "x.b.test", False),
    ("!no.a.test, a.test", True, "no.a.test", False),
    ("!no.a.test, a.test", True, "x.no.a.test", False),
    ("!no.a.test, a.test", True, "x.a.test", True),
    ("a.test, !no.a.test", True, "no.a.test", True),
    ("!no.a.test, static:all", False, "no.a.test", False),
    ("!no.a.test, static:all", False, "other.test", True),
    ("!inline:{ no.a.test=x }, a.test", True, "no.a.test", False),
]


@pytest.mark.parametrize(("listed", "parents", "domain", "held"), LISTS)
def test_lists_of_domains(listed: str, parents: bool, domain: str, held: bool) -> None:
    """Names, tables and exceptions, with and without parent_domain_matches_subdomains."""
    snapshot = Snapshot.of(
        SETTINGS
        | {"relay_domains": listed, "parent_domain_matches_subdomains": "relay_domains" if parents else ""}
    )
    assert configured_routes(snapshot, clock=ManualClock()).relay_domains.holds(domain) is held


@pytest.mark.parametrize(("settings", "sender", "address", "transport", "nexthop"), RESOLUTIONS)
def test_resolution(
    settings: dict[str, str], sender: str, address: str, transport: str, nexthop: str
) -> None:
    """transport(5), trivial-rewrite(8)."""
    snapshot = Snapshot.of(SETTINGS | settings, facts=HostFacts(hostname="mx.here.test"))
    resolver = Resolver(configured_routes(snapshot, clock=ManualClock()))
    found = resolver.resolve(Address.from_internal(address.encode()), Address.from_internal(sender.encode()))
    assert (transport, nexthop) == (found.transport, found.nexthop)


@pytest.mark.parametrize("settings", [SENDERS, SENDERS | {"empty_address_relayhost_maps_lookup_key": "bare"}])
def test_mail_of_nobody_known_goes_as_the_null_senders(settings: dict[str, str]) -> None:
    """What local(8) and smtpd(8) ask of an address alone."""
    snapshot = Snapshot.of(SETTINGS | settings, facts=HostFacts(hostname="mx.here.test"))
    resolver = Resolver(configured_routes(snapshot, clock=ManualClock()))
    for address in (Address(b"x", b"world.test"), Address(b"x", b"relay.test")):
        assert resolver.resolve(address) == resolver.resolve(address, NULL_ADDRESS)
    assert resolver.resolve(Address(b"x", b"world.test")).transport == "slow"


NULL_TRANSPORTS = [  # settings, address, parameter
    ({"local_transport": ":x"}, "x@here.test", "local_transport"),
    ({"virtual_transport": ":x"}, "x@box.test", "virtual_transport"),
    ({"relay_transport": ":x"}, "x@relay.test", "relay_transport"),
    ({"default_transport": ":x"}, "x@out.test", "default_transport"),
    (
        {"sender_dependent_default_transport_maps": "static:{:[hub]}"},
        "x@out.test",
        "sender_dependent_default_transport_maps",
    ),
]


@pytest.mark.parametrize(("settings", "address", "parameter"), NULL_TRANSPORTS)
def test_transport_that_is_none(settings: dict[str, str], address: str, parameter: str) -> None:
    """A nexthop alone is for transport_maps; elsewhere mail waits for somebody to mend it."""
    snapshot = Snapshot.of(SETTINGS | settings, facts=HostFacts(hostname="mx.here.test"))
    resolver = Resolver(configured_routes(snapshot, clock=ManualClock()))
    with pytest.raises(NullTransport) as fault:
        resolver.resolve(Address.from_internal(address.encode()), Address.from_internal(b"me@here.test"))
    assert f"parameter {parameter}: null transport is not allowed" == fault.value.reason


@pytest.mark.parametrize(
    ("tables", "known", "delivered"),
    [("inline:{x@box.test=x/}", "x/", "x/"), ("pcre:{ {/^(x)@/ $${1}/} {/^./ y/} }", "x/", "y/")],
)
def test_mailboxes_without_substitution(tables: str, known: str, delivered: str) -> None:
    """virtual(8): what a sender wrote does not choose a file; smtpd(8) only asks whether there is a mailbox."""
    snapshot = Snapshot.of(
        SETTINGS | {"virtual_mailbox_maps": tables}, facts=HostFacts(hostname="mx.here.test")
    )
    warnings: list[str] = []
    routes = configured_routes(snapshot, clock=ManualClock())
    mailboxes = mailbox_routes(snapshot, routes, clock=ManualClock(), warn=warnings.append)
    address = Address.from_internal(b"x@box.test")
    assert (known, delivered) == tuple(Resolver(one).mailbox_of(address) for one in (routes, mailboxes))
    assert [known != delivered] == [bool(warnings)]


LOCAL_USERS = [
    ("inline:{alice=x}", "alice@here.test", True),
    ("inline:{alice=x}", "Alice+more@here.test", True),
    ("inline:{alice=x}", "bob@here.test", False),
    ("regexp:{ {/^alice$$/ x} }", "alice@here.test", False),
    ("regexp:{ {/^alice@here/ x} }", "alice@here.test", True),
    ("inline:{alice=x}", "Postmaster@here.test", True),
    ("inline:{alice=x}", "MAILER-DAEMON@here.test", True),
    ("inline:{alice=x}", "double-bounce@here.test", True),
    ("inline:{alice=x}", "double-bounce@relay.test", True),
    ("inline:{alice=x}", "double-bounces@here.test", False),
    ("inline:{alice=x}", "postmaster@there@here.test", True),
]


@pytest.mark.parametrize(("tables", "address", "known"), LOCAL_USERS)
def test_local_users(tables: str, address: str, known: bool) -> None:
    """Patterns are asked for whole addresses only; what the mail system writes to itself is always taken."""
    snapshot = Snapshot.of(
        SETTINGS | {"local_recipient_maps": tables}, facts=HostFacts(hostname="mx.here.test")
    )
    resolver = Resolver(configured_routes(snapshot, clock=ManualClock()))
    assert resolver.is_known(resolver.resolve(Address.from_internal(address.encode()))) is known


SPLIT = [
    # local part, delimiters, user
    ("me+x", "+", "me"),
    ("list-request", "-", "list-request"),
    ("List-Request", "+-", "List-Request"),
    ("list-request+x", "+", "list-request"),
    ("-request", "-", "-request"),
    ("owner-list", "-", "owner-list"),
    ("owner-list+x", "+", "owner-list"),
    ("owner-list+x", "+-", "owner-list+x"),
    ("Postmaster-x", "-", "Postmaster"),
    ("POSTMASTER", "M", "POSTMASTER"),
]


@pytest.mark.parametrize(("local_part", "delimiters", "user"), SPLIT)
def test_what_is_an_extension(local_part: str, delimiters: str, user: str) -> None:
    """split_addr(3): owner-x and x-request are names of their own where `-` delimits, and only there."""
    assert without_extension(local_part, delimiters)[0] == user


def test_a_user_who_may_not_be_is_looked_up_all_the_same() -> None:
    """allow_min_user: a table that cannot answer comes first."""
    snapshot = Snapshot.of(SETTINGS | {"relocated_maps": "fail:x"}, facts=HostFacts(hostname="mx.here.test"))
    resolver = Resolver(configured_routes(snapshot, clock=ManualClock()))
    with pytest.raises(LookupFault) as caught:
        resolver.leads_somewhere(Address(b"-minus", b"out.test"), ascii_only=True)
    assert caught.value.lines[0] == 'fail:x lookup error for "-minus@out.test"'


def test_mappings_are_asked_one_after_the_other() -> None:
    """Each for all keys of an address: what recipient_canonical_maps has needs no other, which may be broken."""
    snapshot = Snapshot.of(
        SETTINGS
        | {
            "recipient_delimiter": "+",
            "recipient_canonical_maps": "inline:{ carol@here.test=x@here.test }",
            "canonical_maps": "fail:x",
        },
        facts=HostFacts(hostname="mx.here.test"),
    )
    resolver = Resolver(configured_routes(snapshot, clock=ManualClock()))
    assert resolver.is_mapped(Address(b"carol+x", b"here.test"))
    with pytest.raises(LookupFault):
        resolver.is_mapped(Address(b"other", b"here.test"))


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"transport_maps": "fail:x"},
            ['fail:x lookup error for "User+E@Out.Test"', "transport_maps lookup failure"],
        ),
        (
            {"relocated_maps": "fail:x"},
            ['fail:x lookup error for "User+E@Out.Test"', "relocated_maps lookup failure"],
        ),
        (
            {"sender_dependent_relayhost_maps": "fail:x"},
            ['fail:x lookup error for "Me@here.test"', "sender_dependent_relayhost_maps lookup failure"],
        ),
        (
            {"sender_dependent_default_transport_maps": "fail:x"},
            [
                'fail:x lookup error for "Me@here.test"',
                "sender_dependent_default_transport_maps lookup failure",
            ],
        ),
        (
            {"relay_domains": "!fail:x"},
            ["relay_domains: fail:x: table lookup problem", "relay_domains lookup failure"],
        ),
        (
            {"virtual_alias_domains": "fail:x"},
            ["virtual_alias_domains: fail:x: table lookup problem", "virtual_alias_domains lookup failure"],
        ),
        ({"mydestination": "fail:x"}, ["mydestination: fail:x: table lookup problem"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_said_of_a_table_that_cannot_answer(settings: dict[str, str], lines: list[str]) -> None:
    """trivial-rewrite(8)'s lines, with the key as it is written."""
    asked = Resolver(
        configured_routes(
            Snapshot.of(SETTINGS | settings, facts=HostFacts(hostname="mx.here.test")), clock=ManualClock()
        )
    )
    warnings: list[str] = []
    asked.warn = warnings.append
    with pytest.raises(LookupFault) as caught:
        asked.resolve(Address(b"User+E", b"Out.Test"), Address(b"Me", b"here.test"))
    assert warnings == (['fail:x lookup error for "*"'] if "transport_maps" in settings else [])
    assert caught.value.lines == lines
    assert caught.value.program == "trivial-rewrite"


TWICE = [
    ({"virtual_alias_domains": "here.test"}, "mydestination and virtual_alias_domains"),
    ({"virtual_mailbox_domains": "here.test"}, "mydestination and virtual_mailbox_domains"),
    ({"virtual_mailbox_domains": "alias.test"}, "virtual_alias_domains and virtual_mailbox_domains"),
    ({"relay_domains": "alias.test"}, "virtual_alias_domains and relay_domains"),
    ({"relay_domains": ".test, box.test"}, "virtual_mailbox_domains and relay_domains"),
    ({"relay_domains": "here.test"}, ""),
]


@pytest.mark.parametrize(("settings", "lists"), TWICE)
def test_domains_of_two_classes(settings: dict[str, str], lists: str) -> None:
    """The log is told which lists have a domain, of which the first counts."""
    resolver = Resolver(configured_routes(Snapshot.of({**SETTINGS, **settings}), clock=ManualClock()))
    told: list[str] = []
    resolver.warn = told.append
    for domain in ("here.test", "alias.test", "box.test"):
        resolver.classify(domain)
        resolver.classify(domain)
    assert [line.partition(" in BOTH ")[2] for line in told] == ([lists] if lists else [])
