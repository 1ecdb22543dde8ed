// SPDX-License-Identifier: Apache-2.0
// The zip archive that torch.save writes: one folder with data.pkl and the records data/0, data/1, ... of its
// tensors, all stored. Two readers must agree on it: zip_directory.hpp, which says where a record's bytes lie
// in the mapped file, and libzip with its consistency checks, which also verifies checksums. What the pickle
// means is torch_file.hpp.
#pragma once

#include <zip.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/zip_directory.hpp"

namespace depthlens {

// Views `bytes`, which outlive it. Not thread-safe (libzip is not).
class torch_zip {
 public:
  // Reads the directory alone. Errors: data, starting with `label`.
  torch_zip(std::span<const std::byte> bytes, std::string label)
      : label_(std::move(label)), archive_(nullptr, &zip_discard) {
    refuse_legacy(bytes);
    members_ = read_zip_directory(bytes, label_);
    open(bytes);
    for (std::size_t i = 0; i < members_.size(); ++i) compare(i);
    find_folder();
    for (std::size_t i = 0; i < members_.size(); ++i) by_name_.emplace(inside(members_[i].name), i);
    if (const zip_member* order = find("byteorder")) {
      verify(*order);
      const std::string_view text(reinterpret_cast<const char*>(order->data.data()), order->size);
      if (text != "little") fail(status::data, label_, ": byte order ", printable(text), ", expected little");
    }
  }

  const std::string& label() const noexcept { return label_; }

  // By its name inside the archive's one folder: "data.pkl", "data/0"; null if there is none.
  const zip_member* find(std::string_view name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &members_[at->second];
  }

  // Reads the whole record through libzip, which compares its checksum. Errors: data.
  void verify(const zip_member& member) const {
    const auto index = static_cast<zip_uint64_t>(&member - members_.data());
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive_.get(), index, 0),
                                                                 &zip_fclose);
    const std::string shown = printable(member.name);
    if (!file) fail(status::data, label_, ": member ", shown, ": ", zip_strerror(archive_.get()));
    std::array<std::byte, 1 << 15> piece;
    std::size_t done = 0;
    for (;;) {
      const zip_int64_t n = zip_fread(file.get(), piece.data(), piece.size());
      if (n < 0) fail(status::data, label_, ": member ", shown, ": ", zip_file_strerror(file.get()));
      if (n == 0) break;
      const auto size = static_cast<std::size_t>(n);
      if (size > member.size - done || std::memcmp(piece.data(), member.data.data() + done, size) != 0)
        fail(status::data, label_, ": member ", shown, " has two places");
      done += size;
    }
    if (done != member.size)
      fail(status::data, label_, ": member ", shown, " has ", done, " bytes, expected ", member.size);
  }

 private:
  // Files of torch.save before version 1.6 are bare pickles with the magic number as their first value.
  void refuse_legacy(std::span<const std::byte> bytes) const {
    constexpr std::string_view magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);
    const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                                std::min(magic.size(), bytes.size()));
    if (head == magic)
      fail(status::data, label_,
           ": is in the legacy format of torch.save before version 1.6; load it in Python and "
           "save it again, better as safetensors");
    if (!head.starts_with("PK\x03\x04")) fail(status::data, label_, ": is no zip archive of torch.save");
  }

  void open(std::span<const std::byte> bytes) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    if (source != nullptr) archive_.reset(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
    if (archive_) {
      zip_error_fini(&error);
      return;
    }
    const std::string what = zip_error_strerror(&error);
    if (source != nullptr) zip_source_free(source);
    zip_error_fini(&error);
    fail(status::data, label_, ": is no consistent zip archive: ", what);
  }

  void compare(std::size_t i) const {
    const zip_member& m = members_[i];
    zip_stat_t s;
    zip_stat_init(&s);
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC |
                                    ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    const bool known = static_cast<std::size_t>(zip_get_num_entries(archive_.get(), 0)) == members_.size() &&
                       zip_stat_index(archive_.get(), i, ZIP_FL_ENC_RAW, &s) == 0 &&
                       (s.valid & needed) == needed;
    if (!known || m.name != s.name || s.size != m.size || s.comp_size != m.size || s.crc != m.crc ||
        s.comp_method != ZIP_CM_STORE || s.encryption_method != ZIP_EM_NONE)
      fail(status::data, label_, ": member ", printable(m.name), " reads differently to two zip readers");
  }

  // All members lie in the folder of the one */data.pkl.
  void find_folder() {
    constexpr std::string_view pickle = "/data.pkl";
    std::size_t found = 0;
    for (const zip_member& m : members_) {
      if (!m.name.ends_with(pickle) || m.name.size() == pickle.size()) continue;
      folder_ = m.name.substr(0, m.name.size() - pickle.size() + 1);
      ++found;
    }
    if (found != 1 || folder_.find('/') != folder_.size() - 1)
      fail(status::data, label_, ": ", found,
           " members are called */data.pkl, expected one: not a file of torch.save?");
    for (const zip_member& m : members_)
      if (!m.name.starts_with(folder_))
        fail(status::data, label_, ": member ", printable(m.name), " lies outside the folder ",
             printable(folder_));
  }

  std::string_view inside(std::string_view name) const { return name.substr(folder_.size()); }

  std::string label_;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_;
  std::vector<zip_member> members_;
  std::string_view folder_;
  std::map<std::string_view, std::size_t, std::less<>> by_name_;
};

}  // namespace depthlens
