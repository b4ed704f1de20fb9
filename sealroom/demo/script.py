"""The demo's commands: what three institutions type, step by step, in the words of the design."""

from dataclasses import dataclass

from sealroom.demo.cut import PARTIES

__all__ = ["PRELUDE", "Step", "as_script", "steps"]

PRELUDE = """\
# What `sealroom demo` played. To replay it against a fresh broker, with `sealroom` on the PATH, give
#   BROKER    address of the broker
#   OPERATOR  folder with what its operator handed over: invite, custodian.json, platform-root.pem, appraisal.toml
#   INPUTS    folder with each party's data, schema, terms and passphrase, and the recipe (demo-output/inputs)
#   WORK      an empty folder
set -eu
: "${BROKER:?}" "${OPERATOR:?}" "${INPUTS:?}" "${WORK:?}"
a() { SEALROOM_HOME="$WORK/a" SEALROOM_PASSPHRASE_FILE="$INPUTS/a/passphrase" sealroom "$@"; }
b() { SEALROOM_HOME="$WORK/b" SEALROOM_PASSPHRASE_FILE="$INPUTS/b/passphrase" sealroom "$@"; }
c() { SEALROOM_HOME="$WORK/c" SEALROOM_PASSPHRASE_FILE="$INPUTS/c/passphrase" sealroom "$@"; }
"""
CONTRACT = '"$WORK/contract.json"'
RECIPE = '"$INPUTS/recipe.toml" --dataset a=lung-a --dataset b=lung-b --dataset c=lung-c'
PURPOSE = "Does survival in advanced lung cancer differ by sex, given age and performance score?"


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a study, what happens in it, and the shell lines that do it."""

    title: str
    story: str
    lines: tuple[str, ...]


def steps() -> tuple[Step, ...]:
    """Return the whole study; each line is run by a POSIX shell after ``PRELUDE``."""
    return (
        Step(
            "0. Join",
            "Each institution makes its root key and its members' keys, joins the broker, and pins what it will trust: "
            "its partners' fingerprints, the hardware root, the enclave's measurement, the custodian.",
            (
                *(line for party in PARTIES for line in _join(party)),
                *(line for party in PARTIES for line in _pin(party)),
            ),
        ),
        Step(
            "1. Check and seal",
            "Each steward checks the data against the schema and seals it. Plain data never leaves the institution.",
            tuple(line for party in PARTIES for line in _seal(party)),
        ),
        Step(
            "2. Upload",
            "Ciphertext goes to the broker in parts, the sealed data key to the custodian.",
            tuple(f'{party} dataset upload "$WORK/{party}/sealed/lung-{party}"' for party in PARTIES),
        ),
        Step(
            "3. Propose",
            "A's analyst binds a recipe to the three datasets, one enclave measurement, recipients and limits.",
            (
                f"a recipe check {RECIPE}",
                f'a contract propose {RECIPE} --simulation --purpose "{PURPOSE}" --out {CONTRACT}',
            ),
        ),
        Step(
            "4. Approve",
            "Each owner's approver reads who learns what, and signs on their own machine.",
            (
                f"b contract show {CONTRACT}",
                *(f"{party} contract approve {CONTRACT} --yes" for party in PARTIES),
            ),
        ),
        Step(
            "5.-8. Run, gate, commit, receipt",
            "A host starts an enclave. It is attested, receives keys, decrypts in memory, runs the analysis. The gate "
            "judges each output, the custodian countersigns, the enclave signs the receipt.",
            (
                f'a run start --contract {CONTRACT} > "$WORK/run.txt"',
                'a run wait "$(cat "$WORK/run.txt")" --timeout 120',
            ),
        ),
        Step(
            "9. Fetch, verify, open",
            "A's analyst downloads the bundle and opens it. Anyone verifies it under their own pins, without network.",
            (
                'a result fetch "$(cat "$WORK/run.txt")" --out "$WORK/a/results"',
                'cp "$WORK/a/results/$(cat "$WORK/run.txt").sealroom" "$WORK/result.sealroom"',
                'cp "$WORK/a/trust.toml" "$WORK/trust.toml"',
                'a result open "$WORK/result.sealroom" --out "$WORK/a/opened"',
                'cp "$WORK/a/opened/outputs.json" "$WORK/a/opened/report.html" "$WORK/"',
                'sealroom verify "$WORK/result.sealroom" --trust "$WORK/trust.toml"',
                'sealroom verify "$WORK/result.sealroom" --trust "$WORK/c/trust.toml" --json > "$WORK/c/verified.json"',
            ),
        ),
    )


def as_script() -> str:
    """Return all commands as one shell script."""
    parts = (f"\n# {step.title}. {step.story}\n" + "\n".join(step.lines) + "\n" for step in steps())
    return PRELUDE + "".join(parts)


def _join(party: str) -> tuple[str, ...]:
    name, _ = PARTIES[party]
    people = {"a": ("alice", "arne", "anna"), "b": ("bob", "bea", "bill"), "c": ("carol", "carl", "cleo")}[party]
    members = tuple(
        f'{party} member add {person} --name "{person.title()}" --role {role}'
        for person, role in zip(people, ("steward", "approver", "analyst"), strict=True)
    )
    return (
        f'{party} institution init --short {party} --name "{name}"',
        *members,
        f'{party} institution join --broker "$BROKER" --invite-file "$OPERATOR/invite"',
    )


def _pin(party: str) -> tuple[str, ...]:
    return (
        *(
            f'{party} trust add-institution "$WORK/{partner}/institution.json" --compared'
            for partner in PARTIES
            if partner != party
        ),
        f'{party} trust add-hardware-root "$OPERATOR/platform-root.pem" --compared',
        f'{party} trust add-custodian "$OPERATOR/custodian.json" --compared',
        f'{party} trust set-policy "$OPERATOR/appraisal.toml"',
        f"{party} trust add-measurement clinical --local",
    )


def _seal(party: str) -> tuple[str, ...]:
    files = f'"$INPUTS/{party}/lung.csv" "$INPUTS/{party}/schema.toml"'
    terms = f'--policy "$INPUTS/{party}/policy.toml"'
    names = f'--name lung-{party} --title "NCCTG lung trial, {PARTIES[party][0]}"'
    return (
        f"{party} dataset check {files}",
        f'{party} dataset seal {files} {terms} {names} --out "$WORK/{party}/sealed"',
    )
