"""One file per command of ``stillhouse``; each adds its arguments and runs."""
