"""Settings of mailboxes, and of the protocols that show and fill them."""

from typing import Final

from pillarbox.config.dovecot.schema import Part
from pillarbox.config.treatment import Kind

PARTS: Final[tuple[Part, ...]] = (
    Part(
        Kind.SERVED,
        "",
        """
lda_mailbox_autocreate : bool = no
    Make the mailbox that a message is addressed to by its detail (user+mailbox).
lda_mailbox_autosubscribe : bool = no
    And subscribe the user to it.
lmtp_add_received_header : bool = yes
    Put a Received: field on messages that come by LMTP.
lmtp_hdr_delivery_address : none|final|original = final
    Which address Delivered-To: has on messages that come by LMTP: that of RCPT TO, or that of its ORCPT (none then,
    if it has none).
lmtp_rcpt_check_quota : bool = no
    Refuse recipients who are over quota at RCPT, before the message comes.
lmtp_save_to_detail_mailbox : bool = no
    Store user+mailbox@domain in the mailbox that the detail names.
mail_access_groups : str =
    Groups whose rights all mail processes have besides the user's own: of directories that users share.
mail_debug : bool = no
    Log what each mail session has been given: uid, gid, home, and where its mail is looked for.
pop3_client_workarounds : str =
    `outlook-no-nuls` (an octet of zeros goes out as 0x80), `oe-ns-eoh` (an empty line behind a header without one).
pop3_delete_type : default|expunge|flag = default
    What becomes of deleted messages: `expunge`, or `flag`, the default with pop3_deleted_flag.
pop3_deleted_flag : str =
    A keyword: messages that have it are not there for POP3 clients; deleted ones get it.
pop3_enable_last : bool = no
    Answer LAST (RFC 1460): the highest number that was retrieved. RSET makes all messages unread then.
pop3_lock_session : bool = no
    One session of a user at a time (dovecot-pop3-session.lock); another one waits for ten seconds, then gets -ERR.
pop3_logout_format : str = top=%t/%p, retr=%r/%b, del=%d/%m, size=%s
    What the log says of a session that is over: `%t` and `%p` count and octets of TOP, `%r` and `%b` of RETR, `%d`
    deleted messages (`%{deleted_bytes}`), `%m` and `%s` messages and octets at login, `%i` and `%o` octets that
    came and went, `%u` how many unique ids there were and are, with a checksum; `%{user}`, `%{session}`, `%{rip}`.
pop3_no_flag_updates : bool = no
    Do not mark as read what was retrieved.
pop3_reuse_xuidl : bool = no
    A message's X-UIDL field is its unique id.
pop3_save_uidl : bool = no
    Write unique ids into dovecot-uidlist, where they stay whatever pop3_uidl_format becomes.
pop3_uidl_duplicates : allow|rename = allow
    Whether a unique id that another message has already gets a number (`-2`).
pop3_uidl_format : str = %08Xu%08Xv
    What the unique ids of messages (UIDL) are made of: `%v` UIDVALIDITY, `%u` UID, `%f` base name of the file, `%g`
    GUID. Unique ids that dovecot-uidlist has stay as they are. Clients download everything again when they change.
imap_capability : str =
    Capabilities, instead of ours or, with a + before them, behind ours.
imap_client_workarounds : str =
    `delay-newmail`, `tb-extra-mailbox-sep`, `tb-lsub-flags`: for clients that misread the protocol.
imap_idle_notify_interval : time = 2 mins
    How often a client that is idle hears that the server is still there; 0 for never.
imap_hibernate_timeout : time = 0
    How long all clients of an account's process have said nothing when the process goes and leaves them to another
    one that watches for them; 0 for never.  Unless it is set, 5 seconds for a user's clients in IDLE, 30 seconds
    for others and for processes of several users.
imap_id_log : str =
    Fields of a client's ID (RFC 2971) that the log tells, `*` for all.
imap_id_send : str = name *
    What the server says of itself (ID, RFC 2971): names and values in turn, `*` for what is so.  `name *` is
    Dovecot, by which clients know what to expect.
imap_literal_minus : bool = no
    Offer LITERAL- in place of LITERAL+ (RFC 7888): what clients send without being asked is at most 4 KiB large.
imap_logout_format : str = in=%i out=%o deleted=%{deleted} expunged=%{expunged} trashed=%{trashed} \
hdr_count=%{fetch_hdr_count} hdr_bytes=%{fetch_hdr_bytes} body_count=%{fetch_body_count} \
body_bytes=%{fetch_body_bytes}
    What the log says of a session that is over; besides these `%{appended}`, `%{autoexpunged}`, `%{user}`,
    `%{session}`, `%{rip}`, ….
imap_max_line_length : size = 64 k
    Octets of a command line after login.
imap_urlauth_host : str =
    Whose URLs users may make and fetch (URLAUTH, RFC 4467), `*` for any host; with mail_attribute_dict, where their
    keys are. Of other users those with the same uid.
imap_urlauth_port : port = 143
    The port of those URLs.
imap_metadata : bool = no
    Let clients keep annotations of mailboxes (METADATA, RFC 5464).
mail_attribute_dict : str =
    Where annotations of a user's mailboxes are: `file:%h/Maildir/dovecot-attributes`; without it in a file of that
    name in the Maildir, which holds the special uses that clients gave (CREATE-SPECIAL-USE, RFC 6154), too.
mail_gid : str =
    Group of mailboxes whose user has none of his own.
mail_home : str =
    Home directory of users whose userdb names none.
mail_location : str =
    Where a user's mail lies: `maildir:~/Maildir`; with `:LAYOUT=fs`, `:CONTROL=DIR` and `:INDEX=DIR` as in Dovecot.
mail_server_admin : str =
    The administrator, as a URI: what clients read as /shared/admin (RFC 5464 §6.2.1.2).
mail_server_comment : str =
    What clients read as /shared/comment of the server.
mail_plugins : str =
    `quota`, `imap_quota`, `trash`, `zlib`, `acl`, `imap_acl`, `notify`, `mail_log`, `listescape`; other plugins are
    refused where mail would not be found or if nobody knows them, or told at start. `fts` makes no difference: a
    mailbox gets an index of its texts, ours, when a client searches bodies in it; with `fts_autoindex = yes` in
    `plugin { }` when a client opens it, with `fts = no` never.
mail_temp_dir : str = /tmp
    Where LMTP keeps a message of more than a MiB while it comes, and dsync what comes while it sends itself.
mail_uid : str =
    Owner of mailboxes whose user has none of his own.
lda_original_recipient_header : str =
    The header field that says to dovecot-lda whom a message was for, if -a does not.
postmaster_address : str = postmaster@%{if;%d;ne;;%d;%{hostname}}
    From whom dovecot-lda tells a sender that a mailbox has no room.
rejection_reason : str = Your message to <%t> was automatically rejected:%n%r
    What it says: `%n` is a line break, `%r` the reason, `%s` the subject, `%t` the recipient.
rejection_subject : str = Rejected: %s
    Its subject.
sendmail_path : str = /usr/sbin/sendmail
    The command that sends it.
deliver_log_format : str = msgid=%m: %$
    What is logged of a delivery: `%$` is what became of it, `%m` its Message-ID, `%s` the subject, `%f` who is in
    From, `%e` the sender, `%p` and `%w` its size, `%{to_envelope}`, `%{storage_id}`, `%{delivery_time}` and
    `%{session_time}` in milliseconds.
quota_full_tempfail : bool = no
    Let senders try again while a mailbox has no room.
recipient_delimiter : str = +
    What separates the detail of an address: user+detail@domain.
""",
    ),
    Part(
        Kind.REFUSED,
        "mail would be delivered or read elsewhere",
        """
lmtp_proxy : bool = no
mail_attachment_dir : str =
mail_save_crlf : bool = no
imapc_host : str =
pop3c_host : str =
submission_relay_host : str =
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "mailboxes are kept in step by their directories' times, in one process for each owner",
        """
dotlock_use_excl : bool = yes
lock_method : fcntl|flock|dotlock = fcntl
mail_cache_fields : str = flags
mail_always_cache_fields : str =
mail_never_cache_fields : str = imap.envelope
mail_fsync : optimized|never|always = optimized
mail_max_lock_timeout : time = 0
mail_nfs_index : bool = no
mail_nfs_storage : bool = no
mail_plugin_dir : str = /usr/lib/dovecot/modules
mail_prefetch_count : number = 0
mail_privileged_group : str =
mail_sort_max_read_count : number = 0
mail_temp_scan_interval : time = 1 weeks
mail_vsize_bg_after_count : number = 0
mailbox_idle_check_interval : time = 30 secs
mailbox_list_index : bool = yes
mailbox_list_index_include_inbox : bool = no
mailbox_list_index_very_dirty_syncs : bool = no
maildir_broken_filename_sizes : bool = no
maildir_copy_with_hardlinks : bool = yes
maildir_empty_new : bool = no
maildir_stat_dirs : bool = no
maildir_very_dirty_syncs : bool = no
mmap_disable : bool = no
pop3_fast_size_lookups : bool = no
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "mail is in Maildirs only",
        """
mail_attachment_detection_options : str =
mail_attachment_fs : str = sis posix
mail_attachment_hash : str = %{sha1}
mail_attachment_min_size : size = 128 k
mbox_dirty_syncs : bool = yes
mbox_dotlock_change_timeout : time = 2 mins
mbox_lazy_writes : bool = yes
mbox_lock_timeout : time = 5 mins
mbox_md5 : apop3d|all = apop3d
mbox_min_index_size : size = 0
mbox_read_locks : str = fcntl
mbox_very_dirty_syncs : bool = no
mbox_write_locks : str = fcntl dotlock
mdbox_preallocate_space : bool = no
mdbox_rotate_interval : time = 0
mdbox_rotate_size : size = 10 M
imapc_cmd_timeout : time = 5 mins
imapc_connection_retry_count : number = 1
imapc_connection_retry_interval : milliseconds = 1 secs
imapc_features : str =
imapc_list_prefix : str =
imapc_master_user : str =
imapc_max_idle_time : time = 29 mins
imapc_max_line_length : size = 0
imapc_password : str =
imapc_port : port = 143
imapc_rawlog_dir : str =
imapc_sasl_mechanisms : str =
imapc_ssl : no|imaps|starttls = no
imapc_ssl_verify : bool = yes
imapc_user : str =
pop3c_features : str =
pop3c_master_user : str =
pop3c_password : str =
pop3c_port : port = 110
pop3c_quick_received_date : bool = no
pop3c_rawlog_dir : str =
pop3c_ssl : no|pop3s|starttls = no
pop3c_ssl_verify : bool = yes
pop3c_user : str = %u
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "FETCH tells of all messages that can be read, then NO, as with no-after",
        """
imap_fetch_failure : disconnect-immediately|disconnect-after|no-after = disconnect-immediately
""",
    ),
    Part(
        Kind.LATER,
        "it is not served yet",
        """
dict_db_config : str =
imap_id_retain : bool = no
imap_urlauth_logout_format : str = in=%i out=%o
lmtp_client_workarounds : str =
lmtp_proxy_rawlog_dir : str =
lmtp_rawlog_dir : str =
lmtp_user_concurrency_limit : number = 0
lmtp_verbose_replies : bool = no
mail_full_filesystem_access : bool = no
mail_max_keyword_length : number = 50
mail_shared_explicit_inbox : bool = no
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "it is about the index files of Dovecot's own, which are not written",
        """
mail_cache_max_size : size = 1 G
mail_cache_min_mail_count : number = 0
mail_cache_purge_continued_percentage : number = 200
mail_cache_purge_delete_percentage : number = 20
mail_cache_purge_header_continue_count : number = 4
mail_cache_purge_min_size : size = 32 k
mail_cache_record_max_size : size = 64 k
mail_cache_unaccessed_field_drop : time = 30 days
mail_index_log2_max_age : time = 2 days
mail_index_log_rotate_max_size : size = 1 M
mail_index_log_rotate_min_age : time = 5 mins
mail_index_log_rotate_min_size : size = 32 k
mail_index_rewrite_max_log_bytes : size = 128 k
mail_index_rewrite_min_log_bytes : size = 8 k
""",
        hidden=True,
    ),
    Part(
        Kind.LATER,
        "Sieve scripts are not run yet",
        """
managesieve_client_workarounds : str =
managesieve_implementation_string : str = Dovecot Pigeonhole
managesieve_logout_format : str = bytes=%i/%o
managesieve_max_compile_errors : number = 5
managesieve_max_line_length : size = 64 k
managesieve_notify_capability : str =
managesieve_sieve_capability : str =
""",
        apart=True,
    ),
    Part(
        Kind.NO_EFFECT,
        "submission is Postfix's: smtpd serves it by master.cf",
        """
submission_client_workarounds : str =
submission_host : str =
submission_logout_format : str = in=%i out=%o
submission_max_mail_size : size = 0
submission_max_recipients : number = 0
submission_relay_command_timeout : milliseconds = 5 mins
submission_relay_connect_timeout : milliseconds = 30 secs
submission_relay_master_user : str =
submission_relay_max_idle_time : time = 29 mins
submission_relay_password : str =
submission_relay_port : port = 25
submission_relay_rawlog_dir : str =
submission_relay_ssl : no|smtps|starttls = no
submission_relay_ssl_verify : bool = yes
submission_relay_trusted : bool = no
submission_relay_user : str =
submission_ssl : no|smtps|starttls = no
submission_timeout : time = 30 secs
""",
    ),
)

PILLARBOX: Final = Part(
    Kind.SERVED,
    "",
    """
quota_mail_size : size = 0
    Octets of a message that IMAP APPEND takes (RFC 7889); 0 is no limit.  Dovecot 2.4 has this setting.
""",
)
"""What Dovecot 2.3 does not have."""
