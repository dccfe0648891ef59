#include "mpm_runner/stream.hpp"

#include "run/pipeline.hpp"

namespace mpm {

Stream::Stream(std::unique_ptr<Pipeline> pipeline) : pipeline_(pipeline.release()) {}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

// Its threads cannot be joined where they are not.
void Stream::Leave::operator()(Pipeline* pipeline) const {
  if (!pipeline->is_elsewhere()) delete pipeline;
}

std::optional<Stream::Item> Stream::next() { return pipeline_->next(); }

}  // namespace mpm
