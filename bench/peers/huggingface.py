"""Hugging Face's GPT-NeoX in bf16 on one device: seconds of forward and backward of one micro-batch.

Usage: python3 huggingface.py --config JSON --device cuda:0 --batch B --columns T --rounds N --warm-up N. Prints one line of JSON.
"""

import argparse
import json
import time

import torch
import transformers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--device", required=True)
    for name in ("batch", "columns", "rounds", "warm-up"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    device = torch.device(options.device)
    model = transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**json.loads(options.config))).to(device, torch.bfloat16)
    ids = torch.randint(3, 64, (options.batch, options.columns), device=device)
    seconds = []
    for number in range(options.warm_up + options.rounds):
        began = time.perf_counter()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        loss.item()
        if number >= options.warm_up:
            seconds.append(time.perf_counter() - began)
    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "seconds": seconds}))


if __name__ == "__main__":
    main()
