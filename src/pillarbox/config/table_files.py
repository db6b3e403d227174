"""Files of database tables as postconf(1) looks at them: what do they set in vain?

DESCRIPTION
    A table of a database takes its attributes from a file, as sqlite:/etc/postfix/users.cf, or from main.cf
    itself, as sqlite:users does (users_dbpath, users_query).  A misspelt attribute in such a file would be
    read by nobody, so postconf warns of it, and of a file that cannot be read.

FAULTS
    ConfigurationFault  a line of such a file without `=`.

SOURCE
    ldap_table(5), memcache_table(5), mysql_table(5), pgsql_table(5), sqlite_table(5)
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Final

from pillarbox.config.logical_lines import read_text
from pillarbox.config.main_cf import parse_main_cf

TABLE_ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "ldap": tuple(
        "bind bind_dn bind_pw cache cache_expiry cache_size chase_referrals debuglevel dereference domain "
        "expansion_limit leaf_result_attribute query_filter recursion_limit result_attribute result_filter "
        "result_format scope search_base server_host server_port size_limit special_result_attribute start_tls "
        "terminal_result_attribute timeout tls_ca_cert_dir tls_ca_cert_file tls_cert tls_cipher_suite tls_key "
        "tls_random_file tls_require_cert version sasl_mechs sasl_realm sasl_authz_id sasl_minssf".split()
    ),
    "memcache": tuple("backup data_size_limit domain flags key_format line_size_limit max_try memcache "
                      "retry_pause timeout ttl".split()),
    "mysql": tuple(
        "additional_conditions dbname domain expansion_limit hosts option_file option_group password query "
        "require_result_set result_format select_field select_function table tls_CAfile tls_CApath "
        "tls_cert_file tls_ciphers tls_key_file tls_verify_cert user where_field".split()
    ),
    "pgsql": tuple(
        "additional_conditions dbname domain encoding expansion_limit hosts password query result_format "
        "select_field select_function table user where_field".split()
    ),
    "sqlite": tuple("additional_conditions dbpath domain expansion_limit query result_format select_field "
                    "table where_field".split()),
}  # fmt: skip
"""What each type of table may be told, in its file or after its name and `_` in main.cf."""

_FILE: Final = re.compile(r"(?:^|[\s,{])(?:proxy:)*(ldap|memcache|mysql|pgsql|sqlite):(/[^\s,}]*)")


def table_file_warnings(texts: Iterable[str]) -> Iterator[str]:
    """Warnings of the files that the values name, each once; in the words of Postfix's command."""
    found = dict.fromkeys(file for text in texts for file in _FILE.findall(text))
    for kind, path in found:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                yield f'open "{kind}" configuration "{path}": not a regular file'
                continue
            content = read_text(path)
        except OSError as error:
            yield f'open "{kind}" configuration "{path}": {error.strerror}'
            continue
        for name, value in parse_main_cf(content, path=path).values.items():
            if name not in TABLE_ATTRIBUTES[kind]:
                yield f"{kind}:{path}: unused parameter: {name}={value.text}"
