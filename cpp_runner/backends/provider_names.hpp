#pragma once

#include <optional>
#include <string>

namespace mpm {

// What ONNX Runtime's interface in C calls an execution provider that it lists by a long name, as
// "XNNPACK" for "XnnpackExecutionProvider"; none where this program knows of no way to ask for it.
std::optional<std::string> short_name(const std::string& provider);

}  // namespace mpm
