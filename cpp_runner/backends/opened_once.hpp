#pragma once

#include <functional>
#include <memory>
#include <string>

namespace mpm {

// What is open of a payload, or what `open` gives; it stays open as long as somebody has it, so
// that weights are in memory once. Whoever asks while something is being opened waits. A forked
// child begins with nothing: what its parent's threads were at when it was forked would never be
// done there.
// payload_sha256: as the manifest has it. part: what of the payload, and how; says its type too.
std::shared_ptr<void> opened_once(const std::string& payload_sha256, const std::string& part,
                                  const std::function<std::shared_ptr<void>()>& open);

}  // namespace mpm
