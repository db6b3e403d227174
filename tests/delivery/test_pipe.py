"""pipe(8)'s lines in master.cf: as published configurations write them, and what must not be taken."""

import grp
import os
import pwd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.delivery.pipe import PipeService
from pillarbox.delivery.request import DeliverRecipients, JobRecipient
from pillarbox.vocabulary.faults import ConfigurationFault

USER = next(entry for entry in pwd.getpwall() if entry.pw_uid and entry.pw_gid)
GROUP = next(entry for entry in grp.getgrall() if entry.gr_gid and entry.gr_gid != USER.pw_gid)


def service(*arguments: str, delimiters: str = "+") -> PipeService:
    """A service whose user exists here."""
    words = [argument.replace("USER", USER.pw_name).replace("GROUP", GROUP.gr_name) for argument in arguments]
    return PipeService.parse(
        "x", words, where="master.cf, line 7", mail_owner="postfix-owner", delimiters=delimiters
    )


def request(*recipients: str, sender: str = "a@b.test", **attributes: str) -> DeliverRecipients:
    """A job."""
    return DeliverRecipients(
        job=1,
        transport="x",
        nexthop="Hop.Example",
        queue_id="ABCDEF",
        data_offset=0,
        size=1234,
        sender=sender.encode(),
        recipients=[JobRecipient(address.encode(), b"orig-" + address.encode()) for address in recipients],
        attributes={name.encode(): value.encode() for name, value in attributes.items()},
    )


def command(template: str, *recipients: str, flags: str = "", sender: str = "a@b.test") -> list[str]:
    """The command that a template gives."""
    given = [f"flags={flags}"] if flags else []
    job = request(*recipients, sender=sender, log_client_address="192.0.2.1", log_helo_name="h.example")
    found = service(*given, "user=USER", *f"argv={template}".split()).arguments(job, job.recipients)
    return [os.fsdecode(word) for word in found]


PUBLISHED = [
    ("dovecot", "/usr/lib/dovecot/deliver -f ${sender} -d ${recipient}", "DRhu"),
    (
        "dovecot-lda",
        "/usr/lib/dovecot/dovecot-lda -f ${sender} -a ${original_recipient} -d ${user}@${domain}",
        "DRhu",
    ),
    ("maildrop", "/usr/bin/maildrop -d ${recipient}", "DRXhu"),
    ("mailman", "/usr/lib/mailman/bin/postfix-to-mailman.py ${nexthop} ${mailbox}", "FRX"),
    ("uucp", "uux -r -n -z -a$sender - $nexthop!rmail ($recipient)", "Fqhu"),
    ("ifmail", "/usr/lib/ifmail/ifmail -r $nexthop ($recipient)", "F"),
    ("bsmtp", "/usr/lib/bsmtp/bsmtp -t$nexthop -f$sender $recipient", "Fq."),
    ("scalemail", "/usr/lib/scalemail/bin/scalemail-store ${nexthop} ${user} ${extension}", "R"),
    ("cyrus", "/cyrus/bin/deliver -e -r ${sender} -m ${extension} ${user}", ""),
    ("spamassassin", "/usr/bin/spamc -f -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}", "R"),
]


