"""Train students side by side, step by step."""
