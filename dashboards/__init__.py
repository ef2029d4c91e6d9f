"""The page: a front end, chart specifications and the small server that shows what a study found."""
