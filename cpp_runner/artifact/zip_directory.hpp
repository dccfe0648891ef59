#pragma once

// The directory of a ZIP archive, of the plain kind that an artifact is.
//
// What other readers of ZIP might take in another way is refused, so that torch, which reads the
// file again, finds the same records. `mpm_deploy/artifact/zip_directory.py` does the same, and
// `docs/formats/artifact.md` writes it down. Layouts are those of PKWARE's APPNOTE.TXT,
// section 4.3.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <istream>
#include <stdexcept>
#include <string>
#include <vector>

namespace mpm {

inline constexpr const char* no_zip = "not an artifact, or cut short";

struct ZipError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a record is and where it lies in the file.
struct Record {
  std::string name;  // with its top folder
  bool is_deflated;  // else its bytes lie there as they are
  std::uint64_t checksum;
  std::uint64_t packed_size;
  std::uint64_t size;
  std::uint64_t offset;  // where its header begins
};

using Sink = std::function<void(const char* data, std::size_t size)>;

// Throws ZipError: cut short, not a ZIP archive, or one that no artifact is; says why.
std::vector<Record> read_directory(std::istream& file);

// Gives a record's bytes in parts. Throws ZipError: not as many as the directory says, or others.
void read_record(std::istream& file, const Record& record, const Sink& sink);

}  // namespace mpm
