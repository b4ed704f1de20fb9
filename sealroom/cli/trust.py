"""``sealroom trust``: pins. Each is compared by a person before it is written."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from protocol.errors import AccessDenied, AttestationError, DocumentError
from sealroom.cli.options import AsJson, HomeOption, Yes, examples, noun, open_home
from sealroom.cli.output import confirm, print_json, print_rows, say
from sealroom.files import read_bounded
from sealroom.home import Home, fingerprint
from sealroom.trust import (
    CustodianPin,
    HardwareRootPin,
    InstitutionPin,
    MeasurementPin,
    Trust,
    custodian_pin,
    save_trust,
    with_institution,
)

if TYPE_CHECKING:
    from attestation.policy import AppraisalPolicy
    from protocol.dsse import Envelope

__all__ = ["app"]

app = noun("Pins: decide whom and what you trust.")
MAX_FILE = 4 * 2**20

Compared = Annotated[
    bool, typer.Option("--compared", help="You compared the fingerprint with its owner by another way than this file.")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE")]


@app.command("add-institution", epilog=examples("trust add-institution hospital-b.json"))
def add_institution(
    *, file: FileArgument, compared: Compared = False, home: HomeOption = None, as_json: AsJson = False
) -> None:
    """Pin a partner by the fingerprint of its root key.

    FILE is the partner's institution.json, from the partner. Compare the fingerprint over the telephone or on paper.
    """
    from protocol.dsse import Envelope
    from protocol.governance import verify_institution

    institution = verify_institution(Envelope.from_bytes(read_bounded(file, MAX_FILE))).document
    _compare(f"{institution.name} ({institution.short}), root key", institution.root, compared=compared)
    pin = InstitutionPin(short=institution.short, root=institution.root)
    _change(open_home(home), lambda trust: with_institution(trust, pin), as_json=as_json)


@app.command("add-hardware-root", epilog=examples("trust add-hardware-root simulator-root.pem"))
def add_hardware_root(
    *, file: FileArgument, compared: Compared = False, home: HomeOption = None, as_json: AsJson = False
) -> None:
    """Pin the root certificate of a hardware vendor, or of a simulated platform, which says so."""
    from attestation.roots import load_root

    root = load_root(read_bounded(file, MAX_FILE).decode("utf-8", "replace"))
    what = "SIMULATED platform, it keeps no secret from its operator" if root.simulated else "hardware"
    _compare(f"Root certificate ({what}), SHA-256", root.digest, compared=compared)
    pin = HardwareRootPin.from_der(root.certificate_der, simulated=root.simulated)
    _change(open_home(home), lambda trust: _with(trust, "hardware_roots", pin), as_json=as_json)


@app.command(
    "add-measurement",
    epilog=examples("trust add-measurement clinical --local", "trust add-measurement clinical 1f0c...e2 --compared"),
)
def add_measurement(
    *,
    profile: Annotated[str, typer.Argument(help="Enclave profile: clinical, discovery or genomics.")],
    measurement: Annotated[str | None, typer.Argument(help="64 hex digits.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Measure the enclave that is installed here.")] = False,
    builds: Annotated[
        Path | None,
        typer.Option(help="Measure the enclave that `sealroom profile build` made in this folder, as if SIMULATED."),
    ] = None,
    compared: Compared = False,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Pin the exact code of an enclave.

    With --local the installed files are measured, with --builds those of a build, both as a SIMULATED platform does:
    you trust the code that you installed or built and can read.
    """
    if local + (builds is not None) + (measurement is not None) != 1:
        raise typer.BadParameter("give one of: a measurement, --local, --builds")
    if local:
        from sealroom.local_enclave import measure_installed

        measurement = measure_installed(profile)
        say(f"Measurement of the installed profile {profile}:\n{fingerprint(measurement)}")
    elif builds:
        from attestation.simulator.measurement import measure_build

        measurement = measure_build(profile, builds)
        say(f"Measurement of profile {profile} built in {builds}, if SIMULATED:\n{fingerprint(measurement)}")
    else:
        _compare(f"Measurement of profile {profile}", measurement or "", compared=compared)
    from sealroom.typed import typed

    pin = typed(MeasurementPin, {"profile": profile, "measurement": measurement}, where="measurement")
    _change(open_home(home), lambda trust: _with(trust, "measurements", pin), as_json=as_json)


