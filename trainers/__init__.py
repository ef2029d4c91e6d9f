"""What one worker group does: build detectors, distil, evaluate, checkpoint. Runs without Ray and MLflow."""
