"""Cut down or draw the data that a shortened reproduction runs on."""
