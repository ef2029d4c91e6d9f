# The FCOS of tiny_fcos.py with the later improvements: distances in units of the stride, sampling around centres, and
# the centerness beside the boxes.
_base_ = "./tiny_fcos.py"
model = {
    "bbox_head": {
        "norm_on_bbox": True,
        "center_sampling": True,
        "centerness_on_reg": True,
        "loss_bbox": {"type": "GIoULoss", "loss_weight": 1.0},
    },
}
