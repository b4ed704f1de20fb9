"""The demo's commands: what the institutions type, step by step, in the words of the design."""

from dataclasses import dataclass

from sealroom.demo.study import DemoStudy, Question

__all__ = ["Step", "as_script", "prelude", "steps"]

_PEOPLE = {
    "a": ("alice", "arne", "anna"),
    "b": ("bob", "bea", "bill"),
    "c": ("carol", "carl", "cleo"),
    "d": ("dora", "dan", "dina"),
}
"""Steward, approver and analyst of each party."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a study, what happens in it, and the shell lines that do it."""

    title: str
    story: str
    lines: tuple[str, ...]


def prelude(study: DemoStudy) -> str:
    """Return the head of the script: a shell function for each party."""
    parties = "".join(
        f'{party}() {{ SEALROOM_HOME="$WORK/{party}" SEALROOM_PASSPHRASE_FILE="$INPUTS/{party}/passphrase" '
        'sealroom "$@"; }\n'
        for party in study.parties
    )
    return f"""\
# What `sealroom demo --study {study.name}` played. To replay it against a fresh broker, with `sealroom` on the PATH,
# give
#   BROKER    address of the broker
#   OPERATOR  folder with what its operator handed over: invite, custodian.json, platform-root.pem, appraisal.toml
#   INPUTS    folder with each party's data, schema, terms and passphrase, and the recipes (demo-output/inputs)
#   WORK      an empty folder
set -eu
: "${{BROKER:?}}" "${{OPERATOR:?}}" "${{INPUTS:?}}" "${{WORK:?}}"
{parties}"""


def steps(study: DemoStudy) -> tuple[Step, ...]:
    """Return the whole study; each line is run by a POSIX shell after ``prelude``."""
    return (
        Step(
            "0. Join",
            "Each institution makes its root key and its members' keys, joins the broker, and pins what it will trust: "
            "its partners' fingerprints, the hardware root, the enclave's measurement, the custodian.",
            (
                *(line for party in study.parties for line in _join(study, party)),
                *(line for party in study.parties for line in _pin(study, party)),
            ),
        ),
        Step(
            "1. Check and seal",
            "Each steward checks the data against the schema and seals it. Plain data never leaves the institution.",
            tuple(line for party in study.parties for line in _seal(study, party)),
        ),
        Step(
            "2. Upload",
            "Ciphertext goes to the broker in parts, the sealed data key to the custodian.",
            tuple(f'{party} dataset upload "$WORK/{party}/sealed/{study.dataset}-{party}"' for party in study.parties),
        ),
        Step(
            "3. Propose",
            "A's analyst binds a recipe to the datasets, one enclave measurement, recipients and limits.",
            tuple(line for question in study.questions for line in _propose(study, question)),
        ),
        Step(
            "4. Approve",
            "Each owner's approver reads who learns what, and signs on their own machine.",
            tuple(line for question in study.questions for line in _approve(study, question)),
        ),
        Step(
            "5.-8. Run, gate, commit, receipt",
            "A host starts an enclave. It is attested, receives keys, decrypts in memory, runs the analysis. The gate "
            "judges each output, the custodian countersigns, the enclave signs the receipt.",
            tuple(line for question in study.questions for line in _run(study, question)),
        ),
        Step(
            "9. Fetch, verify, open",
            "A's analyst downloads the bundle and opens it. Anyone verifies it under their own pins, without network.",
            (
                'cp "$WORK/a/trust.toml" "$WORK/trust.toml"',
                *(line for question in study.questions for line in _open(study, question)),
            ),
        ),
    )


def as_script(study: DemoStudy) -> str:
    """Return all commands as one shell script."""
    parts = (f"\n# {step.title}. {step.story}\n" + "\n".join(step.lines) + "\n" for step in steps(study))
    return prelude(study) + "".join(parts)


