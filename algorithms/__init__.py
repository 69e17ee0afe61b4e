"""Pure computation on arrays: no I/O, no logging, no clock, no configuration objects.

Conventions, stated once for every module of this package
---------------------------------------------------------
- Arrays are ``(z, y, x)`` or ``(channel, y, x)``; a face is ``(y, x)``. Index order is C order.
- Lengths carry their unit in their name: ``_nm``, ``_px``, ``_s``, ``_kv``.
- A *shift* ``(dy, dx)`` in px is what must be **added to a coordinate of the moving image to get the
  coordinate in the reference image**: ``reference[y + dy, x + dx] == moving[y, x]``. It is the value that
  ``skimage.registration.phase_cross_correlation(reference, moving)`` returns.
- Depth grows into the sample. Image y grows downwards, away from the sample's top surface.
- Phases: 0 = pore, 1 = solid, 2… further phases. Labels are ``uint8``.
- An invalid number is NaN or an explicit record, never 0.
- States of streaming computations are frozen dataclasses that hold only arrays, numbers, strings, tuples and
  other such dataclasses, so that a journal can store them and a restart continues bit for bit.
"""
