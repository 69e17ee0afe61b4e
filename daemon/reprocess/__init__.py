"""Finished runs processed again, many at once, each by a process of its own.

What there is to do (``jobs``), one run from start to outcome, whatever kills its process (``attend``), many
on this machine (``here``) or on the workers of a Dask cluster (``cluster``), how far they are (``progress``),
and how they ended (``command``).
"""
