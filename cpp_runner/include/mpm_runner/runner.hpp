#pragma once

// The short way from an artifact and images to label maps:
//
//   mpm::Runner runner("model.pt2");
//   mpm::Result result = runner.run("street.jpg");
//   std::cout << result.labels.at(0, 0) << '\n';

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mpm_runner/model.hpp"
#include "mpm_runner/source.hpp"
#include "mpm_runner/stream.hpp"
#include "mpm_runner/windows.hpp"

namespace mpm {

// At what size label maps come: the image's own, or what it is resized to for the model.
enum class LabelSize { image, input };

struct RunnerOptions {
  std::optional<std::string> device = {};  // as in ModelOptions
  std::optional<int> threads = {};         // as in ModelOptions
  std::optional<int> workers = {};  // threads that decode and fit; by default one a core, at most 8
  LabelSize label_size = LabelSize::image;
  // Pixels from one window to the next, where the artifact slides windows over images; by default
  // the artifact's.
  std::optional<int> stride = {};
  // Pixels of the largest image that is decoded; by default default_max_pixels. All workers
  // together take at most the memory that one such image takes, 20 bytes a pixel.
  std::optional<int> max_pixels = {};
  std::optional<std::filesystem::path> trust = {};  // as in ModelOptions
};

class DecodeMemory;
class ImageFit;
class Loader;

// Threads may share one.
class Runner {
 public:
  // Throws ArtifactError or HostError, see Model; InputError: an option out of range.
  explicit Runner(const std::filesystem::path& artifact, const RunnerOptions& options = {});

  const Manifest& manifest() const;
  const Model& model() const;

  // Images a call that fill what it runs on: on a GPU as many as the artifact takes, on a CPU one a
  // thread, where they run side by side.
  int usual_batch_size() const;

  // An image as the model takes it. Throws ImageError: it is too narrow to slide windows over.
  ImageWindows fit(const Image& image) const;

  // Throws ImageError: the file cannot be decoded, or as `fit`.
  Result run(const std::filesystem::path& file, const Outputs& outputs = {}) const;
  Result run(std::span<const std::uint8_t> file_bytes, const Outputs& outputs = {}) const;
  Result run(const Image& image, const Outputs& outputs = {}) const;

  // Runs many files; those that cannot be decoded come out as Skipped. A batch is so many images,
  // or windows where these slide over images, of several images together. The last one takes what
  // is left. The stream keeps the model alive. Where windows slide, scores and probabilities take 4
  // bytes for each class and pixel of the resized image. Throws InputError: a batch size below 1.
  Stream stream(std::vector<std::filesystem::path> files, int batch_size = 1,
                const Outputs& outputs = {}) const;
  // The same with what a source gives, which nobody else asks any more: frames of a video, or
  // images that come in any way.
  Stream stream_from(std::shared_ptr<Source> source, int batch_size = 1,
                     const Outputs& outputs = {}) const;

 private:
  Loader loader(const Outputs& outputs) const;

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const ImageFit> image_fit_;
  std::shared_ptr<DecodeMemory> memory_;
  RunnerOptions options_;
};

}  // namespace mpm
