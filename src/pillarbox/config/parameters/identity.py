"""Who this mail system is: its names, its networks, and how addresses are completed."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import MatchList, NetworkList


@settings_group
class Identity:
    """Names, networks and address completion."""

    myhostname: str = parameter(
        "",
        doc="The full host name of this mail system, used in greetings and as the default of many "
        "settings. Default: the system's host name, completed with $mydomain if it has no dot.",
    )
    mydomain: str = parameter(
        "",
        doc="The domain of this mail system. Default: $myhostname without its first label, or localdomain.",
    )
    myorigin: str = parameter(
        "$myhostname",
        doc="The domain that is added to addresses without one, such as those of mail from local programs.",
    )
    mydestination: MatchList = parameter(
        "$myhostname, localhost.$mydomain, localhost",
        doc="Domains whose recipients are local: system users and aliases. Names, /file/name or type:table.",
    )
    inet_interfaces: tuple[str, ...] = parameter(
        "all",
        doc="Addresses on which mail is received: all, loopback-only, or names and addresses of this host.",
    )
    inet_protocols: tuple[str, ...] = parameter(
        "all", doc="Internet protocols in use for receiving and sending: all, ipv4, ipv6, or a list of them."
    )
    tcp_windowsize: int = parameter(
        "0",
        minimum=0,
        doc="Octets that a TCP peer may send before they are acknowledged, for routers that break window "
        "scaling. 0: as the system has it.",
    )
    proxy_interfaces: tuple[str, ...] = parameter(
        "",
        doc="Addresses at which this system is reached through a proxy or address translation. Mail for "
        "user@[address] is then local, and no mail is sent back to ourselves.",
    )
    mynetworks: NetworkList = parameter(
        "",
        doc="Clients that are trusted to relay: addresses, address/prefix, /file/name or type:table, with "
        "! for exceptions. Default: by mynetworks_style, from the addresses of inet_interfaces.",
    )
    mynetworks_style: str = parameter(
        "${{$compatibility_level} <level {2} ? {subnet} : {host}}",
        doc="What mynetworks is when it is not set: host (this host alone), subnet (the interfaces' "
        "networks) or class (their class A, B or C networks).",
    )
    recipient_delimiter: str = parameter(
        "",
        doc="Characters that separate a user name from its extension, as + in user+list@example.org. "
        "Empty: no extensions.",
    )
    smtpd_banner: str = parameter(
        "$myhostname ESMTP $mail_name",
        doc="Text after 220 in the SMTP greeting. RFC 5321 asks that it begin with the host name.",
    )
    mail_name: str = parameter(
        "Postfix",
        doc="The name of the mail system in greetings, Received: headers and bounces. It stays Postfix so "
        "that filters and log readers that look for it go on working.",
    )
    mail_version: str = parameter(
        "3.12.0",
        doc="The version of Postfix whose behaviour this system follows, for banners that show it.",
        differs="Postfix shows its own release; ours is the release that is imitated.",
    )
    compatibility_level: str = parameter(
        "0",
        doc="Which generation of defaults applies: 0 is the oldest, 3.11 the newest. A configuration that "
        "was written for an older release keeps its meaning as long as the level is not raised.",
    )
    append_at_myorigin: bool = parameter("yes", doc="Complete an address without a domain with @$myorigin.")
    append_dot_mydomain: bool = parameter(
        "${{$compatibility_level} <level {1} ? {yes} : {no}}",
        doc="Complete a domain without a dot with .$mydomain.",
    )
    swap_bangpath: bool = parameter("yes", doc="Rewrite site!user to user@site.")
    allow_percent_hack: bool = parameter("yes", doc="Rewrite user%domain to user@domain.")
    resolve_dequoted_address: bool = parameter(
        "yes",
        doc="Look inside quotes for @, ! and % when the destination of an address is worked out. With no, "
        '"user@elsewhere"@here is local, as the standard has it.',
    )
    resolve_null_domain: bool = parameter(
        "no", doc="Take user@ for an address of this host, and not for none."
    )
    resolve_numeric_domain: bool = parameter(
        "no", doc="Take user@192.0.2.1 for user@[192.0.2.1], and not for no address."
    )
    allow_min_user: bool = parameter(
        "no", doc="Take addresses that begin with -, which programs could mistake for an option."
    )
    allow_untrusted_routing: bool = parameter(
        "no",
        doc="Relay user%site@domain for strangers, too, if domain is one of relay_domains. A host there that "
        "trusts us might send it on.",
    )
    double_bounce_sender: str = parameter(
        "double-bounce",
        doc="Local part of the sender of notices to postmaster. Mail to this address is dropped, so that "
        "a notice that cannot be delivered ends there.",
    )
