#include <utility>

#include "mpm_runner/source.hpp"

namespace mpm {

namespace {

class Files : public Source {
 public:
  explicit Files(std::vector<std::filesystem::path> files) : files_(std::move(files)) {}

  std::optional<SourceImage> next() override {
    if (given_ == files_.size()) return std::nullopt;
    std::filesystem::path file = std::move(files_[given_++]);
    return SourceImage{std::move(file), static_cast<std::int64_t>(given_)};
  }

  std::optional<std::int64_t> total() const override {
    return static_cast<std::int64_t>(files_.size());
  }

 private:
  std::vector<std::filesystem::path> files_;
  std::size_t given_ = 0;
};

}  // namespace

std::shared_ptr<Source> open_files(std::vector<std::filesystem::path> files) {
  return std::make_shared<Files>(std::move(files));
}

}  // namespace mpm
