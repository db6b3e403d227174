"""autoexpunge after deliveries: what is due goes, at most once a minute for each user."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pillarbox.config.mailbox_settings import MailboxDefinition, MailboxSettings, Namespace, Storage
from pillarbox.daemons.delivery_expunging import INTERVAL, DeliveryExpunging
from pillarbox.mailstore.autoexpunge import expunge_silently
from pillarbox.mailstore.deliver import Delivery, deliver_batch
from pillarbox.vocabulary.clock import ManualClock

SPAM = MailboxDefinition(name="Spam", autoexpunge=86400 * 9999, autoexpunge_max_mails=2)


def settings_with(*definitions: MailboxDefinition) -> MailboxSettings:
    """A configuration."""
    return MailboxSettings(namespaces=(Namespace(inbox=True, mailboxes=definitions),))


def test_what_is_due_goes_after_a_delivery(tmp_path: Path) -> None:
    """By number here; the rest stays, and who has no such mailbox loses no time."""
    place = Storage(path=str(tmp_path / "Maildir"))
    other = Storage(path=str(tmp_path / "Other"))
    clock = ManualClock()
    with ThreadPoolExecutor(1) as executor:
        idle = DeliveryExpunging(
            settings_with(MailboxDefinition(name="Spam")), executor=executor, clock=clock
        )
        assert not idle.is_due(place)
        expunging = DeliveryExpunging(settings_with(SPAM), executor=executor, clock=clock)
        deliver_batch(
            [Delivery(f"{place.path}/.Spam", (b"Subject: %d\n\nx\n" % number,)) for number in range(5)]
        )
        assert expunging.is_due(place)
        assert expunging.is_due(other)
        assert not expunging.is_due(place)
        asyncio.run(expunging.expunge(place, None, expunge_silently, prepare=lambda account: None))
        files = [path for name in ("new", "cur") for path in Path(place.path, ".Spam", name).iterdir()]
        assert sorted(path.read_bytes() for path in files) == [b"Subject: 3\n\nx\n", b"Subject: 4\n\nx\n"]
        clock.advance(INTERVAL)
        assert expunging.is_due(place)
