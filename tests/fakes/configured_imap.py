"""The same words to Dovecot's imap and to ours, each with the same dovecot.conf on an empty Maildir of its own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fakes.imap_exchanges import DovecotImap, Equaliser, PillarboxImap, configuration
from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.daemons.account_namespaces import AccountNamespaces, SessionUser
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.quota.user_quota import user_quota

USER = "tester"


def answers_of_both(base: Path, more: str, steps: Sequence[bytes]) -> list[tuple[list[bytes], list[bytes]]]:
    """For each step, the lines of Dovecot and ours.  `more` is added to dovecot.conf, `{base}` is the user's home."""
    homes = [base / name for name in ("theirs", "ours")]
    for home in homes:
        (home / "Maildir").mkdir(parents=True)
    base.chmod(0o755)
    theirs = theirs_of(homes[0], more, steps)
    return list(zip(theirs, asyncio.run(ours_of(homes[1], more, steps)), strict=True))


def theirs_of(home: Path, more: str, steps: Sequence[bytes]) -> list[list[bytes]]:
    """What Dovecot says."""
    server = DovecotImap(home, more=more.format(base=home), patience=20)
    try:
        return Equaliser().take([server.say(step) for step in steps])
    finally:
        server.close()


async def ours_of(home: Path, more: str, steps: Sequence[bytes]) -> list[list[bytes]]:
    """What we say."""
    text = configuration(home) + more.format(base=home)
    settings = mailbox_settings(parse_configuration(text, path="dovecot.conf"), hostname="mail.test")
    place = place_of(settings.storage, "", user=USER, home=str(home))
    with ThreadPoolExecutor(1) as executor:
        async with asyncio.TaskGroup() as tasks:
            namespaces = AccountNamespaces(settings, executor=executor, inotify=None, tasks=tasks)
            quota = user_quota(settings, place, {}, user=USER, home=str(home))
            own = MaildirAccount(place, mailboxes=settings.namespaces[0].mailboxes, quota=quota)
            namespaces.keep_expunged(own, SessionUser(USER, str(home), place), {})
            account = namespaces.account(USER, str(home), place, {}, own)
            server = PillarboxImap(home, tasks, account=account)
            answers = [await server.say(step) for step in steps]
            await server.close()
            await own.close()
            namespaces.close()
    return Equaliser().take(answers)
