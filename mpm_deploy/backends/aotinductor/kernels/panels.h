// Matrices as products read them, by words of 32 bits: one float, or two numbers of bfloat16 that
// lie side by side in depth. They are cut into panels, as wide as the part of a result that
// registers hold:
//
//     columns   0 … 63    64 … 127
//              ┌───────┐ ┌───────┐
//     depth    │       │ │       │     one after the other, each row by row
//              └───────┘ └───────┘
//
// Nothing here has a name outside its file, as in tensors.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>

#include "vectors.h"

namespace {

using Word = std::int32_t;

constexpr std::int64_t word_bytes = sizeof(Word);

template <typename Element>
constexpr std::int64_t per_word = word_bytes / static_cast<std::int64_t>(sizeof(Element));

#if defined(__AVX512DQ__)
constexpr int panel_vectors = 4;  // and six rows of them: 24 of 32 registers
#else
constexpr int panel_vectors = 2;  // 12 of 16
#endif
constexpr std::int64_t panel = panel_vectors * lanes;  // words

constexpr std::int64_t rounded_up(std::int64_t count, std::int64_t to) {
  return (count + to - 1) / to * to;
}

// Memory in lines of the cache, not initialized.
class Memory {
 public:
  explicit Memory(std::int64_t count)
      : words_(
            static_cast<Word*>(::operator new(static_cast<std::size_t>(count* word_bytes), line))) {
  }
  ~Memory() { ::operator delete(words_, line); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  Word* data() const { return words_; }

 private:
  static constexpr std::align_val_t line{64};
  Word* words_;
};

// Puts each of the rows into a column: word d of a column holds element d of its row. What is
// beyond the last row, to a whole panel, and beyond its last element is zeros.
template <typename Element>
void pack_columns(const Element* rows, std::int64_t stride, std::int64_t count, std::int64_t width,
                  std::int64_t depth, Word* panels) {
  constexpr std::int64_t elements = per_word<Element>;
  const std::int64_t whole = width / elements;
  for (std::int64_t column = 0; column < rounded_up(count, panel); ++column) {
    const Element* row = rows + column * stride;
    Word* target = panels + column / panel * panel * depth + column % panel;
    const std::int64_t words = column < count ? whole : 0;
    for (std::int64_t word = 0; word < words; ++word) {
      std::memcpy(target + word * panel, row + word * elements, sizeof(Word));
    }
    for (std::int64_t word = words; word < depth; ++word) target[word * panel] = 0;
    if (column < count && whole * elements < width) {
      std::memcpy(target + whole * panel, row + whole * elements, sizeof(Element));
    }
  }
}

}  // namespace
