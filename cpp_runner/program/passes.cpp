#include "passes.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "signals.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr int warmup_batches_cpu = 3;
constexpr int warmup_batches_cuda = 50;
constexpr int warmup_images = 20;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Linux counts in KiB.
double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::vector<fs::path> chosen_images(const Arguments& arguments) {
  std::vector<fs::path> images = find_images(arguments.folder);
  const auto limit = static_cast<std::size_t>(arguments.limit.value_or(0));
  if (limit > 0 && images.size() > limit) images.resize(limit);
  return images;
}

// Sums, to be divided by the images.
void add(const Result& result, const Manifest& manifest, EndToEndPass& pass) {
  const StageTimes& share = result.share_ms;
  StageTimes& sum = pass.stages_ms;
  sum = {sum.decode + share.decode, sum.fit + share.fit, sum.copy + share.copy,
         sum.scores + share.scores, sum.labels + share.labels};
  pass.latencies_ms.push_back(result.stages_ms.total());
  for (const WindowResult& window : result.windows) {
    pass.tokens_kept.push_back(window.tokens_kept);
    pass.gflops += manifest.flops_at(window.tokens_kept) / 1e9;
  }
}

InputError none_usable(const fs::path& folder, std::size_t images, const std::string& first) {
  return InputError(folder.string() + ": none of its " + std::to_string(images) +
                    " images could be used; the first: " + first);
}

void divide_by_images(EndToEndPass& pass) {
  const auto images = static_cast<double>(pass.images());
  StageTimes& sum = pass.stages_ms;
  sum = {sum.decode / images, sum.fit / images, sum.copy / images, sum.scores / images,
         sum.labels / images};
  pass.gflops /= images;
}

}  // namespace

Passes::Passes(const Arguments& arguments)
    : folder_(arguments.folder),
      files_(chosen_images(arguments)),
      runner_(arguments.artifact, arguments.runner) {
  model().check_sample();
  prepare();
}

void Passes::prepare() {
  std::optional<std::string> first_problem;
  for (const fs::path& file : files_) {
    check_signals();
    if (is_full()) return;
    try {
      ImageWindows fitted = runner_.fit(decode(file));
      std::move(fitted.windows.begin(), fitted.windows.end(), std::back_inserter(windows_));
      usable_.push_back(file);
    } catch (const ImageError& error) {  // the end-to-end pass names it
      if (!first_problem) first_problem = error.problem();
    }
  }
  if (usable_.empty()) throw none_usable(folder_, files_.size(), first_problem.value_or("none"));
}

Pass Passes::warm_up(int batch_size, std::optional<int> batches) const {
  const int least = model().device().name == "cpu" ? warmup_batches_cpu : warmup_batches_cuda;
  const int count =
      batches.value_or(std::max(least, (warmup_images + batch_size - 1) / batch_size));
  std::vector<fs::path> files;
  const std::int64_t all = std::int64_t{count} * batch_size;
  for (std::int64_t i = 0; i < all; ++i) {
    files.push_back(usable_[static_cast<std::size_t>(i) % usable_.size()]);
  }
  const auto images = static_cast<double>(files.size());
  const Clock::time_point begin = Clock::now();
  Stream stream = runner_.stream(std::move(files), batch_size);
  while (stream.next()) check_signals();
  return {seconds_since(begin), images};
}

ModelPass Passes::time_model(int batch_size) const {
  const auto size = static_cast<std::size_t>(batch_size);
  ContentionWatch watch;
  double seconds = 0;
  std::size_t done = 0;
  for (; done + size <= windows_.size(); done += size) {
    check_signals();
    const Batch batch = model().copy(std::span(windows_).subspan(done, size));
    const Clock::time_point begin = Clock::now();
    try {
      model().scores(batch);
    } catch (const ModelError&) {  // they are not finite: the end-to-end pass names the image
    }
    seconds += seconds_since(begin);
  }
  const double images_a_window =
      static_cast<double>(usable_.size()) / static_cast<double>(windows_.size());
  return {{seconds, static_cast<double>(done) * images_a_window}, watch.read()};
}

EndToEndPass Passes::time_end_to_end(int batch_size) const {
  EndToEndPass pass;
  ContentionWatch watch;
  const Clock::time_point begin = Clock::now();
  Stream stream = runner_.stream(files_, batch_size);
  while (const std::optional<Stream::Item> item = stream.next()) {
    check_signals();
    if (const auto* result = std::get_if<Result>(&*item))
      add(*result, runner_.manifest(), pass);
    else
      pass.skipped.push_back(std::get<Skipped>(*item));
  }
  pass.seconds = seconds_since(begin);
  pass.contention = watch.read();
  pass.peak_memory_mib = peak_memory_mib();
  if (pass.images() == 0) {
    const Skipped& first = pass.skipped.front();
    throw none_usable(folder_, pass.skipped.size(), first.path.string() + ": " + first.reason);
  }
  divide_by_images(pass);
  return pass;
}

}  // namespace mpm::program
