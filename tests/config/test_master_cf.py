"""master.cf: fields, options, and what each mistake is called."""

import os
from pathlib import Path

import pytest

from pillarbox.config.master_cf import Service, parse_master_cf, read_master_cf
from pillarbox.vocabulary.faults import ConfigurationFault


def one(line: str) -> Service:
    """The only service of a master.cf."""
    (service,) = parse_master_cf(line).services
    return service


def overrides(service: Service) -> dict[str, str]:
    """Its settings without their places."""
    return {name: value.text for name, value in service.overrides.items()}


def test_fields() -> None:
    """Eight fields, each in its type."""
    service = one("# comment\n127.0.0.1:smtp inet n y n 60? 20 smtpd\n")
    assert (
        Service(
            name="127.0.0.1:smtp",
            type="inet",
            private=False,
            unprivileged=True,
            chroot=False,
            wakeup=60,
            process_limit=20,
            command="smtpd",
            overrides={},
            arguments=(),
            verbosity=0,
            debug=False,
            file="master.cf",
            line=2,
        )
        == service
    )
    assert "master.cf, line 2" == service.where


def test_defaults() -> None:
    """`-` is private, unprivileged, no wakeup; chroot and process limit are left to main.cf."""
    service = one("foo unix - - - - - foo")
    assert (True, True, None, 0, None) == (
        service.private,
        service.unprivileged,
        service.chroot,
        service.wakeup,
        service.process_limit,
    )


def test_a_process_limit_of_zero_is_no_limit() -> None:
    """0 is kept apart from the default."""
    assert 0 == one("foo unix - - - - 0 foo").process_limit


@pytest.mark.parametrize("kind", ["unix", "unix-dgram", "fifo", "pass"])
def test_types_other_than_inet_may_be_private(kind: str) -> None:
    """Every type of master(5) is known."""
    assert (kind, True) == ((service := one(f"foo {kind} - - n - 1 foo")).type, service.private)


