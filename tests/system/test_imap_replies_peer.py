"""Every answer of our IMAP server beside that of Debian's Dovecot, line by line.

DESCRIPTION
    `EXCHANGES` and `SYNTAX` are had with both servers, each on its own copy of a tree that Dovecot has made.  What differs
    stands in `imap_reply_differences.txt`, one line each, and nothing else may: a difference that is not
    listed fails, and so does a line whose difference is gone.  A response code of RFC 5530 where Dovecot 2.3 has
    none (2.4 has them) is no difference, nor is the UID beside the mod-sequence of a message (RFC 7162 §3.2.4), which
    Dovecot gives to clients of QRESYNC alone: transcripts say which we give.
"""

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from fakes.doveadm import Doveadm
from fakes.imap_exchanges import Both, Exchange, give
from fakes.imap_scripts import EXCHANGES
from fakes.imap_sort_scripts import orders
from fakes.imap_syntax_scripts import SYNTAX
from fakes.random_imap import comparable, random_session
from fakes.time_zone import time_zone

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

_LIST: Final = Path(__file__).with_name("imap_reply_differences.txt")
_CODE: Final = re.compile(rb"\A(x NO )\[(?:NONEXISTENT|CANNOT|CLIENTBUG|LIMIT|INUSE|READ-ONLY)\] ")
_UID: Final = re.compile(rb"\A(\* [0-9]+ FETCH \()UID [0-9]+ (?=MODSEQ )")
MINIMUM: Final = 300
"""Commands that are compared."""
PARTS: Final = 8
"""In which the exchanges are had, so that each is over in time on a machine that has much else to do."""
EXTENSIONS: Final = "any state BINARY CATENATE ACL PREVIEW QUOTA SAVEDATE SORT THREAD URLAUTH special use"
"""Exchanges of which something may be put off; of what RFC 3501 has nothing is."""


class Difference(NamedTuple):
    """A step at which the servers do not say the same."""

    exchange: str
    step: str
    theirs: str
    ours: str


def shown(step: bytes) -> str:
    """A step as the list of differences has it."""
    text = repr(step)[2:-1].replace(" | ", " / ")
    return text if len(text) < 100 else f"{text[:70]}... ({len(step)})"


def text(lines: list[bytes]) -> str:
    """An answer on one line."""
    return " / ".join(line.decode("utf-8", "backslashreplace") for line in lines)


def differences(both: Both, exchange: Exchange) -> Iterator[Difference]:
    """Step by step."""
    theirs, ours = both.have(exchange)
    for step, one, other in zip(exchange.steps, theirs, ours, strict=True):
        if one != without_additions(other, one):
            yield Difference(exchange.name, shown(step), text(one), text(other))


def without_additions(ours: list[bytes], theirs: list[bytes]) -> list[bytes]:
    """Our lines, without a response code of NO or a UID that Dovecot leaves out."""
    if len(ours) != len(theirs):
        return ours
    return [_without_addition(line, other) for line, other in zip(ours, theirs, strict=True)]


def _without_addition(line: bytes, other: bytes) -> bytes:
    if other.startswith(b"x NO ") and b"[" not in other[:6]:
        return _CODE.sub(rb"\1", line)
    return _UID.sub(rb"\1", line) if b" FETCH (MODSEQ " in other else line


def listed() -> dict[tuple[str, str], str]:
    """Exchange and step → why the answers may differ there."""
    found: dict[tuple[str, str], str] = {}
    for line in _LIST.read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        exchange, step, kind, reason = line.split(" | ")
        assert kind in ("deliberate", "not yet"), line
        assert reason, line
        found[exchange, step] = f"{kind}: {reason}"
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_answers_are_those_of_dovecot(both: Both, part: int) -> None:
    """Step by step the same answer, but for what is on the list; and nothing on the list that is the same."""
    wanted = os.environ.get("IMAP_EXCHANGES", "")
    exchanges = [exchange for exchange in (*EXCHANGES, *SYNTAX)[part::PARTS] if wanted in exchange.name]
    names = {exchange.name for exchange in exchanges}
    found = [difference for exchange in exchanges for difference in differences(both, exchange)]
    known = listed()
    unlisted = [difference for difference in found if (difference.exchange, difference.step) not in known]
    report = "\n".join(
        f"{name} | {step}\n    Dovecot: {theirs}\n    ours:    {ours}"
        for name, step, theirs, ours in unlisted
    )
    assert not unlisted, f"{len(unlisted)} of {sum(len(e.steps) for e in exchanges)}\n{report}"
    seen = {(difference.exchange, difference.step) for difference in found}
    gone = {one for one in known if one[0] in names} - seen
    assert wanted or not gone, f"no difference any more, take it off the list: {gone}"


def test_every_extension_of_dovecot_is_ours(both: Both) -> None:
    """CAPABILITY after login: what clients were promised there they are promised here."""
    theirs, ours = both.have(Exchange("capability", (b"x CAPABILITY",)))
    missing = set(theirs[0][0].split()) - set(ours[0][0].split())
    assert missing == set()


