"""Where an address leads: classes of domains, mappings, aliases.

resolution.py says where a recipient goes, mappings.py what becomes of addresses on the way into the queue;
configured_routes.py reads main.cf.
"""
