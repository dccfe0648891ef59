#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string_view>

#include "mpm_runner/error.hpp"

namespace mpm::program {

// Gives a temporary path beside target to write to, and renames it to target when write returns;
// after an error nothing is left of it. Throws InputError: it cannot be written there.
void write_atomically(const std::filesystem::path& target,
                      const std::function<void(const std::filesystem::path&)>& write);

// The error for a file that could not be written, with errno's number.
InputError cannot_write(const std::filesystem::path& target, int number);

// Writes these bytes, one part after the other.
void write_bytes(const std::filesystem::path& target,
                 std::initializer_list<std::string_view> parts);

// Throws InputError: it cannot be made.
void make_folder(const std::filesystem::path& folder);

}  // namespace mpm::program