def _join(study: DemoStudy, party: str) -> tuple[str, ...]:
    members = tuple(
        f'{party} member add {person} --name "{person.title()}" --role {role}'
        for person, role in zip(_PEOPLE[party], ("steward", "approver", "analyst"), strict=True)
    )
    return (
        f'{party} institution init --short {party} --name "{study.parties[party]}"',
        *members,
        f'{party} institution join --broker "$BROKER" --invite-file "$OPERATOR/invite"',
    )


def _pin(study: DemoStudy, party: str) -> tuple[str, ...]:
    code = "--local" if study.runtime == "python" else '--builds "$OPERATOR/enclaves"'
    return (
        *(
            f'{party} trust add-institution "$WORK/{partner}/institution.json" --compared'
            for partner in study.parties
            if partner != party
        ),
        f'{party} trust add-hardware-root "$OPERATOR/platform-root.pem" --compared',
        f'{party} trust add-custodian "$OPERATOR/custodian.json" --compared',
        f'{party} trust set-policy "$OPERATOR/appraisal.toml"',
        f"{party} trust add-measurement {study.profile} {code}",
    )


def _seal(study: DemoStudy, party: str) -> tuple[str, ...]:
    source = f'"$INPUTS/{party}/{study.dataset}.csv" "$INPUTS/{party}/schema.toml"' + _more(study.options(party))
    terms = f'--policy "$INPUTS/{party}/policy.toml"' + _more(study.seal_options)
    names = f'--name {study.dataset}-{party} --title "{study.title}, {study.parties[party]}"'
    return (
        f"{party} dataset check {source}",
        f'{party} dataset seal {source} {terms} {names} --out "$WORK/{party}/sealed"',
    )


def _propose(study: DemoStudy, question: Question) -> tuple[str, ...]:
    slots = " ".join(f"--dataset {party}={study.dataset}-{party}" for party in study.partners(question))
    recipe = f'"$INPUTS/{question.recipe}.toml" {slots}'
    terms = f'--simulation --purpose "{question.purpose}"'
    return f"a recipe check {recipe}", f"a contract propose {recipe} {terms} --out {_contract(study, question)}"


def _approve(study: DemoStudy, question: Question) -> tuple[str, ...]:
    contract = _contract(study, question)
    return (
        f"b contract show {contract}",
        *(f"{party} contract approve {contract} --yes" for party in study.partners(question)),
    )


def _run(study: DemoStudy, question: Question) -> tuple[str, ...]:
    run = f'"$WORK/{study.prefix(question)}run.txt"'
    return (
        f"a run start --contract {_contract(study, question)} > {run}",
        f'a run wait "$(cat {run})" --timeout 120',
    )


def _open(study: DemoStudy, question: Question) -> tuple[str, ...]:
    stem, prefix = study.stem(question), study.prefix(question)
    run, opened = f'$(cat "$WORK/{prefix}run.txt")', f"opened/{stem}"
    bundle = f'"$WORK/{stem}.sealroom"'
    reader = question.reader
    others = [party for party in study.partners(question) if study.all_open and party != reader]
    return (
        f'{reader} result fetch "{run}" --out "$WORK/{reader}/results"',
        f'cp "$WORK/{reader}/results/{run}.sealroom" {bundle}',
        f'{reader} result open {bundle} --out "$WORK/{reader}/{opened}"{_more(question.options)}',
        *(f'cp "$WORK/{reader}/{opened}/{name}" "$WORK/{prefix}{name}"' for name in ("outputs.json", "report.html")),
        *(f'{party} result open {bundle} --out "$WORK/{party}/{opened}"' for party in others),
        f'sealroom verify {bundle} --trust "$WORK/trust.toml"',
        f'sealroom verify {bundle} --trust "$WORK/c/trust.toml" --json > "$WORK/c/{prefix}verified.json"',
    )


def _contract(study: DemoStudy, question: Question) -> str:
    return f'"$WORK/{study.prefix(question)}contract.json"'


def _more(options: str) -> str:
    return f" {options}" if options else ""
