"""What an enclave profile is: which files of ours it consists of, its trusted file lock, its trusted computing base."""
