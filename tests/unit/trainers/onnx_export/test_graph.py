"""A written graph holds the computation, and no trace of the machine on which it was written."""

from typing import Any

from onnx import TensorProto, helper

from trainers.onnx_export.graph import without_traces


def test_traces_are_removed_from_nodes_values_and_inner_graphs() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2], doc_string="/home/me/x.py")
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"], doc_string="/home/me/inner.py")], "inner", [], [value]
    )
    outer = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model = helper.make_model(helper.make_graph([outer], "outer", [value], [value]))
    node = model.graph.node[0]
    parts: list[Any] = [node, node.attribute[0].g.node[0], model.graph.input[0]]
    for part in parts:
        entry = part.metadata_props.add()
        entry.key, entry.value = "stack_trace", "File /home/me/lines.py, line 27, in forward"
    assert without_traces(model) is model
    assert b"/home/me" not in model.SerializeToString()
    assert [node.op_type for node in model.graph.node] == ["If"]
    assert model.graph.node[0].attribute[0].g.node[0].op_type == "Identity"
