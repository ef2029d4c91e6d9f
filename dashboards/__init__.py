"""Show the results of studies on a page: a front end, chart specifications and a small server."""
