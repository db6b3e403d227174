"""Virtual domains: their aliases, their mailboxes, and whose files these are."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import MatchList, Octets


@settings_group
class VirtualDelivery:
    """Virtual alias domains and virtual mailbox domains."""

    virtual_mailbox_domains: MatchList = parameter(
        "$virtual_mailbox_maps",
        doc="Domains whose recipients have mailboxes without having system accounts. Names, /file/name or "
        "type:table.",
    )
    virtual_mailbox_base: str = parameter(
        "",
        doc="Directory that is put before every path found in virtual_mailbox_maps. It keeps mailboxes "
        "below it, since a path may not contain `..`.",
    )
    virtual_mailbox_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables from recipient address to mailbox path below virtual_mailbox_base; a final / makes it "
        "a Maildir; without, it is a file in mbox format.",
    )
    virtual_uid_maps: tuple[str, ...] = parameter(
        "", doc="Tables from recipient address to the uid that writes the mailbox, such as static:5000."
    )
    virtual_gid_maps: tuple[str, ...] = parameter(
        "", doc="Tables from recipient address to the gid that writes the mailbox, such as static:5000."
    )
    virtual_minimum_uid: int = parameter(
        "100", minimum=1, doc="Smallest uid that may be used for virtual mailboxes."
    )
    virtual_mailbox_limit: Octets = parameter(
        "51200000",
        minimum=0,
        doc="Largest message that is written to a Maildir, and largest mbox file. 0: no limit. It may not be "
        "below message_size_limit.",
    )
    virtual_mailbox_lock: tuple[str, ...] = parameter(
        "fcntl, dotlock",
        words=("flock", "fcntl", "dotlock"),
        doc="How an mbox file of a virtual mailbox is locked: fcntl, flock, dotlock.",
    )
    virtual_alias_maps: tuple[str, ...] = parameter(
        "$virtual_maps",
        doc="Tables from an address to one or more others, applied to every recipient, again and again "
        "until nothing matches.",
    )
    virtual_alias_domains: MatchList = parameter(
        "$virtual_alias_maps",
        doc="Domains whose addresses all stand for other addresses, found in virtual_alias_maps.",
    )
    virtual_alias_expansion_limit: int = parameter(
        "1000", minimum=1, doc="Most recipients that the aliases of one recipient may lead to."
    )
    virtual_alias_recursion_limit: int = parameter(
        "1000", minimum=1, doc="How often the result of virtual_alias_maps may be looked up again."
    )
    virtual_alias_address_length_limit: int = parameter(
        "1000", minimum=1, doc="Longest address that virtual_alias_maps may lead to."
    )
    propagate_unmatched_extensions: tuple[str, ...] = parameter(
        "canonical, virtual",
        words=("canonical", "virtual", "alias", "forward", "include", "generic"),
        doc="Where an address extension that was not looked up is added to the result: canonical, "
        "virtual, alias, forward, include, generic.",
    )
