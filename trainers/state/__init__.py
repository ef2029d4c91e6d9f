"""Save, recover and export the files of a trial's directory."""
