"""``slicewatch synthesize``: virtual samples, their Monte Carlo images, and data sets to learn from.

Nothing in the daemon depends on this package, and of its modules only those that need Warp import it.
"""