@pytest.mark.parametrize(("name", "template", "flags"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_published_lines(name: str, template: str, flags: str) -> None:
    """Each is taken, and gives a command without names."""
    found = command(template, "me+x@here.test", flags=flags)
    assert len(found) == len(template.split())
    assert not any("$" in word for word in found)


TEMPLATES = [
    ("none", "p", ("a@x.test",), "", ["p"]),
    ("recipient", "p ${recipient}", ("a@x.test", "b@x.test"), "", ["p", "a@x.test", "b@x.test"]),
    ("within a word", "p -d${recipient}:", ("a@x.test", "b@x.test"), "", ["p", "-da@x.test:", "-db@x.test:"]),
    ("two in a word", "p ${user}/${domain}", ("a+e@x.test", "b@y.test"), "", ["p", "a/x.test", "b/y.test"]),
    ("user", "p $user $extension $mailbox", ("a+e@x.test",), "", ["p", "a", "e", "a+e"]),
    ("no extension", "p [$extension]", ("a@x.test",), "", ["p", "[]"]),
    ("original", "p $original_recipient", ("a@x.test",), "", ["p", "orig-a@x.test"]),
    ("message", "p $size $nexthop $queue_id", ("a@x.test",), "", ["p", "1234", "Hop.Example", "ABCDEF"]),
    ("client", "p ${client_address} $client_helo", ("a@x.test",), "", ["p", "192.0.2.1", "h.example"]),
    ("not known", "p =${sasl_username}=", ("a@x.test",), "", ["p", "=="]),
    ("dollar", "p $$x", ("a@x.test",), "", ["p", "$x"]),
    ("case", "p $recipient", ("Me@HERE.Test",), "", ["p", "Me@HERE.Test"]),
    ("h", "p $recipient $nexthop", ("Me@HERE.Test",), "h", ["p", "Me@here.test", "hop.example"]),
    ("u", "p $recipient $user", ("Me@HERE.Test",), "u", ["p", "me@HERE.Test", "me"]),
    ("unquoted", "p $recipient", ("a b@x.test",), "", ["p", "a b@x.test"]),
    ("q", "p $recipient $user", ("a b@x.test",), "q", ["p", '"a b"@x.test', "a b"]),
    ("option", "p $recipient", ("-f@x.test",), "", ["p", "-f@x.test"]),
]


@pytest.mark.parametrize(
    ("template", "recipients", "flags", "expected"),
    [row[1:] for row in TEMPLATES],
    ids=[row[0] for row in TEMPLATES],
)
def test_templates(template: str, recipients: tuple[str, ...], flags: str, expected: list[str]) -> None:
    """What names stand for."""
    assert command(template, *recipients, flags=flags) == expected


def test_null_sender() -> None:
    """It has a name that can be an argument, or the one that is asked for."""
    job = request("a@x.test", sender="")
    assert service("user=USER", "argv=p", "$sender").arguments(job, job.recipients) == [
        b"p",
        b"MAILER-DAEMON",
    ]
    given = service("user=USER", "null_sender=", "argv=p", "$sender")
    assert given.arguments(job, job.recipients) == [b"p", b""]


def test_attributes() -> None:
    """All of them, whatever their order; what follows argv= is the command's."""
    found = service(
        "eol=\\r\\n", "size=100", "directory=/x", "user=USER:GROUP", "flags=DX", "argv=p", "user=root"
    )
    assert (found.uid, found.gid) == (USER.pw_uid, GROUP.gr_gid)
    assert (found.line_end, found.size_limit, found.directory, found.one_by_one) == (
        b"\r\n",
        100,
        b"/x",
        True,
    )
    job = request("a@x.test")
    assert found.arguments(job, job.recipients) == [b"p", b"user=root"]


REFUSED = [
    ("no command", ("user=USER",), "missing argv= command-line attribute"),
    ("empty command", ("user=USER", "argv="), "missing argv= command-line attribute"),
    ("no user", ("argv=p",), "missing user= command-line attribute"),
    ("nobody", ("user=no-such-user", "argv=p"), "unknown username: no-such-user"),
    ("no group", ("user=USER:no-such-group", "argv=p"), "unknown group: no-such-group"),
    ("root", ("user=root", "argv=p"), "specifies root privileges"),
    ("root's group", ("user=USER:root", "argv=p"), "specifies privileged group id 0"),
    ("flag", ("flags=DZ", "user=USER", "argv=p"), "unknown flag: Z"),
    ("size", ("size=1_0", "user=USER", "argv=p"), "bad size limit: 1_0"),
    ("attribute", ("colour=red", "user=USER", "argv=p"), "unknown attribute: colour=red"),
    ("macro", ("user=USER", "argv=p", "${nonsense}"), "unknown macro name: ${nonsense}"),
    ("choice", ("user=USER", "argv=p", "${user?x}"), "unknown macro name: ${user?x}"),
    ("open macro", ("user=USER", "argv=p", "${user"), 'truncated macro reference: "${user"'),
]


@pytest.mark.parametrize(
    ("arguments", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(arguments: tuple[str, ...], reason: str) -> None:
    """With the place of the line."""
    with pytest.raises(ConfigurationFault) as fault:
        service(*arguments)
    assert str(fault.value) == f"master.cf, line 7: pipe service x: {fault.value.what.partition(': ')[2]}"
    assert reason in str(fault.value)


@given(
    st.lists(st.text("ab $#;|&'\"\\\n@-", min_size=1, max_size=8), min_size=1, max_size=4),
    st.sampled_from(["", "q", "hu", "D"]),
)
def test_a_recipient_is_one_argument(users: list[str], flags: str) -> None:
    """Whatever characters an address has, there are as many arguments as recipients."""
    job = request(*(f"{user}@x.test" for user in users))
    given = [f"flags={flags}"] if flags else []
    found = service(*given, "user=USER", "argv=p", "-x", "${recipient}").arguments(job, job.recipients)
    assert found[:2] == [b"p", b"-x"]
    assert len(found) == 2 + len(users)
