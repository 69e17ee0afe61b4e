"""The live dashboard: a web page that shows what the daemon tells, made to be read from across the room.

It is a client of the wire protocol like any other and can be started, stopped and moved without the daemon
noticing. The page loads nothing from any other machine: microscopes have no internet.
"""
