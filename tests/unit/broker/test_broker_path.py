"""The whole way of a study through the broker, call by call, up to the claim."""

import factories
from broker_scene import must, refused


def test_a_study_goes_from_joining_to_a_claimed_run(ready):
    analyst, host = ready.member(1, "analyst"), ready.host
    contract = must(analyst.get(f"/v1/contracts/{ready.contract.name}")).json()
    assert contract["state"] == "approved" and len(contract["approvals"]) == 2
    run = ready.start()
    assert ready.state(run)["state"] == "waiting"
    lease = host.claim()
    assert lease == {"contract": ready.contract.name, "fence": 1, "profile": "clinical", "run": run}
    assert ready.state(run)["state"] == "leased"
    study = must(host.run(lease, "GET", "/study"))
    assert study.json() == must(analyst.get(f"/v1/contracts/{ready.contract.name}/study")).json()
    name = ready.datasets[1].manifest.name
    part = must(host.run(lease, "GET", f"/datasets/{name}/table/0"))
    assert part.content == ready.datasets[1].sealed
    nonce = must(host.run(lease, "POST", f"/custody/{ready.custodian.signing}/nonce")).json()["nonce"]
    assert len(nonce) == 64
    refused(host.run(lease, "POST", f"/custody/{'ab' * 32}/nonce"), 404, "CUSTODIAN_UNKNOWN")


def test_a_revocation_stops_it(ready):
    waiting = ready.start()
    vote = factories.revoke(ready.contract, ready.parties[1], at=ready.at)
    answer = must(ready.member(1, "approver").post("/v1/revocations", vote.envelope)).json()
    assert answer["state"] == "revoked" and len(answer["revocations"]) == 1
    refused(ready.member(0, "analyst").post("/v1/runs", {"contract": ready.contract.name}), 403, "REVOKED")
    assert ready.state(waiting)["state"] == "refused" and ready.state(waiting)["code"] == "REVOKED"
    assert ready.host.claim() is None
