"""`velodrome schemas`."""

import json


def run() -> int:
    """Print the JSON Schemas of the MQTT messages."""
    from timing.paths import prepare_kernels

    prepare_kernels()
    from timing.control.topics import json_schemas

    print(json.dumps(json_schemas(), indent=2, ensure_ascii=False))
    return 0
