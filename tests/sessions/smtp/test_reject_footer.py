"""What is added to refusals: texts that Postfix has made of the same templates."""

from collections.abc import Sequence

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import unescaped
from pillarbox.sessions.smtp.reject_footer import RejectFooter
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.reply import Reply

REFUSED = Reply(554, (b"5.7.1 <x@nowhere.test>: Relay access denied",))
VALUES: dict[str, str | None] = {"client_address": "127.0.0.1", "client_name": "localhost", "sender": ""}
FOOTERS = [
    # template, lines after the code
    (
        "one $client_address\\ntwo ${client_name} {x}\\n",
        [
            b"5.7.1 <x@nowhere.test>: Relay access denied",
            b"5.7.1 one 127.0.0.1",
            b"5.7.1 two localhost {x}",
            b"5.7.1 ",
        ],
    ),
    (
        "\\c\\nnext ${sender?{s}:{no}} ${sender:empty} $$x",
        [b"5.7.1 <x@nowhere.test>: Relay access denied", b"5.7.1 next no empty $x"],
    ),
    ("\\cx\\\\y\\tz $client_address;<>`~é", [b"5.7.1 <x@nowhere.test>: Relay access deniedx\\\\y\\tz 127.0.0.1;<>`~\xc3\xa9"]),
    ("", [b"5.7.1 <x@nowhere.test>: Relay access denied"]),
]  # fmt: skip


ALLOWED = unescaped(Snapshot.of().value("smtpd_expansion_filter"))


def footer_of(template: str, tables: Sequence[LookupTable] = ()) -> RejectFooter:
    """With smtpd_expansion_filter as it is by default."""
    return RejectFooter(template, tables, allowed=ALLOWED)


@pytest.mark.parametrize(("template", "lines"), FOOTERS)
def test_texts(template: str, lines: list[bytes]) -> None:
    """Joined or on lines of their own, each with the enhanced code."""
    added = footer_of(template).added(REFUSED, VALUES, warn=pytest.fail)
    assert added == Reply(554, tuple(lines))


def test_a_reply_without_an_enhanced_code() -> None:
    """Has none in the footer."""
    added = footer_of("call us").added(Reply(421, (b"Busy", b"Bye")), VALUES, warn=pytest.fail)
    assert added.encode() == b"421-Busy\r\n421-Bye\r\n421 call us\r\n"


@pytest.mark.parametrize("code", [220, 250, 354])
def test_nothing_is_added_to_what_is_no_refusal(code: int) -> None:
    """2xx and 3xx."""
    reply = Reply(code, (b"2.0.0 Ok",))
    assert footer_of("x").added(reply, VALUES, warn=pytest.fail) is reply


FAULTS = [
    ("${bad", 'truncated macro reference: "${bad"', ()),
    ("x${nosuch}y", 'unknown macro name "nosuch" in expansion request', (b"5.7.1 xy",)),
]


@pytest.mark.parametrize(("template", "warning", "more"), FAULTS)
def test_templates_with_a_mistake(template: str, warning: str, more: tuple[bytes, ...]) -> None:
    """The admin hears of it; the client gets what there is."""
    warnings: list[str] = []
    added = footer_of(template).added(REFUSED, VALUES, warn=warnings.append)
    assert added == Reply(554, (*REFUSED.text, *more))
    assert warnings == [warning]


def test_what_a_client_says_makes_no_line() -> None:
    """A backslash and an n in a value are these two characters; control characters are none."""
    values: dict[str, str | None] = {"sender": "a\\nb\r\nc@x.test"}
    added = footer_of("\\c from $sender").added(Reply(450, (b"No",)), values, warn=pytest.fail)
    assert added.encode() == b"450 No from a\\nb__c@x.test\r\n"


def test_a_value_that_is_not_ascii() -> None:
    """smtpd_expansion_filter has octets in view: each of them becomes an underscore."""
    values: dict[str, str | None] = {"sender": "gr\u00fcn\udcff@x.test"}
    added = footer_of("\\c from $sender").added(Reply(450, (b"No",)), values, warn=pytest.fail)
    assert added.encode() == b"450 No from gr__n_@x.test\r\n"


def test_a_table_goes_first() -> None:
    """It is asked with the whole reply."""
    tables = open_tables(
        ["regexp:{{/^554 5.7.1 .*Relay/ special for $$client_name}}"], where="x", clock=ManualClock()
    )
    footer = footer_of("as ever", tables)
    assert footer.added(REFUSED, VALUES, warn=pytest.fail).text[1] == b"5.7.1 special for localhost"
    assert footer.added(Reply(450, (b"No",)), VALUES, warn=pytest.fail).text == (b"No", b"as ever")
