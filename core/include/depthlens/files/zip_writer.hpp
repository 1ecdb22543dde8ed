// SPDX-License-Identifier: Apache-2.0
// Writes a zip archive as torch.save lays it out: members stored, their data at multiples of 64 bytes, so
// that they can be mapped. The same members give the same bytes: there are no dates in it. Archives over 4
// GiB have zip64 records. Links libz, whose CRC-32 takes a tenth of the time of Boost's.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/error.hpp"

namespace depthlens {

// CRC-32 as zip has it.
inline std::uint32_t zip_crc32(std::string_view bytes) noexcept {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

// One thread. Errors: those of atomic_file; status::data for a member of 4 GiB or more.
class zip_writer {
 public:
  explicit zip_writer(const std::filesystem::path& path) : file_(path) {}

  void add(std::string_view name, std::string_view data) {
    if (data.size() >= limit) fail(status::data, file_.path().string(), ": member ", name, " is over 4 GiB");
    const std::uint32_t crc = zip_crc32(data);
    const std::uint64_t header = at_, fixed = 30 + name.size() + 4;
    const std::uint64_t padding = (alignment - (header + fixed) % alignment) % alignment;
    std::string out = "PK\x03\x04";
    put_sizes(out, crc, data.size(), name.size(), 4 + padding);
    out += name;
    // A field of its own kind, "FB" as torch has it, that readers pass over.
    put(out, std::uint16_t{0x4246});
    put(out, static_cast<std::uint16_t>(padding));
    out.append(padding, 'Z');
    write(out);
    write(data);
    add_entry(name, crc, data.size(), header);
  }

  // The directory, and the file is in place.
  void commit() {
    const std::uint64_t start = at_, size = directory_.size();
    write(directory_);
    std::string out;
    if (start >= limit || members_ >= 0xffff) put_end64(out, start, size);
    out += "PK\x05\x06";
    put(out, std::uint32_t{0});
    for (int i = 0; i < 2; ++i)
      put(out, static_cast<std::uint16_t>(std::min<std::uint64_t>(members_, 0xffff)));
    put(out, static_cast<std::uint32_t>(size));
    put(out, static_cast<std::uint32_t>(std::min<std::uint64_t>(start, limit)));
    put(out, std::uint16_t{0});
    write(out);
    file_.commit();
  }

 private:
  static constexpr std::uint64_t alignment = 64, limit = 0xffffffff;
  static constexpr std::uint16_t utf8_name = 0x0800;

  template <class T>
  static void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  // From "version needed" to the lengths of name and extra fields, which local headers and the directory
  // share.
  static void put_sizes(std::string& out, std::uint32_t crc, std::size_t size, std::size_t name,
                        std::uint64_t extra) {
    put(out, std::uint16_t{45});
    put(out, utf8_name);
    put(out, std::uint16_t{0});           // stored
    put(out, std::uint32_t{0x00210000});  // 1980-01-01, the first date there is
    put(out, crc);
    put(out, static_cast<std::uint32_t>(size));
    put(out, static_cast<std::uint32_t>(size));
    put(out, static_cast<std::uint16_t>(name));
    put(out, static_cast<std::uint16_t>(extra));
  }

  void add_entry(std::string_view name, std::uint32_t crc, std::size_t size, std::uint64_t header) {
    const bool far = header >= limit;
    directory_ += "PK\x01\x02";
    put(directory_, std::uint16_t{45});
    put_sizes(directory_, crc, size, name.size(), far ? 12 : 0);
    put(directory_, std::uint16_t{0});  // comment
    put(directory_, std::uint16_t{0});  // disk
    put(directory_, std::uint16_t{0});  // attributes
    put(directory_, std::uint32_t{0});
    put(directory_, static_cast<std::uint32_t>(far ? limit : header));
    directory_ += name;
    ++members_;
    if (!far) return;
    put(directory_, std::uint16_t{1});
    put(directory_, std::uint16_t{8});
    put(directory_, header);
  }

  void put_end64(std::string& out, std::uint64_t start, std::uint64_t size) const {
    out += "PK\x06\x06";
    put(out, std::uint64_t{44});
    put(out, std::uint16_t{45});
    put(out, std::uint16_t{45});
    put(out, std::uint64_t{0});  // disks
    put(out, members_);
    put(out, members_);
    put(out, size);
    put(out, start);
    out += "PK\x06\x07";
    put(out, std::uint32_t{0});
    put(out, start + size);
    put(out, std::uint32_t{1});
  }

  void write(std::string_view bytes) {
    file_.write(bytes);
    at_ += bytes.size();
  }

  atomic_file file_;
  std::string directory_;
  std::uint64_t at_ = 0, members_ = 0;
};

}  // namespace depthlens
