# A YOLOX small enough for a test: a CSPDarknet of base width 8, three levels of strides 8, 16 and 32.
model = {
    "type": "YOLOX",
    "data_preprocessor": {
        "type": "DetDataPreprocessor",
        "pad_size_divisor": 32,
        "batch_augments": [
            {"type": "BatchSyncRandomResize", "random_size_range": (64, 128), "size_divisor": 32, "interval": 1}
        ],
    },
    "backbone": {
        "type": "CSPDarknet",
        "deepen_factor": 0.33,
        "widen_factor": 0.125,
        "out_indices": (2, 3, 4),
        "norm_cfg": {"type": "BN", "momentum": 0.03, "eps": 0.001},
        "act_cfg": {"type": "Swish"},
    },
    "neck": {
        "type": "YOLOXPAFPN",
        "in_channels": [32, 64, 128],
        "out_channels": 32,
        "num_csp_blocks": 1,
        "norm_cfg": {"type": "BN", "momentum": 0.03, "eps": 0.001},
        "act_cfg": {"type": "Swish"},
    },
    "bbox_head": {
        "type": "YOLOXHead",
        "num_classes": 80,
        "in_channels": 32,
        "feat_channels": 32,
        "stacked_convs": 2,
        "strides": (8, 16, 32),
        "norm_cfg": {"type": "BN", "momentum": 0.03, "eps": 0.001},
        "act_cfg": {"type": "Swish"},
        "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "reduction": "sum", "loss_weight": 1.0},
        "loss_bbox": {"type": "IoULoss", "mode": "square", "eps": 1e-16, "reduction": "sum", "loss_weight": 5.0},
        "loss_obj": {"type": "CrossEntropyLoss", "use_sigmoid": True, "reduction": "sum", "loss_weight": 1.0},
        "loss_l1": {"type": "L1Loss", "reduction": "sum", "loss_weight": 1.0},
    },
    "train_cfg": {"assigner": {"type": "SimOTAAssigner", "center_radius": 2.5}},
    "test_cfg": {"score_thr": 0.01, "nms": {"type": "nms", "iou_threshold": 0.65}},
}
