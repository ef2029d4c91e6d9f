"""Connect mmdet's detection heads to distillation terms, one file a head."""
