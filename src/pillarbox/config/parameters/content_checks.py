"""header_checks and its kin: tables that are asked for every header and body line of new mail."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class ContentChecks:
    """Tables for headers and body lines."""

    header_checks: tuple[str, ...] = parameter(
        "",
        doc="Tables (regexp, pcre) that are asked for each header of a message, with its continuation lines. "
        "See header_checks(5) for what they may answer.",
    )
    mime_header_checks: tuple[str, ...] = parameter(
        "$header_checks",
        doc="The same for MIME headers (Content-Type and others), of the message and of its parts.",
    )
    nested_header_checks: tuple[str, ...] = parameter(
        "$header_checks", doc="The same for the other headers of attached messages (message/rfc822)."
    )
    body_checks: tuple[str, ...] = parameter("", doc="Tables that are asked for each line of a body.")
    body_checks_size_limit: int = parameter(
        "51200", minimum=0, doc="Octets of each part of a message that body_checks look at. 0: all."
    )
    disable_mime_input_processing: bool = parameter(
        "no", doc="Do not look into the parts of new messages: all that follows the first header is body."
    )
    mime_nesting_limit: int = parameter(
        "100",
        minimum=1,
        doc="How deep multiparts are looked into. Where headers are checked, a message with more is refused.",
    )
    mime_boundary_length_limit: int = parameter(
        "2048", minimum=1, doc="Octets of a multipart's boundary that are compared."
    )
    message_reject_characters: str = parameter(
        "",
        doc="Characters that no message may have, with the escapes of C. Encoded text is not decoded for that.",
    )
    message_strip_characters: str = parameter(
        "", doc="Characters that are taken out of every message; written as message_reject_characters."
    )
    strict_7bit_headers: bool = parameter("no", doc="Refuse mail with 8-bit characters in headers.")
    strict_8bitmime: bool = parameter("no", doc="Both strict_7bit_headers and strict_8bitmime_body.")
    strict_8bitmime_body: bool = parameter(
        "no",
        doc="Refuse mail with 8-bit characters in a body that does not say `Content-Transfer-Encoding: 8bit`. "
        "Many programs send such mail.",
    )
    strict_mime_encoding_domain: bool = parameter(
        "no", doc="Refuse mail with a multipart or an attached message in base64 or quoted-printable."
    )
