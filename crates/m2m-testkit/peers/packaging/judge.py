"""Judges a file: says nothing and exits 0, or says what is wrong.

judge.py kubernetes FILE...   each YAML document against the schema of its kind, unknown members refused
judge.py cyclonedx FILE       a bill of materials against the schema of CycloneDX 1.6
"""

import json
import pathlib
import sys


def kubernetes(paths):
    import kubernetes_validate
    import yaml

    newest = kubernetes_validate.latest_version()
    for path in paths:
        for document in yaml.safe_load_all(pathlib.Path(path).read_text()):
            try:
                kubernetes_validate.validate(document, newest, strict=True)
            except Exception as error:  # its errors have no class in common
                yield f"{path}: {document.get('kind')}: {error}"


def cyclonedx(paths):
    import importlib.util

    import jsonschema
    from referencing import Registry, Resource

    # The library itself is not imported: it needs more than is installed.
    home = pathlib.Path(importlib.util.find_spec("cyclonedx").origin).parent / "schema" / "_res"
    registry = Registry()
    for name in ("spdx", "jsf-0.82"):
        schema = json.loads((home / f"{name}.SNAPSHOT.schema.json").read_text())
        resource = Resource.from_contents(schema)
        registry = registry.with_resources([(schema["$id"], resource), (f"{name}.schema.json", resource)])
    schema = json.loads((home / "bom-1.6.SNAPSHOT.schema.json").read_text())
    validator = jsonschema.Draft7Validator(schema, registry=registry)
    for path in paths:
        for error in validator.iter_errors(json.loads(pathlib.Path(path).read_text())):
            yield f"{path}: {error.json_path}: {error.message[:300]}"


def main():
    judges = {"kubernetes": kubernetes, "cyclonedx": cyclonedx}
    problems = list(judges[sys.argv[1]](sys.argv[2:]))
    print("\n".join(problems), end="")
    sys.exit(1 if problems else 0)


main()
