"""Milters and MIME handling: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.REFUSED,
        "milters are not served yet, and without them unfiltered mail would pass",
        """
milter_header_checks =
non_smtpd_milters =
smtpd_milter_maps =
smtpd_milters =
""",
    ),
    Section(
        Kind.LATER,
        "milters are not served yet",
        """
internal_mail_filter_classes =
milter_command_timeout = 30s
milter_connect_macros = j {daemon_name} {daemon_addr} v _
milter_connect_timeout = 30s
milter_content_timeout = 300s
milter_data_macros = i
milter_default_action = shutdown
milter_end_of_data_macros = i
milter_end_of_header_macros = i
milter_helo_macros = {tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}
milter_macro_daemon_name = $myhostname
milter_macro_defaults =
milter_macro_v = $mail_name $mail_version
milter_mail_macros = i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}
milter_protocol = 6
milter_rcpt_macros = i {rcpt_addr} {rcpt_host} {rcpt_mailer}
milter_unknown_command_macros =
""",
    ),
    Section(
        Kind.LATER,
        "this way of handling MIME is not served yet",
        """
force_mime_input_conversion = no
full_name_encoding_charset = utf-8
non_empty_end_of_header_action = fix_quietly
""",
    ),
)
