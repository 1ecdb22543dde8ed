// SPDX-License-Identifier: Apache-2.0
#include "model/untrained_weights.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/mapped_file.hpp"

#include <tbb/parallel_for.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr double spread = 0.02;
constexpr std::size_t alignment = 64;  // of tensors in the file
constexpr std::size_t numbers_at_once = std::size_t{4} << 20;

std::uint64_t mixed(std::uint64_t x) {  // SplitMix64's last step
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t stream_of(std::string_view name, std::uint64_t seed) {
  std::uint64_t h = mixed(seed ^ 0xcbf29ce484222325u);
  for (const char c : name) h = mixed(h ^ static_cast<unsigned char>(c));
  return h;
}

// The sum of four uniform numbers of 16 bits, near enough to a normal one; of deviation 1.
float draw(std::uint64_t stream, std::uint64_t place) {
  const std::uint64_t bits = mixed(stream + (place + 1) * 0x9e3779b97f4a7c15u);
  std::int64_t sum = -2 * 65535;
  for (int i = 0; i < 4; ++i) sum += static_cast<std::int64_t>((bits >> (16 * i)) & 0xffff);
  constexpr double deviation = 37837.227;  // sqrt(4 (2^32 - 1) / 12)
  return static_cast<float>(static_cast<double>(sum) / deviation);
}

std::uint16_t to_bf16(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

std::string_view part_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

// Of a tensor with one number for each row; nothing = it is drawn.
std::optional<float> constant_of(const tensor_view& t, const architecture& a) {
  const std::string_view part = part_of(t.name);
  if (part == "delta_norm") return 1.0F;  // has no norm_offset
  if (part.ends_with("norm") && t.name.find(".bias") == std::string::npos)
    return static_cast<float>(1 - a.norm_offset);
  if (part == "decay") return -1.0F;
  if (part.ends_with("scale")) return 1.0F;
  if (t.shape.size() < 2) return 0.0F;
  return std::nullopt;
}

double deviation_of(std::string_view name, const architecture& a) {
  const std::string_view part = part_of(name);
  const bool writes = part == "o" || part == "down" || part == "shared_down";
  return writes ? spread / std::sqrt(2.0 * a.n_layers) : spread;
}

std::uint64_t numbers_in(const tensor_view& t) {
  std::uint64_t n = 1;
  for (const std::uint64_t d : t.shape) n *= d;
  return n;
}

// A file that is gone with the last that uses it.
class nameless_file {
 public:
  explicit nameless_file(const fs::path& folder)
      : folder_(folder), fd_(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    if (fd_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {  // as on network file systems
      std::string name = (folder / ".untrained-XXXXXX").string();
      fd_ = ::mkostemp(name.data(), O_CLOEXEC);
      if (fd_ >= 0) ::unlink(name.c_str());
    }
    if (fd_ < 0) fail_errno(errno, file_use::write, folder.string(), ": cannot hold untrained weights");
  }
  ~nameless_file() { ::close(fd_); }
  nameless_file(const nameless_file&) = delete;

  void append(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ::ssize_t n = ::write(fd_, at, bytes);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        fail_errno(errno, file_use::write, folder_.string(), ": untrained weights cannot be written");
      at += n;
      bytes -= static_cast<std::size_t>(n);
      size_ += static_cast<std::size_t>(n);
    }
  }
  void align() {
    static constexpr char zeros[alignment] = {};
    append(zeros, (alignment - size_ % alignment) % alignment);
  }
  std::size_t size() const { return size_; }
  mapped_file map() const { return mapped_file(cat("/proc/self/fd/", fd_)); }

 private:
  fs::path folder_;
  int fd_;
  std::size_t size_ = 0;
};

void write_drawn(nameless_file& to, const tensor_view& t, double deviation, std::uint64_t seed) {
  const std::uint64_t stream = stream_of(t.name, seed), n = numbers_in(t);
  std::vector<std::uint16_t> some(std::min<std::uint64_t>(n, numbers_at_once));
  for (std::uint64_t begin = 0; begin < n; begin += some.size()) {
    const std::size_t count = std::min<std::uint64_t>(some.size(), n - begin);
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
      some[i] = to_bf16(static_cast<float>(deviation) * draw(stream, begin + i));
    });
    to.append(some.data(), count * sizeof(std::uint16_t));
  }
}

// As it lies in the file, without gaps; `data` comes when that is mapped.
tensor_view made_view(const tensor_view& t, dtype type, std::size_t bytes) {
  tensor_view out{.name = t.name, .type = type, .shape = t.shape};
  out.bytes = bytes;
  out.row_group = out.group_stride = t.shape.empty() ? 1 : t.shape[0];
  out.row_stride = t.shape.size() == 2 ? t.shape[1] : 1;
  out.column_stride = 1;
  return out;
}

}  // namespace

model_files untrained_weights(const model_files& trained, std::uint64_t seed, const fs::path& folder) {
  const architecture& a = trained.arch();
  nameless_file file(folder);
  std::vector<tensor_view> views;
  std::vector<std::size_t> begins;
  std::map<const std::byte*, std::size_t> tied;  // by where they lie in the trained model: number here
  for (const tensor_view& t : trained.tensors()) {
    const std::optional<float> constant = constant_of(t, a);
    const auto [same, fresh] = tied.try_emplace(t.data, views.size());
    if (!fresh && part_of(t.name) == "unembed" && views[same->second].shape == t.shape) {
      views.push_back(made_view(t, views[same->second].type, views[same->second].bytes));
      begins.push_back(begins[same->second]);
      continue;
    }
    file.align();
    begins.push_back(file.size());
    if (constant) {
      const std::vector<float> values(numbers_in(t), *constant);
      file.append(values.data(), values.size() * sizeof(float));
      views.push_back(made_view(t, dtype::f32, values.size() * sizeof(float)));
    } else {
      write_drawn(file, t, deviation_of(t.name, a), seed);
      views.push_back(made_view(t, dtype::bf16, numbers_in(t) * sizeof(std::uint16_t)));
    }
  }
  mapped_file data = file.map();
  for (std::size_t i = 0; i < views.size(); ++i) views[i].data = data.bytes().data() + begins[i];
  return trained.with_weights(std::move(views), std::move(data));
}

}  // namespace depthlens
