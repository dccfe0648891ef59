#pragma once

#include <zlib.h>

#include <array>
#include <vector>

#include "images/formats/bytes.hpp"

namespace mpm {

// The rows of a PNG, still filtered, unpacked piece by piece. What is wrong with the packed data is
// found here and not by libpng, of which each version forgives something else.
class PngRows {
 public:
  static constexpr std::size_t piece = 1 << 15;  // bytes at once, at most

  // size: the bytes of all rows, each behind the byte that names its filter. Throws ImageError: no
  // data.
  PngRows(std::vector<Bytes> packed, std::uint64_t size);
  ~PngRows() { inflateEnd(&inflater_); }
  PngRows(const PngRows&) = delete;
  PngRows& operator=(const PngRows&) = delete;

  // Nothing behind the last one. Throws ImageError: the rows are not of that size, or more with
  // little surplus; or the packed data is broken, as its checksum tells too, or cut off. What lies
  // behind it is not looked at.
  Bytes next();

 private:
  std::size_t unpack();

  const std::vector<Bytes> packed_;
  std::uint64_t left_;
  std::uint64_t surplus_ = 0;
  std::size_t begun_ = 0;  // of packed_
  bool has_ended_ = false;
  z_stream inflater_{};
  std::array<std::uint8_t, piece> unpacked_;
};

}  // namespace mpm
