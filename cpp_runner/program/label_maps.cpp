#include "label_maps.hpp"

#include <png.h>

#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "files.hpp"
#include "mpm_runner/error.hpp"
#include "support/joined.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_palette_classes = 256;

// One row after another: a byte a pixel, or two with the high byte first.
std::vector<png_byte> to_samples(const LabelMap& labels, bool is_wide) {
  std::vector<png_byte> samples;
  samples.reserve(labels.labels.size() * (is_wide ? 2 : 1));
  for (const std::uint16_t label : labels.labels) {
    if (is_wide) samples.push_back(static_cast<png_byte>(label >> 8));
    samples.push_back(static_cast<png_byte>(label & 255));
  }
  return samples;
}

std::vector<png_color> to_png_palette(const std::vector<Color>& palette) {
  std::vector<png_color> colors;
  for (const Color& color : palette) colors.push_back({color[0], color[1], color[2]});
  return colors;
}

struct Picture {
  Size size;
  std::vector<png_color> palette;  // empty: 16-bit gray
  std::vector<png_byte> samples;
};

// libpng reports an error by a jump: no C++ object is made between setjmp and the end.
bool write_png(std::FILE* file, const Picture& picture, png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  const bool is_wide = picture.palette.empty();
  const auto width = static_cast<png_uint_32>(picture.size.width);
  const auto height = static_cast<png_uint_32>(picture.size.height);
  png_init_io(png, file);
  png_set_IHDR(png, info, width, height, is_wide ? 16 : 8,
               is_wide ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!is_wide) {
    png_set_PLTE(png, info, picture.palette.data(), static_cast<int>(picture.palette.size()));
  }
  png_write_info(png, info);
  const std::size_t stride = std::size_t{width} * (is_wide ? 2 : 1);
  for (png_uint_32 row = 0; row < height; ++row) {
    png_write_row(png, picture.samples.data() + stride * row);
  }
  png_write_end(png, nullptr);
  return true;
}

bool write_png(const fs::path& path, const Picture& picture) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                             std::fclose);
  if (!file) return false;  // errno says why
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const bool written = write_png(file.get(), picture, png, info);
  png_destroy_write_struct(&png, &info);
  return written && std::fflush(file.get()) == 0;
}

}  // namespace

std::vector<std::string> label_map_names(const std::vector<fs::path>& images,
                                         std::vector<fs::path> folders) {
  folders.resize(images.size());
  std::map<fs::path, int> stems;
  for (std::size_t i = 0; i < images.size(); ++i) ++stems[folders[i] / images[i].stem()];
  std::vector<std::string> names;
  std::map<std::string, std::vector<std::string>> owners;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const fs::path& image = images[i];
    const bool is_alone = stems[folders[i] / image.stem()] == 1;
    const fs::path name = is_alone ? image.stem() : image.filename();
    names.push_back((folders[i] / name).string() + ".png");
    owners[names.back()].push_back(image.string());
  }
  for (const std::string& name : names) {
    const std::vector<std::string>& same = owners[name];
    if (same.size() == 1) continue;
    throw InputError(
        joined(same, " and ") + ": expected names that differ, got label map " + name + " for each",
        "run them apart, into different folders");
  }
  return names;
}

void write_label_map(const fs::path& target, const LabelMap& labels,
                     const std::vector<Color>& palette) {
  const bool is_wide = palette.size() > most_palette_classes;
  Picture picture{labels.size, {}, to_samples(labels, is_wide)};
  if (!is_wide) picture.palette = to_png_palette(palette);
  write_atomically(target, [&](const fs::path& temporary) {
    if (!write_png(temporary, picture)) throw cannot_write(target, errno);
  });
}

}  // namespace mpm::program
