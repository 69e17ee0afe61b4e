"""Side-by-side timings and the tables of the papers; ``python -m benchmarks NAME [--quick] [--json]``."""
