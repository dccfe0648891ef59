"""Read the one EXIF tag that moves pixels, the orientation."""

import struct

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION = 0x0112
_SHORT = 3


def read_orientation(tiff: bytes) -> int:
    """Find the orientation in the first directory of an EXIF block.

    Args:
        tiff: The block from its TIFF header on.

    Returns:
        1 to 8; 1, "as stored", where the tag is absent or the block is broken.
    """
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for index in range(entries):
            entry = struct.unpack_from(order + "HHIHxx", tiff, directory + 2 + 12 * index)
            tag, kind, count, value = entry
            if tag == _ORIENTATION:
                return value if (kind, count) == (_SHORT, 1) and 1 <= value <= 8 else 1
    except struct.error:
        pass  # cut off: as if there were no tag
    return 1
