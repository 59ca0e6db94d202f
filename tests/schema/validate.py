"""Holds JSON files against the published schemas: `validate.py SCHEMAS FILE-OR-FOLDER ...`.

Which schema a file is of, it says itself in its field `schema`. Published schemas let later versions add fields; here a field that no
schema knows is a mistake, too. With `--self-test` each file is also spoilt in several ways, and each must be refused.
"""

import copy
import json
import pathlib
import sys

import fastjsonschema


def strict(schema):
    """The same schema, in which no object may have other fields than it names."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            strict(value)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


def spoilt(document):
    """The document with one thing wrong: a field gone, one more, another type."""
    for field in list(document):
        without = copy.deepcopy(document)
        del without[field]
        yield f"without {field}", without
        other = copy.deepcopy(document)
        other[field] = 1.5 if not isinstance(document[field], (int, float)) else "text"
        yield f"{field} of another type", other
    yield "one field more", {**document, "novelty": 1}


def main(arguments):
    is_tested = "--self-test" in arguments
    folder, *paths = [pathlib.Path(text) for text in arguments if text != "--self-test"]
    checks = {}
    for file in folder.glob("*.schema.json"):
        check = fastjsonschema.compile(strict(json.loads(file.read_text())))
        checks[f"logseal.{file.name.removesuffix('.schema.json')}"] = check
    files = [file for path in paths for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]
    counts, wrong, accepted = {}, [], set()
    for file in files:
        document = json.loads(file.read_text())
        name = str(document.get("schema")).partition("/")[0] if isinstance(document, dict) else None
        if name not in checks:
            continue
        is_new = name not in counts
        counts[name] = counts.get(name, 0) + 1
        try:
            checks[name](document)
        except fastjsonschema.JsonSchemaException as error:
            wrong.append(f"{file}: {error}")
            continue
        for what, other in spoilt(document) if is_tested and is_new else []:
            try:
                checks[name](other)
                accepted.add(f"{name}: {what}")
            except fastjsonschema.JsonSchemaException:
                pass
    print(", ".join(f"{count} of {name}" for name, count in sorted(counts.items())), f"{len(wrong)} wrong", sep="; ")
    for line in wrong[:20]:
        print(line)
    # What may be missing is told by the schema: fields that can be null.
    accepted = {line for line in accepted if not may_be_missing(folder, line)}
    for line in sorted(accepted):
        print("accepted:", line)
    missing = sorted(set(checks) - set(counts))
    if missing:
        print("none of", ", ".join(missing))
    return 1 if wrong or accepted or missing else 0


def may_be_missing(folder, line):
    name, _, what = line.removeprefix("logseal.").partition(": ")
    schema = json.loads((folder / f"{name}.schema.json").read_text())
    return what.startswith("without ") and what.removeprefix("without ") not in schema.get("required", [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
