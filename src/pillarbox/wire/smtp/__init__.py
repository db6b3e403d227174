"""SMTP's grammar: server.py and client.py are the two ends, commands.py and replies.py what they say."""
