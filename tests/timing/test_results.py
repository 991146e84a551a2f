"""The results document: its schema is shipped, and what is printed keeps to it (DESIGN §9)."""

import json
from pathlib import Path

from tests.timing.control.schema import faults
from tests.timing.control.test_office_board import KEIRIN, Secretary
from timing.race.competition.actions import ConfirmComposition
from timing.results import results_json, results_schema

SHIPPED = Path(__file__).parents[2] / "deploy" / "schemas" / "results.json"


def test_the_shipped_schema_is_that_of_the_program() -> None:
    assert json.loads(SHIPPED.read_text("utf-8")) == json.loads(json.dumps(results_schema())), (
        "run: velodrome schemas --results > deploy/schemas/results.json"
    )


def test_a_competition_that_was_not_ridden_yet_has_everybody_in_its_classification() -> None:
    office = Secretary()
    office.first_round()
    office.order(ConfirmComposition(competition=KEIRIN, round="r1"))

    document = json.loads(results_json(office.state))

    assert len(document["classification"]) == 30
    assert {line["final"] for line in document["classification"]} == {False}
    assert document["heats"] == []


def test_the_document_is_valid_under_its_schema() -> None:
    office = Secretary()
    office.first_round()
    document = json.loads(results_json(office.state))
    schema = json.loads(SHIPPED.read_text("utf-8"))
    components = dict(schema["$defs"].items())

    root = json.loads(json.dumps(components["Results"]).replace("#/$defs/", "#/components/schemas/"))
    known = json.loads(json.dumps(components).replace("#/$defs/", "#/components/schemas/"))

    assert faults(document, root, known) == []
