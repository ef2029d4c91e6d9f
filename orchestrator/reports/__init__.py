"""Write what a study has shown: tables as a paper prints them, and figures."""
