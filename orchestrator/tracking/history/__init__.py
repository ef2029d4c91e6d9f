"""Read the contents of a tracking store, for dashboards, from any writer."""
