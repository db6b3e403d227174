"""Canonical maps, masquerading and copies, without a queue."""

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.queue.new_queue_file import NewRecipient
from pillarbox.routing.address_maps import MapFault
from pillarbox.routing.configured_mappings import configured_mappings
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.mappings import Mappings
from pillarbox.routing.resolution import Resolver
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.envelope import Notify
from pillarbox.vocabulary.faults import ConfigurationFault

SETTINGS = {
    "compatibility_level": "3.9",
    "myhostname": "mx.test",
    "myorigin": "mx.test",
    "mydestination": "mx.test",
    "recipient_delimiter": "+",
    "local_recipient_maps": "",
    "canonical_maps": "inline:{ old=new, @gone.test=@here.test, a@loop.test=b@loop.test, b@loop.test=a@loop.test }",
    "sender_canonical_maps": "inline:{ me@here.test=public@here.test }",
    "recipient_canonical_maps": "inline:{ me@here.test=private@here.test }",
    "masquerade_domains": "!open.masq.test masq.test",
    "masquerade_exceptions": "root",
    "virtual_alias_maps": "inline:{ private@here.test=box@mail.test }",
    "sender_bcc_maps": "inline:{ @here.test=sent@mail.test }",
    "recipient_bcc_maps": "inline:{ you@out.test=received@mail.test }",
    "always_bcc": "all@mail.test",
}


def mappings(**changed: str) -> Mappings:
    snapshot = Snapshot.of({**SETTINGS, **changed}, facts=HostFacts(hostname="mx.test"))
    clock = ManualClock()
    resolver = Resolver(configured_routes(snapshot, clock=clock))
    return configured_mappings(snapshot, resolver=resolver, clock=clock)


SENDERS = [
    ("nobody@out.test", "nobody@out.test"),
    ("old", "new@mx.test"),
    ("old+x@mx.test", "new+x@mx.test"),
    ("old@out.test", "old@out.test"),
    ("u+x@gone.test", "u+x@here.test"),
    ("me@here.test", "public@here.test"),
    ("u@a.b.masq.test", "u@masq.test"),
    ("u@a.open.masq.test", "u@a.open.masq.test"),
    ("root@a.masq.test", "root@a.masq.test"),
    ("u@amasq.test", "u@amasq.test"),
    ("", ""),
    ("MAILER-DAEMON", ""),
]


@pytest.mark.parametrize(("given", "mapped"), SENDERS)
def test_senders(given: str, mapped: str) -> None:
    """Of the envelope."""
    found = mappings().sender(Address.from_internal(given.encode()), warn=pytest.fail)
    assert found.internal.decode() == mapped


@pytest.mark.parametrize("given", [b"", b"MAILER-DAEMON"])
def test_the_null_sender_is_looked_up(given: bytes) -> None:
    """As `""`, which only a table of patterns or of everything has; one that cannot answer is in the log."""
    null = Address.from_internal(given)
    found = mappings(canonical_maps='regexp:{ {/^""$$/ nobody@out.test} }').sender(null, warn=pytest.fail)
    assert found.internal == b"nobody@out.test"
    with pytest.raises(MapFault) as caught:
        mappings(canonical_maps="fail:x").sender(null, warn=pytest.fail)
    assert caught.value.reason.startswith('canonical_maps map lookup problem for "" -- message not accepted')
    assert caught.value.cause == 'fail:x lookup error for """"'


@pytest.mark.parametrize(
    ("exceptions", "mapped"),
    [
        ('inline:{ { "me too"=x } }', "me too@a.masq.test"),
        ("regexp:{{/^me too$$/ x}}", "me too@masq.test"),
    ],
)
def test_users_who_keep_their_hosts_are_looked_up_with_quotes(exceptions: str, mapped: str) -> None:
    """masquerade_exceptions has the form that is written in a message."""
    given = Address(b"me too", b"a.masq.test")
    found = mappings(masquerade_exceptions=exceptions).sender(given, warn=pytest.fail)
    assert found.internal.decode() == mapped


