"""Seeds for the fuzz target `grammar`: schemas of JSON-Schema-Test-Suite, each with an instance.

    schema_seeds.py TESTS CORPUS

TESTS has a folder for each draft, whose name becomes `$schema`. CORPUS gets a file for each group.
"""

import json
import sys
from pathlib import Path

# Between grammar and text, as core/fuzz/fuzz_targets/grammar.rs has it.
MARK = "\n--text--\n"
DRAFTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}


def main():
    tests, corpus = map(Path, sys.argv[1:])
    count = 0
    for draft, address in DRAFTS.items():
        for file in sorted((tests / draft).rglob("*.json")):
            for number, group in enumerate(json.loads(file.read_text())):
                schema = group["schema"]
                if not isinstance(schema, dict):
                    continue
                schema = {"$schema": address, **schema}
                valid = [test["data"] for test in group["tests"] if test["valid"]] or [None]
                seed = json.dumps(schema) + MARK + json.dumps(valid[0])
                (corpus / f"seed-{draft}-{file.stem}-{number}").write_text(seed)
                count += 1
    if not count:
        sys.exit(f"schema_seeds: no schemas in {tests}")


main()
