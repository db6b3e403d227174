"""Names that mean something, names that nothing uses, and names that nobody set."""

import pytest

from pillarbox.config.master_cf_text import entries
from pillarbox.config.name_usage import (
    Usage,
    is_parameter,
    parameter_names,
    service_defaults,
    usage,
)
from pillarbox.config.value import Value


def used(main: dict[str, str], master: str = "") -> Usage:
    """How these files use names."""
    values = {name: Value(text, "main.cf", 1) for name, text in main.items()}
    return usage(values, entries(master, path="master.cf")[0], main_path="main.cf", master_path="master.cf")


CASES = [  # name, main.cf, master.cf, names of one's own, undefined, unused in main.cf, unused in master.cf
    ("parameter", {"relayhost": "x"}, "", set(), [], [], []),
    ("misspelt", {"relay_host": "x"}, "", set(), [], ["relay_host"], []),
    ("used by a parameter", {"relayhost": "$a", "a": "1"}, "", {"a"}, [], [], []),
    ("used by a name", {"b": "$a", "a": "1"}, "", {"a"}, [], ["b"], []),
    ("undefined", {"relayhost": "$a ${b?{$c}}"}, "", set(), ["a", "b", "c"], [], []),
    ("not expanded here", {"mailbox_command": "$a"}, "", set(), [], [], []),
    ("class", {"smtpd_restriction_classes": "a, b", "a": "permit"}, "", {"a"}, ["b"], [], []),
    ("old name", {"virtual_maps": "x", "relayhost": "$fallback_relay"}, "", {"virtual_maps"}, [], [], []),
    ("set by the system", {"process_id": "1"}, "", set(), [], [], []),
    ("attribute of a table", {"virtual_alias_maps": "ldap:a", "a_bind": "no", "a_x": ""}, "", {"a_bind"}, [], ["a_x"], []),
    ("of a table in a value of no parameter", {"b": "ldap:a", "a_bind": "no"}, "", set(), [], ["b", "a_bind"], []),
    ("of a table named by parts", {"virtual_alias_maps": "$b:$c", "b": "ldap", "c": "a", "a_bind": "no"}, "",
     {"a_bind", "b", "c"}, [], [], []),
    ("of a table of a service", {"b": "a", "a_bind": "no"}, "x unix - - - - - y -o relay_domains=ldap:$b\n",
     {"a_bind", "b"}, [], [], []),
    ("from a service", {"x_destination_rate_delay": "1"}, "x unix - - - - - smtp\n", set(), [], [], []),
    ("from no service", {"x_destination_rate_delay": "1"}, "x inet n - - - - smtpd\n", set(), [], ["x_destination_rate_delay"], []),
    ("from a command", {"x_time_limit": "1"}, "x unix - - - - - spawn\n", set(), [], [], []),
    ("from a command of inet", {"x_time_limit": "1"}, "x inet - n n - - spawn\n", set(), [], [], []),
    ("used by a service that sets it", {"a": "1"}, "x unix - - - - - y -o relayhost=$a -o a=2\n", set(), [], ["a"], []),
    ("used by a service", {"a": "1"}, "x unix - - - - - y -o relayhost=$a\n", {"a"}, [], [], []),
    ("used by a service, set by another", {"a": "1"}, "x unix - - - - - y -o relayhost=$a\nz unix - - - - - y -o a=2\n",
     {"a"}, [], [], []),
    ("own of a service", {}, "x unix - - - - - y -o relayhost=$a -o a=1\n", set(), [], [], []),
    ("of another service", {}, "x unix - - - - - y -o relayhost=$a\nz unix - - - - - y -o a=1\n", set(), ["a"], [], ["a"]),
    ("class of a service", {}, "x unix - - - - - y -o smtpd_restriction_classes=a -o a=permit\n", set(), [], [], []),
    ("read-only in a service", {}, "x unix - - - - - y -o service_name=a\n", set(), [], [], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("main", "master", "own", "undefined", "unused_main", "unused_master"),
    [pytest.param(*case[1:], id=str(case[0])) for case in CASES],
)
def test_usage(
    main: dict[str, str],
    master: str,
    own: set[str],
    undefined: list[str],
    unused_main: list[str],
    unused_master: list[str],
) -> None:
    """What is known, what is used, and what is warned of."""
    found = used(main, master)

    def names(warnings: tuple[str, ...]) -> list[str]:
        return [warning.rpartition(": ")[2].partition("=")[0] for warning in warnings]

    assert (own, undefined, unused_main, unused_master) == (
        set(found.own),
        names(found.undefined),
        names(found.unused_in_main),
        names(found.unused_in_master),
    )


def test_warnings_in_postfix_words() -> None:
    """The wording is postconf's."""
    found = used({"a": "1", "process_id": "2", "relayhost": "$b"}, "x unix - - - - - y -o c=d\n")
    assert ("main.cf: undefined parameter: b",) == found.undefined
    assert ("main.cf: unused parameter: a=1",) == found.unused_in_main
    assert ("main.cf: read-only parameter assignment: process_id=2",) == found.read_only
    assert ("master.cf: unused parameter: c=d",) == found.unused_in_master


def test_braces_that_do_not_match() -> None:
    """They are found at any depth, in texts that parameters get; a service is told by its name and type."""
    found = used(
        {"relayhost": "$a {b {c}d}", "a": "proxy:ldap:{e", "unused": "{f}g"},
        "x unix - - - - - y -o relay_domains=static:{h}i -o unused={j}k\n",
    )
    assert found.mistakes_in_braces == (
        "main.cf: missing '}' in \"{e {b {c}d}\"",
        "main.cf: syntax error after '}' in \"{c}d\"",
        "master.cf:x/unix: syntax error after '}' in \"{h}i\"",
    )
    assert not used({"relayhost": "{" * 1200 + "}" * 1200}, "").mistakes_in_braces


def test_names_of_services_do_not_hide_parameters() -> None:
    """`local_destination_concurrency_limit` is a parameter with a default of its own."""
    found = service_defaults(entries("local unix - n n - - local\n", path="master.cf")[0])
    assert "local_destination_concurrency_limit" not in found
    assert "$default_destination_rate_delay" == found["local_destination_rate_delay"]


def test_old_names_are_not_listed() -> None:
    """A listing has the names of today."""
    assert (True, False, False) == tuple(map(is_parameter, ("relayhost", "virtual_maps", "nosuch")))
    assert "relayhost" in parameter_names()
    assert "virtual_maps" not in parameter_names()
