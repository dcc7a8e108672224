"""What can be reached from outside follows from the contract alone."""

from __future__ import annotations

from meldbrug.annotations.v1 import annotations_pb2
from services.edge.methods import Traffic, reachable
from tests.support.personas import methods

FOUND = reachable()


def test_no_method_that_only_services_may_call_can_be_reached():
    """T21."""
    internal = {path for path in methods() if ".InternalService/" in path}

    assert internal
    assert FOUND.keys() == methods().keys() - internal


def test_members_are_never_taken_for_anonymous_nor_the_other_way():
    anonymous = {
        path.split("/")[1].split(".")[-1] for path, one in FOUND.items() if one.traffic == "ANONYMOUS"
    }

    assert anonymous == {"PublicService", "TermsService", "EnrolmentService", "ReporterService"}


def test_what_narrows_is_never_anonymous():
    """A withdrawal is never asked a puzzle, and waits behind nothing else (T11)."""
    narrowing = {
        path
        for path, method in methods().items()
        if method.GetOptions().Extensions[annotations_pb2.lane] == annotations_pb2.LANE_NARROWING
    } & FOUND.keys()

    assert {path.rpartition("/")[2] for path in narrowing} >= {"WithdrawConsent", "WithdrawReport", "Exclude"}
    assert {path for path, one in FOUND.items() if one.traffic is Traffic.NARROWING} == narrowing


def test_streams_go_by_themselves():
    streams = {path for path, one in FOUND.items() if one.streams}

    assert streams == {path for path, method in methods().items() if method.server_streaming}
    assert {FOUND[path].traffic for path in streams} == {Traffic.STREAMS}


def test_a_method_is_served_by_the_service_of_its_package():
    assert {one.peer for one in FOUND.values()} == {"directory", "disclosure", "coordination"}
    assert all(one.path.startswith(f"/meldbrug.{one.peer}.v1.") for one in FOUND.values())
