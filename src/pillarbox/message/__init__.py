"""RFC 5322 and MIME: octets in, what they say out.  No I/O.

content.py is what is read; header_fields.py, mime_tree.py and sections.py take it apart; envelope.py and
body_structure.py say it as IMAP does; text_matching.py searches.
"""
