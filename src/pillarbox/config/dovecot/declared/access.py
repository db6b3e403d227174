"""Settings of logins: authentication, TLS, limits."""

from typing import Final

from pillarbox.config.dovecot.schema import Part
from pillarbox.config.treatment import Kind

PARTS: Final[tuple[Part, ...]] = (
    Part(
        Kind.SERVED,
        "",
        """
auth_anonymous_username : str = anonymous
    Whose mail a client reads who logs in by SASL ANONYMOUS.
auth_debug : bool = no
    Log each step of a login and of a lookup: what clients say, which databases are asked. Means auth_verbose.
auth_debug_passwords : bool = no
    Log passwords, too, given and stored, and what clients send encoded. Means auth_debug.
auth_default_realm : str =
    Domain of a user who gives none.
auth_failure_delay : time = 2 secs
    How long the answer to a wrong password is held back.
auth_master_user_separator : str =
    Between user and master user of a login name: `user*master` with `*`.
auth_mechanisms : str = plain
    SASL mechanisms that are offered: plain, login, digest-md5, cram-md5, scram-sha-1, scram-sha-256, anonymous,
    external, oauthbearer, xoauth2; apop for POP3.
auth_realms : str =
    Realms that DIGEST-MD5 offers to choose from; any that a client names is taken.
auth_ssl_require_client_cert : bool = no
    Refuse whoever has shown no certificate that ssl_ca's authorities have signed; set ssl_verify_client_cert, too.
auth_ssl_username_from_cert : bool = no
    Take the user's name from a certificate that was verified, whatever the client says.
auth_username_chars : str = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@
    Characters that a login name may have; empty for all.
auth_username_format : str = %Lu
    What becomes of a login name before users are looked up.
auth_username_translation : str =
    Pairs of characters: the first of each is replaced by the second.
auth_verbose_passwords : str = no
    What the log says of a password that was wrong: no, plain, sha1; `sha1:6` is the first six digits.
auth_verbose : bool = no
    Log why a login was refused.
auth_worker_max_count : number = 30
    How many PAM and shadow questions are answered at the same time.
disable_plaintext_auth : bool = yes
    Refuse mechanisms that show the password unless TLS is on or the client is on this host.
first_valid_gid : number = 1
    Lowest group id of a mailbox's owner.
first_valid_uid : number = 500
    Lowest user id of a mailbox's owner.
last_valid_gid : number = 0
    Highest group id of a mailbox's owner; 0 for no limit.
last_valid_uid : number = 0
    Highest user id of a mailbox's owner; 0 for no limit.
login_greeting : str = Dovecot (Debian) ready.
    What a client is greeted with.
haproxy_timeout : time = 3 secs
    Time for a proxy to say whom it speaks for.
haproxy_trusted_networks : str =
    Proxies that are believed, where inet_listener has `haproxy = yes`; nobody else may connect there.
login_trusted_networks : str =
    Clients that count as secured without TLS, and are never slowed down for wrong passwords.  They may be proxies
    that tell who their clients are: by ID in IMAP (x-originating-ip and so on), by XCLIENT in POP3.
mail_max_userip_connections : number = 10
    Sessions of one user from one address, by protocol.
ssl : no|yes|required = yes
    Whether TLS is offered; `required` refuses passwords without it.
ssl_alt_cert : str =
    A certificate of another kind besides, RSA or ECDSA, for clients that cannot check the first.
ssl_alt_key : str =
    Its key.
ssl_ca : str =
    Who may have signed clients' certificates, and the lists of those revoked: `</path/to/file`.
ssl_cert_username_field : str = commonName
    The field of the certificate's subject that auth_ssl_username_from_cert takes.
ssl_cert : str =
    The certificate with its chain: `</path/to/file`.
ssl_cipher_list : str = \
ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH
    Ciphers for TLS 1.2 in OpenSSL's language; empty for its own choice.
ssl_cipher_suites : str =
    Ciphers for TLS 1.3, names with colons between; empty for the library's own choice.
ssl_curve_list : str =
    Curves for the exchange of keys, names with colons between; empty for the library's own choice.
ssl_dh : str =
    A group for ciphers with DHE: `</path/to/file`; empty for none of these ciphers.
ssl_key : str =
    The certificate's key: `</path/to/file`.
ssl_key_password : str =
    Password of the key, and of ssl_alt_key, if they are encrypted.
ssl_min_protocol : str = TLSv1.2
    Oldest version of TLS: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3, ANY or LATEST.  What is older than TLSv1.2 needs
    @SECLEVEL=0 in ssl_cipher_list, too: OpenSSL thinks its signatures too weak otherwise.
ssl_options : str =
    `no_ticket`: sessions are not resumed by tickets; `compression` has no effect.
ssl_prefer_server_ciphers : bool = no
    Choose by our order of ciphers, not by the client's.
ssl_require_crl : bool = yes
    Whether a client's certificate counts only if ssl_ca has its issuer's list of revoked ones.
ssl_client_ca_dir : str =
    Directory of authorities' certificates, by which that of another host's doveadm service (`tcps:`) is checked.
ssl_client_ca_file : str =
    File of such certificates.
ssl_client_require_valid_cert : bool = yes
    Whether a doveadm service's certificate has to be valid, and to name the host.
ssl_verify_client_cert : bool = no
    Ask clients for a certificate.  One that is missing or not valid ends nothing by itself.
""",
    ),
    Part(
        Kind.REFUSED,
        "who gets in would be decided without it",
        """
auth_policy_server_url : str =
auth_use_winbind : bool = no
login_plugins : str =
login_access_sockets : str =
mail_chroot : str =
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "right passwords are remembered for as long as the stored ones stay the same, and nothing else is",
        """
auth_cache_negative_ttl : time = 1 hours
auth_cache_size : size = 0
auth_cache_ttl : time = 1 hours
auth_cache_verify_password_with_worker : bool = no
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "no other server is shown a certificate of ours",
        """
ssl_client_cert : str =
ssl_client_key : str =
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "it belongs to something that is refused or does not exist here",
        """
auth_gssapi_hostname : str =
auth_krb5_keytab : str =
auth_policy_check_after_auth : bool = yes
auth_policy_check_before_auth : bool = yes
auth_policy_hash_mech : str = sha256
auth_policy_hash_nonce : str =
auth_policy_hash_truncate : number = 12
auth_policy_log_only : bool = no
auth_policy_reject_on_fail : bool = no
auth_policy_report_after_auth : bool = yes
auth_policy_request_attributes : str = login=%{requested_username} pwhash=%{hashed_password} \
remote=%{rip} device_id=%{client_id} protocol=%s session_id=%{session}
auth_policy_server_api_header : str =
auth_policy_server_timeout_msecs : number = 2000
auth_proxy_self : str =
auth_socket_path : str = auth-userdb
auth_stats : bool = no
auth_winbind_helper_path : str = /usr/bin/ntlm_auth
login_plugin_dir : str = /usr/lib/dovecot/modules/login
login_proxy_max_disconnect_delay : time = 0
login_proxy_max_reconnects : number = 3
login_proxy_notify_path : str = proxy-notify
login_proxy_rawlog_dir : str =
login_proxy_timeout : milliseconds = 30 secs
login_source_ips : str =
master_user_separator : str =
ssl_crypto_device : str =
""",
    ),
)
