"""What several tests of the partner's side share."""

import pytest
from genotype_files import convert

from sealroom.datasets.findings import CheckError


@pytest.fixture
def refused():
    """Return a function: this conversion is refused with this code, and this is where."""

    def check(code, kind, path, *, file=None, line=None, column=None, **options):
        with pytest.raises(CheckError) as caught:
            convert(kind, path, **options)
        found = caught.value.findings[0]
        assert found.code == caught.value.code == code, found
        assert file is None or found.file == file
        assert (found.line, found.column) == (line, column)
        return found

    return check
