"""The room where stylizers are made: PyTorch in, ONNX files and cards out, none of it served."""
