"""Prints the documents of YAML files as JSON: a list for each file, under its name."""

import json
import pathlib
import sys

import yaml

files = [pathlib.Path(name) for name in sys.argv[1:]]
print(json.dumps({file.name: list(yaml.safe_load_all(file.read_text(encoding="utf-8"))) for file in files}))
