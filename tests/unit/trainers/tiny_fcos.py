# An FCOS on the backbone and neck of tiny_gfl.py: points whose levels take objects of up to 16, 32 and any number of
# pixels to a side.
_base_ = "./tiny_gfl.py"
model = {
    "type": "FCOS",
    "bbox_head": {
        "_delete_": True,
        "type": "FCOSHead",
        "num_classes": 80,
        "in_channels": 32,
        "feat_channels": 32,
        "stacked_convs": 2,
        "strides": [8, 16, 32],
        "regress_ranges": ((-1, 16), (16, 32), (32, 1e8)),
        "norm_cfg": {"type": "GN", "num_groups": 8, "requires_grad": True},
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
        "loss_bbox": {"type": "IoULoss", "loss_weight": 1.0},
        "loss_centerness": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
    },
    "train_cfg": None,
}
