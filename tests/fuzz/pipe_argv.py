"""pipe(8)'s words in master.cf, and what recipients make of them: each recipient's part stays one argument."""

import pwd

from pillarbox.config.master_cf import parse_master_cf
from pillarbox.delivery.pipe import PipeService
from pillarbox.delivery.request import DeliverRecipients, JobRecipient
from pillarbox.vocabulary.faults import ConfigurationFault

USER = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid and entry.pw_gid)
SEEDS: list[bytes] = [
    b"flags=DRhu user=nobody argv=/usr/bin/maildrop -d ${recipient}\0a+b@x.test",
    b'flags=Fq. user=nobody:mail eol=\\r\\n size=10 null_sender= argv=x { a ${user} $domain } $sender\0"a b"@[x]',
    b"directory=/x user= argv=$\0-f",
    b"argv=${recipient",
]
DICTIONARY: list[bytes] = [
    b"flags=", b"user=", b"argv=", b"size=", b"eol=", b"null_sender=", b"directory=", b"chroot=",
    b"${recipient}", b"${user}", b"${extension}", b"$sender", b"$$", b"{", b"}",
]  # fmt: skip


def fuzz_one(data: bytes) -> None:
    """Up to the first NUL a service's words, then addresses."""
    words, *addresses = data.split(b"\0")
    text = words.decode("utf-8", "replace").replace("nobody", USER)
    try:
        services = parse_master_cf("x unix - n n - - pipe " + text.replace("\n", " ")).services
        pipe, *_ = [
            PipeService.parse(service.name, service.arguments, where="x", mail_owner="", delimiters="+")
            for service in services
        ]
    except ConfigurationFault:
        return
    recipients = [JobRecipient(address, address) for address in addresses[:10]]
    request = DeliverRecipients(1, "x", "hop", "ID", 0, 1, addresses[0] if addresses else b"", recipients, {})
    found = pipe.arguments(request, recipients)
    of_recipient = sum(template.is_of_recipient for template in pipe.templates)
    assert len(found) == len(pipe.templates) + of_recipient * (len(recipients) - 1)
    for recipient in recipients:
        pipe.content(request, recipient, now=0.0)
