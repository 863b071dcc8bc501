"""The contract as a page, for somebody who has this machine and no network."""

import re

from tests.fixtures.gateway import Front


async def test_the_page_asks_nobody_outside(front: Front) -> None:
    """All that it loads is served from here, and the browser is told to ask nobody else."""
    page = await front.http.get("/docs")
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"|url: '([^']+)'", page.text)
    addresses = [first or second for first, second in loaded]

    assert page.status_code == 200
    assert "//" not in page.text.replace("// ", "")
    assert len(addresses) == 4
    for address in addresses:
        asset = await front.http.get(str(page.url.join(address)))
        assert (asset.status_code, asset.url.host) == (200, page.url.host), address
        assert "url(http" not in asset.text if address.endswith(".css") else asset.content
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert (await front.http.get("/redoc")).status_code == 404


async def test_the_front_door_leads_to_the_contract(front: Front) -> None:
    """Whoever opens the address that `make up` prints sees something."""
    answer = await front.http.get("/", follow_redirects=True)

    assert (answer.status_code, answer.url.path) == (200, "/docs")
    assert "swagger" in answer.text
