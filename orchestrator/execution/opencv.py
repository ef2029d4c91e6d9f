"""Tell which builds of OpenCV are installed: those for a screen and those without share one folder, ``cv2``."""

from importlib.metadata import distributions

HEADLESS = "opencv-python-headless"
BUILDS = ("opencv-python", "opencv-contrib-python", HEADLESS, "opencv-contrib-python-headless")
# mmcv-lite and mmengine require opencv-python, which needs libGL; no metadata of ours can take that back.
REPAIR = f"pip uninstall -y {' '.join(BUILDS)} && pip install {HEADLESS}"


def opencv_builds() -> list[str]:
    """Return the names and versions of the installed builds."""
    found = {(one.metadata["Name"] or "").lower().replace("_", "-"): one.version for one in distributions()}
    return [f"{name} {found[name]}" for name in BUILDS if name in found]


def is_opencv_fault(errors: str) -> bool:
    """Return whether a traceback is about a cv2 that cannot be loaded: one that needs a screen, or half of two builds."""
    return "libGL" in errors or "libgthread" in errors or "'cv2'" in errors or "/cv2/" in errors
