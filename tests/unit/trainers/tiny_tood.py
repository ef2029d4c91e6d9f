# A TOOD on the backbone and neck of tiny_gfl.py, which assigns by alignment from the first epoch on.
_base_ = "./tiny_gfl.py"
model = {
    "type": "TOOD",
    "bbox_head": {
        "_delete_": True,
        "type": "TOODHead",
        "num_classes": 80,
        "in_channels": 32,
        "feat_channels": 32,
        "stacked_convs": 2,
        "anchor_type": "anchor_free",
        "norm_cfg": {"type": "GN", "num_groups": 8, "requires_grad": True},
        "anchor_generator": {
            "type": "AnchorGenerator",
            "ratios": [1.0],
            "octave_base_scale": 1,
            "scales_per_octave": 1,
            "strides": [8, 16, 32],
        },
        "bbox_coder": {
            "type": "DeltaXYWHBBoxCoder",
            "target_means": [0.0, 0.0, 0.0, 0.0],
            "target_stds": [0.1, 0.1, 0.2, 0.2],
        },
        "initial_loss_cls": {
            "type": "FocalLoss",
            "use_sigmoid": True,
            "activated": True,
            "gamma": 2.0,
            "alpha": 0.25,
            "loss_weight": 1.0,
        },
        "loss_cls": {
            "type": "QualityFocalLoss",
            "use_sigmoid": True,
            "activated": True,
            "beta": 2.0,
            "loss_weight": 1.0,
        },
        "loss_bbox": {"type": "GIoULoss", "loss_weight": 2.0},
    },
    "train_cfg": {
        "_delete_": True,
        "initial_epoch": 0,
        "initial_assigner": {"type": "ATSSAssigner", "topk": 9},
        "assigner": {"type": "TaskAlignedAssigner", "topk": 13},
        "alpha": 1,
        "beta": 6,
        "allowed_border": -1,
        "pos_weight": -1,
        "debug": False,
    },
}
