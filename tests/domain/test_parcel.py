"""A parcel is what its scans say together, however they come."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.logistics import ParcelStatus, TrackingEvent
from services.domain.parcel import Parcel
from tests.builders import NOW, a_scan

SCANS = st.lists(
    st.builds(
        lambda status, hours: a_scan(status, NOW + timedelta(hours=hours), f"{status}-{hours}"),
        st.sampled_from(ParcelStatus),
        st.integers(0, 6),
    ),
    max_size=6,
)


def scanned(*scans: TrackingEvent) -> Parcel:
    """Return a parcel after ``scans``, all heard of now."""
    parcel = Parcel()
    for scan in scans:
        parcel = parcel.scanned(scan, NOW)
    return parcel


@given(SCANS, st.data())
def test_scans_in_any_order_and_repeated_tell_the_same(
    scans: list[TrackingEvent], data: st.DataObject
) -> None:
    """Webhooks come reordered and more than once; the parcel is where its newest scan has it."""
    again = data.draw(
        st.permutations([*scans, *data.draw(st.lists(st.sampled_from(scans), max_size=4))] if scans else [])
    )

    assert scanned(*again) == scanned(*scans)


@given(SCANS.filter(bool))
def test_the_newest_scan_counts(scans: list[TrackingEvent]) -> None:
    """By the carrier's time, not by when the case hears of it; deliveries and dispatch are kept beside."""
    parcel = scanned(*scans)
    newest = max(scan.occurred_at for scan in scans)

    assert parcel.scanned_at == newest
    assert parcel.status in {scan.status for scan in scans if scan.occurred_at == newest}
    assert (parcel.delivered_at is not None) is (ParcelStatus.DELIVERED in {scan.status for scan in scans})
    assert (parcel.carrier, parcel.tracking_number) == ("demo-post", "TRACK9")


def test_of_two_scans_at_one_instant_the_further_one_counts() -> None:
    """Out for delivery and delivered in the same second: delivered, whichever is heard first."""
    out, there = a_scan(ParcelStatus.OUT_FOR_DELIVERY), a_scan(ParcelStatus.DELIVERED)

    assert scanned(out, there).status is scanned(there, out).status is ParcelStatus.DELIVERED


def test_clocks_of_the_case_count_from_when_it_heard() -> None:
    """An old scan that comes late does not restart the watch; a late delivery starts its own."""
    moving = Parcel().scanned(a_scan(ParcelStatus.IN_TRANSIT, NOW), NOW)
    an_hour_later = NOW + timedelta(hours=1)

    old = moving.scanned(a_scan(ParcelStatus.IN_TRANSIT, NOW - timedelta(days=1)), an_hour_later)
    delivered = moving.scanned(a_scan(ParcelStatus.DELIVERED, NOW - timedelta(days=1)), an_hour_later)
    twice = delivered.scanned(a_scan(ParcelStatus.DELIVERED, NOW), an_hour_later + timedelta(hours=1))

    assert (old.learned_at, old.handed_over_at) == (NOW, NOW - timedelta(days=1))
    assert delivered.delivered_at == twice.delivered_at == an_hour_later


@pytest.mark.parametrize("status", ParcelStatus)
def test_what_proves_that_it_was_handed_over(status: ParcelStatus) -> None:
    """Any scan but of a printed label or a parcel never seen; no later scan takes the proof back."""
    proves = status not in {ParcelStatus.INFO_RECEIVED, ParcelStatus.EXPIRED}
    parcel = scanned(a_scan(status, NOW))

    assert parcel.is_handed_over is parcel.is_on_its_way is proves
    relabelled = parcel.scanned(a_scan(ParcelStatus.INFO_RECEIVED, NOW + timedelta(hours=1)), NOW)
    assert relabelled.is_handed_over is proves


def test_a_customers_word_is_no_proof() -> None:
    """A registered parcel is on its way, but only a scan shows that it was handed over."""
    parcel = Parcel().registered("other-post", "TRACK1", NOW)

    assert (parcel.is_on_its_way, parcel.is_handed_over) == (True, False)
    assert replace(parcel, registered_at=None).is_on_its_way is False
    assert parcel.scanned(a_scan(ParcelStatus.IN_TRANSIT), NOW).tracking_number == "TRACK1"
