"""Name packages as Ray's own uploads do (written against 2.60.0): Ray documents no way to hand one to a cluster."""

PREFIX, PROTOCOL = "_ray_pkg_", "gcs"


def package_name(digest: str) -> str:
    """Return the file name of an archive by its digest; Ray never changes a package, so equal names are equal files."""
    return f"{PREFIX}{digest[:32]}.zip"


def package_path(name: str) -> str:
    """Return the path at a cluster's dashboard that says whether the cluster has a package, and takes one."""
    return f"/api/packages/{PROTOCOL}/{name}"


def package_uri(name: str) -> str:
    """Return the URI by which a job's ``working_dir`` names an uploaded package."""
    return f"{PROTOCOL}://{name}"
