#pragma once

#include <vector>

#include "images/formats/bytes.hpp"

namespace mpm {

// Whether the scans of a JPEG give its picture to the last bit, and each bit once. A decoder makes
// up what no scan gives, and each version of libjpeg in its own way. Hence scans are held to the
// rules of ITU-T T.81 (B.2.3 and G.1.1.1).
//
//   frame   precision (1 byte), height (2), width (2), components (1); a name and 2 bytes of each
//   scan    components (1 byte), a name and a byte of each; first and last coefficient (1 each);
//           bits that were left out so far, and that still are (4 bits each)
//
// The frame's first six bytes are there. A progressive scan may give a part of each coefficient.
// Throws ImageError: bits are missing, or come twice or in another order than the standard's; or
// there are more scans than anybody writes.
void check_scans(Bytes frame, const std::vector<Bytes>& scans, bool is_progressive);

}  // namespace mpm