OPTIONS = [  # name, command line, overrides, arguments, verbosity, debug
    ("none", "smtpd", {}, (), 0, False),
    ("override", "smtpd -o a=b", {"a": "b"}, (), 0, False),
    ("joined", "smtpd -oa=b", {"a": "b"}, (), 0, False),
    ("braces", "smtpd -o { a = b c }", {"a": "b c"}, (), 0, False),
    ("braces, joined", "smtpd -o{a=b c}", {"a": "b c"}, (), 0, False),
    ("nested braces", "smtpd -o { a = { b } {c}}", {"a": "{ b } {c}"}, (), 0, False),
    ("reference with blanks", "smtpd -o a=${b?{c d}}", {"a": "${b?{c d}}"}, (), 0, False),
    ("empty value", "smtpd -o a=", {"a": ""}, (), 0, False),
    ("last wins", "smtpd -o a=1 -o a=2", {"a": "2"}, (), 0, False),
    ("continued", "smtpd\n  -o a=b\n  # comment\n  -o c=d\n", {"a": "b", "c": "d"}, (), 0, False),
    ("verbose", "smtpd -v -vv -D", {}, (), 3, True),
    ("cluster", "smtpd -vDo a=b", {"a": "b"}, (), 1, True),
    ("arguments", "pipe flags=R argv=/x $s - -o", {}, ("flags=R", "argv=/x", "$s", "-", "-o"), 0, False),
    ("argument in braces", "pipe argv=/x { a  b } {}", {}, ("argv=/x", "a  b", ""), 0, False),
    ("end of options", "x -v -- -v", {}, ("-v",), 1, False),
    ("a minus alone is an argument", "x -v - -v", {}, ("-", "-v"), 1, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"), [pytest.param(case[1], case[2:], id=str(case[0])) for case in OPTIONS]
)
def test_options(line: str, expected: tuple[object, ...]) -> None:
    """Options come before the program's own arguments, by the rules of getopt(3)."""
    service = one(f"foo unix - n n - - {line}")
    assert expected == (overrides(service), service.arguments, service.verbosity, service.debug)


MISTAKES = [
    ("type", "smtp xnet n - n - - smtpd", "bad transport type: xnet"),
    ("type in capitals", "smtp INET n - n - - smtpd", "bad transport type: INET"),
    ("private", "smtp inet x - n - - smtpd", 'field "private": bad value: "x"'),
    ("inet cannot be private", "smtp inet - - n - - smtpd", "inet service cannot be private"),
    ("unprivileged", "smtp inet n q n - - smtpd", 'field "unprivileged": bad value: "q"'),
    ("chroot", "smtp inet n - q - - smtpd", 'field "chroot": bad value: "q"'),
    ("wakeup", "smtp inet n - n x - smtpd", 'field "wakeup_time": bad value: "x"'),
    ("wakeup below zero", "smtp inet n - n -1 - smtpd", 'field "wakeup_time": bad value: "-1"'),
    ("wakeup without number", "smtp inet n - n ? - smtpd", 'field "wakeup_time": bad value: "?"'),
    ("process limit", "smtp inet n - n - 1_0 smtpd", 'field "max_proc": bad value: "1_0"'),
    ("no command", "smtp inet n - n - -", 'missing "command" field'),
    ("type alone missing", "smtp", 'missing "transport type" field'),
    ("private missing", "smtp inet", 'missing "private" field'),
    ("open brace", "foo unix - n n - - pipe -o { foo", "missing '}' in \"{ foo\""),
    ("open brace in arguments", "foo unix - n n - - pipe { a b", "missing '}' in \"{ a b\""),
    ("open brace inside", "foo unix - n n - - pipe -o a=${b c", "missing '}' in \"a=${b c\""),
    ("closing brace alone", "foo unix - n n - - pipe -o a=}{b}", "unexpected '}' in \"a=}{b}\""),
    ("text after brace", "foo unix - n n - - pipe -o {foo=x}y", "syntax error after '}' in \"{foo=x}y\""),
    ("no equals", "foo unix - n n - - pipe -o foo", "missing '=' after attribute name: \"foo\""),
    ("no name", "foo unix - n n - - pipe -o =foo", 'missing attribute name: "=foo"'),
    ("no value", "foo unix - n n - - pipe -o", "option -o requires name=value"),
    ("unknown option", "foo unix - n n - - pipe -x", "unknown option -x: expected -o, -v or -D"),
]


@pytest.mark.parametrize(("line", "message"), [pytest.param(*case[1:], id=case[0]) for case in MISTAKES])
def test_mistakes_in_postfix_words(line: str, message: str) -> None:
    """A mistake is named as master(8) names it, with file and line."""
    with pytest.raises(ConfigurationFault) as caught:
        parse_master_cf(f"\n{line}\n", path="/etc/postfix/master.cf")
    assert f"/etc/postfix/master.cf, line 2: {message}" == str(caught.value)


def test_the_last_of_a_name_and_type_counts() -> None:
    """The same name may be there once per type; a second one replaces the first, with a warning."""
    found = parse_master_cf("smtp inet n - n - - a\nsmtp unix - - n - - b\nsmtp inet n - n - - c\n")
    assert [("unix", "b"), ("inet", "c")] == [(s.type, s.command) for s in found.services]
    assert (
        'master.cf, line 3: duplicate master.cf entry for service "smtp" (inet) -- using the last entry',
    ) == found.warnings


def test_a_continuation_of_nothing_is_skipped_with_a_warning() -> None:
    """Text that begins with a blank and continues nothing is no service."""
    found = parse_master_cf("  smtp inet n - n - - a\n")
    assert () == found.services
    assert 1 == len(found.warnings)


def test_reading_a_file(tmp_path: Path) -> None:
    """Services know the file they are from; a missing file is a fault."""
    path = os.fspath(tmp_path / "master.cf")
    with pytest.raises(ConfigurationFault, match="cannot read"):
        read_master_cf(path)
    Path(path).write_text("smtp inet n - n - - smtpd -o a=b\n")
    (service,) = read_master_cf(path).services
    assert (path, 1, f"{path}, line 1") == (service.file, service.line, service.overrides["a"].where)
