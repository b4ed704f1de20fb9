"""The rules that a Gramine manifest is checked by: what is wrong, why it matters, what to do.

``refuse`` is what lets the host read or change what the enclave does, or hides what it does from whoever reads the
manifest. ``warn`` is what an owner ought to have thought about.
"""

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["RULES", "Finding", "Rule", "Severity"]

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a manifest may have wrong."""

    name: str
    severity: Severity
    wrong: str
    why: str
    do: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule, the key of the manifest where it does not hold, and what stands there."""

    rule: Rule
    where: str
    found: str


_REFUSED: Final[dict[str, tuple[str, str, str]]] = {
    # The enclave and its evidence
    "SGX_DEBUG": (
        "The enclave can be debugged, or the manifest does not say that it cannot.",
        "The host reads and writes the memory of a debug enclave.",
        "Write sgx.debug = false.",
    ),
    "REMOTE_ATTESTATION": (
        "The enclave makes no DCAP quote.",
        "Without a quote nobody outside can tell this enclave from any other program.",
        'Write sgx.remote_attestation = "dcap".',
    ),
    "INSECURE_OPTION": (
        "An option is on that Gramine itself calls insecure.",
        "It hands the host a choice or a secret that belongs to the enclave.",
        "Remove every option whose name starts with insecure__.",
    ),
    "DEBUG_OPTION": (
        "An option for debugging is used.",
        "System calls can be made to do nothing and report success, also those that give random numbers.",
        "Remove every option whose name starts with debug__.",
    ),
    "PROFILING": (
        "Statistics or profiling of the enclave are on.",
        "They show the host what the enclave does, and they only work with debug enclaves.",
        "Remove sgx.enable_stats, sgx.profile and sgx.vtune_profile.",
    ),
    "EXINFO": (
        "Addresses of faults are handed to the program.",
        "Run times then print registers and variables after a fault, and the enclave's MISCSELECT is another.",
        "Write sgx.use_exinfo = false.",
    ),
    "SEAL_KEY": (
        "The sealing key leaves out bits of the enclave's attributes.",
        "A debug enclave, which the host reads, could derive the same key and open what was sealed.",
        "Remove sgx.seal_key.",
    ),
    # What the host tells the program
    "LOG_LEVEL": (
        "Gramine logs more than errors.",
        "Its other messages show system calls and their arguments to the host.",
        'Write loader.log_level = "error".',
    ),
    "LOG_FILE": (
        "Gramine writes its log into a file of the host.",
        "The host keeps and reads that file, and it is one more way out of the enclave.",
        "Remove loader.log_file.",
    ),
    "ARGV_MISSING": (
        "The program's arguments are not fixed.",
        "A program such as Python does something else with every argument, or reads its program from its input.",
        "Write all arguments into loader.argv.",
    ),
    "ARGV_INPUT": (
        "The program is an interpreter, a shell or a starter of others, and is not told to run just one script.",
        "It reads code from its input or from a file of the host, or runs what only its arguments show.",
        "Name the program itself; give an interpreter first its script, or Python, after plain options, -m MODULE.",
    ),
    "ARGV_FILE": (
        "The program's arguments stand in a file.",
        "Whoever reads the manifest does not see them.",
        "Write them into loader.argv, and remove loader.argv_src_file.",
    ),
    "ENV_FILE": (
        "Environment variables stand in a file.",
        "Whoever reads the manifest does not see them.",
        "Write them into loader.env, and remove loader.env_src_file.",
    ),
    "ENV_PASSTHROUGH": (
        "The host sets an environment variable.",
        "Variables choose which code is loaded and how libraries behave.",
        "Give the variable a fixed value in loader.env, or remove it.",
    ),
    "ENV_CODE": (
        "A variable names code that is loaded or run beside the program.",
        "What runs is then not what libos.entrypoint and loader.argv show, and may come from the host.",
        "Remove the variable; start Python with -I.",
    ),
    "IOCTL": (
        "Calls to devices of the host are passed through.",
        "What goes to the device leaves the enclave, and the host chooses what comes back.",
        "Remove sys.allowed_ioctls.",
    ),
    "SUBPROCESSES": (
        "The program may start other processes.",
        "Each child is another enclave, which gets a copy of the memory with the keys and may run any trusted file.",
        "Write sys.disallow_subprocesses = true.",
    ),
    # Files
    "FILE_CHECK_POLICY": (
        "Files that are not listed are let in.",
        "The host gives the program any file that it likes, code as well.",
        'Write sgx.file_check_policy = "strict".',
    ),
    "ALLOWED_FILE": (
        "A file or device is read and written without a check.",
        "The host reads what the program writes there and changes what it reads.",
        "Remove it from sgx.allowed_files; list it in sgx.trusted_files, or mount it encrypted.",
    ),
    "ALLOWED_CODE": (
        "A file that is read without a check holds code, or may.",
        "The host replaces the program, so the measurement says nothing of what runs.",
        "Remove it from sgx.allowed_files; list each file of code in sgx.trusted_files.",
    ),
    "TRUSTED_HASH": (
        "A trusted file has no SHA-256 in the manifest.",
        "What you read does not say which file runs; whoever signs the manifest puts in the hash of what is there.",
        "Ask for the manifest with all hashes: the signed one, enclave.manifest.sgx.",
    ),
    "TRUSTED_CONFLICT": (
        "One file has two different hashes, in the list or as the library OS.",
        "Which of the two runs is the loader's choice, not yours.",
        "Name the file once, or everywhere with the same hash.",
    ),
    "TRUSTED_FOLDER": (
        "A whole folder is trusted.",
        "It stands for whatever is in the folder when the manifest is signed.",
        "List each file with its SHA-256.",
    ),
    "TRUSTED_LIBRARIES": (
        "A whole library folder of the system is trusted.",
        "Tens of thousands of files become part of the program, and starting takes many seconds more.",
        "List the libraries that the program loads, each with its SHA-256.",
    ),
    "TRUSTED_WILDCARD": (
        "The name of a trusted file has a wildcard.",
        "Gramine knows no wildcards: who wrote this expected more files to be checked than are.",
        "List each file with its SHA-256.",
    ),
    "TRUSTED_URI": (
        "A trusted file is not named by a file: URI.",
        "Only files can be hashed; Gramine takes nothing else here.",
        'Write uri = "file:PATH".',
    ),
    "LOADER_ENTRYPOINT": (
        "Gramine's own library OS is not named with its SHA-256.",
        "It is the first code to run and stands between the program and the host.",
        "Write loader.entrypoint.uri and loader.entrypoint.sha256.",
    ),
    "LIBOS_ENTRYPOINT": (
        "The program is not a trusted file.",
        "Through the mounts, libos.entrypoint must lead to one file in sgx.trusted_files that has a SHA-256.",
        "List the program's file in sgx.trusted_files, and mount it where libos.entrypoint says.",
    ),
    # Mounts
    "ROOT": (
        "The root of the file system is a folder of the host, or the manifest does not say what it is.",
        "The host decides which names exist there; Gramine takes its working folder where nothing is said.",
        'Write fs.root.type = "tmpfs".',
    ),
    "MOUNT_ATTESTATION": (
        "Something is mounted over /dev/attestation.",
        "Quotes and sealing keys then come from there: the program takes what was put there for the hardware's own.",
        "Remove this mount.",
    ),
    "MOUNT_ROOT": (
        "The whole of the host's file system, or of the enclave's, is one mount.",
        "The host decides which names exist anywhere.",
        "Mount only the folders of the program.",
    ),
    "MOUNT_SYSTEM": (
        "Something is mounted over /dev, /proc or /sys, or below.",
        "Gramine makes these itself; what is mounted there takes the place of devices such as /dev/urandom.",
        "Remove this mount; only a tmpfs at /dev/shm is harmless.",
    ),
    "MOUNT_HOST_SYSTEM": (
        "A device of the host, or its /dev, /proc or /sys, is mounted.",
        "The host makes up what is read there.",
        "Remove this mount.",
    ),
    "MOUNT_ELSEWHERE": (
        "A mount, or the root, shows a folder outside that of the manifest.",
        "What lies there depends on where the manifest is started; upwards from it is any folder of the host.",
        "Name a folder below that of the manifest by a relative path without two dots.",
    ),
    "MOUNT_OVER_TRUSTED": (
        "A tmpfs or an encrypted folder is mounted over trusted files, or among them.",
        "Other files take the place of those that are measured; who has the key of the folder chooses them.",
        "Mount it where no trusted file is mounted, neither above nor below.",
    ),
    "MOUNT_SHARED": (
        "Memory is shared with the host.",
        "The host reads and changes it while the program uses it.",
        "Remove this mount.",
    ),
    "MOUNT_TYPE": (
        "A mount has a type that is not known.",
        "What it shows the program cannot be told from the manifest.",
        "Use chroot, encrypted or tmpfs.",
    ),
    "MOUNT_PATH": (
        "A mount's place is missing, relative, too long or written in a roundabout way.",
        "Doubled slashes and dots hide what a mount covers.",
        "Write the place as a plain absolute path.",
    ),
    "MOUNT_URI": (
        "A mount does not say, as a file: URI, what is mounted.",
        "What it shows the program cannot be told from the manifest.",
        'Write uri = "file:PATH".',
    ),
    "ENCRYPTED_SIGNER": (
        "Files are encrypted under a key of the signer.",
        "Whoever holds the signing key signs another program that opens them on this machine.",
        'Use key_name = "_sgx_mrenclave", or a key that the program is given after attestation.',
    ),
    "ENCRYPTED_KEY": (
        "Files are encrypted under a key that the manifest shows, or under a special key that is not known.",
        "Everybody who has the manifest has the key, or nobody can say who has it.",
        'Use key_name = "_sgx_mrenclave", or a key that the program is given after attestation.',
    ),
    # The text itself
    "TRIPLE_QUOTES": (
        "The text has three quotes in a row, as strings of several lines have.",
        "Gramine's parser ends such strings elsewhere than others do, and sees other options; no more was checked.",
        "Write each string on one line, in single quotes; keep three in a row out of comments as well.",
    ),
    "UNKNOWN_KEY": (
        "An option is not known to Gramine 1.9.",
        "It is misspelt and does nothing, or another version gives it a meaning that is not checked here.",
        "Remove it, or ask what it is for.",
    ),
    "VALUE": (
        "An option has a value that Gramine 1.9 does not know for it.",
        "It will not start, or an older Gramine takes the value in another sense.",
        "Write the value as Gramine's documentation of the manifest says.",
    ),
    "OLD_KEY": (
        "An option is written as older versions of Gramine wanted it.",
        "Gramine 1.9 does not look at it, an older one does; what it does there is not checked here.",
        "Write the manifest for Gramine 1.9.",
    ),
    "TEXT": (
        "A text holds characters that do not show.",
        "Gramine ends a text at a NUL: it would use another name than you read.",
        "Write plain text.",
    ),
}
_WARNED: Final[dict[str, tuple[str, str, str]]] = {
    "INSECURE_OFF": (
        "An insecure option is named, and off.",
        "It does nothing; somebody who changes the manifest has only one word to change.",
        "Remove it.",
    ),
    "EXPERIMENTAL": (
        "An experimental option is on.",
        "Gramine says that it may have security faults.",
        "Remove it unless the program cannot do without.",
    ),
    "LEFT_TO_DEFAULT": (
        "An option on which the owner's trust rests is left to Gramine's default.",
        "Today's default is right; the manifest does not hold another version of Gramine to it.",
        "Write the option down, with the value that is shown.",
    ),
    "HOST_NAMES": (
        "The host's DNS settings are taken over.",
        "The host decides where names lead; only what is encrypted to a known key is safe to send.",
        "Use a numeric address or a trusted /etc/hosts, or be sure that every connection is authenticated.",
    ),
    "INVALID_POINTERS": (
        "Pointers of system calls are not checked.",
        "Gramine's own memory may be overwritten by a faulty call of the program.",
        "Remove libos.check_invalid_pointers.",
    ),
    "EDMM": (
        "Memory is added while the enclave runs (EDMM).",
        "That is sound, but old processors do not start such an enclave, and its memory is not all measured.",
        "Accept it knowingly.",
    ),
    "CPU_FEATURE": (
        "The processor's AMX, MPX or PKRU may be or must be on in the enclave.",
        "The XFRM of its quote then differs between machines, and Sealroom's appraisal policy refuses these bits.",
        'Write "disabled" for each in sgx.cpu_features, or widen xfrm in the appraisal policy.',
    ),
    "SEAL_KEY_MASK": (
        "The masks of the sealing key are not Gramine's own.",
        "They decide which enclaves on this machine derive the same key.",
        "Remove sgx.seal_key unless you know why it is there.",
    ),
    "FEW_THREADS": (
        "The enclave has fewer than four threads.",
        "Gramine takes up to three for itself, and the program may hang.",
        "Write sgx.max_threads = 4 or more.",
    ),
    "TRUSTED_TWICE": (
        "A trusted file is listed twice, with the same hash.",
        "It does no harm; the manifest was not made with care.",
        "List the file once.",
    ),
    "TRUSTED_ELSEWHERE": (
        "A trusted file lies outside the folder of the manifest.",
        "It is checked all the same, but the measurement can only be made again on a machine with the same paths.",
        "Copy the file into the folder and name it by a relative path.",
    ),
    "TRUSTED_MANY": (
        "Very many files are trusted.",
        "Each is part of what you trust, and hashing them makes starting slow.",
        "List what the program needs.",
    ),
    "MOUNT_TWICE": (
        "Two mounts have the same place.",
        "The later one hides the earlier one.",
        "Keep one of them.",
    ),
    "ENCRYPTED_ROLLBACK": (
        "Files of the host are encrypted, and may be old.",
        "The host can put back an earlier version of a file, and the program does not notice.",
        "Keep nothing there that must not go back.",
    ),
    "ENCRYPTED_UNNAMED": (
        "Files are encrypted under a key that the program is given.",
        "Whoever it takes that key from can open and change them; the manifest does not say who that is.",
        'Write key_name = "_sgx_mrenclave", or find out who gives the key.',
    ),
}

_BY_SEVERITY: Final[tuple[tuple[Severity, dict[str, tuple[str, str, str]]], ...]] = (
    ("refuse", _REFUSED),
    ("warn", _WARNED),
)
RULES: Final[dict[str, Rule]] = {
    name: Rule(name, severity, *words) for severity, table in _BY_SEVERITY for name, words in table.items()
}
