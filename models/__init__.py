"""Networks: architectures, training, export, the ONNX session, and the shipped weights in ``models/zoo``."""
