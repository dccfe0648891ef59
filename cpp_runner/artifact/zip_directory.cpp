#include "artifact/zip_directory.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "support/quoting.hpp"
#include "support/utf8.hpp"

namespace mpm {

namespace {

constexpr std::uint64_t most_records = 65'535;
constexpr std::uint64_t least_room = 64 << 20;  // bytes that any file may unpack to,
constexpr std::uint64_t most_packed = 16;       // and how often its own

constexpr std::uint64_t stored = 0;
constexpr std::uint64_t deflated = 8;
constexpr std::uint64_t known_flags = 0x080e;  // how hard, sizes behind the bytes, a name in UTF-8
constexpr std::uint64_t in_64_bits = 0xffff'ffff;  // stands for one that the extra field has

constexpr std::size_t header_size = 30;
constexpr std::size_t entry_size = 46;
constexpr std::size_t end_size = 22;
constexpr std::size_t end_64_size = 56;
constexpr std::size_t locator_size = 20;

constexpr std::size_t part_size = 1 << 16;  // bytes that are read at once: a cache holds them

void require(bool holds, const std::string& problem) {
  if (!holds) throw ZipError(problem);
}

std::string read(std::istream& file, std::uint64_t offset, std::uint64_t size) {
  std::string data(size, '\0');
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(data.data(), static_cast<std::streamsize>(size));
  require(file.good(), "it is cut short");
  return data;
}

// The number in so many bytes, the lowest first.
std::uint64_t number(std::string_view data, std::size_t at, int size) {
  std::uint64_t value = 0;
  while (size-- > 0) value = value << 8 | static_cast<std::uint8_t>(data[at + size]);
  return value;
}

struct Directory {
  std::uint64_t count;
  std::uint64_t start;
  std::uint64_t end;
};

// What the end record says, or its form for large archives that stands before it.
Directory find_directory(std::istream& file, std::uint64_t file_size) {
  require(file_size >= end_size, no_zip);
  std::uint64_t end = file_size - end_size;
  std::string data = read(file, end, end_size);
  require(data.starts_with("PK\5\6") && number(data, 20, 2) == 0, no_zip);
  std::uint64_t count = number(data, 10, 2);
  std::uint64_t length = number(data, 12, 4);
  std::uint64_t start = number(data, 16, 4);
  if (end >= locator_size + end_64_size) {
    const std::string locator = read(file, end - locator_size, locator_size);
    if (locator.starts_with("PK\6\7")) {
      end -= locator_size + end_64_size;
      data = read(file, end, end_64_size);
      require(number(locator, 8, 8) == end && data.starts_with("PK\6\6"),
              "its end is not where it says");
      count = number(data, 32, 8);
      length = number(data, 40, 8);
      start = number(data, 48, 8);
    }
  }
  require(start <= end && length == end - start, "its directory is not where it says");
  return {count, start, end};
}

// The numbers of 64 bits that a record's extra fields hold.
std::string_view extra_field_64(std::string_view extra) {
  while (extra.size() >= 4) {
    const std::uint64_t kind = number(extra, 0, 2);
    const std::uint64_t size = number(extra, 2, 2);
    extra.remove_prefix(4);
    if (kind == 1) return extra.substr(0, size);
    extra.remove_prefix(std::min<std::size_t>(size, extra.size()));
  }
  return {};
}

// Each number that is too large for its place is the next one of the extra field.
std::uint64_t in_full(std::uint64_t value, std::string_view& large) {
  if (value != in_64_bits) return value;
  require(large.size() >= 8, "a size in its directory is missing");
  value = number(large, 0, 8);
  large.remove_prefix(8);
  return value;
}

// The entry that the directory's rest begins with, which is then behind it.
Record take_entry(std::string_view& rest) {
  require(rest.size() >= entry_size, "its directory is cut short");
  const std::uint64_t name_size = number(rest, 28, 2);
  const std::uint64_t extra_size = number(rest, 30, 2);
  const std::uint64_t entry_end = entry_size + name_size + extra_size + number(rest, 32, 2);
  require(rest.starts_with("PK\1\2") && entry_end <= rest.size(), "its directory is damaged");
  const std::string name(rest.substr(entry_size, name_size));
  require(escaped(name) == name, "the name of a record is not UTF-8");
  std::string_view large = extra_field_64(rest.substr(entry_size + name_size, extra_size));
  const std::uint64_t flags = number(rest, 8, 2);
  const std::uint64_t method = number(rest, 10, 2);
  const std::uint64_t size = in_full(number(rest, 24, 4), large);
  const std::uint64_t packed = in_full(number(rest, 20, 4), large);
  const std::uint64_t offset = in_full(number(rest, 42, 4), large);
  const bool fits =
      (method == deflated || (method == stored && size == packed)) && (flags & ~known_flags) == 0;
  require(fits, "record " + shown(name) + " is not stored or deflated, or is encrypted");
  const std::uint64_t kind = number(rest, 40, 2) & S_IFMT;
  require(kind == 0 || kind == S_IFREG, "record " + shown(name) + " is a link or no file");
  const Record record{name, method == deflated, number(rest, 16, 4), packed, size, offset};
  rest.remove_prefix(entry_end);
  return record;
}

bool leads_out(std::string_view part) {
  return part.empty() || part == "." || part == ".." ||
         (part.size() >= 2 && part[1] == ':' && std::isalpha(static_cast<unsigned char>(part[0])));
}

void check_name(std::string_view name) {
  bool inside = name.find('\\') == name.npos && name.find('\0') == name.npos;
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    inside = inside && !leads_out(name.substr(start, end - start));
    start = end + 1;
  }
  require(inside, "record " + shown(name) + " has a name that leads out of it");
}

void check_names(const std::vector<Record>& records) {
  std::set<std::string_view> names;
  std::set<std::string> roots;
  for (const Record& record : records) {
    check_name(record.name);
    names.insert(record.name);
    const std::size_t slash = record.name.find('/');
    roots.insert(slash == record.name.npos ? "/" : record.name.substr(0, slash));
  }
  require(names.size() == records.size(), "two records have one name");
  require(roots.size() == 1 && !roots.contains("/"), "its records do not lie under one folder");
}

void check_sizes(const std::vector<Record>& records, const Directory& directory,
                 std::uint64_t file_size) {
  std::uint64_t packed = 0;
  std::uint64_t unpacked = 0;
  const std::uint64_t most = least_room + most_packed * file_size;
  for (const Record& record : records) {
    require(record.offset < directory.start && record.packed_size < directory.start &&
                record.offset + header_size + record.packed_size <= directory.start,
            "record " + shown(record.name) + " ends behind the file's records");
    packed += record.packed_size;
    if (record.is_deflated) unpacked += std::min(record.size, most + 1);
  }
  require(packed <= file_size, "its records lie over one another");
  require(unpacked <= most,
          "it unpacks to more bytes than " + std::to_string(most) + ", which are the most");
}

// Where a record's packed bytes begin, if the header before them is its own.
std::uint64_t find_bytes(std::istream& file, const Record& record) {
  const std::string header = read(file, record.offset, header_size);
  const std::uint64_t name_size = number(header, 26, 2);
  require(header.starts_with("PK\3\4") && name_size == record.name.size() &&
              read(file, record.offset + header_size, name_size) == record.name,
          "its header is not that of the directory");
  return record.offset + header_size + name_size + number(header, 28, 2);
}

// Unpacks what it is given, part by part.
class Unpacker {
 public:
  Unpacker() { require(inflateInit2(&stream_, -MAX_WBITS) == Z_OK, "zlib cannot begin"); }
  ~Unpacker() { inflateEnd(&stream_); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  void unpack(std::string& packed, const Sink& sink) {
    stream_.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(part_.data());
      stream_.avail_out = static_cast<uInt>(part_.size());
      const int outcome = is_at_end_ ? Z_BUF_ERROR : inflate(&stream_, Z_NO_FLUSH);
      if (outcome == Z_BUF_ERROR) return;  // there is nothing left to do
      require(outcome == Z_OK || outcome == Z_STREAM_END, "it is not DEFLATE");
      is_at_end_ = outcome == Z_STREAM_END;
      sink(part_.data(), part_.size() - stream_.avail_out);
    } while (stream_.avail_out == 0 || stream_.avail_in > 0);
  }

