"""The checker itself: histories whose answer is known, and all small ones against a search of every order."""

from itertools import permutations
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linearizability import NotLinearizable, Read, Refused, Swap, check

LINEARIZABLE = {
    "nothing happened": [],
    "a read of the beginning": [Read(0, 1, None)],
    "one write is read": [Swap(0, 1, None, "a"), Read(2, 3, "a")],
    "a read beside a write sees either": [Swap(0, 9, None, "a"), Read(1, 2, None), Read(3, 4, "a")],
    "of two rivals one wins": [Swap(0, 5, None, "a"), Refused(1, 4, None), Read(6, 7, "a")],
    "a write without an answer that never happened": [Swap(0, inf, None, "a"), Read(1, 2, None), Read(8, 9, None)],
    "a write without an answer that happened late": [Swap(0, inf, None, "a"), Read(1, 2, None), Read(8, 9, "a")],
    "a chain through one without an answer": [
        Swap(0, 1, None, "a"),
        Swap(2, inf, "a", "b"),
        Swap(3, inf, "a", "c"),
        Swap(9, 10, "c", "d"),
    ],
    "deleted and made again": [Swap(0, 1, None, "a"), Swap(2, 3, "a", None), Read(4, 5, None), Swap(6, 7, None, "b")],
    "a refusal that lies between": [
        Swap(0, 1, None, "a"), Refused(2, 9, "a"), Swap(3, 4, "a", "b"), Swap(5, 6, "b", "a"),
    ],
}  # fmt: skip

BROKEN = {
    "a read of what nobody wrote": [Read(0, 1, "a")],
    "a stale read": [Swap(0, 1, None, "a"), Swap(2, 3, "a", "b"), Read(4, 5, "a")],
    "a lost write": [Swap(0, 1, None, "a"), Read(2, 3, None)],
    "both rivals win": [Swap(0, 5, None, "a"), Swap(1, 4, None, "b")],
    "reads go back in time": [Swap(0, 9, None, "a"), Read(1, 2, "a"), Read(3, 4, None)],
    "refused for no reason": [Swap(0, 1, None, "a"), Refused(2, 3, "a"), Read(4, 5, "a")],
    "a write from before its time": [Read(0, 1, "a"), Swap(2, inf, None, "a")],
    "one without an answer happened twice": [
        Swap(0, inf, None, "a"),
        Read(1, 2, "a"),
        Swap(3, 4, "a", None),
        Read(5, 6, "a"),
    ],
}


@pytest.mark.parametrize("history", LINEARIZABLE.values(), ids=LINEARIZABLE)
def test_a_history_that_one_register_could_show_is_accepted(history):
    check(history)


@pytest.mark.parametrize("history", BROKEN.values(), ids=BROKEN)
def test_a_history_that_no_register_could_show_is_refused(history):
    with pytest.raises(NotLinearizable):
        check(history)


def explained_by_some_order(history) -> bool:
    """Every subset of those without an answer, every order, the plain definition."""
    answered = [op for op in history if op.answered < inf]
    open_ones = [op for op in history if op.answered == inf]
    for chosen in range(1 << len(open_ones)):
        ops = answered + [op for i, op in enumerate(open_ones) if chosen >> i & 1]
        for order in permutations(ops):
            in_time = all(first.asked <= later.answered for i, first in enumerate(order) for later in order[i + 1 :])
            if in_time and replays(order):
                return True
    return False


def replays(order) -> bool:
    value = None
    for op in order:
        if not op.agrees(value):
            return False
        value = op.after(value)
    return True


@st.composite
def operations(draw):
    asked = draw(st.integers(0, 6))
    answered = asked + draw(st.integers(0, 4))
    value = st.sampled_from([None, "a", "b"])
    match draw(st.integers(0, 3)):
        case 0:
            return Read(asked, answered, draw(value))
        case 1:
            return Refused(asked, answered, draw(value))
        case 2:
            return Swap(asked, inf, draw(value), draw(value))
        case _:
            return Swap(asked, answered, draw(value), draw(value))


@settings(max_examples=300, deadline=None)
@given(st.lists(operations(), max_size=5))
def test_it_agrees_with_the_search_of_every_order(history):
    try:
        check(history)
        accepted = True
    except NotLinearizable:
        accepted = False
    assert accepted == explained_by_some_order(history)


def test_a_long_history_with_many_lost_answers_takes_no_time():
    history, value = [], None
    for n in range(3000):
        if n % 10 == 0:
            history.append(Swap(n, inf, value, f"lost {n}"))
        history.append(Swap(n, n + 2.5, value, f"v{n}"))
        history += [Read(n + 0.5, n + 3, f"v{n}"), Refused(n, n + 4, f"lost {n}")]
        value = f"v{n}"
    assert check(history) < 100
