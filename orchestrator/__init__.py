"""What runs where, when and why."""
