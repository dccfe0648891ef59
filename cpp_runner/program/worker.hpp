#pragma once

// One artifact in one process, timed pass by pass on request: what `mpm-deploy bench --program`
// drives. It speaks the protocol of docs/formats/report.md, one JSON object a line:
//
//   {"pass": "open"}                                            what can be measured, and by what
//   {"pass": "warmup", "batch_size": n, "batches": k or null}
//   {"pass": "model", "batch_size": n}                          scores only, prepared inputs
//   {"pass": "end_to_end", "batch_size": n}                     files to label maps
//
// and answers with what the pass gave, or {"error": ..., "hint": ..., "kind": ...}.

#include <iosfwd>

#include "arguments.hpp"

namespace mpm::program {

// Shows an answer to every line of requests, until there are no more. Throws Exit at a signal.
void serve(const Arguments& arguments, std::istream& requests);

}  // namespace mpm::program
