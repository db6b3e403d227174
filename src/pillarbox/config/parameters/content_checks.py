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
        "51200", minimum=1, doc="Octets of each part of a message that body_checks look at."
    )
