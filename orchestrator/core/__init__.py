"""Hold what every part of the orchestrator may use and what uses no other part: errors, findings, the store's layout, safe printing."""
