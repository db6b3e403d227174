"""Who may use the mail system from a shell: submit mail, see and flush the queue."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import MatchList


@settings_group
class LocalSubmission:
    """Users by login name, of whom root always may, and what sendmail(1) makes of their lines."""

    authorized_submit_users: MatchList = parameter(
        "static:anyone",
        doc="Users who may submit mail with sendmail(1) and postdrop(1). Names, !names, tables.",
    )
    authorized_mailq_users: MatchList = parameter(
        "static:anyone",
        doc="Users who may see the queue with mailq(1) and postqueue(1). Names, !names, tables.",
    )
    authorized_flush_users: MatchList = parameter(
        "static:anyone", doc="Users who may flush the queue with postqueue(1). Names, !names, tables."
    )
    local_login_sender_maps: tuple[str, ...] = parameter(
        "static:*",
        doc="Tables from a login name, or uid:NUMBER, to the envelope senders that the user may have: addresses, "
        "@domain, <> and *.",
    )
    empty_address_local_login_sender_maps_lookup_key: str = parameter(
        "<>", doc="What stands for the null sender in local_login_sender_maps."
    )
    sendmail_fix_line_endings: Literal["always", "strict", "never"] = parameter(
        "always",
        doc="When CRs before the line ends of a message are taken off. strict: if its first line has one.",
    )
