"""What a failure of the Edge TPU's compiler means, and what helps."""

import pytest
from fake_edgetpu_compiler import BANNER, BEGUN, CHILD_DONE, FAILED

from deepgbass.export.compiler_faults import diagnose, nothing_mapped
from deepgbass.export.compiler_log import CompilerLog, OperatorCount

CASES = [
    (
        "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'.\n\n"
        "ERROR: Registration failed.\n\nInvalid model: m.tflite\n"
        "Model could not be parsed\n",
        1,
        "op_version",
        "no version 6 of CONV_2D",
    ),
    (
        "ERROR: Op builtin_code out of range: 150. Are you using old TFLite "
        "binary with newer model?\nERROR: Registration failed.\n",
        1,
        "op_version",
        "operator number 150",
    ),
    (
        "ERROR: Encountered unresolved custom op: Atan.\n"
        "ERROR: Node number 1 (Atan) failed to prepare.\n\n"
        "Compilation failed: Model failed in Tflite interpreter. Please "
        "ensure model can be loaded/run in Tflite interpreter.\n",
        1,
        "custom_op",
        "custom operator Atan:",
    ),
    (
        "Invalid model: m.tflite\nModel not quantized\n",
        1,
        "not_quantized",
        "--quantization=int8",
    ),
    (
        "ERROR: Attempting to use a delegate that only supports static-sized "
        "tensors with a graph that has dynamic-sized tensors.\n"
        "Compilation failed: Model failed in Tflite interpreter.\n",
        1,
        "dynamic_shape",
        "size is not fixed",
    ),
    (
        "ERROR: Restored original execution plan after delegate application "
        "failure.\nCompilation failed: Compilation failed due to large "
        "activation tensors in model.\n",
        1,
        "large_activations",
        "smaller size",
    ),
    (
        "Compilation timeout. This is usually caused by large activations.\n",
        1,
        "attempt_timeout",
        "own time limit",
    ),
    ("\nInternal compiler error. Aborting! \n", 1, "internal", "15 or 14.1"),
    (
        "/usr/bin/edgetpu_compiler: line 3:  7056 Segmentation fault      "
        '(core dumped) ${d}/edgetpu_compiler "$@"\n',
        139,
        "crash",
        "segmentation fault",
    ),
    (
        "libc++abi: terminating with uncaught exception of type "
        "std::out_of_range: vector\n",
        1,
        "crash",
        "std::out_of_range",
    ),
    ("", -11, "crash", "SIGSEGV"),
    ("", 137, "crash", "SIGKILL"),
    ("cannot write: No space left on device\n", 1, "disk_full", "disk is full"),
    (
        "edgetpu_compiler: cannot execute binary file: Exec format error\n",
        126,
        "host",
        "x86-64",
    ),
    ("unrecognized option '-d'\n", 1, "flags", "'-d'"),
    ("Invalid model: m.tflite\n", 1, "invalid_model", "no valid model"),
    (
        "Compilation failed: Model failed in Tflite interpreter.\n",
        1,
        "interpreter",
        "cannot run the model",
    ),
    # As of a model whose rank it cannot take (707, 800): no reason at all.
    ("", 1, "unknown", "'Compilation failed!'"),
]


@pytest.mark.parametrize("said, status, kind, part", CASES)
def test_each_failure_has_one_line_and_a_remedy(said, status, kind, part):
    fault = diagnose(f"{BANNER}{BEGUN}{said}{CHILD_DONE}{FAILED}", status)
    assert fault.kind == kind
    assert part in fault.message and "\n" not in fault.message
    assert ":" in fault.message  # What was found: what to do.
    assert fault.flaky == (kind == "internal")


def test_silence_is_a_failure_too():
    assert "printed nothing" in diagnose("", 1).message
    assert "status 3" in diagnose("\n", 3).message


def test_a_model_that_is_not_mapped_names_the_main_reason():
    log = CompilerLog(
        total_operators=7,
        operators=(
            OperatorCount("ADD", 2, "Operation not supported"),
            OperatorCount("CONV_2D", 5, "Operation version not supported"),
        ),
    )
    message = nothing_mapped(log).message
    assert "none of 7" in message
    assert "5 CONV_2D because of: Operation version not supported" in message
    assert "none of 9" in nothing_mapped(CompilerLog(said_on_cpu=9)).message
