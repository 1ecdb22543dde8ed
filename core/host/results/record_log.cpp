// SPDX-License-Identifier: Apache-2.0
#include "results/record_log.hpp"

#include "depthlens/abi_error.hpp"

#include <xxhash.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <type_traits>

namespace depthlens {
namespace {

constexpr std::string_view kHeader = "depthlens log 1\n";
constexpr std::size_t kEntryHead = sizeof(std::uint32_t) + sizeof(std::uint64_t);
constexpr std::uint32_t kLongestEntry = 1u << 30;

// Numbers lie little-endian, as on every machine this is built for.
static_assert(std::endian::native == std::endian::little);

template <class T>
void put(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}
void put_text(std::string& out, std::string_view s) {
  put(out, static_cast<std::uint32_t>(s.size()));
  out += s;
}

class cursor {
 public:
  cursor(std::string_view bytes, const std::filesystem::path& file) : rest_(bytes), file_(file) {}
  template <class T>
  T get() {
    T v;
    std::memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string_view text() { return take(get<std::uint32_t>()); }

 private:
  std::string_view take(std::size_t n) {
    if (n > rest_.size()) fail(status::data, file_.string(), ": a record of the log ends too early");
    const auto part = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return part;
  }
  std::string_view rest_;
  const std::filesystem::path& file_;
};

void write_all(int fd, std::string_view bytes, const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(status::io, file.string(), ": cannot write: ", std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

entry_writer::entry_writer(const record_key& key) {
  put_text(head_, key.set);
  put(head_, key.index);
  put(head_, key.hash);
}

void entry_writer::row(std::string_view table, const dlens_value* values, std::size_t n) {
  ++n_rows_;
  put_text(rows_, table);
  put(rows_, static_cast<std::uint32_t>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const dlens_value& v = values[i];
    put(rows_, static_cast<std::uint8_t>(v.type));
    if (v.type == DLENS_I64) put(rows_, v.as.i64);
    if (v.type == DLENS_F64) put(rows_, v.as.f64);
    if (v.type == DLENS_F32) put(rows_, static_cast<float>(v.as.f64));
    if (v.type == DLENS_TEXT) put_text(rows_, to_view(v.as.text));
  }
}

void entry_writer::count(std::string_view set, std::string_view reason, std::uint64_t n) {
  ++n_counts_;
  put_text(counts_, set);
  put_text(counts_, reason);
  put(counts_, n);
}

std::string entry_writer::take() {
  std::string out = std::move(head_);
  put(out, n_rows_);
  out += rows_;
  put(out, n_counts_);
  out += counts_;
  return out;
}

entry::entry(std::string payload, const std::filesystem::path& file) : payload_(std::move(payload)) {
  cursor in(payload_, file);
  key_.set = in.text();
  key_.index = in.get<std::uint64_t>();
  key_.hash = in.get<std::uint64_t>();
  for (auto n = in.get<std::uint32_t>(); n > 0; --n) {
    logged_row row;
    row.table = in.text();
    for (auto k = in.get<std::uint32_t>(); k > 0; --k) {
      dlens_value v{in.get<std::uint8_t>(), 0, {.i64 = 0}};
      if (v.type == DLENS_I64) v.as.i64 = in.get<std::int64_t>();
      if (v.type == DLENS_F64) v.as.f64 = in.get<double>();
      if (v.type == DLENS_F32) v.as.f64 = in.get<float>();
      if (v.type == DLENS_TEXT) v.as.text = to_text(in.text());
      row.values.push_back(v);
    }
    rows_.push_back(std::move(row));
  }
  for (auto n = in.get<std::uint32_t>(); n > 0; --n) {
    const auto set = in.text(), reason = in.text();
    counts_.push_back({set, reason, in.get<std::uint64_t>()});
  }
}

record_log::record_log(const std::filesystem::path& file) : file_(file) {
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0)
    fail(status::cannot_create, file.string(), ": cannot open the record log: ", std::strerror(errno));
  try {
    scan();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

record_log::~record_log() {
  if (fd_ >= 0) ::close(fd_);
}

std::string record_log::read(const place& p) const {
  std::string bytes(p.length, '\0');
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::pread(fd_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(p.offset + at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(status::io, file_.string(), ": cannot read at offset ", p.offset + at);
    at += static_cast<std::size_t>(n);
  }
  return bytes;
}

void record_log::scan() {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) fail(status::io, file_.string(), ": cannot stat: ", std::strerror(errno));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size >= kHeader.size() && read({0, static_cast<std::uint32_t>(kHeader.size())}) != kHeader)
    fail(status::config, file_.string(), ": not a record log of this version; use --fresh or another --out");
  if (size < kHeader.size()) {
    if (::ftruncate(fd_, 0) != 0)
      fail(status::io, file_.string(), ": cannot truncate: ", std::strerror(errno));
    write_all(fd_, kHeader, file_);
    end_ = kHeader.size();
    return;
  }
  for (end_ = kHeader.size(); end_ + kEntryHead <= size;) {
    const std::string head = read({end_, kEntryHead});
    cursor in(head, file_);
    const auto length = in.get<std::uint32_t>();
    const auto sum = in.get<std::uint64_t>();
    if (length > kLongestEntry || end_ + kEntryHead + length > size) break;
    const std::string payload = read({end_ + kEntryHead, length});
    if (XXH3_64bits(payload.data(), payload.size()) != sum) break;
    cursor key_in(payload, file_);
    record_key key;
    key.set = key_in.text();
    key.index = key_in.get<std::uint64_t>();
    key.hash = key_in.get<std::uint64_t>();
    index_.insert_or_assign(std::move(key), place{end_ + kEntryHead, length});
    end_ += kEntryHead + length;
  }
  if (end_ < size && ::ftruncate(fd_, static_cast<off_t>(end_)) != 0)
    fail(status::io, file_.string(), ": cannot cut the torn tail: ", std::strerror(errno));
  ::lseek(fd_, static_cast<off_t>(end_), SEEK_SET);
}

void record_log::append(const record_key& key, std::string_view payload) {
  if (payload.size() > kLongestEntry)
    fail(status::internal, file_.string(), ": a record's rows are over 1 GiB");
  std::string bytes;
  bytes.reserve(kEntryHead + payload.size());
  put(bytes, static_cast<std::uint32_t>(payload.size()));
  put(bytes, static_cast<std::uint64_t>(XXH3_64bits(payload.data(), payload.size())));
  bytes += payload;
  try {
    write_all(fd_, bytes, file_);
  } catch (...) {
    // Half an entry would hide all that follow it: take it back. If even that fails, the next scan cuts it.
    if (::ftruncate(fd_, static_cast<off_t>(end_)) == 0) ::lseek(fd_, static_cast<off_t>(end_), SEEK_SET);
    throw;
  }
  index_.insert_or_assign(key, place{end_ + kEntryHead, static_cast<std::uint32_t>(payload.size())});
  end_ += bytes.size();
}

void record_log::sync() {
  if (::fdatasync(fd_) != 0) fail(status::io, file_.string(), ": cannot sync: ", std::strerror(errno));
}

std::vector<record_key> record_log::keys(const std::vector<std::string>& sets,
                                         const std::function<bool(const record_key&)>& wanted) const {
  std::vector<record_key> out;
  for (const std::string& set : sets)
    for (auto at = index_.lower_bound({set, 0, 0}); at != index_.end() && at->first.set == set; ++at)
      if (wanted(at->first)) out.push_back(at->first);
  return out;
}

std::unique_ptr<entry> record_log::get(const record_key& key) const {
  return std::make_unique<entry>(read(index_.at(key)), file_);
}

void record_log::each(const std::vector<std::string>& sets,
                      const std::function<bool(const record_key&)>& wanted,
                      const std::function<void(const entry&)>& fn) const {
  for (const record_key& key : keys(sets, wanted)) fn(*get(key));
}

}  // namespace depthlens
