"""The stages of a slice's way: each joins pure algorithms to the records of ``daemon.items``.

Stages are called in ``daemon/runner.py`` and nowhere else, and never call each other.
"""
