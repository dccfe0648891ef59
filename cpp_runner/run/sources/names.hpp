#pragma once

// What names of sources say by themselves.

#include <string>

namespace mpm {

std::string in_lower_case(std::string text);

// Whether it is an address, as rtsp://camera/street, and no name of a file.
bool is_address(const std::string& place);

// Whether it is a device that gives frames, as /dev/video0.
bool is_device(const std::string& place);

// The place as messages and results may have it: of an address without its password.
std::string without_password(const std::string& place);

}  // namespace mpm
