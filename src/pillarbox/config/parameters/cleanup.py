"""What is done to a message on its way into the queue."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class Cleanup:
    """Header completion, limits and MIME handling at the door of the queue."""

    cleanup_service_name: str = parameter(
        "cleanup",
        doc="Service of cleanup(8) whose -o options count for mail that comes in: address mappings, header and "
        "body checks, limits on headers.",
    )
    always_add_missing_headers: bool = parameter(
        "no",
        doc="Add From:, Date: and Message-Id: wherever they are missing, and not only to mail from the "
        "clients of local_header_rewrite_clients.",
    )
    tls_required_enable: bool = parameter(
        "yes",
        doc="Heed `TLS-Required: no` in a header: the sender would rather have the message sent without TLS than "
        "not at all, whatever smtp_tls_security_level and smtp_tls_policy_maps say (RFC 8689).",
    )
    local_header_rewrite_clients: tuple[str, ...] = parameter(
        "permit_inet_interfaces",
        doc="Clients whose message headers are completed with our domain: permit_inet_interfaces, "
        "permit_mynetworks, permit_sasl_authenticated, permit_tls_clientcerts, "
        "permit_tls_all_clientcerts, check_address_map type:table or type:table.",
    )
    remote_header_rewrite_domain: str = parameter(
        "",
        doc="Domain that completes addresses in headers of mail from other clients. Empty: those headers "
        "are left as they are.",
    )
    message_drop_headers: tuple[str, ...] = parameter(
        "bcc, content-length, resent-bcc, return-path",
        doc="Headers that are taken out of every message.",
    )
    detect_8bit_encoding_header: bool = parameter(
        "yes",
        doc="Take a message with Content-Transfer-Encoding: 8bit for one in 8 bits, whatever the client said of it "
        "with MAIL FROM.",
    )
    header_from_format: Literal["standard", "obsolete"] = parameter(
        "standard",
        doc="How From: is made for local mail without one: standard is Name <address>, obsolete address (Name).",
    )
    hopcount_limit: int = parameter(
        "50", minimum=1, doc="Received: headers at which a message is taken to be in a loop and is returned."
    )
    header_size_limit: int = parameter(
        "102400",
        minimum=1,
        doc="Octets of one message header with its continuation lines. What is more is cut off.",
    )
    header_address_token_limit: int = parameter(
        "10240",
        minimum=1,
        doc="Words, signs and comments of one header field with addresses that are read when an address in it is "
        "rewritten. What is behind them is cut off.",
    )
    undisclosed_recipients_header: str = parameter(
        "",
        doc="Header that is added to a message without To:, Cc: and Bcc:, such as To: "
        "undisclosed-recipients:;. Empty: none.",
    )
    cleanup_replace_stray_cr_lf: bool = parameter(
        "yes",
        doc="Put a space in the place of each CR or LF that is not part of a line end, so that no server "
        "after us can see two messages in one.",
    )
    duplicate_filter_limit: int = parameter(
        "1000",
        minimum=0,
        doc="Recipients that are remembered so that the same one is not added twice. 0: all.",
    )