@pytest.mark.parametrize(("separator", "prefix"), [(".", "INBOX."), (".", "")], ids=["courier", "dots"])
def test_names_are_those_of_dovecot(both: Both, separator: str, prefix: str) -> None:
    """Namespaces with another separator, and with a prefix (Courier's INBOX.)."""
    both.separator, both.prefix = separator, prefix
    p, s = prefix.encode(), separator.encode()
    steps = (
        b"x NAMESPACE", b'x LIST "" ""', b'x LIST "" "*"', b'x LIST "" "%"', b'x LIST "" inbox',
        b'x LIST "' + p + b'" "%"', b'x LIST "" "' + p + b"%" + s + b'%"', b'x LSUB "" "*"', b'x LSUB "" "%"',
        b'x LIST (SUBSCRIBED) "" "*"', b'x LIST "" "*" RETURN (CHILDREN SUBSCRIBED STATUS (MESSAGES))',
        b"x CREATE Nope", b"x CREATE " + p + b"a" + s + b"b", b"x CREATE " + p + b"a" + s + b"b",
        b"x CREATE " + p + b"c" + s, b"x CREATE " + p, b"x CREATE " + p + s + b"x",
        b"x CREATE " + p + b"x" + s + s + b"y", b"x CREATE inbox", b'x LIST "" "*a*"',
        b"x SELECT INBOX", b"x COPY 1 " + p + b"Sent", b"x COPY 1 nope", b"x APPEND nope {1+}\r\na",
        b"x STATUS " + p + b"Sent (MESSAGES)", b"x STATUS nope (MESSAGES)", b"x SELECT " + p + b"Sent",
        b"x STATUS " + p + b"Sent (MESSAGES)", b"x SELECT nope", b"x SUBSCRIBE " + p + b"Trash",
        b"x SUBSCRIBE nope", b"x UNSUBSCRIBE " + p + b"Sent", b'x LSUB "" "*"',
        b"x RENAME " + p + b"Trash " + p + b"T" + s + b"U", b"x RENAME " + p + b"Sent nope",
        b"x DELETE " + p + b"a" + s + b"b", b"x DELETE " + p + b"nope", b"x DELETE nope", b'x LIST "" "*"',
        b"x CREATE " + p + b"INBOX", b"x DELETE " + p + b"INBOX", b"x SELECT " + p + b"INBOX",
        b"x RENAME nope INBOX", b"x RENAME " + p + b"nope " + p + b"Sent", b"x RENAME " + p + b"nope nope",
        b'x LIST "" "*"', b'x LSUB "" "*"',
    )  # fmt: skip
    found = list(differences(both, Exchange("names", steps)))
    assert not found, "\n".join(f"{step}\n  {theirs}\n  {ours}" for _, step, theirs, ours in found)


def test_names_that_only_other_programs_make_are_those_of_dovecot(both: Both) -> None:
    """A mailbox with control characters in its name is there, and can be used and given another."""
    names = [b"a&AAE-b", b"d&AH8-e", b"x&AAo-y"]
    for name in names:
        both.make_directory(f".{name.decode()}")
    steps = [
        b'x LIST "" "*"',
        *(
            command % name
            for name in names
            for command in (b"x SUBSCRIBE %b", b"x SELECT %b", b"x STATUS %b (MESSAGES)")
        ),
        b'x LSUB "" "*"',
        b"x RENAME a&AAE-b new",
        b"x DELETE x&AAo-y",
        b'x LIST "" "*" RETURN (SUBSCRIBED)',
    ]
    found = list(differences(both, Exchange("control characters", tuple(steps))))
    assert not found, "\n".join(f"{step}\n  {theirs}\n  {ours}" for _, step, theirs, ours in found)


@pytest.mark.parametrize("zone", ["Europe/Helsinki", "America/St_Johns"])
def test_dates_are_those_of_dovecot_where_the_host_is(both: Both, zone: str) -> None:
    """INTERNALDATE, and the days of SEARCH, a second before and at midnight there, in summer and in winter."""
    moments = [
        f"{day:2}-{month}-2024 {clock} +0000"
        for month in ("Jan", "Mar", "Jul")
        for day in (9, 10)
        for clock in ("02:29:59", "02:30:00", "03:30:00", "20:59:59", "21:00:00", "22:00:00")
    ]
    steps = [
        b'x APPEND Trash "%b" {40+}\r\nDate: Tue, 9 Jul 2024 23:30:00 -0800\r\n\r\n' % moment.encode()
        for moment in moments
    ]
    steps += [b"x SELECT Trash", b"x FETCH 1:* INTERNALDATE", b"x SORT (ARRIVAL) UTF-8 ALL"]
    steps += [
        b"x SEARCH %b %d-%b-2024" % (key, day, month)
        for key in (b"BEFORE", b"ON", b"SINCE", b"SENTON")
        for month in (b"Jan", b"Mar", b"Jul")
        for day in (9, 10, 11)
    ]
    with time_zone(zone):
        found = list(differences(both, Exchange("dates", tuple(steps))))
    assert not found, "\n".join(f"{step}\n  {theirs}\n  {ours}" for _, step, theirs, ours in found)


