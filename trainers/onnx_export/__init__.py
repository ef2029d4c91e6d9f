"""Write a trained student as an ONNX file that finds the same boxes, and a reader that needs numpy and onnxruntime."""
