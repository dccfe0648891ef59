"""Check that the scans of a JPEG give its picture to the last bit, and each bit once.

A decoder makes up what no scan gives, and each version of libjpeg in its own way. Hence scans are
held to the rules of ITU-T T.81 (B.2.3 and G.1.1.1).

    frame   precision (1 byte), height (2), width (2), components (1); a name and 2 bytes of each
    scan    components (1 byte), a name and a byte of each; first and last coefficient (1 each);
            bits that were left out so far, and that still are (4 bits each)
"""

from mpm_deploy.errors import ImageError
from mpm_deploy.images.formats.raster import ENDS_EARLY

# Writers make 1 to 4, and progressive ones about 10. Each takes time for every pixel.
MOST_SCANS = 100

_BROKEN_SCANS = "its scans are broken, or the file ends early"
_COEFFICIENTS = 64
_MOST_LEFT_OUT = 13
_ALL_LEFT_OUT = 14


def check_scans(frame: bytes, scans: list[bytes], is_progressive: bool) -> None:
    """Refuse scans that do not give the whole picture.

    Args:
        frame: The frame's header, as above; its first six bytes are there.
        scans: The header of every scan.
        is_progressive: Whether a scan may give a part of each coefficient.

    Raises:
        ImageError: Bits are missing, or come twice or in another order than the standard's; or
            there are more scans than anybody writes.
    """
    names = frame[6::3]
    if len(frame) != 6 + 3 * frame[5] or len(set(names)) != len(names):
        raise ImageError("broken JPEG header")
    if len(scans) > MOST_SCANS:
        raise ImageError(f"JPEG of more than {MOST_SCANS} scans is not read", "save it anew")
    left_out = {name: [_ALL_LEFT_OUT] * _COEFFICIENTS for name in names}
    for scan in scans:
        _take_scan(left_out, scan, is_progressive)
    if any(any(bits) for bits in left_out.values()):
        raise ImageError(ENDS_EARLY)


def _take_scan(left_out: dict[int, list[int]], scan: bytes, is_progressive: bool) -> None:
    """Take what a scan gives from the bits that are left out, by component and coefficient."""
    if not scan or len(scan) != 4 + 2 * scan[0]:
        raise ImageError("broken JPEG header")
    names = scan[1:-3:2]
    first, last, before, after = 0, _COEFFICIENTS - 1, _ALL_LEFT_OUT, 0
    if is_progressive:
        first, last, before, after = _part_of(scan)
    for name in names:
        bits = left_out.get(name, [])
        is_due = set(bits[first : last + 1]) == {before}
        if not is_due or (first > 0 and bits[0] == _ALL_LEFT_OUT):
            raise ImageError(_BROKEN_SCANS)
        bits[first : last + 1] = [after] * (last + 1 - first)


def _part_of(scan: bytes) -> tuple[int, int, int, int]:
    """Read the coefficients that a progressive scan gives, and how many bits it leaves out."""
    first, last, before, after = *scan[-3:-1], scan[-1] >> 4, scan[-1] & 0x0F
    is_mean = first == last == 0  # of all components that there are; else of one
    is_range = 0 < first <= last < _COEFFICIENTS and scan[0] == 1
    is_step = before in (0, after + 1) and after <= _MOST_LEFT_OUT
    if not (is_mean or is_range) or not is_step:
        raise ImageError(_BROKEN_SCANS)
    return first, last, before or _ALL_LEFT_OUT, after
