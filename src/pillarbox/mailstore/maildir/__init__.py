"""The store in Maildirs, as Dovecot keeps them.

account.py and mailbox.py are on the event loop; folder_files.py and its folder_*.py do the work on files in
threads; mailbox_tree.py says where mailboxes lie.
"""