 private:
  z_stream stream_{};
  bool is_at_end_ = false;
  std::string part_ = std::string(part_size, '\0');
};

void read_packed(std::istream& file, const Record& record,
                 const std::function<void(std::string&)>& take) {
  const std::uint64_t start = find_bytes(file, record);
  for (std::uint64_t at = 0; at < record.packed_size; at += part_size) {
    const auto size = std::min<std::uint64_t>(part_size, record.packed_size - at);
    std::string part = read(file, start + at, size);
    take(part);
  }
}

}  // namespace

std::vector<Record> read_directory(std::istream& file) {
  file.seekg(0, std::ios::end);
  const std::streamoff end = file.tellg();
  require(end >= 0, "it is cut short");
  const auto file_size = static_cast<std::uint64_t>(end);
  const Directory directory = find_directory(file, file_size);
  require(directory.count <= most_records, "it has " + std::to_string(directory.count) +
                                               " records, and " + std::to_string(most_records) +
                                               " are the most");
  const std::string data = read(file, directory.start, directory.end - directory.start);
  std::string_view rest = data;
  std::vector<Record> records;
  while (records.size() < directory.count) records.push_back(take_entry(rest));
  require(rest.empty(), "its directory has more than its records");
  check_names(records);
  check_sizes(records, directory, file_size);
  return records;
}

void read_record(std::istream& file, const Record& record, const Sink& sink) {
  uLong checksum = 0;
  std::uint64_t size = 0;
  const Sink checked = [&](const char* data, std::size_t count) {
    checksum = crc32_z(checksum, reinterpret_cast<const Bytef*>(data), count);
    size += count;
    require(size <= record.size, "it is longer than the directory says");
    sink(data, count);
  };
  if (record.is_deflated) {
    Unpacker unpacker;
    read_packed(file, record, [&](std::string& packed) { unpacker.unpack(packed, checked); });
  } else {
    read_packed(file, record,
                [&](const std::string& bytes) { checked(bytes.data(), bytes.size()); });
  }
  require(size == record.size, "it is shorter than the directory says");
  require(checksum == record.checksum, "its checksum differs");
}

}  // namespace mpm
