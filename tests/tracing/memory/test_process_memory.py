"""What is asked about the memory of a large model takes hardly any itself."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json
import torch
from transformers import LlamaConfig, LlamaForCausalLM
def read():
    sizes = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return int(sizes["VmHWM"].split()[0]) * 1024
before = read()
import resflops
config = LlamaConfig(num_hidden_layers=80, hidden_size=8192, num_attention_heads=64, num_key_value_heads=8,
                     intermediate_size=28672, vocab_size=128256)
with torch.device("meta"):
    model = LlamaForCausalLM(config).to(torch.bfloat16)
memory = resflops.memory(model, torch.zeros(1, 128, dtype=torch.long), training=True, optimizer="adamw")
print(json.dumps([memory.weights, memory.split()["optimizer"], read() - before]))
"""


def test_a_process_that_is_asked_about_70_billion_parameters_grows_by_less_than_300_mb():
    pytest.importorskip("transformers")
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    weights, state, grown = json.loads(done.stdout.splitlines()[-1])
    # 70,553,706,496 parameters in two bytes each, and for each two of AdamW's; beside them the widths of rotation.
    assert weights == 2 * 70_553_706_496 + 2 * 64 * 2
    assert state == 2 * 2 * 70_553_706_496 + 4 * (80 * 9 + 3)
    assert grown < 300_000_000
