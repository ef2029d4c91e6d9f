"""Measure detectors with random weights: parameters, multiply-adds, and the latency on a CPU."""
