#include "support/refusal.hpp"

#include <cxxabi.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>

namespace mpm {

namespace {

constexpr auto permit =
    "`namei -l` shows who may: change that with chmod or chown, or name another place";
constexpr auto remount = "the network share is gone: mount it again, or name another place";
constexpr auto wait = "another program or a mount holds it: name another place";

// Made when it is first asked for: what is static elsewhere may ask before this file's is made.
const std::map<int, const char*>& cures() {
  static const std::map<int, const char*> made{
      {EACCES, permit},
      {EPERM, permit},
      {EROFS, "name a place on a file system that may be written to"},
      {ENOSPC, "make room (see `df -h` and `df -i`), or name a place on another disk"},
      {EDQUOT, "your quota is used up: make room, or name a place on another disk"},
      {EFBIG, "raise the limit of a file's size (ulimit -f), or name a place on another disk"},
      {EMFILE, "raise the limit of open files: ulimit -n 4096"},
      {ENFILE, "this machine has too many files open: end other programs"},
      {ENOMEM, "end other programs, or take smaller batches: --batch 1"},
      {EAGAIN,
       "raise the limit of threads (ulimit -u, or a container's pids), or use fewer: --threads 1"},
      {ENAMETOOLONG, "take a shorter name"},
      {ELOOP, "its links lead in a circle: name the file itself"},
      {EBUSY, wait},
      {ETXTBSY, wait},
      {EIO, "the disk or the network failed (see `dmesg`): copy it from elsewhere"},
      {ESTALE, remount},
      {ENOTCONN, remount},
      {EHOSTDOWN, remount},
      {ETIMEDOUT, remount},
  };
  return made;
}

// What torch says in exceptions that carry no number; others quote strerror.
constexpr std::array<std::pair<std::string_view, int>, 5> words{{
    {"DefaultCPUAllocator", ENOMEM},
    {"out of memory", ENOMEM},              // a GPU's
    {"OutOfMemory", ENOMEM},                // TensorRT's
    {"Failed to allocate memory", ENOMEM},  // ONNX Runtime's
    {"failed to map segment", ENOMEM},
}};

std::optional<int> number_in(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error)) return ENOMEM;
  if (const auto* of_system = dynamic_cast<const std::system_error*>(&error)) {
    return of_system->code().value();
  }
  const std::string_view said = error.what();
  for (const auto& [text, number] : words) {
    if (said.find(text) != std::string_view::npos) return number;
  }
  for (const auto& [number, _] : cures()) {
    if (said.find(std::strerror(number)) != std::string_view::npos) return number;
  }
  return std::nullopt;
}

std::string where(const std::exception& error, int number) {
  if (const auto* of_file = dynamic_cast<const std::filesystem::filesystem_error*>(&error)) {
    return of_file->path1().string();
  }
  if (number == ENOMEM) return "this machine is short of memory";
  if (number == EAGAIN) return "this machine is short of threads";
  return "the operating system refused";
}

// Without white space around it.
std::string stripped(const std::string& text) {
  constexpr auto white = " \t\n\v\f\r";
  const std::size_t begin = text.find_first_not_of(white);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(white) + 1 - begin);
}

// As std::runtime_error.
std::string type_of(const std::exception& error) {
  const char* mangled = typeid(error).name();
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr), std::free);
  return name ? name.get() : mangled;
}

// The standard library's errors say less than errno.
std::string reason(const std::exception& error, int number) {
  if (dynamic_cast<const std::bad_alloc*>(&error) ||
      dynamic_cast<const std::system_error*>(&error)) {
    return std::strerror(number);
  }
  return line_of(error);
}

}  // namespace

std::string cure_of(int number, const std::string& otherwise) {
  const auto cure = cures().find(number);
  return cure == cures().end() ? otherwise : cure->second;
}

std::string line_of(const std::exception& error) {
  const std::string text = stripped(error.what());
  if (text.empty()) return type_of(error);
  const std::string first = text.substr(0, text.find('\n'));
  return first.ends_with("TorchScript interpreter.") ? text.substr(text.rfind('\n') + 1) : first;
}

std::optional<HostError> refusal_in(const std::exception& error) {
  const std::optional<int> number = number_in(error);
  if (!number) return std::nullopt;
  return HostError(where(error, *number) + ": " + reason(error, *number), cure_of(*number, {}));
}

}  // namespace mpm
