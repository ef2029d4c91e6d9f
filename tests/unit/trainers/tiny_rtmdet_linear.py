# An RTMDet whose distances are its outputs times the stride, as in mmdet's tiny and s, with an objectness.
_base_ = "./tiny_rtmdet.py"
model = {"bbox_head": {"exp_on_reg": False, "with_objectness": True}}
