"""Who is told of alarms when nobody looks at a screen: when (``policy``, pure), what (``letters``), and how
(``delivery``), by the daemon's own thread (``desk``) or, if the daemon is dead, from outside (``watchdog``).
"""