@app.command("add-custodian", epilog=examples("trust add-custodian custodian.json"))
def add_custodian(
    *, file: FileArgument, compared: Compared = False, home: HomeOption = None, as_json: AsJson = False
) -> None:
    """Pin a custodian: who may hold the keys of your data.

    FILE comes from its operator, to whom this command shows the same digits. Compare them over the telephone or on
    paper.
    """
    from protocol.documents.dataset import CustodianKeys
    from protocol.types import decode_base64

    try:
        keys = CustodianKeys.model_validate_json(read_bounded(file, MAX_FILE))
    except ValueError as error:
        raise DocumentError("DOCUMENT", f"{file} does not hold the keys of a custodian.") from error
    pin = custodian_pin(keys.signing, decode_base64(keys.encryption))
    _compare(f"Custodian {pin.signing[:16]}, fingerprint of both its keys", pin.fingerprint, compared=compared)
    place = open_home(home)
    _change(place, lambda trust: _with(trust, "custodians", pin), as_json=as_json)
    place.save_custodian(keys)


@app.command("set-policy", epilog=examples("trust set-policy appraisal.toml"))
def set_policy(*, file: FileArgument, yes: Yes = False, home: HomeOption = None, as_json: AsJson = False) -> None:
    """Set the appraisal policy: how evidence of an enclave is judged. Nothing is accepted by default.

    The policy is said in words, or what changes of the one before; you are asked before it accepts more than that.
    """
    from attestation.policy import load_policy

    text = read_bounded(file, MAX_FILE).decode("utf-8", "replace")
    place = open_home(home)
    policy = load_policy(text)
    try:
        before = place.trust().policy() if place.trust_file.exists() else None
    except AttestationError as error:  # of an older version: it has accepted nothing since
        say(f"The policy of now accepts nothing. {error.detail}")
        before = None
    _agree(before, policy, yes=yes)
    _change(place, lambda trust: trust.model_copy(update={"appraisal_policy": text}), as_json=as_json)


def _agree(before: "AppraisalPolicy | None", after: "AppraisalPolicy", *, yes: bool) -> None:
    """Say what the policy is, or what changes of it, and ask before it accepts more."""
    from attestation.policy_words import describe_changes, describe_policy
    from sealroom.policy_change import change_lines

    if before is None:
        say("\n".join(describe_policy(after)))
        return
    changes = describe_changes(before, after)
    for line in change_lines(changes):
        say(line)
    looser = sum(change.accepts_more for change in changes)
    if looser and not yes and not confirm(f"{looser} changes accept evidence that was refused. Set this policy?"):
        raise AccessDenied(
            "POLICY_LOOSER", "Nothing was changed. Read the lines that say LOOSER, then say yes or give --yes."
        )


@app.command("add-endorsement", epilog=examples("trust add-endorsement endorsement.json"))
def add_endorsement(*, file: FileArgument, home: HomeOption = None, as_json: AsJson = False) -> None:
    """Take in the word of an institution that it rebuilt an enclave.

    It counts where your appraisal policy names the institution's endorser key: nothing has to be compared here.
    """
    from attestation.reference import verify_endorsement

    envelope, place = _envelope(file), open_home(home)
    found = verify_endorsement(envelope, _policy(place).reference_values).document
    say(f"{found.institution} rebuilt profile {found.profile} at {found.time}:\n{fingerprint(found.measurement)}")
    _change(place, lambda trust: _with(trust, "endorsements", envelope), as_json=as_json)


@app.command("update-withdrawals", epilog=examples("trust update-withdrawals withdrawals-7.json"))
def update_withdrawals(*, file: FileArgument, home: HomeOption = None, as_json: AsJson = False) -> None:
    """Take in a newer list of withdrawn code and platforms, of a publisher that your appraisal policy names.

    It takes the place of the publisher's earlier list. Its number may not go back, and a list cannot be removed.
    """
    from datetime import UTC, datetime

    from attestation.reference import require_newer, verify_withdrawals
    from protocol.governance import require_span

    envelope, place = _envelope(file), open_home(home)
    publishers = _policy(place).reference_values.withdrawal_publishers
    found = verify_withdrawals(envelope, publishers)
    told = found.document
    require_span(f"withdrawal list {told.number}", told.issued, None, datetime.now(UTC))
    held = {envelope.signatures[0].keyid: envelope for envelope in place.trust().withdrawals}
    if (known := held.get(found.signer)) is not None:
        require_newer(verify_withdrawals(known, publishers), found)
    lists = tuple((held | {found.signer: envelope}).values())
    say(f"List {told.number} of {told.issued} withdraws {len(told.withdrawn)}; the next is due at {told.next_update}.")
    _change(place, lambda trust: trust.model_copy(update={"withdrawals": lists}), as_json=as_json)


