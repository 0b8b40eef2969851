"""Says hello from a model directory."""

import argparse
import json
import os

from hello_tensors import count_parameters


def main():
    parser = argparse.ArgumentParser(prog="hello-greeter", description=__doc__)
    parser.add_argument("model", help="a model directory: config.json and model.safetensors")
    model = parser.parse_args().model
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        architecture = json.load(file)["architectures"][0]
    parameters = count_parameters(os.path.join(model, "model.safetensors"))
    print(f"Hello from {architecture}: {parameters:,} parameters, all of them random.")
