"""Which delivery is next, and when something is tried again: pure functions of state and time."""
