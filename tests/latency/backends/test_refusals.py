"""The reasons in what runtimes say, of which each case is what one of them said."""

import pytest

from resflops.latency.backends.refusals import explain_refusal, find_reason

CASES = {
    "a file that is newer": (
        "[ONNXRuntimeError] : 1 : FAIL : Load model from /tmp/bad.onnx failed:/onnxruntime_src/onnxruntime/core/graph/"
        "model.cc:256 onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&, const "
        "onnxruntime::ModelOptions&) Unsupported model IR version: 99, max supported IR version: 14\n",
        "Unsupported model IR version: 99, max supported IR version: 14",
    ),
    "no such operator": (
        "[ONNXRuntimeError] : 1 : FAIL : Load model from bad.onnx failed:Fatal error: nobody:Whatever(-1) is not a "
        "registered function/op",
        "Fatal error: nobody:Whatever(-1) is not a registered function/op",
    ),
    "no implementation": (
        "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for MatMul(13) node with name ''",
        "Could not find an implementation for MatMul(13) node with name ''",
    ),
    "while it runs": (
        "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Reshape node. Name:'resh' Status "
        "Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::"
        "ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) "
        "input_shape_size == requested_shape_size was false. Input shape:{2,8}, requested shape:{3,5}\n",
        "Non-zero status code returned while running Reshape node. Name:'resh' Status Message: input_shape_size == "
        "requested_shape_size was false. Input shape:{2,8}, requested shape:{3,5}",
    ),
    "OpenVINO, no such operator": (
        "Exception from src/inference/src/cpp/core.cpp:84:\nCheck 'false' failed at src/frontends/report.cpp:151:\n"
        "FrontEnd API failed with OpConversionFailure:\nModel wasn't fully converted.\nSummary:\n"
        "-- No conversion rule found for operations: nobody.Whatever\n\n",
        "No conversion rule found for operations: nobody.Whatever",
    ),
    "OpenVINO, shapes": (
        "Exception from src/inference/src/cpp/core.cpp:84:\nModel wasn't fully converted. Failed operations detailed "
        "log:\n-- Reshape-17 with a message:\nRequested output shape [3,5] is incompatible with input shape\n\n"
        "Summary:\n-- Conversion is failed for: Reshape-17\n\n",
        "Requested output shape [3,5] is incompatible with input shape",
    ),
    "OpenVINO, otherwise": (
        "Exception from src/inference/src/cpp/core.cpp:84:\nException from src/a.cpp:1:\nNot enough memory\n",
        "Not enough memory",
    ),
    "what is no runtime's": ("a dtype (float8) at model.cc is not supported", "a dtype (float8) at model.cc is not supported"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_reason_is_what_remains_without_the_place_in_the_code(case):
    message, reason = CASES[case]
    assert find_reason(message) == reason


def test_the_reason_is_raised_and_other_errors_are_let_through():
    message, reason = CASES["no implementation"]
    with pytest.raises(RuntimeError) as raised, explain_refusal():
        raise ValueError(message)
    assert (str(raised.value), str(raised.value.__cause__)) == (reason, message)
    with pytest.raises(ValueError, match="other"), explain_refusal():
        raise ValueError("other")
