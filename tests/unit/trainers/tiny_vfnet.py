# A VFNet on the backbone and neck of tiny_gfl.py: anchors of 8, 16 and 32 pixels assign, distances from points are predicted.
_base_ = "./tiny_gfl.py"
model = {
    "type": "VFNet",
    "bbox_head": {
        "_delete_": True,
        "type": "VFNetHead",
        "num_classes": 80,
        "in_channels": 32,
        "feat_channels": 32,
        "stacked_convs": 2,
        "strides": [8, 16, 32],
        "regress_ranges": ((-1, 16), (16, 32), (32, 100000000.0)),
        "norm_cfg": {"type": "GN", "num_groups": 8, "requires_grad": True},
        "anchor_generator": {
            "type": "AnchorGenerator",
            "ratios": [1.0],
            "octave_base_scale": 1,
            "scales_per_octave": 1,
            "center_offset": 0.0,
            "strides": [8, 16, 32],
        },
        "loss_cls": {
            "type": "VarifocalLoss",
            "use_sigmoid": True,
            "alpha": 0.75,
            "gamma": 2.0,
            "iou_weighted": True,
            "loss_weight": 1.0,
        },
        "loss_bbox": {"type": "GIoULoss", "loss_weight": 1.5},
        "loss_bbox_refine": {"type": "GIoULoss", "loss_weight": 2.0},
    },
}
