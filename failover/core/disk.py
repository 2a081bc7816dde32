"""Errors of a file system that only say that nothing can be written now. What is read there is as good as ever."""

import errno

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES})


def is_unwritable(error: OSError) -> bool:
    """Whether a full or read-only disk, or somebody else's directory, refused to be written to."""
    return error.errno in _UNWRITABLE