def test_users_who_keep_their_hosts_are_looked_up_whatever_the_domain() -> None:
    """A table that cannot answer keeps the message out, be the domain one that is hidden or not."""
    with pytest.raises(LookupFault):
        mappings(masquerade_exceptions="fail:x").sender(Address(b"u", b"out.test"), warn=pytest.fail)


def test_a_circle_of_canonical_addresses_is_told_of() -> None:
    """As Postfix, the last address is taken."""
    told: list[str] = []
    found = mappings().sender(Address.parse(b"a@loop.test"), warn=told.append)
    assert found.internal == b"a@loop.test"
    assert told == [
        "unreasonable canonical_maps map nesting for a@loop.test -- message not accepted, try again later"
    ]


def test_recipients_and_copies() -> None:
    """Copies are nobody's business."""
    given = [NewRecipient(b"me@here.test", b"me@here.test"), NewRecipient(b"you@out.test", b"you@out.test")]
    sender = Address.parse(b"me@here.test")
    found = mappings().recipients(given, sender=sender, warn=pytest.fail)
    assert [(one.address, one.original, one.notify) for one in found] == [
        (b"sent@mail.test", b"sent@mail.test", Notify.NEVER),
        (b"box@mail.test", b"me@here.test", Notify.DEFAULT),
        (b"you@out.test", b"you@out.test", Notify.DEFAULT),
        (b"received@mail.test", b"received@mail.test", Notify.NEVER),
        (b"all@mail.test", b"all@mail.test", Notify.NEVER),
    ]
    own = mappings().recipients(given, sender=sender, warn=pytest.fail, copies=False)
    assert [one.address for one in own] == [b"box@mail.test", b"you@out.test"]
    bare = mappings().recipients(given, sender=sender, warn=pytest.fail, copies=False, mapped=False)
    assert [one.address for one in bare] == [b"me@here.test", b"you@out.test"]


@pytest.mark.parametrize(("sender", "copies"), [("me+x@", []), ("me+x@mx.test", ["sent@mail.test"])])
def test_an_empty_domain_is_none_of_ours(sender: str, copies: list[str]) -> None:
    """`user+extension@` is looked up as `user@`, and never as `user`."""
    made = mappings(sender_bcc_maps="inline:{ {me=sent@mail.test} }", recipient_bcc_maps="", always_bcc="")
    given = [NewRecipient(b"you@out.test", b"you@out.test")]
    found = made.recipients(given, sender=Address.from_internal(sender.encode()), warn=pytest.fail)
    assert [one.address.decode() for one in found if one.notify is Notify.NEVER] == copies


def test_a_domain_for_several_is_one_address() -> None:
    """`@site other@site`, of canonical_maps as of virtual_alias_maps: what is before the last @ is a local part."""
    made = mappings(canonical_maps="inline:{ {a@out.test = @b.test c@d.test } }", recipient_canonical_maps="")
    found = made.recipient(Address.parse(b"a@out.test"), warn=pytest.fail)
    assert found == Address(b"a@b.test c", b"d.test")


def test_duplicates() -> None:
    """Two ways to one mailbox are one recipient only if nobody wants to know which way it was."""
    given = [NewRecipient(b"old@mx.test", b"old@mx.test"), NewRecipient(b"NEW@mx.test", b"NEW@mx.test")] * 2
    sender = Address.parse(b"x@out.test")
    both = mappings(always_bcc="").recipients(given, sender=sender, warn=pytest.fail)
    assert [one.address for one in both] == [b"new@mx.test", b"NEW@mx.test"]
    settings = {
        "always_bcc": "",
        "enable_original_recipient": "no",
        "virtual_alias_maps": "static:{a@b.test}",
    }
    more = [*given, NewRecipient("gr\u00fcn@mx.test".encode(), b"new@mx.test"), *given]
    (one,) = mappings(**settings).recipients(more, sender=sender, warn=pytest.fail)
    assert one.before_aliases.decode() == "gr\u00fcn@mx.test"  # SMTPUTF8 is asked for by it
    assert one.original == b"old@mx.test"  # but the first is the one who gets it


