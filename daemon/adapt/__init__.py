"""``slicewatch adapt``: a copy of a network, fine-tuned to an acquisition, offered."""
