// Segments the images that it is given, or a gray one.

#include <iostream>
#include <mpm_runner/mpm_runner.hpp>

void print(const mpm::Result& result) {
  std::cout << result.labels.size.height << " x " << result.labels.size.width << ", tokens kept:";
  for (const int tokens : result.tokens_kept) std::cout << ' ' << tokens;
  std::cout << '\n';
}

int main(int argc, char** argv) try {
  const mpm::Runner runner(argc > 1 ? argv[1] : "segmenter.pt2");
  const mpm::Image gray{{480, 640}, std::vector<std::uint8_t>(480 * 640 * 3, 128)};
  if (argc < 3) print(runner.run(gray));
  for (int i = 2; i < argc; ++i) print(runner.run(argv[i]));
} catch (const mpm::Error& error) {
  std::cerr << error.problem() << '\n' << error.hint() << '\n';
  return 1;
}
