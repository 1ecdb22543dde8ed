// SPDX-License-Identifier: Apache-2.0
#include "log/log_file.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"

#include <xxhash.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

namespace depthlens {
namespace {

constexpr std::string_view first_line = "depthlens log 1\n";
static_assert(first_line.size() == log_file::begin);
constexpr std::size_t read_buffer = 64 << 10;
constexpr std::uint64_t short_tail = 64 << 10;
constexpr std::uint64_t most_search_effort = std::uint64_t{4} << 30;
// What a checksum of few bytes costs besides them.
constexpr std::uint64_t check_effort = 64;

struct entry_head {
  std::uint32_t length;
  std::uint64_t sum;
};

entry_head head_of(std::string_view bytes) {
  entry_head h{};
  std::memcpy(&h.length, bytes.data(), sizeof h.length);
  std::memcpy(&h.sum, bytes.data() + sizeof h.length, sizeof h.sum);
  return h;
}

}  // namespace

log_file::log_file(const std::filesystem::path& file, log_access access) : path_(file) {
  const bool writes = access == log_access::write;
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  fd_ = ::open(file.c_str(), (writes ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NONBLOCK, 0666);
  if (fd_ < 0)
    fail_errno(errno, writes ? file_use::create : file_use::read, file.string(),
               ": cannot open the record log");
  try {
    start(access);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

log_file::~log_file() {
  if (fd_ >= 0) ::close(fd_);
}

void log_file::start(log_access access) {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) fail_errno(errno, file_use::write, path_.string(), ": cannot look at it");
  if (!S_ISREG(info.st_mode)) fail(status::no_input, path_.string(), ": is not a regular file");
  size_ = static_cast<std::uint64_t>(info.st_size);
  if (size_ < begin && access == log_access::read)
    fail(status::io, path_.string(), ": not a whole record log: it has ", size_, " bytes");
  if (size_ < begin) {
    cut(0);
    write(first_line);
    size_ = begin;
    return;
  }
  std::string line(begin, '\0');
  read(0, line.data(), line.size());
  if (line != first_line)
    fail(status::config, path_.string(), ": not a record log of this version; use --fresh or another --out");
  ::lseek(fd_, static_cast<off_t>(size_), SEEK_SET);
}

void log_file::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(errno, file_use::write, path_.string(), ": cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::uint64_t log_file::append(std::string_view payload) {
  if (payload.size() > longest_payload)
    fail(status::internal, path_.string(), ": a record's rows are over 1 GiB");
  const auto length = static_cast<std::uint32_t>(payload.size());
  const std::uint64_t sum = XXH3_64bits(payload.data(), payload.size());
  std::string bytes;
  bytes.reserve(head + payload.size());
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  bytes.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  bytes += payload;
  try {
    write(bytes);
  } catch (...) {
    // Take back half an entry. If even that fails, the next scan passes over it.
    if (::ftruncate(fd_, static_cast<off_t>(size_)) == 0) ::lseek(fd_, static_cast<off_t>(size_), SEEK_SET);
    throw;
  }
  const std::uint64_t at = size_;
  size_ += bytes.size();
  return at;
}

void log_file::read(std::uint64_t at, char* out, std::size_t n) const {
  for (std::size_t done = 0; done < n;) {
    const ssize_t got = ::pread(fd_, out + done, n - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(errno, file_use::write, path_.string(), ": cannot read at offset ", at + done);
    if (got == 0) fail(status::io, path_.string(), ": ends before offset ", at + n);
    done += static_cast<std::size_t>(got);
  }
}

std::string log_file::payload(std::uint64_t at) const {
  std::array<char, head> start{};
  read(at, start.data(), start.size());
  const entry_head h = head_of({start.data(), start.size()});
  std::string out;
  if (h.length <= longest_payload && h.length <= size_ - at - head) {
    out.resize(h.length);
    read(at + head, out.data(), out.size());
    if (XXH3_64bits(out.data(), out.size()) == h.sum) return out;
  }
  fail(status::io, path_.string(), ": the record at offset ", at, " has changed since the log was opened");
}

void log_file::cut(std::uint64_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0)
    fail_errno(errno, file_use::write, path_.string(), ": cannot cut it to ", size, " bytes");
  size_ = size;
  ::lseek(fd_, static_cast<off_t>(size), SEEK_SET);
}

void log_file::sync() {
  if (::fdatasync(fd_) != 0) fail_errno(errno, file_use::write, path_.string(), ": cannot sync");
}

log_scan::log_scan(const log_file& file)
    : file_(file), buffer_(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), read_buffer))) {}

