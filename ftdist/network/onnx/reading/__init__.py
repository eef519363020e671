"""How an ONNX file is read: ``file`` is where it begins, and what is in there as plain values."""
