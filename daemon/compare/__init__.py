"""Two runs over one acquisition side by side.

What they have left (``finished``), how that differs (``figures``, ``agreement``), and how it is shown
(``command``).
"""
