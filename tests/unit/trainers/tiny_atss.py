# An ATSS on the backbone and neck of tiny_gfl.py: its anchors and its assignment, with deltas and a centerness.
_base_ = "./tiny_gfl.py"
model = {
    "type": "ATSS",
    "bbox_head": {
        "_delete_": True,
        "type": "ATSSHead",
        "num_classes": 80,
        "in_channels": 32,
        "feat_channels": 32,
        "stacked_convs": 2,
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
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
        "loss_bbox": {"type": "GIoULoss", "loss_weight": 2.0},
        "loss_centerness": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
    },
}
