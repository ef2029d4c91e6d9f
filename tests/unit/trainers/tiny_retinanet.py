# A RetinaNet on the backbone and neck of tiny_gfl.py: nine anchors a place, of 4 to 90 pixels, matched by IoU; no norm
# in the head.
_base_ = "./tiny_gfl.py"
model = {
    "type": "RetinaNet",
    "bbox_head": {
        "_delete_": True,
        "type": "RetinaHead",
        "num_classes": 80,
        "in_channels": 32,
        "feat_channels": 32,
        "stacked_convs": 2,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "octave_base_scale": 1,
            "scales_per_octave": 3,
            "ratios": [0.5, 1.0, 2.0],
            "strides": [8, 16, 32],
        },
        "bbox_coder": {
            "type": "DeltaXYWHBBoxCoder",
            "target_means": [0.0, 0.0, 0.0, 0.0],
            "target_stds": [1.0, 1.0, 1.0, 1.0],
        },
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
        "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
    },
    "train_cfg": {
        "_delete_": True,
        "assigner": {
            "type": "MaxIoUAssigner",
            "pos_iou_thr": 0.5,
            "neg_iou_thr": 0.4,
            "min_pos_iou": 0,
            "ignore_iof_thr": -1,
        },
        "sampler": {"type": "PseudoSampler"},
        "allowed_border": -1,
        "pos_weight": -1,
        "debug": False,
    },
}
