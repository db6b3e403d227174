"""Who may do what with whose mailboxes: acl.py, by the files that acl_file.py reads."""
