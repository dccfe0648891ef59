#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string_view>
#include <vector>

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

// Says now, not after minutes of work, that a file cannot be written. Throws InputError: its
// folder is missing, read-only or full; or what lies there is no file, or one that does not begin
// so: it is another's, as an input.
void check_can_write(const std::filesystem::path& target, std::string_view begins = "");

// Makes a folder for results and those above it, and tries to write there. Throws InputError: it
// cannot be made or written.
void make_folder(const std::filesystem::path& folder);

// A folder for results does not go by an image's name, unless it is there. Throws InputError: it
// does.
void check_names_a_folder(const std::filesystem::path& folder);

// Results must not lie in a folder of inputs: the next run would take them for some. inputs:
// folders, and files, which may lie in it. Throws InputError: it is one of the input folders, by
// whatever path.
void check_output_folder(const std::filesystem::path& folder,
                         const std::vector<std::filesystem::path>& inputs);

}  // namespace mpm::program
