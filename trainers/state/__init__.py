"""Save, recover and export what a trial leaves in its directory."""
