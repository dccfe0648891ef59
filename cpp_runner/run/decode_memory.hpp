#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace mpm {

// The memory that decoding takes, shared between the threads that decode: as much as the largest
// image takes that is decoded at all. An image waits until there is room for it. One that is alone
// always has room, so that none waits forever.
class DecodeMemory {
 public:
  explicit DecodeMemory(std::uint64_t max_pixels) : max_pixels_(max_pixels) {}

  // What images take that are let in, given back at its end.
  class Room {
   public:
    explicit Room(DecodeMemory& memory) : memory_(memory) {}
    ~Room() { memory_.give_back(taken_); }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    // Throws ImageError: empty, or more than max_pixels.
    void admit(std::uint64_t width, std::uint64_t height);

   private:
    DecodeMemory& memory_;
    std::uint64_t taken_ = 0;
  };

 private:
  void take(std::uint64_t bytes);
  void give_back(std::uint64_t bytes);

  const std::uint64_t max_pixels_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t taken_ = 0;
};

}  // namespace mpm
