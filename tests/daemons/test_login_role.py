"""The login role's start: settings that it cannot be had with."""

import msgspec
import pytest

from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.login import open_role
from pillarbox.net.startup import Startup
from pillarbox.vocabulary.faults import ConfigurationFault


@pytest.mark.parametrize("name", ["login_trusted_networks", "haproxy_trusted_networks"])
@pytest.mark.parametrize("text", ["bogus", "192.0.2.0/99"])
def test_what_is_no_network(name: str, text: str) -> None:
    """It is told with the setting; Dovecot's login processes crash, and trust nobody."""
    settings = msgspec.msgpack.encode(
        msgspec.structs.replace(MailboxSettings(), **{name: ("192.0.2.0/24", text)})
    )
    startup = Startup(role="login", program="imap-login", listeners={}, log=(), settings=settings)
    with pytest.raises(ConfigurationFault, match=f"{name}: Invalid network '{text}'"):
        open_role(startup)
