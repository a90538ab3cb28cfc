from datetime import UTC, datetime, timedelta

from functions.shared.runtime.chance import new_name, utc_now


def test_now_lies_between_the_times_before_and_after_and_is_in_utc() -> None:
    before = datetime.now(UTC)
    now = utc_now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


def test_no_name_is_given_twice() -> None:
    names = {new_name() for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in names)
