"""Words that all other packages use: addresses, replies, status codes, flags, numbers, clocks.  No I/O."""