def test_recipients_whom_no_table_may_change() -> None:
    """They are queued as they came, and that is what tables would have left of them that know of none."""
    none = dict.fromkeys(
        ("sender_canonical_maps", "recipient_canonical_maps", "canonical_maps", "virtual_alias_maps",
         "sender_bcc_maps", "recipient_bcc_maps", "always_bcc", "masquerade_domains"),
        "",
    )  # fmt: skip
    given = [
        NewRecipient(address, address, notify, dsn_original)
        for address in (b"a@b.test", b"A@b.test", b"a b@b.test", b"x%b.test@mx.test", b"root", b"u@host", b"")
        for notify in (Notify.DEFAULT, Notify.SUCCESS, Notify.NEVER)
        for dsn_original in (b"", b"rfc822;o@b.test")
    ] * 2

    def queued(**settings: str) -> list[NewRecipient]:
        return mappings(**{**none, **settings}).recipients(
            given, sender=Address.parse(b"s@x.test"), warn=pytest.fail
        )

    found = queued()
    assert len(found) < len(given) / 2
    assert found == queued(virtual_alias_maps="inline:{ other@b.test=x@y.test }")
    assert found == queued(recipient_canonical_maps="inline:{ other@b.test=x@y.test }")
    assert found == queued(recipient_bcc_maps="inline:{ other@b.test=x@y.test }")
    root = next(one for one in found if one.original == b"root")
    assert root.address.startswith(b"root@")


def test_header_fields() -> None:
    """Each in its class."""
    warnings: list[str] = []
    odd = mappings().headers(mappings().rewriting, warn=warnings.append)
    assert odd.field(b"apparently-to", b" \\") == b" \\"
    assert warnings == ["rewrite_addr: null address"]
    headers = mappings().headers(mappings().rewriting, warn=pytest.fail)
    assert headers.field(b"from", b" Me <me@here.test>, old") == b" Me <public@here.test>, new@mx.test"
    assert headers.field(b"to", b" me@here.test (x)") == b" private@here.test (x)"
    assert headers.field(b"subject", b" me@here.test") == b" me@here.test"


@pytest.mark.parametrize(
    "name",
    [
        "canonical_classes",
        "sender_canonical_classes",
        "recipient_canonical_classes",
        "masquerade_classes",
        "propagate_unmatched_extensions",
    ],
)
def test_unknown_classes_are_refused(name: str) -> None:
    """With the parameter's name."""
    with pytest.raises(ConfigurationFault, match=f'parameter {name}: unknown value "body"'):
        mappings(**{name: "body"})


def test_who_reports_success() -> None:
    """An alias of one or more says that it was expanded; those it stands for are silent (RFC 3461 §5.2.7.3)."""
    aliases = "inline:{ {two@x.test = a@y.test, two@x.test}, one@x.test=a@y.test, same@x.test=SAME@x.test }"
    found = mappings(virtual_alias_maps=aliases, always_bcc="", recipient_bcc_maps="")
    both, success = Notify.SUCCESS | Notify.FAILURE, Notify.SUCCESS

    def queued(address: bytes, notify: Notify) -> list[tuple[bytes, Notify, bool]]:
        given = [NewRecipient(address, address, notify)]
        rows = found.recipients(given, sender=Address.parse(b"s@x.test"), warn=lambda _: None)
        return [(row.address, row.notify, row.expanded) for row in rows]

    assert queued(b"two@x.test", both) == [
        (b"two@x.test", both, True),
        (b"a@y.test", Notify.FAILURE, False),
        (b"two@x.test", Notify.FAILURE, False),
    ]
    assert queued(b"one@x.test", success) == [
        (b"one@x.test", success, True),
        (b"a@y.test", Notify.NEVER, False),
    ]
    assert queued(b"one@x.test", Notify.DEFAULT) == [(b"a@y.test", Notify.DEFAULT, False)]
    assert queued(b"same@x.test", success) == [(b"SAME@x.test", success, False)]


def test_the_null_address_as_a_recipient() -> None:
    """It stands for empty_address_recipient."""
    found = mappings(empty_address_recipient="nobody", always_bcc="")
    (row,) = found.recipients(
        [NewRecipient(b"", b"")], sender=Address.parse(b"s@x.test"), warn=lambda _: None
    )
    assert (row.address, row.original) == (b"nobody@mx.test", b"")
