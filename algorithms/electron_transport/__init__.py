"""Monte Carlo transport of beam electrons in a voxel structure, and what comes back out of it.

Lengths in nm, energies in keV, cross-sections per volume in 1/nm. The face is the plane z = 0, z grows into
the sample; directions are (z, y, x) unit vectors, so an electron of the beam has dz > 0. Nothing here imports
Warp except :mod:`algorithms.electron_transport.kernels` and what launches it.
"""
