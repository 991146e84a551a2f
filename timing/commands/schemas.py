"""`velodrome schemas`."""

import json


def run(results: bool) -> int:
    """Print the JSON Schemas of the MQTT messages, or that of the results document."""
    from timing.paths import prepare_kernels

    prepare_kernels()
    from timing.control.topics import json_schemas
    from timing.results import results_schema

    print(json.dumps(results_schema() if results else json_schemas(), indent=2, ensure_ascii=False))
    return 0