def _envelope(file: Path) -> "Envelope":
    from protocol.dsse import MAX_DOCUMENT, Envelope

    return Envelope.from_bytes(read_bounded(file, MAX_DOCUMENT))


def _policy(place: Home) -> "AppraisalPolicy":
    policy = place.trust().policy()
    if policy is None:
        raise DocumentError(
            "TRUST", "No appraisal policy is set, so no endorser or publisher counts: set-policy first."
        )
    return policy


@app.command("remove", epilog=examples("trust remove 5d3f...91"))
def remove(
    *,
    fingerprint_of: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="All digits, as `trust show` has them.")],
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Take a pin back."""
    place = open_home(home)
    trust = place.trust()
    kept = {
        "institutions": tuple(pin for pin in trust.institutions if pin.root != fingerprint_of),
        "hardware_roots": tuple(pin for pin in trust.hardware_roots if pin.digest != fingerprint_of),
        "measurements": tuple(pin for pin in trust.measurements if pin.measurement != fingerprint_of),
        "custodians": tuple(pin for pin in trust.custodians if fingerprint_of not in {pin.fingerprint, pin.signing}),
        "endorsements": tuple(pin for pin in trust.endorsements if pin.name != fingerprint_of),
    }
    if trust.model_copy(update=kept) == trust:
        raise DocumentError("TRUST", f"No pin has the fingerprint {fingerprint_of}.")
    _change(place, lambda _: trust.model_copy(update=kept), as_json=as_json)


@app.command("show", epilog=examples("trust show", "trust show --json"))
def show(*, home: HomeOption = None, as_json: AsJson = False) -> None:
    """Show all pins."""
    _print(open_home(home).trust(), as_json=as_json)


def _compare(what: str, digits: str, *, compared: bool) -> None:
    say(f"{what}:\n{fingerprint(digits)}")
    if not compared and not confirm("Did you compare these digits with their owner, by voice or on paper?"):
        raise AccessDenied("NOT_COMPARED", "Nothing was pinned. Compare the digits, then say yes or give --compared.")


def _with(trust: Trust, field: str, pin: "HardwareRootPin | MeasurementPin | CustodianPin | Envelope") -> Trust:
    """Return the pins with one more of a kind; the same pin again changes nothing."""
    pins = getattr(trust, field)
    return trust if pin in pins else trust.model_copy(update={field: (*pins, pin)})


def _change(place: Home, change: Callable[[Trust], Trust], *, as_json: bool) -> None:
    from sealroom.typed import typed

    changed = change(place.trust() if place.trust_file.exists() else Trust())
    # Validated anew, so that no two pins contradict each other.
    trust = typed(Trust, changed.model_dump(mode="json"), where=str(place.trust_file))
    save_trust(trust, place.trust_file)
    _print(trust, as_json=as_json)


def _print(trust: Trust, *, as_json: bool) -> None:
    if as_json:
        print_json(trust.model_dump(mode="json"))
        return
    rows = [("institution", pin.short, pin.root) for pin in trust.institutions]
    rows += [
        ("hardware root", "SIMULATED" if pin.simulated else "hardware", pin.digest) for pin in trust.hardware_roots
    ]
    rows += [("measurement", pin.profile, pin.measurement) for pin in trust.measurements]
    rows += [("custodian", pin.signing[:16], pin.fingerprint) for pin in trust.custodians]
    rows += [("endorsement", pin.signatures[0].keyid[:16], pin.name) for pin in trust.endorsements]
    rows += [("withdrawal list", pin.signatures[0].keyid[:16], pin.name) for pin in trust.withdrawals]
    rows.append(("appraisal policy", "set" if trust.appraisal_policy else "NOT SET: no evidence is accepted", ""))
    print_rows(("pin", "name", "fingerprint"), rows)
