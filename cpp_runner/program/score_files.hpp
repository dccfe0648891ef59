#pragma once

#include <filesystem>

#include "mpm_runner/result.hpp"

namespace mpm::program {

// Writes class scores as numpy.load reads them: NumPy's format 1.0, float32 of (classes, rows,
// columns). The file appears whole or not at all. Throws InputError: it cannot be written there.
void write_scores(const std::filesystem::path& target, const ScoreMap& scores);

}  // namespace mpm::program
