"""What came and what was accepted, whatever order it is told in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, composite

from services.domain.deductions import GradedUnits
from services.domain.goods import LineGoods, ReturnedGoods
from services.domain.ids import LineId
from services.domain.logistics import (
    Disposition,
    Grade,
    InspectedLine,
    Inspection,
    Receipt,
    ReceivedLine,
)
from tests.builders import a_line, a_receipt, an_inspection, an_order, as_it_stands, asked, judged

TWO_LINES = as_it_stands(an_order(a_line("1", 6), a_line("2", 6)))
Told = Receipt | Inspection | str
TIMERS_AND_PEOPLE = ["deem_received", "deem_accepted", "accept_rejected"]


def expected(first: int = 2, second: int = 1) -> ReturnedGoods:
    return ReturnedGoods.expected((asked("1", first), asked("2", second)), TWO_LINES)


def came(line_id: str = "1", quantity: int = 1) -> Receipt:
    return a_receipt(ReceivedLine(quantity, LineId(line_id)))


def told(goods: ReturnedGoods, *events: Told) -> ReturnedGoods:
    """Tell the case one thing after the other."""
    for event in events:
        if isinstance(event, Receipt):
            goods = goods.receive(event)
        elif isinstance(event, Inspection):
            goods = goods.inspect(event)
        else:
            goods = getattr(goods, event)()
    return goods


def of_line(goods: ReturnedGoods, line_id: str = "1") -> LineGoods:
    return next(line for line in goods.lines if line.line_id == line_id)


def counts(goods: ReturnedGoods, line_id: str = "1") -> tuple[int, int, int, int]:
    line = of_line(goods, line_id)
    return (line.received, line.accepted, line.rejected, line.refundable)


@composite
def facts(draw: DrawFn) -> list[Receipt | Inspection]:
    """Parcels and judgements in any order, of both lines, of unknown goods, more than was asked."""
    lines = st.sampled_from(["1", "2", "9"])
    receipts = st.builds(
        lambda rows: a_receipt(*(ReceivedLine(count, LineId(line)) for line, count in rows)),
        st.lists(st.tuples(lines, st.integers(1, 3)), max_size=2),
    )
    inspections = st.builds(
        lambda rows: an_inspection(*(judged(line, count, accepted=fit) for line, count, fit in rows)),
        st.lists(st.tuples(lines, st.integers(1, 3), st.booleans()), min_size=1, max_size=2),
    )
    return draw(st.lists(st.one_of(receipts, inspections), max_size=6))


@given(facts(), st.data())
def test_the_order_of_facts_does_not_matter(known: list[Receipt | Inspection], data: st.DataObject) -> None:
    """A receipt heard of after the inspection of its goods is not a second parcel's worth."""
    shuffled = data.draw(st.permutations(known))

    one, other = told(expected(), *known), told(expected(), *shuffled)

    assert one.lines == other.lines
    assert one.parcels == other.parcels
    assert sum(extra.quantity for extra in one.extras) == sum(extra.quantity for extra in other.extras)


@given(st.data())
def test_counts_stay_possible_whatever_happens(data: st.DataObject) -> None:
    """0 ≤ accepted + rejected ≤ received; a refund is within the request, and never taken back."""
    events: list[Told] = []
    for fact in data.draw(facts()):
        events += [fact, *data.draw(st.lists(st.sampled_from(TIMERS_AND_PEOPLE), max_size=1))]
    goods = expected()
    for event in events:
        before, goods = goods, told(goods, event)
        for line, earlier in zip(goods.lines, before.lines, strict=True):
            assert min(line.accepted, line.rejected, line.uninspected, line.missing) >= 0
            assert line.accepted + line.rejected + line.uninspected == line.received
            assert line.refundable <= line.requested
            assert line.accepted >= earlier.accepted
            assert line.received >= earlier.received


@given(facts())
def test_every_unit_that_came_is_asked_for_or_an_extra(known: list[Receipt | Inspection]) -> None:
    """Nothing a parcel held gets lost: what the request does not cover waits for a person."""
    goods = told(expected(), *known)
    in_parcels = sum(item.quantity for fact in known if isinstance(fact, Receipt) for item in fact.lines)
    asked_for = sum(min(line.counted, line.requested) for line in goods.lines)

    assert asked_for + sum(extra.quantity for extra in goods.extras) == in_parcels


def test_a_parcel_is_counted_by_line_or_by_sku() -> None:
    """A bare SKU counts for the requested line that has it; an unknown one is an extra."""
    parcel = a_receipt(
        ReceivedLine(1, LineId("1")), ReceivedLine(1, sku="SKU-2"), ReceivedLine(1, sku="SKU-9")
    )

    goods = expected().receive(parcel)

    assert (counts(goods, "1")[0], counts(goods, "2")[0]) == (1, 1)
    assert goods.extras == (ReceivedLine(1, sku="SKU-9"),)
    assert (goods.missing, goods.uninspected, goods.has_come) == (1, 2, True)


def test_more_of_a_line_than_was_asked_is_an_extra() -> None:
    """Three came of two: the third is judged, but the case has no money for it."""
    goods = told(expected(), came(quantity=1), came(quantity=2), an_inspection(judged("1", 3)))

    assert counts(goods) == (3, 3, 0, 2)
    assert goods.extras == (ReceivedLine(1, LineId("1")),)


def test_an_empty_box_has_come() -> None:
    """The case waits no longer for a parcel, though nothing is received."""
    goods = expected().receive(a_receipt())

    assert (goods.has_come, goods.uninspected, goods.missing) == (True, 0, 3)
    assert not expected().has_come


