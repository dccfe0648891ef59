#include "worker.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <istream>
#include <map>
#include <optional>
#include <ostream>

#include "json.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "tally.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_inputs = 256;  // windows that the model pass keeps prepared
constexpr int warmup_batches_cpu = 3;
constexpr int warmup_batches_cuda = 50;
constexpr int warmup_images = 20;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The most that this process ever had resident; Linux counts in KiB.
double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// An open artifact, its images, and the passes that are timed.
class Worker {
 public:
  explicit Worker(const Arguments& arguments)
      : files_(chosen_images(arguments)), runner_(arguments.artifact, arguments.runner) {
    runner_.model().check_sample();
    prepare();
    if (usable_.empty()) {
      throw InputError(arguments.folder.string() + ": none of its " +
                       std::to_string(files_.size()) + " images can be decoded");
    }
  }

  Json answer(const Json& request) {
    const std::map<std::string, std::function<Json()>> passes{
        {"open", [&] { return open(); }},
        {"warmup", [&] { return warmup(request); }},
        {"model", [&] { return model(batch_size(request)); }},
        {"end_to_end", [&] { return end_to_end(batch_size(request)); }},
    };
    const auto pass = passes.find(request.value("pass", ""));
    if (pass == passes.end()) {
      throw InputError("pass: expected open, warmup, model or end_to_end, got " +
                       request.value("pass", Json()).dump());
    }
    return pass->second();
  }

 private:
  static int batch_size(const Json& request) { return request.at("batch_size").get<int>(); }

  // The first usable images, ready for the model.
  void prepare() {
    for (const fs::path& file : files_) {
      if (windows_.size() >= most_inputs) return;
      try {
        ImageWindows fitted = runner_.fit(decode(file));
        std::move(fitted.windows.begin(), fitted.windows.end(), std::back_inserter(windows_));
        usable_.push_back(file);
      } catch (const ImageError&) {  // the end-to-end pass names it
      }
    }
  }

  Json open() const {
    const DeviceInfo& device = runner_.model().device();
    return {{"images", files_.size()},
            {"usable", usable_.size()},
            {"device", device.name},
            {"threads", device.threads},
            {"gpu", or_null(device.gpu)}};
  }

  // As the end-to-end pass, on images that may come again.
  Json warmup(const Json& request) const {
    const int size = batch_size(request);
    const bool is_cuda = runner_.model().device().name != "cpu";
    int batches = std::max(is_cuda ? warmup_batches_cuda : warmup_batches_cpu,
                           (warmup_images + size - 1) / size);
    if (const Json wanted = request.value("batches", Json()); wanted.is_number_integer()) {
      batches = wanted.get<int>();
    }
    std::vector<fs::path> files;
    for (int i = 0; i < batches * size; ++i) {
      files.push_back(usable_[static_cast<std::size_t>(i) % usable_.size()]);
    }
    const Clock::time_point begin = Clock::now();
    Stream stream = runner_.stream(files, size);
    while (stream.next()) {
    }
    return {{"seconds", seconds_since(begin)}, {"images", files.size()}};
  }

  // Full batches of prepared windows, none twice; only the scores are timed.
  Json model(int batch_size) const {
    const auto size = static_cast<std::size_t>(batch_size);
    const Model& model = runner_.model();
    double seconds = 0;
    std::size_t done = 0;
    for (; done + size <= windows_.size(); done += size) {
      const Batch batch = model.copy(std::span(windows_).subspan(done, size));
      const Clock::time_point begin = Clock::now();
      const Scores scores = model.scores(batch);
      seconds += seconds_since(begin);
    }
    const double images_a_window =
        static_cast<double>(usable_.size()) / static_cast<double>(windows_.size());
    return {{"seconds", seconds}, {"images", static_cast<double>(done) * images_a_window}};
  }

  // Every file once, from the disk to a label map in host memory.
  Json end_to_end(int batch_size) const {
    Tally tally(runner_.manifest());
    const Clock::time_point begin = Clock::now();
    Stream stream = runner_.stream(files_, batch_size);
    while (const std::optional<Stream::Item> item = stream.next()) tally.add(*item);
    Json answer{{"seconds", seconds_since(begin)}, {"peak_memory_mib", peak_memory_mib()}};
    answer.update(tally.to_json());
    return answer;
  }

  const std::vector<fs::path> files_;
  const Runner runner_;
  std::vector<FittedImage> windows_;
  std::vector<fs::path> usable_;  // the images that they came from
};

Json error_json(const std::string& problem, const std::string& hint) {
  return {{"error", problem}, {"hint", hint.empty() ? Json(nullptr) : Json(hint)}};
}

// Whatever goes wrong is an answer: the parent tells it.
Json answer_line(std::optional<Worker>& worker, const Arguments& arguments,
                 const std::string& line) {
  try {
    const Json request = Json::parse(line);
    if (!worker) worker.emplace(arguments);
    return worker->answer(request);
  } catch (const Error& error) {
    return error_json(error.problem(), error.hint());
  } catch (const std::exception& error) {
    const std::string text = error.what();  // of torch's own the first line says it
    return error_json(arguments.artifact.string() + ": " + text.substr(0, text.find('\n')), "");
  }
}

}  // namespace

void serve(const Arguments& arguments, std::istream& requests, std::ostream& answers) {
  std::optional<Worker> worker;
  for (std::string line; std::getline(requests, line);) {
    const Json answer = answer_line(worker, arguments, line);
    answers << answer.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }
}

}  // namespace mpm::program
