// Runs a package of AOTInductor as a server does: by torch's own loader, which is told no name, and
// without this library. Usage: run_package PACKAGE HEIGHT WIDTH, pixels (3, H, W) on stdin; its
// first output goes to stdout, which are the labels.

#include <ATen/ops/from_blob.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <iostream>
#include <iterator>
#include <string>
#include <vector>

int main(int, char** arguments) {
  torch::inductor::AOTIModelPackageLoader loader(arguments[1]);
  std::vector<char> pixels(std::istreambuf_iterator<char>(std::cin), {});
  const at::Tensor images = at::from_blob(
      pixels.data(), {1, 3, std::stoi(arguments[2]), std::stoi(arguments[3])}, at::kByte);
  const at::Tensor labels = loader.run({images}).front().contiguous();  // (1, H, W)
  std::cout.write(static_cast<const char*>(labels.const_data_ptr()),
                  static_cast<std::streamsize>(labels.nbytes()));
}