def test_a_line_asked_for_twice_is_one_line() -> None:
    """Two rows of a request for one line are not two returns of the same unit."""
    goods = ReturnedGoods.expected((asked("1", 2), asked("1", 1)), TWO_LINES).receive(came(quantity=2))

    assert [(line.line_id, line.requested, line.received) for line in goods.lines] == [("1", 3, 2)]


@pytest.mark.rule("S053")
@pytest.mark.rule("S247")
def test_only_what_passes_inspection_is_refunded() -> None:
    """Of two units that came, the broken one is not the shop's to pay for."""
    inspection = an_inspection(judged("1", 1), judged("1", 1, accepted=False))

    goods = told(expected(), came(quantity=2), inspection)

    assert counts(goods) == (2, 1, 1, 1)
    assert goods.refundable == {"1": 1, "2": 0}
    assert (sum(goods.rejected.values()), goods.judged) == (1, 2)


def test_a_receipt_after_its_inspection_is_not_another_parcel() -> None:
    """The judgement is heard of first: two units came, not four."""
    goods = told(expected(), an_inspection(judged("1", 2)), came(quantity=2))

    assert counts(goods) == (2, 2, 0, 2)
    assert goods.uninspected == 0


def test_a_receipt_after_the_timer_is_not_another_parcel() -> None:
    """What the carrier delivered and a timer took as received is recorded at last: nothing more came."""
    goods = told(expected(), "deem_received", "deem_accepted", came("1", 2), came("2", 1))

    assert (counts(goods, "1"), counts(goods, "2")) == ((2, 2, 0, 2), (1, 1, 0, 1))
    assert goods.uninspected == 0


@pytest.mark.parametrize("fit", [True, False])
def test_an_inspection_after_the_timer_changes_nothing(fit: bool) -> None:  # noqa: FBT001
    """What was deemed accepted has been paid for: a late judgement neither pays again nor rejects it."""
    goods = told(expected(), came(quantity=2), "deem_accepted", an_inspection(judged("1", 2, accepted=fit)))

    assert counts(goods) == (2, 2, 0, 2)


def test_a_unit_that_comes_after_the_timer_is_judged_for_itself() -> None:
    """One was deemed accepted; the second, which came later, is rejected as usual."""
    late = an_inspection(judged("1", 1, accepted=False))

    goods = told(expected(), came(), "deem_accepted", came(), late)

    assert counts(goods) == (2, 1, 1, 1)


def test_a_supervisor_takes_rejections_back() -> None:
    """All rejected units become accepted; the others stay as they are."""
    mixed = an_inspection(judged("1", 1), judged("1", 1, accepted=False))

    goods = told(expected(), came(quantity=2), mixed, "accept_rejected")

    assert counts(goods) == (2, 2, 0, 2)


def test_a_rejection_that_stands_is_not_taken_back_with_another() -> None:
    """One of line 1 was rejected before and stays so; what was rejected since is accepted, line by line."""
    first, second = (
        an_inspection(*(judged(line, 1, accepted=False) for line in lines)) for lines in ("1", "12")
    )
    goods = told(expected(), came("1", 2), came("2", 1), first)

    overturned = goods.inspect(second).accept_rejected(standing=goods.rejected)

    assert (counts(overturned, "1"), counts(overturned, "2")) == ((2, 1, 1, 1), (1, 1, 0, 1))
    assert overturned.rejected == {"1": 1}


def test_units_left_to_people_are_no_longer_the_returns() -> None:
    """Late goods that another case has taken do not keep this one open; a later parcel counts anew."""
    aside = told(expected(), came(), an_inspection(judged("1", 1)), came(), "set_aside")

    assert (counts(aside), aside.uninspected) == ((1, 1, 0, 1), 0)
    assert counts(aside.receive(came())) == (2, 1, 0, 1)


def of_grade(grade: Grade, quantity: int = 1) -> InspectedLine:
    return InspectedLine(LineId("1"), quantity, grade, accepted=True, disposition=Disposition.RESTOCK)


def test_accepted_units_keep_the_grade_they_were_accepted_with() -> None:
    """Inspection by inspection, in order; of one inspection the best first."""
    goods = told(
        expected(6),
        came(quantity=6),
        an_inspection(of_grade(Grade.C), of_grade(Grade.A), judged(accepted=False)),
        an_inspection(of_grade(Grade.B, 2), inspection_id="insp-2"),
    )

    assert of_line(goods).grades == (
        GradedUnits(1, Grade.A),
        GradedUnits(1, Grade.C),
        GradedUnits(2, Grade.B),
    )


def test_what_a_timer_accepted_is_not_graded_down_afterwards() -> None:
    """One is judged in time, two by a timer; what the dock says of those two later is too late."""
    goods = told(expected(3), came(quantity=3), an_inspection(of_grade(Grade.C)), "deem_accepted")
    late = an_inspection(of_grade(Grade.D, 2), inspection_id="insp-2")

    assert of_line(goods).accepted == 3
    assert of_line(told(goods, late)).grades == (GradedUnits(1, Grade.C), GradedUnits(2))


def test_an_overturned_rejection_counts_as_good() -> None:
    """A supervisor took it back: nothing is deducted for the grade that it was refused with."""
    goods = told(
        expected(2),
        came(quantity=2),
        an_inspection(judged(accepted=False)),
        "accept_rejected",
        an_inspection(of_grade(Grade.B), inspection_id="insp-2"),
    )

    assert of_line(goods).grades == (GradedUnits(1), GradedUnits(1, Grade.B))