def test_threads_are_those_of_dovecot(both: Both) -> None:
    """Random threads: messages that are missing, references that are cut, subjects that are alike."""
    chance = random.Random(7)
    chains: list[list[str]] = []
    steps: list[bytes] = []
    for number in range(80):
        above = chance.choice(chains) if chains and chance.random() < 0.7 else []
        chains.append([*above, f"<{number}@x>"])
        if chance.random() < 0.2:
            continue  # others refer to it
        cut = above[chance.choice([0, 0, -1, -2]) :] if above else []
        by_reply = bool(cut) and chance.random() < 0.3
        fields = {
            "Subject": chance.choice(["a", "b", "Re: a", "[x] a", "Fwd: b", "", "a (fwd)", "[fwd: a]", "c"]),
            "Date": f"Mon, {chance.randrange(1, 28)} Jan 2024 10:{number % 60:02}:00 +0000",
            "Message-ID": chains[-1][-1],
            "References": "" if by_reply else " ".join(cut),
            "In-Reply-To": cut[-1] if by_reply else "",
            "From": f"{chance.choice('xyzX')}@y",
            "To": chance.choice(["A <b@c>", "b@c", '"z" <a@b>', "Ä <q@r>", ""]),
        }
        header = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        content = (header + "\r\nbody\r\n").encode()
        steps.append(b'x APPEND Trash "01-Jan-2024 10:00:00 +0000" {%d+}\r\n%b' % (len(content), content))
    for number in range(80, 110):  # references at random, to what comes later and to itself, too
        spelled = ["<%d@x>", "<%d@x>", '<"%d"@x>', "<%d@x (c)>", "< %d @x>", "<%d>"]
        references = " ".join(
            chance.choice(spelled) % chance.randrange(80, 110) for _ in range(chance.randrange(4))
        )
        content = (
            f"Message-ID: <{number}@x>\r\nReferences: {references}\r\nSubject: {number}\r\n\r\nx\r\n".encode()
        )
        steps.append(
            b'x APPEND Trash "02-Jan-2024 10:%02d:00 +0000" {%d+}\r\n%b'
            % (number % 60, len(content), content)
        )
    steps.append(b"x SELECT Trash")
    steps += [
        b"x THREAD %b UTF-8 ALL" % algorithm for algorithm in (b"REFERENCES", b"REFS", b"ORDEREDSUBJECT")
    ]
    steps += [
        b"x SORT (%b) UTF-8 ALL" % keys
        for keys in (b"SUBJECT DATE", b"FROM REVERSE DATE", b"DISPLAYTO", b"TO", b"DATE", b"DISPLAYFROM")
    ]
    found = list(differences(both, Exchange("threads", tuple(steps))))
    assert not found, "\n".join(f"{step}\n  {theirs}\n  {ours}" for _, step, theirs, ours in found)


def test_odd_subjects_dates_and_message_ids_are_ordered_as_in_dovecot(both: Both) -> None:
    """RFC 5256 §2.1, §2.2 and each step of §3 that random threads seldom come to."""
    found = [difference for exchange in orders() for difference in differences(both, exchange)]
    assert not found, "\n".join(f"{name}: {step}\n  {theirs}\n  {ours}" for name, step, theirs, ours in found)


def test_random_sessions_are_those_of_dovecot(both: Both) -> None:
    """Commands at random, of each session up to a difference that is listed; RANDOM_SESSIONS=N,M for other seeds."""
    known = listed()
    first, last = map(int, os.environ.get("RANDOM_SESSIONS", "0,12").split(","))
    for seed in range(first, last):
        steps = random_session(seed)
        theirs, ours = both.have(Exchange(f"random {seed}", steps))
        for number, (step, one, other) in enumerate(zip(steps, theirs, ours, strict=True)):
            if (f"random {seed}", shown(step)) in known:
                break
            same = without_additions(other, one)
            assert comparable(one) == comparable(same), (
                f"{seed}, step {number}: {steps[: number + 1]!r} {step!r}"
            )


def test_the_battery_is_large_and_the_list_honest() -> None:
    """At least 300 commands; what RFC 3501 has is not put off."""
    assert sum(len(exchange.steps) for exchange in EXCHANGES) >= MINIMUM
    names = [exchange.name for exchange in (*EXCHANGES, *SYNTAX)]
    assert len(names) == len(set(names))
    for (exchange, step), why in listed().items():
        assert exchange in names or exchange.startswith("random ")
        assert why.startswith("deliberate") or exchange in EXTENSIONS, f"{step}: {why}"


def test_files_can_be_given(tmp_path: Path) -> None:
    """The mail belongs to whom Dovecot serves."""
    (tmp_path / "a").write_text("x")
    give(tmp_path)
    assert (tmp_path / "a").read_text() == "x"
