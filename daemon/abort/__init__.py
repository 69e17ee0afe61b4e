"""The only arrow back to the microscope: when to use it (``policy``, a value) and how (``act``, an act).

An alarm of sustained drift, while armed, asks the microscope to pause; unless somebody acknowledges it
within the grace period, the microscope is stopped. Actions are tried in order, each with retries and a time
limit, on a thread of their own (``actor``): the pipeline never waits for a peer that hangs.
"""
