"""Reads the header of a safetensors file: eight bytes of length, then JSON."""

import json
import math
import os
import struct


def read_header(path):
    """Name to (dtype, shape) of every tensor; a ValueError where the file is not as long as it says."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    end = max(tensor["data_offsets"][1] for tensor in header.values())
    if os.path.getsize(path) != 8 + length + end:
        raise ValueError(f"{path}: is not as long as its header says")
    return {name: (tensor["dtype"], tensor["shape"]) for name, tensor in header.items()}


def count_parameters(path):
    return sum(math.prod(shape) for _, shape in read_header(path).values())
