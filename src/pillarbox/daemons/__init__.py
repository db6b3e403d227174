"""The processes: a module for each role of docs/architecture.md, and what those of one role share.

startup.py says how a role begins, zygote.py forks them.  smtpd.py, qmgr.py, smtp.py, delivery.py,
local_delivery.py and spawn.py are the MTA's; auth.py, login.py, lmtp.py, quota_status.py, script.py, spawner.py,
account_worker.py and indexer.py the mailbox half's.
"""
