"""Pillarbox: the whole mail system of a Unix host."""
