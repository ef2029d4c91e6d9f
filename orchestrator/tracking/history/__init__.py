"""Read what a tracking store holds, whoever wrote it: the side of MLflow that dashboards see."""
