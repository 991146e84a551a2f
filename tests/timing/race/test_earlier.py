"""The pacing of a stopped race can still be looked at after the restart."""

from config.loader import load_setup
from tests.timing.control.conftest import Office
from timing.race.actions import Arm, Restart, Stop, Undo


def ridden_until_the_pacer_left() -> Office:
    """Final A of the Tokyo meet, its pacer doing only 45 km/h at the exit."""
    office = Office(load_setup("tokyo2020-men-keirin"))
    office.to_the_gun()
    for picture in office.ride("derny-slow"):
        if picture.state == "sprint":
            break
    return office


def test_the_pace_of_a_stopped_attempt_is_kept_with_its_reason() -> None:
    office = ridden_until_the_pacer_left()
    assert office.state.earlier_paces("final-a") == ()
    office.order("starter", Stop(reason="rider down"))
    stopped = office.picture
    assert office.state.earlier_paces("final-a") == (), "the present attempt is no earlier one"

    office.order("operator", Restart())
    office.order("operator", Arm())
    (first,) = office.state.earlier_paces("final-a")
    assert (first.attempt, first.reason, first.start_us) == (1, "rider down", stopped.start_us)
    assert first.pace == stopped.pace
    assert first.pace.exit_kmh is not None
    assert round(first.pace.exit_kmh) == 45
    assert office.picture.pace.sections == (), "the new attempt begins with an empty sheet"


def test_an_attempt_never_started_has_no_pace_and_an_undone_restart_no_earlier_one() -> None:
    office = ridden_until_the_pacer_left()
    office.order("starter", Stop(reason="rider down"))
    office.order("operator", Restart())
    restart = next(name for name in reversed(office.state.outcomes) if name.startswith("order-"))
    assert len(office.state.earlier_paces("final-a")) == 1
    office.order("operator", Undo(command=restart))
    assert office.state.earlier_paces("final-a") == ()
