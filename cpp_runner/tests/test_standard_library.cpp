// Where names of the standard library are found, in a program that is linked with libtorch.

#include <doctest/doctest.h>
#include <link.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

// The libraries of this process, in the order in which a name is looked up.
std::vector<std::string> libraries() {
  std::vector<std::string> found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        static_cast<std::vector<std::string>*>(data)->emplace_back(info->dlpi_name);
        return 0;
      },
      &found);
  return found;
}

auto first_named(const std::vector<std::string>& paths, std::string_view part) {
  return std::ranges::find_if(paths,
                              [&](const auto& path) { return path.find(part) != path.npos; });
}

}  // namespace

TEST_SUITE("standard_library") {
  TEST_CASE("the compiler's own comes before the parts of another that libtorch shows") {
    const auto paths = libraries();
    const auto own = first_named(paths, "libstdc++");
    REQUIRE(own != paths.end());
    CHECK(own < first_named(paths, "libtorch"));
  }
}
