"""Hold the bottom layer, usable by the whole orchestrator: errors, findings, the store's layout, safe printing."""
