"""Keep a queue of studies for a cluster: accept, submit, watch, submit again; Ray does the scheduling."""
