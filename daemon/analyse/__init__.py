"""``slicewatch analyse``: how ions and electrons get through a volume of labels."""
