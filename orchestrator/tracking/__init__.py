"""Write studies to MLflow and read them back: the only place that knows MLflow."""
