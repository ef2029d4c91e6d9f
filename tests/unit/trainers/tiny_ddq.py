# A DDQ of one encoder layer, with forty queries that read a ResNet-18.
_base_ = "mmdet::ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py"
model = {
    "num_queries": 40,
    "backbone": {"depth": 18, "init_cfg": None},
    "neck": {"in_channels": [128, 256, 512]},
    "encoder": {"num_layers": 1},
    "test_cfg": {"max_per_img": 40},
}
