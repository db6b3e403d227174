"""Queue files, in Postfix's directories and format.

records.py and queue_file.py are the format; incoming.py writes new files by way of submission.py,
active_files.py works on those of the queue manager; queue_repair.py and message_actions.py are postsuper's.
"""
