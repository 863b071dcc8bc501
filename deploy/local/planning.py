"""What is to run: ports, secrets, processes, and the facts told of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from deploy.local import ports as port_choice
from deploy.local.facts import StackFacts
from deploy.local.places import StatePlaces
from deploy.local.postgres import PostgresFailed
from deploy.local.processes import Manner, Process, database_url, table
from deploy.local.secrets import STORES, SecretsBroken, ensure_secrets, staff_token
from deploy.local.supervisor import StartFailed
from services.gateway.access import Role
from services.platform.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, and whom to tell the pids."""

    processes: Sequence[Process]
    publish: Callable[[Mapping[str, int]], None]


def plan(places: StatePlaces, manner: Manner) -> Plan:
    """Choose ports, make what is missing, and return the stack's plan.

    Raises:
        StartFailed: If something in the state folder is broken.
    """
    try:
        ports = port_choice.choose(places.ports, prefer_usual=not manner.hasty)
        secrets = ensure_secrets(places.secrets, places.jwks)
        processes = table(places, ports, manner)
    except (OSError, ValueError, PostgresFailed, SecretsBroken) as error:
        raise StartFailed(f"the stack cannot be set up in {places.root}: {error}") from error
    facts = facts_of(places, ports, secrets, database_url(places), {})
    return Plan(processes, lambda pids: replace(facts, pids=dict(pids)).write(places.facts))


def facts_of(
    places: StatePlaces, ports: Mapping[str, int], secrets: Secrets, database: str, pids: Mapping[str, int]
) -> StackFacts:
    """Return the facts of a stack that runs on ``ports``."""
    gateway = f"http://127.0.0.1:{ports['gateway']}"
    stores = {
        name: {
            "token": keys.api_key.get_secret_value(),
            "customer_key": keys.customer_key.get_secret_value(),
        }
        for name, keys in secrets.stores.items()
    }
    store_id = STORES[0]
    staff = {role.value: staff_token(secrets, role, store_id) for role in Role}
    return StackFacts(
        gateway=gateway,
        console=gateway,
        temporal=f"127.0.0.1:{ports['temporal']}",
        temporal_ui=f"http://127.0.0.1:{ports['temporal-ui']}",
        temporal_metrics=f"http://127.0.0.1:{ports['temporal-metrics']}/metrics",
        sandbox=f"http://127.0.0.1:{ports['sandbox']}",
        mailbox=str(places.mailbox),
        stores=stores,
        store_id=store_id,
        tokens={"store": stores[store_id]["token"], **staff},
        webhook_secrets={
            "carrier": secrets.carrier_webhook_secret.get_secret_value(),
            "sandbox": secrets.sandbox_webhook_secret.get_secret_value(),
        },
        pids=dict(pids),
        logs=str(places.logs),
        database=database,
    )
