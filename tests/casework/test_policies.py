"""Policies: every version loads once and for good, and every order finds the one it is sold under."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from services.casework.__main__ import composition
from services.casework.settings import CaseworkSettings
from services.clients.casework import CaseworkClient
from services.domain.errors import IdempotencyConflict, InvalidArgument, PolicyBelowStatute, PolicyNotFound
from services.domain.order import PolicyRef
from services.domain.policy import Policy, ReturnTimers, Windows
from services.domain.statute import MEMBER_STATES
from services.platform.database import STATEMENTS
from services.platform.documents import to_json
from tests.builders import NOW, STORE, a_policy
from tests.fixtures.services import Serve

SHIPPED = sorted(Path("deploy/policies").rglob("*.yaml"))


def terms(policy_id: str = "shop-uk", version: int = 1, **changes: object) -> Policy:
    """A shop's own terms under the law of the UK."""
    lawful = {"countries": ("GB",), "final_sale_honoured": False, **changes}
    return a_policy(policy_id=policy_id, version=version, **lawful)


@pytest.fixture
async def bare(serve: Serve, casework_settings: CaseworkSettings, tmp_path: Path) -> CaseworkClient:
    """A service that no policy was loaded into."""
    empty = tmp_path / "no-policies"
    empty.mkdir()
    settings = casework_settings.model_copy(update={"policies_dir": empty})
    return CaseworkClient(await serve("casework", composition(settings)))


@pytest.mark.rule("S056")
@pytest.mark.rule("S157")
@pytest.mark.parametrize(
    ("store_id", "countries", "policy_id"),
    [
        ("other", ["GB"], "uk-standard"),
        ("other", MEMBER_STATES, "eu-standard"),
        ("other", ["CN"], "cn-standard"),
        ("other", ["US"], "us-standard"),
        ("other", ["JP", "CH"], "us-standard"),
        ("demo", ["GB"], "demo-uk"),
        ("demo", ["DE"], "eu-standard"),
        ("demo", ["US"], "demo-us"),
        ("demo", ["JP"], "us-standard"),
    ],
)
async def test_every_country_has_a_policy_from_the_start(casework, store_id, countries, policy_id):
    """A store's own where it has one, else the country's; where nobody wrote one, the fallback."""
    found = {await casework.resolve_policy(store_id, country, NOW) for country in countries}

    assert found == {PolicyRef(policy_id, 1)}


async def test_the_demo_shop_gives_a_month(casework):
    """Its own terms are beyond the law's fourteen days."""
    policy = await casework.policy(await casework.resolve_policy("demo", "GB", NOW))

    assert (policy.windows.no_fault_days, policy.timers.send_parcel_days) == (30, 14)


@pytest.mark.parametrize("path", SHIPPED, ids=str)
async def test_a_shipped_policy_may_be_loaded_again(casework, path):
    """As at every start: it is the version that is known."""
    document = yaml.safe_load(path.read_text())
    store_id = path.parent.name if path.parent.name == "demo" else ""

    assert await casework.put_policy(store_id, json.dumps(document, default=str)) is False


@pytest.mark.rule("S157")
async def test_a_policy_below_the_law_does_not_load(casework):
    """A UK policy with seven days to send the parcel: the law gives fourteen."""
    document = to_json(terms(timers=ReturnTimers(send_parcel_days=7)))

    with pytest.raises(PolicyBelowStatute) as caught:
        await casework.put_policy(STORE, document)

    (problem,) = caught.value.problems
    assert problem.pointer == "/timers/send_parcel_days"
    assert "CCR 2013 reg. 35" in problem.detail
    with pytest.raises(PolicyNotFound):
        await casework.policy(PolicyRef("shop-uk", 1))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"no_fualt_days": 30}, "/no_fualt_days"),
        ({"version": "one"}, "/version"),
        ({"timers": {"refund_cap_from": "some day"}}, "/timers/refund_cap_from"),
        ({"timers": {"send_parcel_day": 30}}, "/timers/send_parcel_day"),
        ({"windows": {"no_fault_days": 30}}, "/windows/defect_days"),
        ({"calendar": {"zone": "Europe/Atlantis"}}, "/calendar/zone"),
        ({"countries": []}, "/countries"),
        ({"countries": ["Britain"]}, "/countries/0"),
        ({"version": 0}, "/version"),
        ({"windows": {"no_fault_days": -1, "defect_days": 30}}, "/windows/no_fault_days"),
        ({"fees": {"restocking_percent": 101}}, "/fees/restocking_percent"),
    ],
)
async def test_a_fault_in_a_document_is_pointed_at(casework, change, pointer):
    """Unknown members too: a typing error would silently grant the default."""
    document = json.loads(to_json(terms())) | change

    with pytest.raises(InvalidArgument) as caught:
        await casework.put_policy(STORE, json.dumps(document))

    assert pointer in {problem.pointer for problem in caught.value.problems}


