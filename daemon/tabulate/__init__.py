"""The published tables, measured on our held-out data: ``slicewatch evaluate tables``."""
