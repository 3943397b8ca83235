"""The room where stylizers are made: PyTorch in, ONNX files and style cards out, nothing of it needed to serve."""
