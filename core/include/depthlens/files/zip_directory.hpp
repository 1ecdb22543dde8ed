// SPDX-License-Identifier: Apache-2.0
// The central directory of an untrusted zip archive whose members are stored, not compressed: where each
// one's bytes lie. Stricter than the format: nothing after the end record, no comment, no encryption, names
// unique, and local headers that say what the directory says. Reads no member; checksums are torch_zip.hpp's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"

namespace depthlens {

struct zip_member {
  std::string_view name;  // in the archive's bytes
  std::uint32_t crc = 0;
  std::uint64_t header = 0;  // offset of its local header
  std::uint64_t size = 0;
  std::span<const std::byte> data;
};

namespace detail {

class zip_directory_reader {
 public:
  zip_directory_reader(std::span<const std::byte> bytes, std::string_view label)
      : bytes_(bytes), label_(label) {}

  std::vector<zip_member> read() {
    find_directory();
    byte_cursor in = at(directory_, directory_end_);
    std::vector<zip_member> out;
    out.reserve(count_);
    std::unordered_set<std::string_view> names;
    for (std::uint64_t i = 0; i < count_; ++i) {
      out.push_back(read_entry(in));
      if (!names.insert(out.back().name).second)
        fail(status::data, label_, ": two members are called ", printable(out.back().name));
    }
    if (in.remaining() > 0)
      fail(status::data, label_, ": ", in.remaining(), " bytes between the zip directory and its end record");
    check_places(out);
    return out;
  }

 private:
  static constexpr std::uint64_t end_size = 22, end64_size = 56, locator_size = 20, entry_size = 46;
  static constexpr std::uint64_t most_members = 100'000;
  static constexpr std::uint16_t encrypted = 1, descriptor_follows = 8, utf8_name = 2048;
  static constexpr std::uint16_t allowed_flags = descriptor_follows | utf8_name;

  struct entry_sizes {
    std::uint64_t stored, size, header;
  };

  // A cursor over [from, to) whose offsets count from the start of the file.
  byte_cursor at(std::uint64_t from, std::uint64_t to) const {
    byte_cursor in(bytes_.first(static_cast<std::size_t>(to)), label_);
    in.take(from, "what comes before");
    return in;
  }

  void find_directory() {
    if (bytes_.size() < end_size) fail(status::data, label_, ": no zip archive, it has no end record");
    const std::uint64_t end = bytes_.size() - end_size;
    byte_cursor in = at(end, bytes_.size());
    if (in.u32("the end record") != 0x06054b50)
      fail(status::data, label_, ": the last ", end_size,
           " bytes are no zip end record: the file is truncated or something was added");
    const auto disk = in.u16("disk"), directory_disk = in.u16("disk");
    const auto here = in.u16("members"), all = in.u16("members");
    std::uint64_t size = in.u32("size"), start = in.u32("start");
    count_ = all;
    directory_end_ = end;
    if (in.u16("comment") != 0) fail(status::data, label_, ": the zip archive has a comment");
    if (disk != 0 || directory_disk != 0 || here != all)
      fail(status::data, label_, ": the zip archive is part of several");
    const bool has_locator =
        end >= locator_size + end64_size && at(end - locator_size, end).u32("locator") == 0x07064b50;
    if (has_locator) read_end64(end - locator_size, size, start);
    if (count_ > most_members)
      fail(status::data, label_, ": ", count_, " members, at most ", most_members, " are allowed");
    if (start > directory_end_ || size != directory_end_ - start || count_ > size / entry_size)
      fail(status::data, label_, ": a zip directory of ", count_, " members and ", size, " bytes at offset ",
           start, " does not end where its end record begins");
    directory_ = start;
  }

  void read_end64(std::uint64_t locator, std::uint64_t& size, std::uint64_t& start) {
    byte_cursor in = at(locator, bytes_.size());
    in.u32("locator");
    const bool one_disk = in.u32("disk") == 0;
    const std::uint64_t where = in.u64("offset");
    if (!one_disk || in.u32("disks") != 1 || where != locator - end64_size)
      fail(status::data, label_, ": the zip64 end record is not where its locator says");
    directory_end_ = where;
    byte_cursor record = at(where, locator);
    const bool good = record.u32("signature") == 0x06064b50 && record.u64("size") == end64_size - 12;
    record.take(4, "versions");
    const auto disk = record.u32("disk"), directory_disk = record.u32("disk");
    const auto here = record.u64("members"), all = record.u64("members");
    const std::uint64_t size64 = record.u64("size"), start64 = record.u64("start");
    const auto agree = [](std::uint64_t small, std::uint64_t limit, std::uint64_t large) {
      return small == limit || small == large;
    };
    if (!good || disk != 0 || directory_disk != 0 || here != all || !agree(count_, 0xffff, all) ||
        !agree(size, 0xffffffff, size64) || !agree(start, 0xffffffff, start64))
      fail(status::data, label_, ": the two zip end records do not agree");
    count_ = all;
    size = size64;
    start = start64;
  }

