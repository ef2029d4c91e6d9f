"""Draw the figures of a paper's supplement: training over time, and predictions side by side."""
