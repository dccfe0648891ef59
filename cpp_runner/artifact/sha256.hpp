#pragma once

#include <cstddef>
#include <memory>
#include <string>

struct evp_md_ctx_st;

namespace mpm {

class Sha256 {
 public:
  Sha256();
  ~Sha256();

  void update(const void* data, std::size_t size);
  // Lower-case hexadecimal; call it once.
  std::string hex_digest();

 private:
  evp_md_ctx_st* context_;
};

}  // namespace mpm
