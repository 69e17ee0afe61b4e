"""Everything that touches the world: files, sockets, clocks, processes, the command line."""

from typing import Final

__version__: Final = "0.1.0"