@pytest.mark.parametrize("document", ["[]", "nothing", "{}", '"\\u0000"'])
async def test_what_is_no_policy_is_bad_input(casework, document):
    """Whatever it is."""
    with pytest.raises(InvalidArgument):
        await casework.put_policy(STORE, document)


async def test_a_version_never_changes(casework):
    """The same again is known; anything else needs a new version. An id belongs to one store."""
    first = terms()
    assert await casework.put_policy(STORE, to_json(first)) is True
    assert await casework.put_policy(STORE, to_json(first)) is False
    second = replace(first, version=2)
    for store_id, other in ((STORE, replace(first, source="§ 5")), ("other", first), ("", second)):
        with pytest.raises(IdempotencyConflict):
            await casework.put_policy(store_id, to_json(other))

    assert await casework.policy(PolicyRef("shop-uk", 1)) == first


async def test_a_version_is_asked_for_once(casework):
    """Every case needs its policy, and a version never changes: the client remembers it."""
    known = await casework.policy(PolicyRef("uk-standard", 1))
    before = STATEMENTS.statements

    again = await casework.policy(PolicyRef("uk-standard", 1))

    assert (again, STATEMENTS.statements) == (known, before)


async def test_an_order_is_sold_under_the_newest_version_in_force(bare):
    """From the day it says, by the shop's own clock; a version to come changes nothing yet."""
    for version, day in ((1, None), (2, date(2026, 3, 2)), (3, date(2026, 6, 1))):
        await bare.put_policy(STORE, to_json(terms(version=version, valid_from=day)))
    moments = (NOW - timedelta(days=1), NOW, NOW + timedelta(days=120))

    found = [await bare.resolve_policy(STORE, "GB", moment) for moment in moments]

    assert [ref.version for ref in found] == [1, 2, 3]


async def test_a_stores_own_policy_goes_first(bare):
    """Before everybody's; another store's is never found; one that names the country before a fallback."""
    for store_id, policy in (
        ("", terms("everybodys")),
        ("other", terms("theirs")),
        (STORE, terms("own-fallback", countries=(), is_fallback=True)),
    ):
        await bare.put_policy(store_id, to_json(policy))
    assert (await bare.resolve_policy(STORE, "GB", NOW)).policy_id == "everybodys"

    await bare.put_policy(STORE, to_json(terms("own")))

    assert (await bare.resolve_policy(STORE, "GB", NOW)).policy_id == "own"
    assert (await bare.resolve_policy(STORE, "JP", NOW)).policy_id == "own-fallback"
    with pytest.raises(PolicyNotFound):
        await bare.resolve_policy("third", "JP", NOW)


async def test_a_fallback_never_undercuts_the_law_of_the_country(bare):
    """It holds where no law on record asks for more; elsewhere nothing is sold without a policy."""
    meagre = terms(
        "meagre",
        market="US",
        countries=("US",),
        is_fallback=True,
        windows=Windows(0, 15),
        final_sale_honoured=True,
    )
    await bare.put_policy("", to_json(meagre))

    assert (await bare.resolve_policy(STORE, "JP", NOW)).policy_id == "meagre"
    for country in ("GB", "DE", "CN"):
        with pytest.raises(PolicyNotFound):
            await bare.resolve_policy(STORE, country, NOW)


@pytest.mark.parametrize("content", ["windows: [", "- a list", "policy_id: half"])
async def test_a_service_does_not_start_under_a_bad_policy(serve, casework_settings, tmp_path, content):
    """Better no service than one that forgets a law."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "bad.yaml").write_text(content)
    settings = casework_settings.model_copy(update={"policies_dir": folder})

    with pytest.raises(Exception, match=r"bad\.yaml|not a document|malformed"):
        await serve("casework", composition(settings))