  zip_member read_entry(byte_cursor& in) const {
    if (in.u32("a directory entry") != 0x02014b50) in.fail_here("this is no entry of a zip directory");
    in.take(4, "versions");
    const auto flags = in.u16("flags"), method = in.u16("method");
    in.take(4, "date");
    zip_member out;
    out.crc = in.u32("checksum");
    entry_sizes sizes{in.u32("size"), in.u32("size"), 0};
    const auto name_size = in.u16("name"), extra_size = in.u16("extra field"), comment = in.u16("comment");
    const auto disk = in.u16("disk");
    in.take(6, "attributes");
    sizes.header = in.u32("offset");
    const auto name = in.take(name_size, "a name");
    out.name = {reinterpret_cast<const char*>(name.data()), name.size()};
    const std::string shown = printable(out.name);
    if ((flags & encrypted) != 0) fail(status::data, label_, ": member ", shown, " is encrypted");
    if ((flags & ~allowed_flags) != 0)
      fail(status::data, label_, ": member ", shown, " has unknown flags ", flags);
    if (method != 0)
      fail(status::data, label_, ": member ", shown, " is compressed (method ", method,
           "), expected it stored");
    if (comment != 0 || disk != 0)
      fail(status::data, label_, ": member ", shown, " has a comment or another disk");
    read_zip64(in.take(extra_size, "an extra field"), sizes, shown);
    if (sizes.stored != sizes.size)
      fail(status::data, label_, ": member ", shown, " has two sizes: ", sizes.stored, " and ", sizes.size);
    out.size = sizes.size;
    out.header = sizes.header;
    out.data = check_local(out, flags);
    return out;
  }

  // Sizes and offset beyond 32 bits.
  void read_zip64(std::span<const std::byte> extra, entry_sizes& sizes, const std::string& shown) const {
    byte_cursor in(extra, label_);
    bool seen = false;
    while (in.remaining() > 0) {
      const auto id = in.u16("an extra field"), size = in.u16("an extra field");
      byte_cursor field(in.take(size, "an extra field"), label_);
      if (id != 1) continue;
      if (seen) fail(status::data, label_, ": member ", shown, " has two zip64 fields");
      seen = true;
      for (std::uint64_t* v : {&sizes.size, &sizes.stored, &sizes.header})
        if (*v == 0xffffffff) *v = field.u64("a zip64 field");
    }
  }

  std::span<const std::byte> check_local(const zip_member& member, std::uint16_t flags) const {
    const std::string shown = printable(member.name);
    const auto differ = [&](const char* what) {
      fail(status::data, label_, ": member ", shown, ": ", what,
           " in its local header and in the directory differ");
    };
    if (member.header >= directory_)
      fail(status::data, label_, ": member ", shown, " starts behind the members, at ", member.header);
    byte_cursor in = at(member.header, directory_);
    if (in.u32("a local header") != 0x04034b50)
      fail(status::data, label_, ": member ", shown, ": no local header at offset ", member.header);
    in.take(2, "version");
    if (in.u16("flags") != flags) differ("flags");
    if (in.u16("method") != 0) differ("the compression method");
    in.take(4, "date");
    const std::uint32_t crc = in.u32("checksum"), stored = in.u32("size"), size = in.u32("size");
    const bool later = (flags & descriptor_follows) != 0;
    if (crc != member.crc && !(later && crc == 0)) differ("checksums");
    for (const std::uint32_t s : {stored, size})
      if (s != member.size && s != 0xffffffff && !(later && s == 0)) differ("sizes");
    const auto name_size = in.u16("name"), extra_size = in.u16("extra field");
    const auto name = in.take(name_size, "a name");
    if (std::string_view(reinterpret_cast<const char*>(name.data()), name.size()) != member.name)
      differ("names");
    in.take(extra_size, "an extra field");
    if (member.size > in.remaining())
      fail(status::data, label_, ": member ", shown, " of ", member.size, " bytes ends behind the members");
    return in.take(member.size, "a member");
  }

  // Members follow each other from the start of the file and do not overlap.
  void check_places(const std::vector<zip_member>& members) const {
    std::vector<const zip_member*> by_place;
    for (const zip_member& m : members) by_place.push_back(&m);
    std::sort(by_place.begin(), by_place.end(),
              [](const zip_member* a, const zip_member* b) { return a->header < b->header; });
    std::uint64_t end = 0;
    for (const zip_member* m : by_place) {
      if (m->header < end)
        fail(status::data, label_, ": member ", printable(m->name), " overlaps the one before it");
      if (end == 0 && m->header != 0)
        fail(status::data, label_, ": ", m->header, " bytes before the first member of the zip archive");
      end = static_cast<std::uint64_t>(m->data.data() - bytes_.data()) + m->size;
    }
  }

  std::span<const std::byte> bytes_;
  std::string_view label_;
  std::uint64_t directory_ = 0, directory_end_ = 0, count_ = 0;
};

}  // namespace detail

// The members in the order of the directory; views into `bytes`. Errors: data, starting with `label`.
inline std::vector<zip_member> read_zip_directory(std::span<const std::byte> bytes, std::string_view label) {
  return detail::zip_directory_reader(bytes, label).read();
}

}  // namespace depthlens
