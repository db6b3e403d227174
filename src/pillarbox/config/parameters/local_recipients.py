"""Which recipients exist: local users, aliases, and the domains we relay for."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import MatchList


@settings_group
class LocalRecipients:
    """Tables of recipients of local and relay domains."""

    local_recipient_maps: tuple[str, ...] = parameter(
        "proxy:unix:passwd.byname $alias_maps",
        doc="Tables with all local recipients; others are refused when a client names them. Empty: every "
        "local recipient is taken, and bounced later if it does not exist.",
    )
    alias_maps: tuple[str, ...] = parameter(
        "$default_database_type:/etc/aliases",
        doc="Alias tables for local delivery.",
    )
    alias_database: tuple[str, ...] = parameter(
        "$default_database_type:/etc/aliases", doc="Alias tables that the newaliases command rebuilds."
    )
    default_database_type: str = parameter(
        "hash",
        doc="Table type that commands use when none is given. hash: tables are read whatever library "
        "wrote them.",
    )
    relay_domains: MatchList = parameter(
        "${{$compatibility_level} <level {2} ? {$mydestination} : {}}",
        doc="Domains, and by default their subdomains, for which mail is passed on to other hosts. Names, "
        "/file/name or type:table.",
    )
    relay_recipient_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables with all recipients in relay_domains; others are refused when a client names them. "
        "Empty: every recipient is taken.",
    )
    parent_domain_matches_subdomains: tuple[str, ...] = parameter(
        "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,"
        "relay_domains,smtpd_access_maps",
        doc="Lists in which example.org also stands for its subdomains. In others they are written "
        ".example.org.",
    )
