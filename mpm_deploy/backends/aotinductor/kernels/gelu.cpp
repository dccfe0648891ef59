// mpm::gelu (mpm_deploy/ops/gelu) as a compiled model calls it. It is compiled for this processor
// and linked into the model's own library.
//
// x Φ(x) with Φ(x) = 1/2 + x p(x²), p the polynomial of the seventh degree for which x Φ(x) is
// nearest to the truth from -4 to 4 (error below 4e-5). Beyond, Φ stays what it is there.

#include <algorithm>
#include <cstdint>

#include "tensors.h"
#include "vectors.h"

namespace {

constexpr float coefficients[] = {0.39867339F,    -0.065887846F,   0.0095054004F,  -0.0010064909F,
                                  7.4855117e-05F, -3.6571382e-06F, 1.0419625e-07F, -1.3012978e-09F};

INLINE Floats gelu(Floats x) {
  constexpr float limit = 4;
  const Floats above = larger(fill(-limit), x);  // and NaN stays NaN
  const Floats inside = -larger(fill(-limit), -above);
  const Floats square = inside * inside;
  Floats sum = fill(coefficients[7]);
#pragma GCC unroll 7
  for (int i = 6; i >= 0; --i) sum = sum * square + coefficients[i];
  return above * (sum * inside + 0.5F);
}

void gelu_all(const bfloat16* rows, std::int64_t count, bfloat16* result) {
  constexpr std::int64_t at_once = 1 << 13;  // of which one thread makes a few microseconds
#pragma omp parallel for
  for (std::int64_t first = 0; first < count; first += at_once) {
    const std::int64_t here = std::min(at_once, count - first);
    for_each_vector(here, [&](std::int64_t i, std::int64_t inside, int) INLINE_LAMBDA {
      store(gelu(load(rows + first + i, inside, 0)), result + first + i, inside);
    });
  }
}

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// rows: (T, M) bfloat16, contiguous.
// *result: (T, M) bfloat16.
extern "C" AOTITorchError aoti_torch_cpu_gelu(AtenTensorHandle rows, AtenTensorHandle* result) {
  return outcome_of([&] {
    require(is_bfloat16(rows));
    const auto sizes = sizes_of<2>(rows);
    Output output(sizes, dtype_of(rows));
    gelu_all(data<const bfloat16>(rows), sizes[0] * sizes[1], output.values<bfloat16>());
    output.give(result);
  });
}
