"""What dovecot.conf says of POP3 sessions, checked.

FAULTS
    ConfigurationFault  a value that cannot be served

STANDARDS
    Dovecot 2.3, pop3_*
"""

from collections.abc import Callable, Mapping
from typing import Any

from pillarbox.config.dovecot import logout_format, uidl_format
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.vocabulary.faults import ConfigurationFault


def pop3_settings(pop3: Configuration) -> dict[str, Any]:
    """Fields of MailboxSettings, from what counts within `protocol pop3`."""
    return {
        "pop3_delete_type": _delete_type(pop3),
        "pop3_deleted_flag": pop3.value("pop3_deleted_flag"),
        "pop3_enable_last": pop3.yes("pop3_enable_last"),
        "pop3_lock_session": pop3.yes("pop3_lock_session"),
        "pop3_logout_format": logout_text(pop3, "pop3_logout_format", logout_format.POP3_FIGURES),
        "pop3_no_flag_updates": pop3.yes("pop3_no_flag_updates"),
        "pop3_reuse_xuidl": pop3.yes("pop3_reuse_xuidl"),
        "pop3_save_uidl": pop3.yes("pop3_save_uidl"),
        "pop3_uidl_duplicates": pop3.value("pop3_uidl_duplicates"),
        "pop3_uidl_format": _checked(
            pop3,
            "pop3_uidl_format",
            uidl_format.check,
            mend="pop3_uidl_format = %08Xu%08Xv, or what clients know from the server before",
        ),
    }


def logout_text(configuration: Configuration, name: str, figures: Mapping[str, str]) -> str:
    """imap_logout_format or pop3_logout_format."""
    return _checked(configuration, name, lambda text: logout_format.check(text, figures))


def _delete_type(pop3: Configuration) -> str:
    kind, flag = pop3.value("pop3_delete_type"), pop3.value("pop3_deleted_flag")
    if kind == "flag" and not flag:
        raise ConfigurationFault(
            pop3.where("pop3_delete_type"), "pop3_delete_type=flag, but pop3_deleted_flag not set"
        )
    if flag.startswith("\\") or any(octet in ' (){%*"]' or not "!" <= octet <= "~" for octet in flag):
        raise ConfigurationFault(
            pop3.where("pop3_deleted_flag"),
            f"pop3_deleted_flag: {flag} is no keyword",
            mend='pop3_deleted_flag = "$POP3Deleted"',
        )
    return ("flag" if flag else "expunge") if kind == "default" else kind


def _checked(configuration: Configuration, name: str, check: Callable[[str], None], *, mend: str = "") -> str:
    text = configuration.value(name)
    try:
        check(text)
    except ValueError as error:
        raise ConfigurationFault(configuration.where(name), f"{name}: {error}", mend=mend) from error
    return text
