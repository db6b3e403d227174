"""main.cf, master.cf and expansion: any text is read, or refused with a ConfigurationFault."""

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.expansion_syntax import ExpansionError, names_used
from pillarbox.config.findings import findings
from pillarbox.config.main_cf import parse_main_cf
from pillarbox.config.main_cf_edit import Edit, set_values, take_away
from pillarbox.config.master_cf import parse_master_cf
from pillarbox.config.master_cf_edit import rewrite_entries
from pillarbox.config.master_cf_text import entries
from pillarbox.config.postfix_parameters import GROUPS
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value import Value
from pillarbox.vocabulary.faults import ConfigurationFault

SEEDS = [
    b"mmyhostname = mx.example.org\nrelayhost =\n  [a]:25\n# c\nmynetworks = 127.0.0.0/8 [::1]/128 !10.0.0.1\n",
    b"mcompatibility_level = 3.6\nsmtpd_timeout = ${stress?{10}:{300}}s\nmydestination = hash:/x, {a b} !c\n",
    b"mheader_checks = pcre:/x\nsmtpd_forbid_bare_newline=reject\nmaillog_file_permissions = 0644\n",
    b"ssmtp inet n - n - - smtpd\n  -o a=b -o { c = d e } -v\n127.0.0.1:smtp inet n y n 60? 5 x -D { a b }\n",
    b"sfoo unix - n n - - pipe flags=R user=me argv=/bin/cat ${sender} - ${recipient}\n[::1]:25 inet n - n - - x\n",
    b"e${{$a} == {b} ? {$c} : {${d?{e}:{f}}}}$$${{3.10} >=level {3.6}}",
    b"e${domain_to_ascii{b\xc3\xbccher.example}} $(a:b) ${ x ? { y } : { z } }",
]
DICTIONARY = [b"${", b"?{", b":{", b"}:{", b"<level", b"== {", b" = ", b"\n  ", b"-o {", b"domain_to_utf8{",
              b"mynetworks = ", b"mydestination = ", b"smtpd_timeout=", b"inet_interfaces=", b"mynetworks_style=",
              b" inet n - n - - ", b" unix - - n - - ", b"$myhostname", b"$mydomain"]  # fmt: skip
FACTS = HostFacts("mx.example.org")


def fuzz_one(data: bytes) -> None:
    """The first octet chooses main.cf, master.cf or an expression."""
    text = data[1:].decode(errors="surrogateescape")
    {b"m": main_cf, b"s": master_cf}.get(data[:1], expression)(text)


def main_cf(content: str) -> None:
    """A main.cf is read into settings or refused; an edit does what it says."""
    try:
        values = parse_main_cf(content).values
    except ConfigurationFault:
        return
    snapshot = Snapshot(values, facts=FACTS)
    places = []
    for group in GROUPS:
        try:
            snapshot.group(group)
        except ConfigurationFault as fault:
            places.append(fault.where)
    assert all(places), "a fault names its place"
    try:
        findings(snapshot)
    except ConfigurationFault:
        pass
    if content.isascii():
        assert Snapshot.decode(snapshot.encode()) == snapshot
    edited, _warnings = set_values(content, {"relayhost": "x"}, path="main.cf")
    after = parse_main_cf(edited).values
    assert {name: value.text for name, value in after.items()} == {
        name: value.text for name, value in values.items()
    } | {"relayhost": "x"}
    for edit in Edit:
        assert (
            "relayhost" not in parse_main_cf(take_away(edited, {"relayhost"}, edit, path="main.cf")[0]).values
        )


def master_cf(content: str) -> None:
    """A master.cf is read into services or refused; written back in columns it means the same."""
    try:
        services = parse_master_cf(content).services
    except ConfigurationFault:
        services = ()
    try:
        shown, _warnings = entries(content, path="master.cf")
    except ConfigurationFault:
        return
    if services:
        columns = "\n".join(entry.text(fold=True) for entry in shown)
        written = [(service.key, service.command, service.arguments) for service in services]
        again = parse_master_cf(columns).services
        assert [(service.key, service.command, service.arguments) for service in again] == written
        rewrite_entries(content, lambda *_key: True, lambda entry: entry.with_field("wakeup", "5"))


def expression(template: str) -> None:
    """A template is expanded or refused, within bounds of time and size."""
    values = {"a": "b", "c": "", "d": template, "x": "$a", "y": "7"}
    snapshot = Snapshot({name: Value(text, "main.cf", 1) for name, text in values.items()}, facts=FACTS)
    try:
        names_used(template)
    except ExpansionError:
        pass
    try:
        snapshot.value("d")
    except ConfigurationFault:
        pass
