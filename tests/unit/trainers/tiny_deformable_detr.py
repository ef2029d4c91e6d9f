# A Deformable DETR of one layer each, with ten queries that read a narrow ResNet-18.
_base_ = "mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py"
ATTENTION = {"embed_dims": 32, "num_heads": 2}
FFN = {"embed_dims": 32, "feedforward_channels": 64}
model = {
    "num_queries": 10,
    "backbone": {"depth": 18, "base_channels": 8, "stem_channels": 8, "init_cfg": None},
    "neck": {"in_channels": [16, 32, 64], "out_channels": 32, "norm_cfg": {"type": "GN", "num_groups": 4}},
    "encoder": {"num_layers": 1, "layer_cfg": {"self_attn_cfg": ATTENTION, "ffn_cfg": FFN}},
    "decoder": {
        "num_layers": 1,
        "layer_cfg": {"self_attn_cfg": ATTENTION, "cross_attn_cfg": ATTENTION, "ffn_cfg": FFN},
    },
    "positional_encoding": {"num_feats": 16},
    "bbox_head": {"embed_dims": 32},
    "test_cfg": {"max_per_img": 10},
}
