"""Settings of both products: what the files say, checked, as what programs work with.

parameter.py declares one and reading.py reads main.cf and master.cf into snapshot.py; findings.py says what is
not served. parameters/ and unserved/ hold Postfix's parameters, dovecot/ reads dovecot.conf into
mailbox_settings.py.
"""
