"""What each role of the MTA would load and make for itself when it opens its tables.

DESCRIPTION
    Imported by the zygote, so that the roles share it: lookup tables of the types that need no library of somebody
    else, the parameters that are not served, and what the defaults of the others are.  What a name server sends
    makes no role load anything.
"""

import pillarbox.tables.cidr_table
import pillarbox.tables.constant_tables
import pillarbox.tables.indexed_table
import pillarbox.tables.lmdb_writing
import pillarbox.tables.map_source
import pillarbox.tables.passwd_file_table
import pillarbox.tables.pattern_sources
import pillarbox.tables.regexp_table
import pillarbox.tables.text_table  # noqa: F401 - the names are not wanted, the modules are
from pillarbox.config.postfix_parameters import GROUPS
from pillarbox.config.snapshot import built_in_values
from pillarbox.config.unserved_parameters import unserved
from pillarbox.net.dns.messages import leave_others_unread

leave_others_unread()
unserved()
for group in GROUPS:
    built_in_values(group)