// The bytes at a place that lie in the file; n at most the buffer's size. Valid until the next call.
std::string_view log_scan::view(std::uint64_t at, std::size_t n) {
  if (at < buffer_at_ || at + n > buffer_at_ + buffered_) {
    buffered_ = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), file_.size() - at));
    buffer_at_ = at;
    file_.read(at, buffer_.data(), buffered_);
    effort_ += buffered_;
  }
  return {buffer_.data() + (at - buffer_at_), n};
}

std::uint64_t log_scan::sum_of(std::uint64_t at, std::uint64_t length) {
  effort_ += length + check_effort;
  if (length <= buffer_.size()) return XXH3_64bits(view(at, length).data(), length);
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              &XXH3_freeState);
  if (!state) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  for (std::uint64_t done = 0; done < length;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), length - done));
    XXH3_64bits_update(state.get(), view(at + done, n).data(), n);
    done += n;
  }
  return XXH3_64bits_digest(state.get());
}

// Where the bytes at a place end if they are an entry; 0 if no entry of such a length can be there.
std::uint64_t log_scan::stated_end(std::uint64_t at) {
  if (at + log_file::head + shortest_payload > file_.size()) return 0;
  const std::uint64_t length = head_of(view(at, log_file::head)).length;
  const std::uint64_t end = at + log_file::head + length;
  return length < shortest_payload || length > log_file::longest_payload || end > file_.size() ? 0 : end;
}

std::optional<log_scan::found> log_scan::whole(std::uint64_t at) {
  const std::uint64_t end = stated_end(at);
  if (end == 0) return std::nullopt;
  const std::uint64_t payload = at + log_file::head, length = end - payload;
  const std::uint64_t sum = head_of(view(at, log_file::head)).sum;
  // The key tells most places apart that are none, without a checksum.
  std::uint32_t name = 0;
  std::memcpy(&name, view(payload, sizeof name).data(), sizeof name);
  if (name > length - shortest_payload) return std::nullopt;
  if (sum_of(payload, length) != sum) return std::nullopt;
  const std::size_t key = shortest_payload + std::size_t{name};
  if (key <= buffer_.size()) return found{at, *key_of_payload(view(payload, key))};
  std::string start(key, '\0');
  file_.read(payload, start.data(), start.size());
  return found{at, *key_of_payload(start)};
}

// The first entry behind the damaged bytes at end_.
std::optional<log_scan::found> log_scan::search() {
  effort_ = 0;
  const std::uint64_t stated = stated_end(end_);
  std::optional<found> next;
  if (stated != 0) next = whole(stated);
  for (std::uint64_t at = end_ + 1; !next && at + log_file::head + shortest_payload <= file_.size(); ++at) {
    if (search_effort_ + effort_ > most_search_effort) {
      gave_up_ = true;
      break;
    }
    next = whole(at);
  }
  search_effort_ += effort_;
  return next;
}

std::optional<log_scan::found> log_scan::next() {
  std::optional<found> entry = whole(end_);
  if (!entry) {
    entry = search();
    if (!entry) return std::nullopt;
    damaged_bytes_ += entry->at - end_;
    ++damaged_places_;
  }
  end_ = stated_end(entry->at);
  longest_ = std::max(longest_, end_ - entry->at);
  return entry;
}

bool log_scan::damaged_end() {
  const std::uint64_t rest = file_.size() - end_;
  if (gave_up_ || rest > std::max(longest_, short_tail)) return true;
  if (rest < log_file::head) return false;
  const std::uint64_t length = head_of(view(end_, log_file::head)).length;
  return length < shortest_payload || length > log_file::longest_payload || length <= rest - log_file::head;
}

}  // namespace depthlens
