"""Networks on the device: NumPy, Pillow and an interpreter, no TensorFlow."""
