"""Define a study's results once: which trials count, their rows, means, spreads, ranks and the names of metrics."""
