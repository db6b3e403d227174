"""One account of several trees, and names as clients have them.

namespaced_account.py gives one tree another separator and prefix, united_account.py makes one of several.
"""
