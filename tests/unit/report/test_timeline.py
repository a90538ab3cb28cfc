import pytest

from functions.shared.domain.policy import GatePolicy, Policy, RowContract
from functions.shared.domain.release import Approval, PinnedPolicy, Release
from infra.report.timeline import Change, events, served_since
from tests.fakes.documents import NOW, make_release
from tests.unit.report.story import on_trial, served

FIRST = make_release()
TRIAL = make_release(seq=2, challenger=on_trial("2", 0.05))
WAITING = make_release(seq=2, approval=Approval(version="2", share=0.05, since=NOW))
MORE = make_release(seq=3, challenger=on_trial("2", 0.25))
RETIRED = make_release(seq=3, retired=True)
BACK = make_release(seq=4)
PROMOTED = make_release(seq=4, champion=served("2"), previous=served("1"))
RETURNED = make_release(seq=5, champion=served("1"), previous=served("2"))


@pytest.mark.parametrize(
    ("before", "after", "change", "title"),
    [
        (FIRST, TRIAL, Change.CANARY, "Version 2 answers 5 %"),
        (TRIAL, MORE, Change.CANARY, "Version 2 answers 25 %"),
        (FIRST, make_release(challenger=on_trial("2", 0.05, mode="shadow")), Change.CANARY, "Version 2 scores along, unseen"),
        (MORE, PROMOTED, Change.CHAMPION, "Version 2 becomes champion"),
        (PROMOTED, RETURNED, Change.CHAMPION, "Version 1 is served again"),
        (MORE, FIRST, Change.WITHDRAWAL, "Version 2 is withdrawn"),
        (
            FIRST,
            make_release(policy=PinnedPolicy(number=1, row_contract=RowContract(error_budget=0.5))),
            Change.POLICY,
            "Policy 1 is in force",
        ),
        (FIRST, WAITING, Change.APPROVAL, "Version 2 waits for approval"),
        (WAITING, FIRST, Change.APPROVAL, "Version 2 waits no more"),
        (TRIAL, RETIRED, Change.RETIREMENT, "The model is retired"),
        (RETIRED, BACK, Change.CHAMPION, "Version 1 is served again"),
        (RETIRED, PROMOTED, Change.CHAMPION, "Version 2 becomes champion"),
        (WAITING, TRIAL, Change.CANARY, "Version 2 answers 5 %"),
        (TRIAL, TRIAL, Change.POLICY, "Policy 0 is in force"),
    ],
)
def test_each_release_says_what_it_changed(before: Release, after: Release, change: Change, title: str) -> None:
    _, event = events([before, after])
    assert (event.change, event.title, event.release) == (change, title, after)


def test_a_change_of_policy_names_the_thresholds_that_differ() -> None:
    wide = {"row_contract": RowContract(ranges={"fee": (0, 9)}, error_budget=0.5)}
    policies = {0: Policy(), 1: Policy(number=1, gate=GatePolicy(min_rows=20)), 2: Policy(number=2, **wide)}
    releases = [make_release(seq=1 + number, policy=PinnedPolicy(number=number)) for number in policies]
    assert [event.title for event in events(releases, policies)[1:]] == [
        "Policy 1 changes gate.min_rows",
        "Policy 2 changes row_contract.error_budget, row_contract.ranges, gate.min_rows",
    ]


def test_the_first_release_begins_the_story() -> None:
    assert [event.title for event in events([FIRST])] == ["Version 1 is served"]
    assert events([]) == ()


def test_a_champion_is_served_since_its_latest_return_and_not_since_a_later_canary() -> None:
    trial_after = make_release(seq=6, challenger=on_trial("3", 0.05), previous=served("2"))
    assert served_since([FIRST, TRIAL, MORE, PROMOTED, RETURNED, trial_after]) == RETURNED
    assert served_since([FIRST, TRIAL]) == FIRST
    assert served_since([FIRST, RETIRED, BACK]) == BACK
    assert served_since([]) is None
