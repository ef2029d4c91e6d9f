"""Write a study's results as paper-style tables and figures."""
