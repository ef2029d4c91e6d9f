# A VFNet with focal loss, whose classification loss weighs points as the assignment says.
_base_ = "./tiny_vfnet.py"
model = {"bbox_head": {"use_vfl": False, "bbox_norm_type": "stride"}}
