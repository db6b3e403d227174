"""dsync: what two Dovecots say to each other when they synchronize a user's mail (doveadm sync, dsync-server)."""
