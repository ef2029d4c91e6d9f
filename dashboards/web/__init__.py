"""The page: plain HTML, CSS and ES modules, served as they are or put into one file."""
