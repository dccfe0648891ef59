#include "images/formats/png_rows.hpp"

#include <algorithm>
#include <new>

#include "images/formats/raster.hpp"

namespace mpm {

namespace {

constexpr std::uint64_t most_surplus = 1 << 20;  // some writers pack more than the rows

}  // namespace

PngRows::PngRows(std::vector<Bytes> packed, std::uint64_t size)
    : packed_(std::move(packed)), left_(size) {
  if (std::all_of(packed_.begin(), packed_.end(), [](Bytes data) { return data.empty(); })) {
    throw ImageError("PNG without image data");
  }
  if (inflateInit(&inflater_) != Z_OK) throw std::bad_alloc();
}

Bytes PngRows::next() {
  while (const std::size_t unpacked = unpack()) {
    const auto rows = static_cast<std::size_t>(std::min<std::uint64_t>(unpacked, left_));
    left_ -= rows;
    surplus_ += unpacked - rows;
    if (surplus_ > most_surplus) throw ImageError(broken_data);
    if (rows > 0) return {unpacked_.data(), rows};
  }
  if (left_ > 0 || !has_ended_) throw ImageError(broken_data);
  return {};
}

// How many bytes there are now; none behind the end, or where the data is cut off.
std::size_t PngRows::unpack() {
  inflater_.next_out = unpacked_.data();
  inflater_.avail_out = static_cast<uInt>(piece);
  while (!has_ended_ && inflater_.avail_out > 0) {
    if (inflater_.avail_in == 0 && begun_ < packed_.size()) {
      const Bytes data = packed_[begun_++];
      inflater_.next_in = const_cast<std::uint8_t*>(data.data());
      inflater_.avail_in = static_cast<uInt>(data.size());
    }
    const int status = inflate(&inflater_, Z_NO_FLUSH);
    has_ended_ = status == Z_STREAM_END;
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_BUF_ERROR && begun_ == packed_.size()) break;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      throw ImageError(broken_data);
    }
  }
  return piece - inflater_.avail_out;
}

}  // namespace mpm
