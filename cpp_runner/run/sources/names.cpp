#include "run/sources/names.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>

#include "mpm_runner/source.hpp"

namespace mpm {

namespace {

constexpr std::array<std::string_view, 6> schemes{"rtsp://",  "rtsps://", "rtmp://",
                                                  "rtmps://", "http://",  "https://"};
// The same in `mpm_deploy/run/sources/video.py`.
constexpr std::array<std::string_view, 21> suffixes{
    ".mp4", ".m4v", ".mov", ".mkv", ".webm",  ".avi",  ".ts",   ".m2ts", ".mts",  ".mpg", ".mpeg",
    ".wmv", ".flv", ".3gp", ".ogv", ".mjpeg", ".mjpg", ".h264", ".264",  ".h265", ".hevc"};

}  // namespace

std::string in_lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return text;
}

bool is_address(const std::string& place) {
  const std::string lower = in_lower_case(place);
  return std::ranges::any_of(schemes, [&](auto scheme) { return lower.starts_with(scheme); });
}

bool is_device(const std::string& place) {
  constexpr std::string_view before_number = "/dev/video";
  return place.starts_with(before_number) && place.size() > before_number.size() &&
         place.find_first_not_of("0123456789", before_number.size()) == std::string::npos;
}

bool is_video(const std::string& place) {
  if (is_address(place) || is_device(place)) return true;
  const std::string lower = in_lower_case(place);
  std::error_code error;
  return std::ranges::any_of(suffixes, [&](auto suffix) { return lower.ends_with(suffix); }) &&
         !std::filesystem::is_directory(place, error);
}

std::string without_password(const std::string& place) {
  if (!is_address(place)) return place;
  const std::size_t user = place.find("://") + 3;
  const std::size_t host = place.substr(0, place.find('/', user)).rfind('@');
  const std::size_t password = place.find(':', user);
  if (host == std::string::npos || password > host) return place;
  return place.substr(0, password) + ":***" + place.substr(host);
}

}  // namespace mpm
