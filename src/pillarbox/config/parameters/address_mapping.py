"""How addresses of messages are rewritten, and who gets copies."""

from typing import Final

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import MatchList

_ADDRESSES: Final = ("envelope_sender", "envelope_recipient", "header_sender", "header_recipient")


@settings_group
class AddressMapping:
    """Canonical tables, masquerading, copies."""

    canonical_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables from an address, in the envelope or a header, to the one that takes its place. Keys are "
        "user+extension@domain, user@domain, for our own domains user+extension and user, and @domain.",
    )
    canonical_classes: tuple[str, ...] = parameter(
        "envelope_sender, envelope_recipient, header_sender, header_recipient",
        words=_ADDRESSES,
        doc="Addresses that canonical_maps is for.",
    )
    sender_canonical_maps: tuple[str, ...] = parameter(
        "", doc="The same for senders, asked before canonical_maps."
    )
    sender_canonical_classes: tuple[str, ...] = parameter(
        "envelope_sender, header_sender",
        words=("envelope_sender", "header_sender"),
        doc="Addresses that sender_canonical_maps is for: envelope_sender, header_sender.",
    )
    recipient_canonical_maps: tuple[str, ...] = parameter(
        "", doc="The same for recipients, asked before canonical_maps."
    )
    recipient_canonical_classes: tuple[str, ...] = parameter(
        "envelope_recipient, header_recipient",
        words=("envelope_recipient", "header_recipient"),
        doc="Addresses that recipient_canonical_maps is for: envelope_recipient, header_recipient.",
    )
    masquerade_domains: tuple[str, ...] = parameter(
        "",
        doc="Domains whose subdomains are cut off: user@host.example.org becomes user@example.org. The first that "
        "matches decides; one with ! before it keeps its subdomains.",
    )
    masquerade_classes: tuple[str, ...] = parameter(
        "envelope_sender, header_sender, header_recipient",
        words=_ADDRESSES,
        doc="Addresses that are masqueraded: envelope_sender, envelope_recipient, header_sender, header_recipient.",
    )
    masquerade_exceptions: MatchList = parameter(
        "", doc="Users whose addresses keep their subdomains, such as root. Names, /file/name or type:table."
    )
    always_bcc: str = parameter(
        "",
        doc="Address that gets a copy of every message from outside. Its failures are not told to the sender.",
    )
    sender_bcc_maps: tuple[str, ...] = parameter(
        "", doc="Tables from a sender's address to one that gets a copy of its mail."
    )
    recipient_bcc_maps: tuple[str, ...] = parameter(
        "", doc="Tables from a recipient's address to one that gets a copy of mail for it."
    )
