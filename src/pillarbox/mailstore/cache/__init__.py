"""What has been found out about messages, and may be lost: rows, notes of arrivals, an index of texts, indexers.

account_database.py is the file, message_cache.py its rows, message_summaries.py what FETCH takes of them.
"""
