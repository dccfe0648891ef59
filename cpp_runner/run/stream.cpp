#include "mpm_runner/stream.hpp"

#include "run/pipeline.hpp"

namespace mpm {

Stream::Stream(std::unique_ptr<Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

std::optional<Stream::Item> Stream::next() { return pipeline_->next(); }

}  // namespace mpm
