"""dovecot.conf: from its lines to the settings of the mailbox half's roles.

text.py has lines, reading.py settings that know where they stand, by schema.py and declared/; interpretation.py
makes of them what roles get; unserved.py says what does not do what it says.
"""
