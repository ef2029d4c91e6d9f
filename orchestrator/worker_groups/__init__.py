"""Run trials inside Ray: Tune trainables, the broker between them, and worker groups."""
