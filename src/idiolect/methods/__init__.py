"""One file a method: a config and a loop that reads top to bottom, ending in a ``Writer``."""
