#include <atomic>
#include <iterator>
#include <utility>
#include <variant>

#include "mpm_runner/source.hpp"

namespace mpm {

namespace {

SourceImage as_source_image(std::filesystem::path file) { return {.name = std::move(file)}; }

SourceImage as_source_image(std::vector<std::uint8_t> bytes) {
  return {.name = {}, .bytes = std::move(bytes)};
}

SourceImage as_source_image(Image image) {
  const auto kept = std::make_shared<Image>(std::move(image));
  return {.name = {}, .pixels = [kept] { return std::move(*kept); }};  // asked once
}

class Images : public Source {
 public:
  explicit Images(std::vector<ImageSource> images) : images_(std::move(images)) {}

  std::optional<SourceImage> next() override {
    if (is_stopped_ || given_ == images_.size()) return std::nullopt;
    ImageSource next = std::exchange(images_[given_++], {});
    SourceImage image =
        std::visit([](auto& content) { return as_source_image(std::move(content)); }, next);
    image.index = static_cast<std::int64_t>(given_);
    return image;
  }

  void stop() override { is_stopped_ = true; }

  std::optional<std::int64_t> total() const override {
    return static_cast<std::int64_t>(images_.size());
  }

 private:
  std::vector<ImageSource> images_;  // each until it is given
  std::size_t given_ = 0;
  std::atomic<bool> is_stopped_ = false;
};

}  // namespace

std::shared_ptr<Source> open_files(std::vector<std::filesystem::path> files) {
  return open_images(
      {std::make_move_iterator(files.begin()), std::make_move_iterator(files.end())});
}

std::shared_ptr<Source> open_images(std::vector<ImageSource> images) {
  return std::make_shared<Images>(std::move(images));
}

}  // namespace mpm
